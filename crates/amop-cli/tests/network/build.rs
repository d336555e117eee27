//! Where the daemon's executable is.
//!
//! Cargo builds the executables of the package under test only, and `amop-node` belongs to another.
//! So cargo is asked for it once more. It is asked for a test of that package, among all packages,
//! because then everything is built with the same features as by `cargo test --workspace`, after
//! which there is nothing left to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The daemon, as the sources are now.
pub(crate) fn daemon() -> &'static Path {
    static DAEMON: OnceLock<PathBuf> = OnceLock::new();
    DAEMON.get_or_init(build)
}

fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    cargo.args(["test", "--locked", "--quiet", "--workspace", "--test", "daemon", "--no-run"]);
    cargo.arg("--message-format=json");
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "amop-node does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_daemon =
            message["target"]["name"] == "amop-node" && message["target"]["kind"][0] == "bin";
        let path = message["executable"].as_str()?;
        is_daemon.then(|| PathBuf::from(path))
    };
    messages.lines().find_map(executable).expect("cargo names what it has built")
}
