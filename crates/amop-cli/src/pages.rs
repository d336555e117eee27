//! `amop man` and `amop completions`: what a package of the tool brings beside it, from what the tool itself parses.

use std::fs;
use std::path::PathBuf;

use clap::{Args as Arguments, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// `amop man`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Man {
    /// Where to; made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// `amop completions`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes a page for each command, named as `man` wants it.
pub(crate) fn man(man: &Man, out: &mut Out) -> Result<(), Failure> {
    let Man { dir } = man;
    let wrote = fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command(), dir));
    wrote.map_err(|error| {
        let sentence = format!("cannot write pages to {}", dir.display());
        Failure::new(Exit::IO, "not-written", sentence).because(&error)
    })?;
    match out.is_json() {
        true => out.json(&ManObject { kind_of_object: "man", dir: &dir.display().to_string() }),
        false => out.line(format!("pages are in {0}: man {0}/amop.1", dir.display())),
    }
}

/// Prints a script that a shell completes commands by.
pub(crate) fn completions(completions: &Completions, out: &mut Out) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command(), "amop", &mut script);
    out.bytes(&script)
}

fn command() -> clap::Command {
    Args::command()
}

/// Where the pages are, for programs.
#[derive(Serialize)]
struct ManObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    dir: &'a str,
}
