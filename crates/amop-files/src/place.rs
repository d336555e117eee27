//! Gives a complete part its name.
//!
//! Between a look and a rename anybody may put another file there. So what is not to be replaced is
//! not asked for first: the rename itself refuses, or is taken back.

use std::fs::File;
use std::io;

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
    let is_older = |dir, name| -> io::Result<bool> {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        Ok(is_file && self::modified_ms(&stat) < i128::from(modified_ms))
    };
    if !is_older(&dirs.names, label)? {
        return Ok(false);
    }
    let exchange = || {
        let flags = RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(&dirs.parts, data, &dirs.names, label, flags)
    };
    match exchange() {
        Ok(()) if is_older(&dirs.parts, data)? => {
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

fn is_file(dir: &impl std::os::fd::AsFd, name: &str) -> io::Result<bool> {
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
