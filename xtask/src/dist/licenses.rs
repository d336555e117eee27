//! Whose work is in the programs, and under which terms.

use crate::process;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

/// A line for each crate that the programs are made of, other than our own.
pub(super) fn list(root: &Path) -> Result<String> {
    let host = super::host()?;
    let mut cargo = process::cargo(root);
    cargo.args(["metadata", "--locked", "--format-version=1", "--filter-platform", &host]);
    from_metadata(&process::output(&mut cargo)?)
}

fn from_metadata(json: &str) -> Result<String> {
    let metadata: Metadata =
        serde_json::from_str(json).context("cargo metadata has another form than we know")?;
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let is_program = |package: &&Package| PROGRAMS.contains(&package.name.as_str());
    let mut to_visit: Vec<&str> =
        metadata.packages.iter().filter(is_program).map(|package| package.id.as_str()).collect();
    let mut visited = BTreeSet::new();
    while let Some(id) = to_visit.pop() {
        if !visited.insert(id) {
            continue;
        }
        let node = nodes.get(id).context("cargo names a crate that it does not resolve")?;
        // What only tests and build scripts need is not in the programs.
        let linked = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|k| k.kind.is_none()));
        to_visit.extend(linked.map(|dep| dep.pkg.as_str()));
    }
    let mut lines = BTreeSet::new();
    for package in visited.iter().filter_map(|id| packages.get(id)) {
        if package.source.is_none() {
            continue; // Our own.
        }
        let license = package.license.as_deref().unwrap_or("see its license file");
        let from = package.repository.as_deref().unwrap_or("https://crates.io");
        lines.insert(format!("{} {}  {license}  {from}", package.name, package.version));
    }
    let mut text =
        "AMOP is licensed under Apache-2.0. Its programs contain these crates:\n\n".to_owned();
    for line in lines {
        writeln!(text, "{line}").expect("a string takes all");
    }
    Ok(text)
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    /// Absent for a crate of the workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dep>,
}

#[derive(Deserialize)]
struct Dep {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    /// `dev`, `build`, or absent for a normal one.
    kind: Option<String>,
}

const PROGRAMS: [&str; 2] = ["amop-cli", "amop-node"];

#[cfg(test)]
mod tests {
    use super::from_metadata;

    #[test]
    fn crates_that_are_linked_are_listed_with_their_terms_and_no_others() {
        let package = |name: &str, source: &str| {
            format!(
                r#"{{"id":"{name}","name":"{name}","version":"1.0.0","license":"MIT","repository":null,"source":{source}}}"#
            )
        };
        let registry = r#""registry""#;
        let packages = [
            package("amop-cli", "null"),
            package("amop-wire", "null"),
            package("linked", registry),
            package("far", registry),
            package("tester", registry),
            package("builder", registry),
            package("stranger", registry),
        ];
        let dep = |name: &str, kind: &str| {
            format!(r#"{{"pkg":"{name}","dep_kinds":[{{"kind":{kind}}}]}}"#)
        };
        let node = |name: &str, deps: &[String]| {
            format!(r#"{{"id":"{name}","deps":[{}]}}"#, deps.join(","))
        };
        let nodes = [
            node(
                "amop-cli",
                &[
                    dep("amop-wire", "null"),
                    dep("tester", r#""dev""#),
                    dep("builder", r#""build""#),
                ],
            ),
            node("amop-wire", &[dep("linked", "null")]),
            node("linked", &[dep("far", "null")]),
            node("far", &[]),
        ];
        let json = format!(
            r#"{{"packages":[{}],"resolve":{{"nodes":[{}]}}}}"#,
            packages.join(","),
            nodes.join(",")
        );
        let text = from_metadata(&json).unwrap();
        let (_, listed) = text.split_once("\n\n").unwrap();
        let expected = "far 1.0.0  MIT  https://crates.io\nlinked 1.0.0  MIT  https://crates.io\n";
        assert_eq!(listed, expected);
    }
}
