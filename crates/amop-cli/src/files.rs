//! Writes a set of new files: all of them or none, and never over one that exists.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::errors::kind;
use crate::exit::{Exit, Failure};

/// Files that are to be made.
#[derive(Debug, Default)]
pub(crate) struct NewFiles {
    files: Vec<NewFile>,
}

#[derive(Debug)]
struct NewFile {
    path: PathBuf,
    content: Zeroizing<String>,
    mode: u32,
}

impl NewFiles {
    /// Adds a file that anybody may read.
    pub(crate) fn public(&mut self, path: PathBuf, content: &str) {
        self.files.push(NewFile { path, content: content.to_owned().into(), mode: 0o644 });
    }

    /// Adds a file that only its owner may read.
    pub(crate) fn secret(&mut self, path: PathBuf, content: impl Into<Zeroizing<String>>) {
        self.files.push(NewFile { path, content: content.into(), mode: 0o600 });
    }

    /// The files, in the order in which they were added.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| &*file.path)
    }

    /// Makes the files, and the directories that they need, which only their owner may enter.
    ///
    /// # Errors
    ///
    /// A [`Failure`] names the file that exists or cannot be made. What was made is removed again.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        if let Some(existing) = self.paths().find(|path| path.symlink_metadata().is_ok()) {
            return Err(exists(existing));
        }
        let mut made = Made::default();
        for file in &self.files {
            file.write(&mut made).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => exists(&file.path),
                _ => cannot_create(&file.path, &error),
            })?;
        }
        made.keep();
        Ok(())
    }
}

impl NewFile {
    fn write(&self, made: &mut Made) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            made.directory(parent)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(self.mode).open(&self.path)?;
        made.paths.push(self.path.clone());
        file.write_all(self.content.as_bytes())?;
        file.sync_all()
    }
}

/// What was made so far; removed again when dropped, unless it is kept.
#[derive(Debug, Default)]
struct Made {
    paths: Vec<PathBuf>,
}

impl Made {
    fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        DirBuilder::new().mode(0o700).create(path)?;
        self.paths.push(path.to_owned());
        Ok(())
    }

    fn keep(mut self) {
        self.paths.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.paths.drain(..).rev() {
            // The failure that led here is the one to tell. A directory that somebody else has
            // put something into meanwhile stays.
            let _ = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        }
    }
}

fn exists(path: &Path) -> Failure {
    let sentence = format!("{} exists already, and is not overwritten", path.display());
    Failure::new(Exit::CANNOT_CREATE, kind!("exists"), sentence)
        .next("choose another --dir, or another --agency or --node for the same consortium")
}

fn cannot_create(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::CANNOT_CREATE,
        kind!("cannot-create"),
        format!("cannot make {}", path.display()),
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_made_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = NewFiles::default();
        files.public(dir.path().join("new/deep/a"), "a");
        files.secret(dir.path().join("blocked/b"), "b".to_owned());
        fs::write(dir.path().join("blocked"), "a file where a directory should be").unwrap();

        files.write().unwrap_err();
        assert!(!dir.path().join("new").exists(), "what was made is removed again");

        fs::remove_file(dir.path().join("blocked")).unwrap();
        files.write().unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("new/deep/a")).unwrap(), "a");
        files.write().unwrap_err();
        assert_eq!(fs::read_to_string(dir.path().join("blocked/b")).unwrap(), "b");
    }
}
