//! What can be typed after `amop-node`: for the daemon itself, and for whoever makes pages and completions of it.

use std::path::PathBuf;

use clap::{CommandFactory, Parser};

/// An AMOP node: links with the nodes of other institutions and serves clients of its own.
///
/// Example: amop-node --config /etc/amop/amop.toml
#[derive(Debug, Parser)]
#[command(name = "amop-node", version = VERSION, long_about = None, after_help = EXIT_CODES)]
#[non_exhaustive]
pub struct Args {
    /// The configuration file. An example stands in docs/OPERATIONS.md.
    #[arg(long, value_name = "FILE", env = "AMOP_CONFIG", default_value = "amop.toml")]
    pub config: PathBuf,
    /// Only check the configuration and the files that it names, and say all that is wrong.
    #[arg(long)]
    pub check: bool,
    /// Take this value instead of what the file says; may be repeated. It counts after a reload too.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// The command line as a value.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

/// That of the package; with the revision that it was made from, if whoever built it said so.
pub const VERSION: &str = match option_env!("AMOP_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

const EXIT_CODES: &str = "\
Example:
  amop-node --config /etc/amop/amop.toml
  amop-node --check --set log.level=debug

Exit codes:
  0 stopped by a signal   2 wrong arguments    66 a file is missing or unreadable
  73 the state directory cannot be used        75 a running node uses it
  74 cannot listen        77 key or certificate refused    78 configuration wrong";
