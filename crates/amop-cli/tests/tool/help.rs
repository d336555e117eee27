//! What the tool says about itself.

use std::path::Path;

use crate::support::{amop, object, run, text};

const COMMANDS: [&[&str]; 36] = [
    &[],
    &["demo"],
    &["sub"],
    &["pub"],
    &["request"],
    &["send"],
    &["receive"],
    &["key"],
    &["key", "new"],
    &["key", "import"],
    &["key", "public"],
    &["key", "fingerprint"],
    &["cert"],
    &["cert", "quick"],
    &["status"],
    &["peers"],
    &["clients"],
    &["topics"],
    &["who"],
    &["topology"],
    &["node"],
    &["node", "reload"],
    &["node", "drain"],
    &["node", "kick"],
    &["node", "log-level"],
    &["errors"],
    &["version"],
    &["cert", "renew"],
    &["acl"],
    &["acl", "explain"],
    &["man"],
    &["completions"],
    &["config"],
    &["config", "check"],
    &["config", "show"],
    &["config", "explain"],
];

#[tokio::test]
async fn the_help_of_every_command_begins_with_an_example_and_fits_a_screen() {
    for command in COMMANDS {
        let arguments = [command, &["--help"]].concat();
        let output = run(&mut amop(Path::new("."), &arguments)).await;
        let help = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(help.starts_with("Example: amop "), "{help}");
        // That of the tool itself lists all commands and all exit codes.
        let lines_max = if command.is_empty() { 58 } else { 40 };
        assert!(help.lines().count() <= lines_max, "{help}");
    }
}

#[tokio::test]
async fn the_help_lists_the_exit_codes() {
    let output = run(&mut amop(Path::new("."), &["help"])).await;
    let help = text(&output.stdout);
    for code in [0, 1, 2, 65, 66, 69, 73, 74, 76, 77, 78, 99, 100, 101, 102, 103, 201, 206, 130] {
        assert!(help.contains(&format!(" {code} ")), "{code} in {help}");
    }
}

#[tokio::test]
async fn wrong_arguments_end_with_2() {
    let wrong: [&[&str]; 9] = [
        &[],
        &["subscribe", "quote"],
        &["sub"],
        &["sub", "quote", "-n", "0"],
        &["sub", "quote", "--raw", "--json"],
        &["sub", "quote", "--for", "5"],
        &["pub", "quote", "--timeout", "2h"],
        &["request", "quote", "--cert", "a.crt"],
        &["cert", "quick"],
    ];
    for arguments in wrong {
        let output = run(&mut amop(Path::new("."), arguments)).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[tokio::test]
async fn the_version_is_told_to_people_and_to_programs() {
    let told = run(&mut amop(Path::new("."), &["version"])).await;
    let asked = run(&mut amop(Path::new("."), &["--version"])).await;
    assert_eq!(told.stdout, asked.stdout);
    let json = object(&run(&mut amop(Path::new("."), &["version", "--json"])).await);
    assert_eq!((&json["type"], &json["name"]), (&"version".into(), &"amop".into()));
    assert_eq!(text(&told.stdout), format!("amop {}\n", json["version"].as_str().unwrap()));
}
