//! Knows the workspace as cargo sees it: where it is, which crates it has, who depends on whom.

use crate::process;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The workspace that the current directory belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The directory of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds, which is not always `target`.
    pub(crate) target_dir: PathBuf,
    /// Every crate of the workspace, by name.
    pub(crate) members: Vec<Member>,
}

/// One crate of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The manifest's path from the root, with `/` between its parts.
    pub(crate) manifest_path: String,
    /// Whether the manifest lets the crate go to a registry.
    pub(crate) is_publishable: bool,
    /// The crates that it needs to be built, other than for its tests.
    pub(crate) dependencies: Vec<String>,
    /// Its benchmarks, by target name.
    pub(crate) benches: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace around the current directory.
    ///
    /// # Errors
    ///
    /// Fails outside a workspace, or when a manifest of it cannot be read.
    pub(crate) fn load() -> Result<Self> {
        let json = process::output(process::cargo(Path::new(".")).args([
            "metadata",
            "--no-deps",
            "--format-version=1",
        ]))?;
        Self::from_metadata(&json)
    }

    /// Reads the answer of `cargo metadata --no-deps`.
    fn from_metadata(json: &str) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_str(json).context("cargo metadata has another form than we know")?;
        let root = metadata.workspace_root;
        let mut members = metadata
            .packages
            .into_iter()
            .map(|package| Member::from_package(&root, package))
            .collect::<Result<Vec<_>>>()?;
        members.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Self { root, target_dir: metadata.target_directory, members })
    }
}

impl Member {
    fn from_package(root: &Path, package: Package) -> Result<Self> {
        let manifest_path = package
            .manifest_path
            .strip_prefix(root)
            .with_context(|| format!("{} is a member outside the workspace", package.name))?;
        Ok(Self {
            manifest_path: slashed(manifest_path),
            is_publishable: package.publish.is_none_or(|registries| !registries.is_empty()),
            dependencies: package
                .dependencies
                .into_iter()
                .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
                .map(|dependency| dependency.name)
                .collect(),
            benches: package
                .targets
                .into_iter()
                .filter(|target| target.kind.iter().any(|kind| kind == "bench"))
                .map(|target| target.name)
                .collect(),
            name: package.name,
            version: package.version,
        })
    }
}

/// Writes a relative path with `/` between its parts, on every platform.
pub(crate) fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
    /// The registries that it may go to; all of them when absent.
    publish: Option<Vec<String>>,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or absent for a normal one.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::Workspace;

    #[test]
    fn the_metadata_of_cargo_is_understood() {
        let json = r#"{
            "workspace_root": "/w", "target_directory": "/t", "packages": [
                {"name": "b", "version": "1.0.0", "manifest_path": "/w/b/Cargo.toml",
                 "publish": [], "dependencies": [], "targets": [
                    {"name": "b", "kind": ["lib"]}, {"name": "codec", "kind": ["bench"]}]},
                {"name": "a", "version": "0.1.0", "manifest_path": "/w/crates/a/Cargo.toml",
                 "publish": null, "targets": [], "dependencies": [
                    {"name": "normal", "kind": null}, {"name": "build", "kind": "build"},
                    {"name": "dev", "kind": "dev"}]}
            ]
        }"#;

        let workspace = Workspace::from_metadata(json).unwrap();

        let [a, b] = &workspace.members[..] else { panic!("two members, by name") };
        assert_eq!((a.name.as_str(), a.manifest_path.as_str()), ("a", "crates/a/Cargo.toml"));
        assert_eq!(a.dependencies, ["normal", "build"]);
        assert!(a.is_publishable);
        assert!(!b.is_publishable);
        assert_eq!(b.benches, ["codec"]);
    }

    #[test]
    fn metadata_of_another_form_is_an_error() {
        let error = Workspace::from_metadata("{}").unwrap_err().to_string();
        assert_eq!(error, "cargo metadata has another form than we know");
    }
}
