//! Gives a complete part its name.
//!
//! Between a look and a rename anybody may put another file there. So what is not to be replaced is
//! not asked for first: the rename itself refuses, or is taken back.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use amop_wire::{FileLabel, FileLayout, FileOffer};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::Overwrite;
use crate::files::{Dirs, Key, Kind, NO_SURPRISE};
use crate::hashing::file_sha256;

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing, or what may be replaced.
    Free,
    /// What may not.
    Taken,
    /// This very file.
    TheSame,
}

/// Looks what stands under the name of a file that is offered. It may change at any moment.
pub(crate) fn look(dirs: &Dirs, offer: &FileOffer, overwrite: Overwrite) -> io::Result<Standing> {
    let flags = OFlags::RDONLY | NO_SURPRISE;
    let file = match rustix::fs::openat(&dirs.names, offer.label.as_str(), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(Standing::Free),
        // A symbolic link, a socket, what we may not read.
        Err(Errno::LOOP | Errno::NXIO | Errno::ACCESS | Errno::PERM) => return Ok(Standing::Taken),
        Err(error) => return Err(error.into()),
    };
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Standing::Taken);
    }
    let is_as_long = u64::try_from(stat.st_size) == Ok(offer.layout.size());
    if is_as_long && is_same_content(&file, &offer.layout, &offer.sha256)? {
        return Ok(Standing::TheSame);
    }
    let may_go = match overwrite {
        Overwrite::Never => false,
        Overwrite::Newer => modified_ms(&stat) < i128::from(offer.modified_ms),
        Overwrite::Always => true,
    };
    Ok(if may_go { Standing::Free } else { Standing::Taken })
}

/// Moves the data of a part under its name. Says whether it did; if not, nothing has changed.
pub(crate) fn place(
    dirs: &Dirs,
    key: &Key,
    label: &FileLabel,
    modified_ms: u64,
    overwrite: Overwrite,
) -> io::Result<bool> {
    let data = key.file(Kind::Data);
    if rename_to_free(dirs, &data, label.as_str())? {
        return Ok(true);
    }
    match overwrite {
        Overwrite::Never => Ok(false),
        Overwrite::Always => {
            if !is_file(&dirs.names, label.as_str())? {
                return Ok(false);
            }
            rustix::fs::renameat(&dirs.parts, data.as_str(), &dirs.names, label.as_str())?;
            Ok(true)
        }
        Overwrite::Newer => exchange_if_newer(dirs, &data, label.as_str(), modified_ms),
    }
}

fn rename_to_free(dirs: &Dirs, data: &str, label: &str) -> io::Result<bool> {
    let flags = RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(&dirs.parts, data, &dirs.names, label, flags) {
        Ok(()) => return Ok(true),
        Err(Errno::EXIST) => return Ok(false),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {} // A file system that cannot.
        Err(error) => return Err(error.into()),
    }
    match rustix::fs::linkat(&dirs.parts, data, &dirs.names, label, AtFlags::empty()) {
        Ok(()) => {
            rustix::fs::unlinkat(&dirs.parts, data, AtFlags::empty())?;
            Ok(true)
        }
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Puts the part in the place of an older file, whichever stands there at that moment.
fn exchange_if_newer(dirs: &Dirs, data: &str, label: &str, modified_ms: u64) -> io::Result<bool> {
    if !is_older(&dirs.names, label, modified_ms)? {
        return Ok(false);
    }
    exchange_or_take_back(dirs, data, label, modified_ms)
}

/// Puts the part in the place of what stands there, and takes it back if that was not older.
fn exchange_or_take_back(
    dirs: &Dirs,
    data: &str,
    label: &str,
    modified_ms: u64,
) -> io::Result<bool> {
    let exchange = || {
        let flags = RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(&dirs.parts, data, &dirs.names, label, flags)
    };
    match exchange() {
        Ok(()) if is_older(&dirs.parts, data, modified_ms)? => {
            rustix::fs::unlinkat(&dirs.parts, data, AtFlags::empty())?;
            Ok(true)
        }
        Ok(()) => {
            exchange()?; // Somebody put another one there in between.
            Ok(false)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::renameat(&dirs.parts, data, &dirs.names, label)?;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_older(dir: &impl AsFd, name: &str, modified_ms: u64) -> io::Result<bool> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(is_file && self::modified_ms(&stat) < i128::from(modified_ms))
}

fn is_file(dir: &impl AsFd, name: &str) -> io::Result<bool> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

fn is_same_content(file: &File, layout: &FileLayout, sha256: &[u8; 32]) -> io::Result<bool> {
    match file_sha256(file, layout) {
        Ok(hash) => Ok(hash == *sha256),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn modified_ms(stat: &Stat) -> i128 {
    i128::from(stat.st_mtime) * 1000 + i128::from(stat.st_mtime_nsec) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, FileTimes};
    use std::time::{Duration, UNIX_EPOCH};

    /// A newer file came after we had looked and before the exchange.
    #[test]
    fn what_turns_out_to_be_newer_gets_its_place_back() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::open(dir.path()).unwrap();
        let (name, data) = (dir.path().join("a"), dir.path().join(".amop-part").join("b"));
        for (modified_ms, is_placed) in [(7_000, false), (7_001, true)] {
            fs::write(&name, "standing").unwrap();
            fs::write(&data, "ours").unwrap();
            let seven = UNIX_EPOCH + Duration::from_secs(7);
            let standing = fs::OpenOptions::new().write(true).open(&name).unwrap();
            standing.set_times(FileTimes::new().set_modified(seven)).unwrap();
            assert_eq!(exchange_or_take_back(&dirs, "b", "a", modified_ms).unwrap(), is_placed);
            let expected = if is_placed { "ours" } else { "standing" };
            assert_eq!(fs::read_to_string(&name).unwrap(), expected);
            assert_eq!(data.exists(), !is_placed);
        }
    }
}
