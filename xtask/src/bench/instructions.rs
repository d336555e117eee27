//! Counts the instructions of the hot functions with callgrind.
//!
//! Unlike times, instructions are the same on a busy machine and on an idle one, so that they show what a
//! change costs when nothing else can. Each function runs twice, with few and with many batches: the
//! difference leaves out the start of the process.

use crate::{process, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::{path::Path, process::Command};

/// Prints how many instructions each message costs in each hot function.
///
/// # Errors
///
/// Fails when the program does not build, or valgrind is missing or fails.
pub(super) fn run(workspace: &Workspace, wanted: &[String]) -> Result<()> {
    let mut build = process::cargo(&workspace.root);
    build.args(["build", "--locked", "--release", "--workspace", "--bin", PROGRAM]);
    process::run(&mut build)?;
    let program = workspace.target_dir.join("release").join(PROGRAM);
    let names = names(&program)?;
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        bail!("nothing is named {unknown}; there are {}", names.join(", "));
    }
    println!("{:<20} {:>24}", "function", "instructions/message");
    for name in names.iter().filter(|name| wanted.is_empty() || wanted.contains(name)) {
        let few = count(&program, name, FEW)?;
        let many = count(&program, name, MANY)?;
        let messages = (MANY - FEW) * BATCH_MESSAGES;
        println!("{name:<20} {:>24}", many.saturating_sub(few) / messages);
    }
    Ok(())
}

fn names(program: &Path) -> Result<Vec<String>> {
    let output = Command::new(program).arg("--list").output().context("cannot run the program")?;
    let text = String::from_utf8(output.stdout).context("the list is no text")?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn count(program: &Path, name: &str, batches: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let output = valgrind.arg(program).arg(name).arg(batches.to_string()).output();
    let output = output.context("cannot run valgrind; Debian has it in the package `valgrind`")?;
    let told = String::from_utf8_lossy(&output.stderr);
    collected(&told).with_context(|| format!("callgrind counted nothing:\n{told}"))
}

/// The number behind `Collected :` in what callgrind says at its end.
fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

/// The binary that runs them, and how many messages are one of its batches.
const PROGRAM: &str = "hot";
const BATCH_MESSAGES: u64 = 64;

const FEW: u64 = 20;
const MANY: u64 = 120;

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let told = "==7== Events    : Ir\n==7== Collected : 4210774\n==7== \n";
        assert_eq!(collected(told), Some(4_210_774));
        assert_eq!(collected("valgrind: no such file"), None);
    }
}
