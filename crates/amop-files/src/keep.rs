//! How long what is not complete is kept, and how much of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::files::{Dirs, Key, Kind, NO_SURPRISE};

/// One part as it lies on the disk.
#[derive(Clone, Copy, Debug, Default)]
struct Lying {
    /// How long its data will be.
    bytes: u64,
    /// When anything of it was written last.
    touched: Duration,
}

/// Removes every part that nobody has written to for longer than `keep`, and what is remembered of
/// those that were done. What is being received stays. Answers how many bytes of data were removed.
pub(crate) fn remove_old(dirs: &Dirs, now: SystemTime, keep: Duration) -> io::Result<u64> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut removed = 0;
    for (key, lying) in lying(dirs)? {
        if lying.touched + keep < now && remove_if_idle(dirs, &key, true)? {
            removed += lying.bytes;
        }
    }
    Ok(removed)
}

/// Makes room for so many bytes within the quota, by removing parts that nobody writes to, the oldest first, but
/// never the one of this key. Says whether there is room now.
pub(crate) fn make_room(dirs: &Dirs, key: &Key, bytes: u64, quota: u64) -> io::Result<bool> {
    let mut others: Vec<_> = lying(dirs)?.into_iter().filter(|(other, _)| other != key).collect();
    others.sort_by_key(|(_, lying)| lying.touched);
    let mut held: u64 = others.iter().map(|(_, lying)| lying.bytes).sum();
    for (other, lying) in others {
        if held.saturating_add(bytes) <= quota {
            break;
        }
        if lying.bytes > 0 && remove_if_idle(dirs, &other, false)? {
            held -= lying.bytes;
        }
    }
    Ok(held.saturating_add(bytes) <= quota)
}

/// Locks the data of a part for as long as the file is open. Says whether nobody else has.
pub(crate) fn lock(data: &File) -> io::Result<bool> {
    match rustix::fs::flock(data, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn lying(dirs: &Dirs) -> io::Result<BTreeMap<Key, Lying>> {
    let mut all: BTreeMap<Key, Lying> = BTreeMap::new();
    for entry in Dir::read_from(&dirs.parts)? {
        let entry = entry?;
        let Some(key) = entry.file_name().to_str().ok().and_then(Key::in_name) else { continue };
        let stat =
            match rustix::fs::statat(&dirs.parts, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue, // It has got its name meanwhile.
                Err(error) => return Err(error.into()),
            };
        let is_data = entry.file_name().to_bytes() == key.file(Kind::Data).as_bytes();
        let lying = all.entry(key).or_default();
        let touched = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        lying.touched = lying.touched.max(touched);
        if is_data && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            lying.bytes = u64::try_from(stat.st_size).unwrap_or(0);
        }
    }
    Ok(all)
}

/// Removes the part unless it is being received.
fn remove_if_idle(dirs: &Dirs, key: &Key, with_done: bool) -> io::Result<bool> {
    let flags = OFlags::RDONLY | NO_SURPRISE;
    let data = match rustix::fs::openat(&dirs.parts, key.file(Kind::Data), flags, Mode::empty()) {
        Ok(data) => Some(File::from(data)),
        Err(Errno::NOENT) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(data) = &data
        && !lock(data)?
    {
        return Ok(false);
    }
    dirs.remove(key, &Kind::COMING)?;
    if with_done {
        dirs.remove(key, &[Kind::Done])?;
    }
    Ok(true)
}
