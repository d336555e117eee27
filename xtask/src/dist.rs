//! Makes the archive that a release consists of: both programs, their pages and completions, what deploys them, and
//! whose work is in them.
//!
//! ```text
//! amop-0.1.0-x86_64-unknown-linux-gnu/
//!   bin/amop amop-node          share/man/man1 man5 man8        deploy/       README.md CHANGELOG.md
//!   share/completions/…         docs/…                          LICENSE LICENSES.txt  SHA256SUMS
//! ```
//!
//! From the same programs comes the same archive, byte for byte: files are sorted, have the time of the commit, and
//! belong to nobody. It needs GNU tar, gzip and sha256sum.

mod archive;
mod licenses;

use crate::{process, workspace::Workspace};
use anyhow::{Context, Result, ensure};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The `dist` command.
#[derive(Debug, clap::Args)]
pub(crate) struct Dist {
    /// Take the programs from this directory instead of building them.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Where the archive goes; `dist` in cargo's target directory unless given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Dist {
    /// Builds the programs, unless they are given, and packs them with all that belongs to them.
    ///
    /// # Errors
    ///
    /// Fails when a program does not build or run, or the archive cannot be written.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let version = version(workspace)?;
        let commit = Commit::head(&workspace.root);
        let binaries = match &self.binaries {
            Some(dir) => fs::canonicalize(dir).with_context(|| format!("no {}", dir.display()))?,
            None => build(workspace, &version, &commit)?,
        };
        let out = self.out.clone().unwrap_or_else(|| workspace.target_dir.join("dist"));
        fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
        let out = fs::canonicalize(out)?;
        let name = format!("amop-{version}-{}", host()?);
        let stage = tempfile::tempdir_in(&out).context("cannot make a directory to pack")?;
        let root = stage.path().join(&name);
        gather(&workspace.root, &binaries, &root)?;
        fs::write(root.join("LICENSES.txt"), licenses::list(&workspace.root)?)?;
        let archive = archive::pack(stage.path(), &name, &out, commit.time)?;
        println!("{}", archive.display());
        Ok(())
    }
}

/// Puts everything in its place but what is made from it.
fn gather(root: &Path, binaries: &Path, to: &Path) -> Result<()> {
    for program in PROGRAMS {
        let from = binaries.join(program);
        ensure!(from.is_file(), "there is no {}", from.display());
        copy(&from, &to.join("bin").join(program))?;
    }
    let tool = to.join("bin").join("amop");
    process::output(Command::new(&tool).arg("man").arg(to.join("share/man")))?;
    for (shell, dir) in SHELLS {
        for program in PROGRAMS {
            let mut command = Command::new(&tool);
            command.args(["completions", shell, "--program", program]);
            let script = process::output(&mut command)?;
            let file = to.join("share/completions").join(dir).join(completion_file(shell, program));
            fs::create_dir_all(file.parent().expect("it lies in a directory"))?;
            fs::write(file, script)?;
        }
    }
    for file in ["README.md", "CHANGELOG.md", "LICENSE"] {
        copy(&root.join(file), &to.join(file))?;
    }
    for dir in ["deploy", "docs"] {
        copy_dir(&root.join(dir), &to.join(dir))?;
    }
    Ok(())
}

/// As each shell looks for it.
fn completion_file(shell: &str, program: &str) -> String {
    match shell {
        "bash" => program.to_owned(),
        "zsh" => format!("_{program}"),
        _ => format!("{program}.{shell}"),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().expect("it lies in a directory"))?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true => copy_dir(&from, &to)?,
            false => copy(&from, &to)?,
        }
    }
    Ok(())
}

/// Builds both programs as they are shipped, and says where they are.
fn build(workspace: &Workspace, version: &str, commit: &Commit) -> Result<PathBuf> {
    let mut cargo = process::cargo(&workspace.root);
    cargo.args(["build", "--locked", "--profile", PROFILE]);
    cargo.args(["--package", "amop-cli", "--package", "amop-node", "--bins"]);
    if let Some(revision) = &commit.revision {
        cargo.env("AMOP_VERSION", format!("{version} ({revision})"));
    }
    process::run(&mut cargo)?;
    Ok(workspace.target_dir.join(PROFILE))
}

/// The commit that is packed, as far as git knows.
#[derive(Debug)]
struct Commit {
    /// Short, with a `+` if files were changed since; none outside a repository.
    revision: Option<String>,
    /// Seconds since 1970; `SOURCE_DATE_EPOCH` if that is set.
    time: u64,
}

impl Commit {
    fn head(root: &Path) -> Self {
        let git = |arguments: &[&str]| {
            let said = process::output(Command::new("git").current_dir(root).args(arguments));
            said.ok().map(|said| said.trim().to_owned())
        };
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
        let mark = if changed.is_some_and(|changed| !changed.is_empty()) { "+" } else { "" };
        let revision = git(&["rev-parse", "--short=12", "HEAD"]);
        let given = env::var("SOURCE_DATE_EPOCH").ok();
        let time = given.or_else(|| git(&["log", "-1", "--format=%ct"]));
        Self {
            revision: revision.map(|revision| revision + mark),
            time: time.and_then(|time| time.parse().ok()).unwrap_or_default(),
        }
    }
}

fn version(workspace: &Workspace) -> Result<String> {
    let tool = workspace.members.iter().find(|member| member.name == "amop-cli");
    Ok(tool.context("the workspace has no amop-cli")?.version.clone())
}

/// The target that programs are built for unless somebody says otherwise.
fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = process::output(Command::new(rustc).arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}

const PROGRAMS: [&str; 2] = ["amop", "amop-node"];

/// Each shell, and the directory that its completions are looked for in.
const SHELLS: [(&str, &str); 3] = [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")];

/// What is shipped and measured.
const PROFILE: &str = "dist";
