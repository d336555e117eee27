//! Builds the daemon and the runner of real failures, and starts it.
//!
//! The runner is a program of its own, which is also what its client processes run.

use crate::{process, workspace::Workspace};
use anyhow::Result;
use options::Options;
use std::process::Command;

#[path = "../chaos-runner/src/options.rs"]
mod options;

/// The `chaos` command.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    #[command(flatten)]
    options: Options,
}

impl Chaos {
    /// Builds and runs what was asked for.
    ///
    /// # Errors
    ///
    /// Fails when something does not build, or a scenario does not go well.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        // Of the whole workspace, so that nothing is built again that other release builds have.
        let mut build = process::cargo(&workspace.root);
        build.args(["build", "--quiet", "--locked", "--release", "--workspace"]);
        build.args(["--bin", RUNNER, "--bin", NODE]);
        process::run(&mut build)?;
        process::run(&mut self.command(workspace))
    }

    fn command(&self, workspace: &Workspace) -> Command {
        let program = |name: &str| {
            let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            workspace.target_dir.join("release").join(name)
        };
        let mut command = Command::new(program(RUNNER));
        command.arg("run").args(arguments(&self.options)).arg("--node").arg(program(NODE));
        command
    }
}

/// The options as somebody would type them.
fn arguments(options: &Options) -> Vec<String> {
    let Options { scenario, seed, minutes, smoke } = options;
    let mut arguments = vec![format!("--scenario={scenario}"), format!("--minutes={minutes}")];
    arguments.extend(seed.map(|seed| format!("--seed={seed}")));
    arguments.extend(smoke.then(|| "--smoke".to_owned()));
    arguments
}

/// What the runner is called.
const RUNNER: &str = "chaos-runner";

/// What the daemon is called.
const NODE: &str = "amop-node";

/// How one runs it, for its help.
pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask chaos                                  each scenario for 3 minutes
  cargo xtask chaos --scenario rolling --seed 7      one of them, as it was drawn once
  cargo xtask chaos --smoke                          all of them, for 10 s each";

#[cfg(test)]
mod tests {
    use super::{Chaos, arguments};
    use clap::{Args, FromArgMatches};

    fn parse(line: &str) -> Chaos {
        let command = Chaos::augment_args(clap::Command::new("chaos").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace()).unwrap();
        Chaos::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn the_runner_gets_what_was_asked_for() {
        for line in ["", "--scenario kill --seed 7 --minutes 2", "--smoke"] {
            let asked = parse(line).options;
            assert_eq!(parse(&arguments(&asked).join(" ")).options, asked, "{line}");
        }
    }
}
