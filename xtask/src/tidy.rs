//! Checks the house rules that neither rustc nor clippy checks.
//!
//! Each check is a pure function from texts to findings; only this file and [`tree`] touch the
//! disk or run cargo. All checks always run, so one run lists everything that is wrong.

mod code;
mod layers;
mod lockfile;
mod manifests;
mod marks;
mod purity;
mod shape;
mod tree;

use crate::{
    codegen, process,
    workspace::{Member, Workspace},
};
use anyhow::{Context, Result, ensure};
use std::{fmt, fs, path::Path};

/// Runs every check on the workspace and prints each finding on a line of its own.
///
/// # Errors
///
/// Fails when there is a finding, or when something that a check needs cannot be read.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let root = &workspace.root;
    let sources = tree::rust_files(root, &workspace.target_dir)?;
    let manifests = manifests(workspace)?;

    let mut findings = Vec::new();
    findings.extend(layers::forbidden_edges(&workspace.members, &manifests));
    findings.extend(forbidden_reaches(workspace, &manifests)?);
    findings.extend(sources.iter().flat_map(purity::impurities));
    findings.extend(codegen::is_current(root).map_or_else(broken_protos, stale_generated_file));
    findings.extend(shape::long_files(&sources, LONG_FILES, &read(root, LONG_FILES)?));
    findings.extend(sources.iter().flat_map(shape::malformed_modules));
    findings.extend(manifests.iter().flat_map(manifests::bad_manifest));
    findings.extend(lockfile::too_old("Cargo.lock", &read(root, "Cargo.lock")?));
    findings.extend(sources.iter().flat_map(marks::forbidden_marks));

    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "findings of tidy: {}", findings.len());
    println!("tidy: {} Rust files and {} manifests are in order", sources.len(), manifests.len());
    Ok(())
}

/// One breach of a rule: where, what, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    wrong: String,
    mend: String,
}

impl Finding {
    fn new(path: &str, line: usize, wrong: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, wrong: wrong.into(), mend: mend.into() }
    }

    /// Whether both tell of the same thing, whatever way out they name.
    fn is_same_breach(&self, other: &Self) -> bool {
        (&self.path, self.line, &self.wrong) == (&other.path, other.line, &other.wrong)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}; {}", self.path, self.line, self.wrong, self.mend)
    }
}

/// A file of the workspace that is not Rust.
struct TextFile {
    path: String,
    text: String,
}

/// Reads the manifests of all members, in the order of the members.
fn manifests(workspace: &Workspace) -> Result<Vec<TextFile>> {
    let load = |member: &Member| {
        let text = read(&workspace.root, &member.manifest_path)?;
        Ok(TextFile { path: member.manifest_path.clone(), text })
    };
    workspace.members.iter().map(load).collect()
}

fn read(root: &Path, path: &str) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
}

/// Asks cargo what the pure crates reach, with every feature and on every platform.
fn forbidden_reaches(workspace: &Workspace, manifests: &[TextFile]) -> Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = Vec::new();
    for (member, manifest) in workspace.members.iter().zip(manifests) {
        if !layers::is_pure(&member.name) {
            continue;
        }
        for rule in layers::REACH_RULES {
            let tree = process::output(process::cargo(&workspace.root).args([
                "tree",
                "--locked",
                "--all-features",
                "--target=all",
                "--prefix=depth",
                "--format= {p}",
                "--package",
                &member.name,
                "--edges",
                rule.edges,
            ]))?;
            let reached = layers::forbidden_reach(manifest, &tree, rule)?;
            // What builds reach, tests reach as well: that is said once.
            let is_new = |new: &Finding| !findings.iter().any(|known| known.is_same_breach(new));
            let reached: Vec<_> = reached.into_iter().filter(is_new).collect();
            findings.extend(reached);
        }
    }
    Ok(findings)
}

fn stale_generated_file(is_current: bool) -> Option<Finding> {
    let mend = format!("run `{}`", codegen::MEND);
    (!is_current).then(|| Finding::new(codegen::GENERATED, 1, "stale generated file", mend))
}

#[expect(clippy::needless_pass_by_value, reason = "`map_or_else` hands the error over")]
fn broken_protos(error: anyhow::Error) -> Option<Finding> {
    let mend = format!("mend the .proto files and run `{}`", codegen::MEND);
    Some(Finding::new(codegen::GENERATED, 1, format!("cannot be generated: {error:#}"), mend))
}

/// The files that may be longer than the rest, for now.
const LONG_FILES: &str = "xtask/long-files.txt";

#[cfg(test)]
mod tests {
    use super::{Finding, broken_protos, stale_generated_file};

    #[test]
    fn a_finding_says_where_what_and_the_way_out() {
        let finding = Finding::new("src/lib.rs", 7, "too long", "split it");
        assert_eq!(finding.to_string(), "src/lib.rs:7: too long; split it");
    }

    #[test]
    fn a_stale_generated_file_is_found() {
        assert_eq!(stale_generated_file(true), None);
        let stale = stale_generated_file(false).unwrap().to_string();
        assert!(stale.ends_with("stale generated file; run `cargo xtask codegen`"), "{stale}");
        let broken = broken_protos(anyhow::anyhow!("no package")).unwrap().to_string();
        assert!(broken.contains("cannot be generated: no package"), "{broken}");
    }
}
