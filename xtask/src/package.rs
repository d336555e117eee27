//! Proves that the crates can go to a registry: that each packages with all that it needs.
//!
//! The crates depend on each other and none is published yet, so they are packaged in one go:
//! cargo then resolves each against the packages just made of the others, and makes them in the
//! order in which they would have to be published.
//!
//! Cargo takes a package of one version for the same package forever, its sources and its build
//! alike, and ours change under one version. So `--verify` builds in a directory of its own each
//! time: in a used one, a crate would be proved against what its neighbours were earlier.

use crate::{
    process,
    workspace::{Member, Workspace},
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};
use tempfile::TempDir;

/// The `package` command.
#[derive(Debug, clap::Args)]
pub(crate) struct Package {
    /// Also build every package on its own, as a registry's users would.
    #[arg(long)]
    verify: bool,
}

impl Package {
    /// Packages every publishable crate under `crates/`.
    ///
    /// # Errors
    ///
    /// Fails when a crate does not package, or with `--verify` does not build from its package.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let members = publishable(&workspace.members);
        ensure!(!members.is_empty(), "no crate under crates/ is publishable");
        let scratch = self.verify.then(|| scratch_dir(&workspace.target_dir)).transpose()?;
        let target_dir = scratch.as_ref().map_or(workspace.target_dir.as_path(), TempDir::path);
        let mut cargo = process::cargo(&workspace.root);
        process::run(cargo.args(self.arguments(&members)).arg("--target-dir").arg(target_dir))?;
        for member in members {
            let file = format!("{}-{}.crate", member.name, member.version);
            let path = target_dir.join("package").join(&file);
            let size_bytes =
                fs::metadata(&path).with_context(|| format!("cargo made no {file}"))?.len();
            println!("packaged {file} ({size_bytes} bytes)");
        }
        Ok(())
    }

    fn arguments<'a>(&self, members: &[&'a Member]) -> Vec<&'a str> {
        // Work in progress may be packaged too: this is a proof, not a release.
        let mut arguments = vec!["package", "--locked", "--allow-dirty"];
        if !self.verify {
            arguments.push("--no-verify");
        }
        arguments.extend(members.iter().flat_map(|member| ["--package", member.name.as_str()]));
        arguments
    }
}

/// Makes a directory whose name no run had before, removed when the value is dropped.
fn scratch_dir(target_dir: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("package-")
        .tempdir_in(target_dir)
        .with_context(|| format!("cannot make a directory in {}", target_dir.display()))
}

fn publishable(members: &[Member]) -> Vec<&Member> {
    members
        .iter()
        .filter(|member| member.is_publishable && member.manifest_path.starts_with("crates/"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Package, publishable};
    use crate::workspace::Member;

    #[test]
    fn only_publishable_crates_under_crates_are_packaged() {
        let members = [
            member("amop-wire", "crates/amop-wire/Cargo.toml", true),
            member("amop-hidden", "crates/amop-hidden/Cargo.toml", false),
            member("benches", "benches/Cargo.toml", true),
        ];

        let chosen = publishable(&members);
        let fast = Package { verify: false }.arguments(&chosen);
        let full = Package { verify: true }.arguments(&chosen);

        assert_eq!(
            fast,
            ["package", "--locked", "--allow-dirty", "--no-verify", "--package", "amop-wire"]
        );
        assert_eq!(full, ["package", "--locked", "--allow-dirty", "--package", "amop-wire"]);
    }

    fn member(name: &str, manifest_path: &str, is_publishable: bool) -> Member {
        Member {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            manifest_path: manifest_path.to_owned(),
            is_publishable,
            dependencies: Vec::new(),
            benches: Vec::new(),
        }
    }
}
