//! Gives a complete part its name.
//!
//! Between a look and a rename anybody may put another file there. So what is not to be replaced is
//! not asked for first: the rename itself refuses, or is taken back.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use amop_wire::{FileLabel, FileLayout, FileOffer};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::Overwrite;
use crate::files::{Dirs, Key, Kind, NO_SURPRISE};
use crate::hashing::file_sha256;

/// What stands under a name.
#[derive(Debug)]
pub(crate) enum Standing {
    Nothing,
    /// What may be replaced.
    Free,
    /// What may not.
    Taken,
    /// This very file.
    TheSame(File),
}

/// How a file got its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// Not at all, and nothing has changed.
    Not,
    /// Nothing of what stood there is left, if anything did.
    Alone,
    /// In the place of another one, which lies beside the parts.
    Instead,
}

/// Looks what stands under the name of a file that is offered. It may change at any moment.
pub(crate) fn look(dirs: &Dirs, offer: &FileOffer, overwrite: Overwrite) -> io::Result<Standing> {
    let flags = OFlags::RDONLY | NO_SURPRISE;
    let file = match rustix::fs::openat(&dirs.names, offer.label.as_str(), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(Standing::Nothing),
        // A symbolic link, a socket, what we may not read.
        Err(Errno::LOOP | Errno::NXIO | Errno::ACCESS | Errno::PERM) => return Ok(Standing::Taken),
        Err(error) => return Err(error.into()),
    };
    let stat = rustix::fs::fstat(&file)?;
    let is_as_long = u64::try_from(stat.st_size) == Ok(offer.layout.size());
    if is_file(&stat) && is_as_long && is_same_content(&file, &offer.layout, &offer.sha256)? {
        return Ok(Standing::TheSame(file));
    }
    let may_go = may_go(&stat, offer.modified_ms, overwrite);
    Ok(if may_go { Standing::Free } else { Standing::Taken })
}

/// Moves the data of a part under its name.
pub(crate) fn place(
    dirs: &Dirs,
    key: &Key,
    label: &FileLabel,
    modified_ms: u64,
    overwrite: Overwrite,
) -> io::Result<Placed> {
    let label = label.as_str();
    if rename_to_free(dirs, &key.file(Kind::Data), label)? {
        return Ok(Placed::Alone);
    }
    let may_go = |dir: &OwnedFd, name: &str| {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(may_go(&stat, modified_ms, overwrite))
    };
    if !may_go(&dirs.names, label)? {
        return Ok(Placed::Not);
    }
    exchange_or_not(dirs, key, label, may_go)
}

/// Undoes it as far as that can be, so that it looks as before.
pub(crate) fn take_back(dirs: &Dirs, key: &Key, label: &FileLabel, placed: Placed) {
    let (label, data, old) = (label.as_str(), key.file(Kind::Data), key.file(Kind::Old));
    let Dirs { names, parts, .. } = dirs;
    let _ = match placed {
        Placed::Not => Ok(()),
        Placed::Alone => rustix::fs::renameat(names, label, parts, data),
        Placed::Instead => {
            rustix::fs::renameat_with(parts, &old, names, label, RenameFlags::EXCHANGE)
                .and_then(|()| rustix::fs::renameat(parts, old, parts, data))
        }
    };
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

/// Puts the part in the place of what stands there, unless that turns out to be what may not go.
fn exchange_or_not(
    dirs: &Dirs,
    key: &Key,
    label: &str,
    may_go: impl Fn(&OwnedFd, &str) -> io::Result<bool>,
) -> io::Result<Placed> {
    let Dirs { names, parts, .. } = dirs;
    let (data, old) = (key.file(Kind::Data), key.file(Kind::Old));
    let exchange = || rustix::fs::renameat_with(parts, &data, names, label, RenameFlags::EXCHANGE);
    match exchange() {
        Ok(()) if may_go(parts, &data)? => {
            // Under the name of the data it could be taken for them.
            if let Err(error) = rustix::fs::renameat(parts, &data, parts, old) {
                exchange()?;
                return Err(error.into());
            }
            Ok(Placed::Instead)
        }
        Ok(()) => {
            exchange()?; // Somebody put another one there in between.
            Ok(Placed::Not)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::renameat(parts, data, names, label)?;
            Ok(Placed::Alone)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether what stands there may be replaced by a file that was changed then.
fn may_go(stat: &Stat, modified_ms: u64, overwrite: Overwrite) -> bool {
    is_file(stat)
        && match overwrite {
            Overwrite::Never => false,
            Overwrite::Newer => self::modified_ms(stat) < i128::from(modified_ms),
            Overwrite::Always => true,
        }
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
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
        let key = Key::in_name(&format!("{:032x}.data", 7)).unwrap();
        let part = |kind| dir.path().join(".amop-part").join(key.file(kind));
        let (name, data, old) = (dir.path().join("a"), part(Kind::Data), part(Kind::Old));
        for (modified_ms, placed) in [(7_000, Placed::Not), (7_001, Placed::Instead)] {
            fs::write(&name, "standing").unwrap();
            fs::write(&data, "ours").unwrap();
            let seven = UNIX_EPOCH + Duration::from_secs(7);
            let standing = fs::OpenOptions::new().write(true).open(&name).unwrap();
            standing.set_times(FileTimes::new().set_modified(seven)).unwrap();
            let is_older = |dir: &OwnedFd, name: &str| {
                let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                Ok(may_go(&stat, modified_ms, Overwrite::Newer))
            };
            assert_eq!(exchange_or_not(&dirs, &key, "a", is_older).unwrap(), placed);
            let is_placed = placed == Placed::Instead;
            let expected = if is_placed { "ours" } else { "standing" };
            assert_eq!(fs::read_to_string(&name).unwrap(), expected);
            assert_eq!((data.exists(), old.exists()), (!is_placed, is_placed));
        }
    }
}
