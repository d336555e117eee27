//! Builds the runner of the simulated world and starts it.
//!
//! The runner is a program of its own, since worlds need an optimized build and the chores do not.

use crate::{process, workspace::Workspace};
use anyhow::Result;
use options::Options;
use std::process::Command;

mod mutants;
#[path = "../sim-runner/src/options.rs"]
mod options;
mod patch;

/// The `sim` command.
#[derive(Debug, clap::Args)]
pub(crate) struct Sim {
    #[command(flatten)]
    options: Options,
    /// Break the cores in one place at a time, and expect that a world finds out: by the mutants of
    /// these names, or by all.
    #[arg(long, value_name = "NAME", num_args = 0.., exclusive = true)]
    mutants: Option<Vec<String>>,
}

impl Sim {
    /// Builds and runs what was asked for.
    ///
    /// # Errors
    ///
    /// Fails when the runner does not build, or finds a violation.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        if let Some(names) = &self.mutants {
            return mutants::run(workspace, names);
        }
        let mut build = process::cargo(&workspace.root);
        build.args(["build", "--quiet", "--locked", "--release", "--package", RUNNER]);
        process::run(&mut build)?;
        process::run(&mut self.command(workspace))
    }

    fn command(&self, workspace: &Workspace) -> Command {
        let name = format!("{RUNNER}{}", std::env::consts::EXE_SUFFIX);
        let mut command = Command::new(workspace.target_dir.join("release").join(name));
        command.args(arguments(&self.options));
        command
    }
}

/// The options as somebody would type them.
fn arguments(options: &Options) -> Vec<String> {
    let Options { seeds, from, first, seed, story, about, large, nodes, topics, json } = options;
    let mut arguments = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        arguments.push(name.to_owned());
        arguments.extend(value);
    };
    match seed {
        _ if *large => {
            add("--large", None);
            add("--nodes", Some(nodes.to_string()));
            add("--topics", Some(topics.to_string()));
        }
        Some(seed) => add("--seed", Some(seed.to_string())),
        None => add("--seeds", Some(seeds.to_string())),
    }
    if let Some(from) = from {
        add("--from", Some(from.to_string()));
    }
    if *first {
        add("--first", None);
    }
    if *story {
        add("--story", None);
    }
    if let Some(about) = about {
        add("--about", Some(about.clone()));
    }
    if *json {
        add("--json", None);
    }
    arguments
}

/// What is shown below the options.
pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask sim                            1,000 fresh worlds
  cargo xtask sim --seeds 100000 --json      many, for a program that reads the report
  cargo xtask sim --from 7 --seeds 300       the worlds 7 to 306
  cargo xtask sim --seed 7 --story           one world, and what happened in it
  cargo xtask sim --large                    what 1,000 nodes with 20,000 topics cost, in minutes
  cargo xtask sim --mutants no-epoch         whether worlds find out about one planted fault";

/// The crate, and its binary.
const RUNNER: &str = "sim-runner";

#[cfg(test)]
mod tests {
    use super::{Sim, arguments};
    use crate::workspace::Workspace;
    use clap::{Args, FromArgMatches};
    use std::path::PathBuf;

    #[test]
    fn the_runner_gets_what_was_typed() {
        for line in [
            "--seeds 5 --from 7 --first --json",
            "--seed 3 --story --about 00ff",
            "--seeds 1000",
            "--large --nodes 30 --topics 300 --json",
        ] {
            assert_eq!(arguments(&parse(line).options).join(" "), line);
        }
    }

    #[test]
    fn the_runner_is_the_optimized_one() {
        let workspace = Workspace {
            root: PathBuf::from("/w"),
            target_dir: PathBuf::from("/t"),
            members: Vec::new(),
        };
        let command = parse("--seed 7 --story").command(&workspace);
        assert_eq!(command.get_program(), "/t/release/sim-runner");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["--seed", "7", "--story"]);
    }

    fn parse(line: &str) -> Sim {
        let command = Sim::augment_args(clap::Command::new("sim").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split(' ')).unwrap();
        Sim::from_arg_matches(&matches).unwrap()
    }
}
