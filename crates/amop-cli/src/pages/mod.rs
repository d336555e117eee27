//! `amop man` and `amop completions`: what a package brings beside the two programs, from what these themselves parse.

mod keys;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args as Arguments, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use serde::Serialize;

use crate::args::Args;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// `amop man`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Man {
    /// Where to, in directories man1, man5 and man8; made if they are not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// `amop completions`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
    /// Of which program
    #[arg(long, value_enum, value_name = "NAME", default_value = "amop")]
    program: Program,
}

/// What people start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    Amop,
    AmopNode,
}

/// Writes a page for each command of the tool, one for the daemon and one for its configuration.
pub(crate) fn man(man: &Man, out: &mut Out) -> Result<(), Failure> {
    let Man { dir } = man;
    write_pages(dir).map_err(|error| {
        let sentence = format!("cannot write pages to {}", dir.display());
        Failure::new(Exit::IO, kind!("not-written"), sentence).because(&error)
    })?;
    match out.is_json() {
        true => out.json(&ManObject { kind_of_object: "man", dir: &dir.display().to_string() }),
        false => out.line(format!("pages are in {0}: man -M {0} amop", dir.display())),
    }
}

fn write_pages(dir: &Path) -> io::Result<()> {
    let section = |number: u8| {
        let dir = dir.join(format!("man{number}"));
        fs::create_dir_all(&dir).map(|()| dir)
    };
    clap_mangen::generate_to(Args::command(), section(1)?)?;
    let mut daemon = Vec::new();
    Page::new(amop_node::command::command()).section("8").render(&mut daemon)?;
    fs::write(section(8)?.join("amop-node.8"), daemon)?;
    fs::write(section(5)?.join("amop.toml.5"), keys::page())
}

/// Says which version this is.
pub(crate) fn version(out: &mut Out) -> Result<(), Failure> {
    let version = amop_node::command::VERSION;
    match out.is_json() {
        true => out.json(&VersionObject { kind_of_object: "version", name: "amop", version }),
        false => out.line(format!("amop {version}")),
    }
}

/// Prints a script that a shell completes commands by.
pub(crate) fn completions(completions: &Completions, out: &mut Out) -> Result<(), Failure> {
    let (mut command, name) = match completions.program {
        Program::Amop => (Args::command(), "amop"),
        Program::AmopNode => (amop_node::command::command(), "amop-node"),
    };
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command, name, &mut script);
    out.bytes(&script)
}

/// Which version it is, for programs.
#[derive(Serialize)]
struct VersionObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    name: &'static str,
    version: &'static str,
}

/// Where the pages are, for programs.
#[derive(Serialize)]
struct ManObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    dir: &'a str,
}
