//! `amop man` and `amop completions`.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{amop, run, text};

#[tokio::test]
async fn every_command_the_daemon_and_its_configuration_have_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let told = run(&mut amop(dir.path(), &["man", "new/man"])).await;
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let page = |name: &str| fs::read_to_string(dir.path().join("new/man").join(name)).unwrap();
    assert!(page("man1/amop.1").contains(".TH amop 1"), "{}", page("man1/amop.1"));
    for (name, word) in [
        ("man1/amop-cert-sign.1", "SYNOPSIS"),
        ("man1/amop-acl-explain.1", "ACTION"),
        ("man8/amop-node.8", ".TH amop-node 8"),
        ("man8/amop-node.8", "KEY=VALUE"),
        ("man5/amop.toml.5", "[[p2p.peer]], which may be repeated"),
    ] {
        assert!(page(name).contains(word), "{name}: {}", page(name));
    }
    fs::write(dir.path().join("file"), "").unwrap();
    let refused = run(&mut amop(dir.path(), &["man", "file/man"])).await;
    assert_eq!(refused.status.code(), Some(74), "{refused:?}");
}

/// The shell that is everywhere takes its script.
#[tokio::test]
async fn a_script_of_completions_knows_the_commands_and_is_one_that_bash_takes() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&run(&mut amop(dir.path(), &["completions", shell])).await.stdout);
        for command in ["topology", "explain", "--endpoint"] {
            let word = if shell == "fish" { command.trim_start_matches('-') } else { command };
            assert!(script.contains(word), "{shell}: {command}");
        }
        if shell == "bash" {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success());
        }
    }
    let daemon = ["completions", "bash", "--program", "amop-node"];
    let script = text(&run(&mut amop(dir.path(), &daemon)).await.stdout);
    assert!(script.contains(" amop-node\n") && script.contains("--check"), "{script}");
    let unknown = run(&mut amop(dir.path(), &["completions", "cmd.exe"])).await;
    assert_eq!(unknown.status.code(), Some(2));
}
