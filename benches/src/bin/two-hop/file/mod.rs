//! Measures files over two nodes: beside bare QUIC, to several receivers, and what they cost messages.
//!
//! In each round bare QUIC moves as many bytes, then a file goes to one receiver, then to several, then
//! requests are asked without a file and with one on the same links. So a disturbance of the machine
//! meets all of them.

mod report;
mod run;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::args::BenchArgs;
use crate::{certs, machine};
use report::Report;
use run::{Round, Setting};

/// Measures files over two nodes, all processes of their own.
#[derive(Debug, clap::Args)]
pub(crate) struct FileArgs {
    /// How long the file is, in MiB.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    mib: u32,
    /// How many receive it when it goes to several.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    receivers: u32,
    /// How many rounds are run.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Where the files are; a temporary directory when absent. On a disk its speed is measured, too.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only prove that every file arrives, in one round with small ones.
    #[arg(long)]
    smoke: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

impl FileArgs {
    /// Runs all rounds and prints what was measured.
    ///
    /// # Errors
    ///
    /// Fails when something does not start, gets stuck, or a file does not arrive.
    pub(crate) async fn run(&self, bench: &BenchArgs) -> Result<()> {
        let plan = bench.plan()?;
        let mut machine = machine::look(&plan).await?;
        let temporary = match &self.dir {
            Some(dir) => tempfile::Builder::new().prefix("file-").tempdir_in(dir),
            None => tempfile::Builder::new().prefix("file-").tempdir(),
        };
        let dir = temporary.context("cannot make a directory for files")?;
        certs::write_all(dir.path())?;
        let (mib, receivers, rounds) =
            if self.smoke { (8, 3, 1) } else { (self.mib, self.receivers, self.rounds) };
        let setting = Setting::new(dir.path(), &plan, mib, receivers);
        run::write_file(&setting)?;
        let mut all: Vec<Round> = Vec::new();
        for round in 1..=rounds {
            let done = setting.round().await?;
            eprintln!("{round}/{rounds} {done}");
            all.push(done);
        }
        machine.look_again()?;
        let report = Report::new(machine, mib, receivers, all);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report).expect("a report can be JSON"));
        } else {
            print!("{report}");
        }
        Ok(())
    }
}
