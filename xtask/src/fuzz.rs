//! Fuzzes everything that reads bytes which somebody else chose, with libFuzzer.
//!
//! libFuzzer wants to see which branches an input takes. The compiler adds that on stable as well, by options
//! of LLVM, so that no other toolchain is needed; a C++ compiler is, for libFuzzer itself. What it finds worth
//! keeping lies under the target directory, and what breaks a promise too, until somebody moves it to
//! `fuzz/corpus`, which `cargo test` replays.

use crate::{process, workspace::Workspace};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The `fuzz` command.
#[derive(Debug, clap::Args)]
pub(crate) struct Fuzz {
    /// What to fuzz, by the names of the corpora under fuzz/corpus; all if there are none.
    targets: Vec<String>,
    /// For how long to fuzz each.
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u32,
    /// Write what fuzzing starts from to fuzz/corpus instead, which is needed after a change of the wire.
    #[arg(long, conflicts_with_all = ["targets", "seconds"])]
    seed_corpora: bool,
}

impl Fuzz {
    /// Builds the programs and runs them, one after the other.
    ///
    /// # Errors
    ///
    /// Fails when a target is not known, a program does not build, or one finds something.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let corpora = workspace.root.join(CORPORA);
        if self.seed_corpora {
            let mut seeds = process::cargo(&workspace.root);
            seeds.args(["run", "--quiet", "--locked", "--package", "fuzz-targets"]);
            return process::run(seeds.args(["--example", "seeds", "--"]).arg(corpora));
        }
        let targets = self.chosen(&corpora)?;
        let host = host(&process::output(Command::new(rustc()).arg("-vV"))?)?;
        let work = workspace.target_dir.join("fuzz");
        process::run(&mut build(&workspace.root, &work, &host))?;
        let programs = work.join(&host).join("release");
        for target in &targets {
            println!("\n==> {target}, {} s", self.seconds);
            let mut fuzzer = self.fuzzer(target, &programs, &work, &corpora)?;
            process::run(&mut fuzzer).with_context(|| {
                format!("{target} found something: keep it under {CORPORA}/{target} with its fix")
            })?;
        }
        println!("\nfuzz: {} targets passed", targets.len());
        Ok(())
    }

    /// The targets that were named, or all.
    fn chosen(&self, corpora: &Path) -> Result<Vec<String>> {
        let mut known = Vec::new();
        for entry in fs::read_dir(corpora).context("there are no corpora")? {
            known.push(entry?.file_name().to_string_lossy().into_owned());
        }
        known.sort();
        if self.targets.is_empty() {
            return Ok(known);
        }
        for target in &self.targets {
            ensure!(known.contains(target), "there is no target {target} among {known:?}");
        }
        Ok(self.targets.clone())
    }

    fn fuzzer(
        &self,
        target: &str,
        programs: &Path,
        work: &Path,
        corpora: &Path,
    ) -> Result<Command> {
        // What it keeps goes to the first directory, what it begins with is in both.
        let kept = work.join("corpus").join(target);
        fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
        let finds = work.join(format!("{target}-"));
        let mut fuzzer = Command::new(programs.join(target));
        fuzzer.arg(kept).arg(corpora.join(target));
        fuzzer.arg(format!("-max_total_time={}", self.seconds));
        fuzzer.arg(format!("-artifact_prefix={}", finds.display()));
        fuzzer.args(LIMITS);
        Ok(fuzzer)
    }
}

/// How the programs are built: with counters for libFuzzer in all but what runs while building.
fn build(root: &Path, work: &Path, host: &str) -> Command {
    let mut build = process::cargo(root);
    build.args(["build", "--locked", "--release", "--manifest-path"]);
    build.arg(root.join("fuzz").join("Cargo.toml"));
    build.args(["--target", host]).arg("--target-dir").arg(work);
    build.env("RUSTFLAGS", COUNTERS.join(" "));
    build
}

fn rustc() -> PathBuf {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into()
}

/// Reads what machine the compiler builds for.
fn host(version: &str) -> Result<String> {
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say for which machine it builds")?.to_owned())
}

const CORPORA: &str = "fuzz/corpus";

/// What `cargo fuzz` passes, but for the sanitizers, which would need another toolchain and find nothing in
/// code without `unsafe`.
const COUNTERS: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// What takes more of a machine than this is a find as well: 16 KiB of input, 10 s, 2 GiB.
const LIMITS: &[&str] = &[
    "-max_len=16384",
    "-timeout=10",
    "-rss_limit_mb=2048",
    "-print_final_stats=1",
    "-verbosity=1",
];

#[cfg(test)]
mod tests {
    use super::{Fuzz, build, host};
    use std::path::Path;

    #[test]
    fn what_is_not_a_target_is_refused_by_name() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let fuzz = |targets: &[&str]| Fuzz {
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
            seconds: 1,
            seed_corpora: false,
        };
        let all = fuzz(&[]).chosen(&corpora).unwrap();
        assert!(all.len() > 10 && all.contains(&"private_proof".to_owned()), "{all:?}");
        assert_eq!(fuzz(&["private_proof"]).chosen(&corpora).unwrap(), ["private_proof"]);
        let refused = fuzz(&["private_prof"]).chosen(&corpora).unwrap_err().to_string();
        assert!(refused.starts_with("there is no target private_prof"), "{refused}");
    }

    /// Build scripts and macros run on the host, and would not link with counters: a target of its own keeps
    /// them without.
    #[test]
    fn only_what_is_fuzzed_is_built_with_counters() {
        let command = build(Path::new("/w"), Path::new("/t/fuzz"), "x86_64-unknown-linux-gnu");
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        assert!(words.windows(2).any(|two| two == ["--target", "x86_64-unknown-linux-gnu"]));
        let mut flags = command.get_envs().filter(|(name, _)| *name == "RUSTFLAGS");
        let (_, Some(flags)) = flags.next().unwrap() else { panic!("no flags") };
        assert!(flags.to_string_lossy().contains("sancov-module"));
    }

    #[test]
    fn the_host_is_read_from_what_rustc_says() {
        assert_eq!(host("rustc 1.95.0\nhost: a-b-c\nrelease: 1").unwrap(), "a-b-c");
        host("rustc 1.95.0").unwrap_err();
    }
}
