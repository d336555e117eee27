//! One file of a directory, the same whenever and by whomever it is made.

use crate::process;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Packs the directory `name` in `stage` into `out`, with sums inside and beside it. Files get this time.
pub(super) fn pack(stage: &Path, name: &str, out: &Path, time: u64) -> Result<PathBuf> {
    let root = stage.join(name);
    let files = files(&root, Path::new(""))?;
    fs::write(root.join("SHA256SUMS"), sums(&root, &files)?)?;
    let archive = out.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.current_dir(stage).env("LC_ALL", "C");
    tar.args(["--create", "--format=ustar", "--sort=name", "--use-compress-program=gzip -n -9"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"]);
    tar.arg(format!("--mtime=@{time}")).arg("--file").arg(&archive).arg(name);
    process::run(&mut tar)?;
    let file = archive.file_name().expect("it has a name").into();
    fs::write(out.join(format!("{name}.tar.gz.sha256")), sums(out, &[file])?)?;
    Ok(archive)
}

/// What `sha256sum --check` takes.
fn sums(dir: &Path, files: &[PathBuf]) -> Result<String> {
    process::output(Command::new("sha256sum").current_dir(dir).arg("--").args(files))
}

/// All files below a directory, sorted.
fn files(root: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let dir = root.join(below);
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => found.extend(files(root, &path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}
