//! `cargo xtask dist`, with programs that do no more than the chore asks of them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Writes pages, and prints completions that say what they are for.
const TOOL: &str = r#"#!/bin/sh
case $1 in
    man) mkdir -p "$2/man1" "$2/man8" && echo page > "$2/man1/amop.1" && echo page > "$2/man8/amop-node.8" ;;
    completions) echo "$2 of $4" ;;
    *) exit 2 ;;
esac
"#;

fn programs(dir: &Path) -> PathBuf {
    let programs = dir.join("programs");
    fs::create_dir(&programs).unwrap();
    for name in ["amop", "amop-node"] {
        fs::write(programs.join(name), TOOL).unwrap();
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o700)).unwrap();
    }
    programs
}

fn dist(programs: &Path, out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["dist", "--binaries"]).arg(programs).arg("--out").arg(out);
    command.env("SOURCE_DATE_EPOCH", "1767312000").output().unwrap()
}

/// The only archive of a directory.
fn archive(out: &Path) -> PathBuf {
    let mut found = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.extension().is_some_and(|end| end == "gz")).unwrap()
}

fn run(program: &str, dir: &Path, arguments: &[&str]) -> String {
    let ended = Command::new(program).current_dir(dir).args(arguments).output().unwrap();
    assert!(ended.status.success(), "{program} {arguments:?}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn a_release_has_all_that_belongs_to_it_and_is_the_same_byte_for_byte_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let programs = programs(dir.path());
    let outs = ["first", "second"].map(|name| dir.path().join(name));
    for out in &outs {
        let ended = dist(&programs, out);
        assert!(ended.status.success(), "{ended:?}");
        let said = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(Path::new(said.trim_end()), fs::canonicalize(archive(out)).unwrap());
    }
    let [first, second] = outs.each_ref().map(|out| fs::read(archive(out)).unwrap());
    assert!(first == second, "the same programs make the same archive");

    let out = &outs[0];
    let name = archive(out).file_name().unwrap().to_str().unwrap().to_owned();
    run("sha256sum", out, &["--check", "--strict", &format!("{name}.sha256")]);
    let listed = run("tar", out, &["-tvf", &name, "--numeric-owner", "--utc", "--full-time"]);
    for line in listed.lines() {
        assert!(line.contains(" 0/0 ") && line.contains("2026-01-02 00:00:00"), "{line}");
    }
    run("tar", out, &["-xf", &name]);
    let root = out.join(name.strip_suffix(".tar.gz").unwrap());
    for file in [
        "bin/amop-node",
        "share/man/man8/amop-node.8",
        "deploy/amop-node.service",
        "deploy/prometheus/alerts.yml",
        "docs/OPERATIONS.md",
        "docs/start/operator.md",
        "README.md",
        "CHANGELOG.md",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }
    assert_eq!(fs::metadata(root.join("bin/amop")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::metadata(root.join("README.md")).unwrap().permissions().mode() & 0o777, 0o644);
    let completions = |path: &str| fs::read_to_string(root.join("share/completions").join(path));
    assert_eq!(completions("zsh/_amop-node").unwrap(), "zsh of amop-node\n");
    assert_eq!(completions("bash/amop").unwrap(), "bash of amop\n");
    let licenses = fs::read_to_string(root.join("LICENSES.txt")).unwrap();
    assert!(licenses.contains("\nquinn "), "{licenses}");
    assert!(!licenses.contains("\nproptest "), "it is for tests only");

    run("sha256sum", &root, &["--check", "--strict", "SHA256SUMS"]);
    let sums = fs::read_to_string(root.join("SHA256SUMS")).unwrap();
    let summed: BTreeSet<&str> =
        sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    let files = listed.lines().filter(|line| line.starts_with('-')).count();
    assert_eq!(summed.len(), files - 1, "all but the list itself");
}

#[test]
fn a_program_that_is_missing_is_named_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let programs = programs(dir.path());
    fs::remove_file(programs.join("amop-node")).unwrap();
    let out = dir.path().join("out");
    let ended = dist(&programs, &out);
    assert!(!ended.status.success());
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("there is no ") && said.contains("amop-node"), "{said}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}
