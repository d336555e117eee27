//! Reads files, and puts new ones in the place of old ones: whole or not at all, the old kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::errors::kind;
use crate::exit::{Exit, Failure};

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        let sentence = format!("cannot read {}", path.display());
        Failure::new(Exit::NO_INPUT, kind!("unreadable"), sentence).because(&error)
    })
}

/// Reads a private key, which nobody else may be able to do.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = read(path)?;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 == 0 {
        return Ok(text);
    }
    let sentence = format!("{} can be read by others (mode {mode:o})", path.display());
    let mend = format!("run `chmod 600 {}`, and ask yourself who has read it", path.display());
    Err(Failure::new(Exit::NOT_PERMITTED, kind!("open-key"), sentence).next(mend))
}

/// Puts a text in the place of a file. What was there is kept beside it, with `.old`; a crash leaves the one
/// or the other there, never a part.
pub(crate) fn replace(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    replace_all(&[(path, text, mode)])
}

/// Puts several texts in the places of files that belong together, in this order. All are written before the first is
/// put in place; if one cannot be, those before it get back what was there.
pub(crate) fn replace_all(files: &[(&Path, &str, u32)]) -> Result<(), Failure> {
    let failed = |path: &Path, error: io::Error| {
        let sentence = format!("cannot put {} in place", path.display());
        Failure::new(Exit::CANNOT_CREATE, kind!("cannot-create"), sentence).because(&error)
    };
    let written = files.iter().try_for_each(|&(path, text, mode)| {
        write_beside(path, text, mode).map_err(|error| failed(path, error))
    });
    let placed = written.and_then(|()| {
        files.iter().enumerate().try_for_each(|(done, &(path, ..))| {
            put_in_place(path).map_err(|error| {
                files[..done].iter().for_each(|&(path, ..)| bring_back(path));
                failed(path, error)
            })
        })
    });
    if placed.is_err() {
        // The failure that led here is the one to tell.
        files.iter().for_each(|&(path, ..)| drop(fs::remove_file(with_suffix(path, "tmp"))));
    }
    placed
}

fn write_beside(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let temporary = with_suffix(path, "tmp");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn put_in_place(path: &Path) -> io::Result<()> {
    keep_old(path)?;
    fs::rename(with_suffix(path, "tmp"), path)?;
    sync_directory_of(path)
}

/// What was there before, if anything, is there again.
fn bring_back(path: &Path) {
    if fs::rename(with_suffix(path, "old"), path).is_err() {
        let _ = fs::remove_file(path);
    }
}

/// A file in a directory, named without `./` before it.
pub(crate) fn within(dir: &Path, name: &str) -> PathBuf {
    if dir == Path::new(".") { name.into() } else { dir.join(name) }
}

/// The path with something more behind its name: `node.crt.old`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Keeps what is there under another name as well, so that there is no moment without it.
fn keep_old(path: &Path) -> io::Result<()> {
    let old = with_suffix(path, "old");
    for step in [fs::remove_file(&old), fs::hard_link(path, &old)] {
        match step {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_kept_once_and_the_mode_is_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        for text in ["one", "two", "three"] {
            replace(&path, text, 0o600).unwrap();
            assert_eq!(*read(&path).unwrap(), text);
            assert_eq!(*read_secret(&path).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(with_suffix(&path, "old")).unwrap(), "two");
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "nothing else is left");
        replace(&path, "four", 0o644).unwrap();
        read_secret(&path).unwrap_err();
    }

    #[test]
    fn of_two_that_belong_together_both_are_replaced_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let (key, certificate) = (dir.path().join("node.key"), dir.path().join("node.crt"));
        replace(&key, "old", 0o600).unwrap();
        fs::create_dir(&certificate).unwrap();
        replace_all(&[(&key, "new", 0o600), (&certificate, "new", 0o644)]).unwrap_err();
        assert_eq!(fs::read_to_string(&key).unwrap(), "old");
        fs::remove_dir(&certificate).unwrap();
        replace_all(&[(&key, "new", 0o600), (&certificate, "new", 0o644)]).unwrap();
        let both = [&key, &certificate].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(both, ["new", "new"]);
    }

    #[test]
    fn what_cannot_be_replaced_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("directory");
        fs::create_dir(&path).unwrap();
        replace(&path, "text", 0o600).unwrap_err();
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
