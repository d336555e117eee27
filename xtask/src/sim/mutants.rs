//! Proves that the simulated world sees: breaks the cores in one place at a time, and expects that a
//! world finds out.
//!
//! A mutant is a patch under `crates/amop-sim/mutants`, so that no switch for it lives in the
//! product. It is applied to a copy of the workspace under the target directory, built there, and run
//! until the first world breaks the contract.

use super::patch::Patch;
use crate::{process, workspace::Workspace};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Runs the mutants of these names, or all if there are none, and prints who killed them.
///
/// # Errors
///
/// Fails when a patch does not apply, a mutant does not build, or one survives.
pub(super) fn run(workspace: &Workspace, names: &[String]) -> Result<()> {
    let scratch = workspace.target_dir.join("sim-mutants");
    let mutants = read(&workspace.root.join(MUTANTS))?;
    let is_meant = |mutant: &&Mutant| names.is_empty() || names.contains(&mutant.name);
    let mutants: Vec<&Mutant> = mutants.iter().filter(is_meant).collect();
    ensure!(!mutants.is_empty(), "no mutant is named {}", names.join(" or "));
    // All of them first, since that takes a moment and the runs take minutes.
    let mut changes = Vec::new();
    for mutant in &mutants {
        let read = |path: &str| Ok(fs::read_to_string(workspace.root.join(path))?);
        let changed = mutant.patch.apply(read);
        changes.push(changed.with_context(|| format!("the mutant {}", mutant.name))?);
    }
    // What the code itself breaks would be found with any mutant.
    copy(&workspace.root, &scratch, &workspace.target_dir)?;
    let Verdict { by, .. } = judge(&scratch)?;
    ensure!(by == SURVIVES, "no mutant can be judged: without one, {by}");
    println!("{:<28} {:>10} {:>7}  by", "mutant", "seed", "worlds");
    let mut survivors = Vec::new();
    for (mutant, changed) in mutants.iter().zip(&changes) {
        copy(&workspace.root, &scratch, &workspace.target_dir)?;
        for (path, text) in changed {
            fs::write(scratch.join(path), text)?;
        }
        let Verdict { seed, worlds, by } = judge(&scratch)?;
        let seed = seed.map_or_else(String::new, |seed| seed.to_string());
        println!("{:<28} {seed:>10} {worlds:>7}  {by}", mutant.name);
        if by == SURVIVES {
            survivors.push(format!("{}: {}", mutant.name, mutant.patch.about));
        }
    }
    ensure!(survivors.is_empty(), "nothing finds out that:\n{}", survivors.join("\n"));
    println!("mutants: {} killed, 0 survived", mutants.len());
    Ok(())
}

struct Mutant {
    name: String,
    patch: Patch,
}

fn read(directory: &Path) -> Result<Vec<Mutant>> {
    let mut paths = Vec::<PathBuf>::new();
    for entry in fs::read_dir(directory).context("there are no mutants")? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    paths.sort();
    let mutant = |path: PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let patch = Patch::parse(&fs::read_to_string(&path)?);
        let patch = patch.with_context(|| format!("the mutant {name}"))?;
        Ok(Mutant { name, patch })
    };
    paths.into_iter().map(mutant).collect()
}

/// Makes one directory like another: copies the files that differ, so that cargo builds only what has
/// changed, and removes what is there no more, which cargo would build as well.
fn copy(from: &Path, to: &Path, target_dir: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let stale = entry?;
        let is_built = stale.file_name().to_string_lossy().starts_with("target");
        if is_built || from.join(stale.file_name()).exists() {
            continue;
        }
        if stale.file_type()?.is_dir() {
            fs::remove_dir_all(stale.path())?;
        } else {
            fs::remove_file(stale.path())?;
        }
    }
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let text = name.to_string_lossy();
        if text.starts_with('.') || text.starts_with("target") || path == target_dir {
            continue;
        }
        let copied = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy(&path, &copied, target_dir)?;
        } else {
            let bytes = fs::read(&path)?;
            if fs::read(&copied).ok().as_ref() != Some(&bytes) {
                fs::write(&copied, bytes)?;
            }
        }
    }
    Ok(())
}

struct Verdict {
    seed: Option<u64>,
    worlds: u64,
    by: String,
}

/// Builds the copy and runs it.
fn judge(scratch: &Path) -> Result<Verdict> {
    let target_dir = scratch.join("target");
    let mut build = process::cargo(scratch);
    build.args(["build", "--quiet", "--locked", "--release", "--package", super::RUNNER]);
    build.arg("--target-dir").arg(&target_dir);
    process::run(&mut build)?;
    let name = format!("{}{}", super::RUNNER, std::env::consts::EXE_SUFFIX);
    let mut runner = std::process::Command::new(target_dir.join("release").join(name));
    runner.args(["--from", "0", "--seeds", WORLDS_MAX, "--first", "--json"]);
    let output = runner.output().context("cannot start the runner")?;
    verdict(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the report of the runner.
fn verdict(report: &str) -> Result<Verdict> {
    let report: Value =
        serde_json::from_str(report).context("the runner ended without a report")?;
    let failure = &report["failures"][0];
    let by = match failure["violations"][0].as_str() {
        Some(violation) => violation.chars().take(WIDTH_MAX).collect(),
        None if report["choices_are_unfair"] == true => "the choice is unfair".to_owned(),
        None => SURVIVES.to_owned(),
    };
    let worlds = report["seeds"].as_u64().context("the report counts no worlds")?;
    Ok(Verdict { seed: failure["seed"].as_u64(), worlds, by })
}

const MUTANTS: &str = "crates/amop-sim/mutants";

/// A mutant that so many worlds do not notice survives.
const WORLDS_MAX: &str = "2000";

const SURVIVES: &str = "SURVIVES";

/// How much is shown of a violation.
const WIDTH_MAX: usize = 90;

#[cfg(test)]
mod tests {
    use super::{SURVIVES, copy, read, verdict};
    use std::path::Path;

    #[test]
    fn the_first_violation_kills_a_mutant() {
        let report = r#"{"seeds": 7, "choices_are_unfair": false,
            "failures": [{"seed": 5, "violations": ["a lie", "more"]}]}"#;
        let dead = verdict(report).unwrap();
        assert_eq!((dead.seed, dead.worlds, dead.by.as_str()), (Some(5), 7, "a lie"));
        let unfair = r#"{"seeds": 2000, "choices_are_unfair": true, "failures": []}"#;
        assert_eq!(verdict(unfair).unwrap().by, "the choice is unfair");
        let alive = r#"{"seeds": 2000, "choices_are_unfair": false, "failures": []}"#;
        assert_eq!(verdict(alive).unwrap().by, SURVIVES);
        assert!(verdict("").is_err());
    }

    #[test]
    fn a_copy_loses_what_its_original_has_lost_and_keeps_what_was_built() {
        let dir = std::env::temp_dir().join(format!("mutants-{}", std::process::id()));
        let (from, to) = (dir.join("from"), dir.join("to"));
        let write = |path: &Path, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(&from.join("tests/new/main.rs"), "new");
        write(&to.join("tests/old.rs"), "old");
        write(&to.join("tests/gone/main.rs"), "old");
        write(&to.join("target/built"), "built");
        copy(&from, &to, &from.join("target")).unwrap();
        let is_there = |path: &str| to.join(path).exists();
        let found =
            ["tests/new/main.rs", "target/built", "tests/old.rs", "tests/gone"].map(is_there);
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found, [true, true, false, false]);
    }

    /// A patch that no longer applies fails here already, without a build.
    #[test]
    fn every_mutant_applies_to_the_code_as_it_is() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mutants = read(&root.join(super::MUTANTS)).unwrap();
        assert!(mutants.len() >= 10);
        for mutant in mutants {
            let changed = mutant.patch.apply(|path| Ok(std::fs::read_to_string(root.join(path))?));
            if let Err(error) = changed {
                panic!("{}: {error:#}", mutant.name);
            }
        }
    }
}
