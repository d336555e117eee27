//! Keeps a node's epoch growing from life to life, whatever happens to its clock or its disk.
//!
//! ```text
//! epoch = max(epoch of the life before + 1, milliseconds since 1970)
//! ```
//!
//! The epoch stands in a file of the state directory, so a clock that was set back does no harm.
//! The clock grows by itself, so a file that was lost, damaged or restored from a backup does none
//! either; that is why a damaged file costs a warning and not the start. Only both at once let an
//! epoch fall. A start uses up its epoch even if it fails afterwards.
//!
//! The directory is locked as long as the node lives. The lock is the system's and ends with the
//! process, however that ends; the file `lock` only carries it, stays behind, and says nothing.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use amop_wire::Epoch;
use tracing::warn;

/// The state directory of a node. No other process has it as long as this value lives.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a directory, and makes it if only the directory above is there.
    ///
    /// # Errors
    ///
    /// [`StateError`]; whoever has the directory keeps it.
    pub(crate) fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        create(&path).map_err(|source| unusable("create", &path, source))?;
        warn_if_open(&path);
        let lock_path = path.join(LOCK_FILE);
        let lock = options()
            .truncate(false)
            .open(&lock_path)
            .map_err(|source| unusable("open", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse { dir: path }),
            Err(TryLockError::Error(source)) => Err(unusable("lock", &lock_path, source)),
        }
    }

    /// Begins a life: its epoch is greater than the stored one, and no smaller than that of the
    /// clock. It is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`StateError::Unusable`]; the stored epoch is then the old one or the new one.
    pub(crate) fn next_epoch(&self, clock: Epoch) -> Result<Epoch, StateError> {
        let stored = self.stored()?;
        if let Some(stored) = stored.filter(|stored| *stored > clock) {
            warn!(
                stored = stored.0,
                clock = clock.0,
                "the clock is behind the last start of this node"
            );
        }
        let epoch = stored.map_or(clock, |stored| clock.max(Epoch(stored.0 + 1)));
        let new = self.path.join(NEW_FILE);
        self.store(&new, epoch).map_err(|source| unusable("write", &new, source))?;
        Ok(epoch)
    }

    /// The epoch of the life before, if there was one and its file is whole.
    fn stored(&self) -> Result<Option<Epoch>, StateError> {
        let path = self.path.join(EPOCH_FILE);
        let mut text = Vec::new();
        // One byte more than the longest epoch shows that a file is too long.
        let read = File::open(&path)
            .and_then(|file| file.take(EPOCH_BYTES_MAX + 1).read_to_end(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(unusable("read", &path, source)),
        }
        let stored = parse(&text);
        if stored.is_none() {
            warn!(
                file = %path.display(),
                found = %text.escape_ascii(),
                "the file of the last epoch is damaged; going by the clock"
            );
        }
        Ok(stored)
    }

    /// Writes beside the old file and renames, so that a crash leaves the one or the other whole.
    fn store(&self, new: &Path, epoch: Epoch) -> io::Result<()> {
        let mut file = options().truncate(true).open(new)?;
        file.write_all(render(epoch).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(new, self.path.join(EPOCH_FILE))?;
        sync_dir(&self.path)
    }
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A running node has the directory, in this process or another. It is not disturbed.
    #[error(
        "{} (`node.state_dir`) is in use by a running node; stop that one, or give this one a \
         directory of its own",
        .dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory or a file in it cannot be created, opened, locked, read or written.
    #[error(
        "cannot {action} {}; set `node.state_dir` to a directory on a local disk with free space \
         that belongs to this user",
        .path.display()
    )]
    Unusable {
        /// What failed, a verb.
        action: &'static str,
        /// The directory or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The epoch of a node that starts now and keeps no state: milliseconds since 1970.
pub(crate) fn epoch_by_clock() -> Epoch {
    let since_1970 = wall_clock().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since_1970.unwrap_or(Duration::ZERO).as_millis();
    Epoch(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the one place where a node reads the wall clock")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

fn unusable(action: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Unusable { action, path: path.into(), source }
}

fn render(epoch: Epoch) -> String {
    format!("{}\n", epoch.0)
}

/// Takes exactly what [`render`] makes: the end of the line tells a whole number from one that was
/// cut off. The greatest number is none, since no epoch could follow it.
fn parse(text: &[u8]) -> Option<Epoch> {
    let epoch = Epoch(std::str::from_utf8(text).ok()?.trim_end().parse().ok()?);
    (render(epoch).as_bytes() == text && epoch.0 < u64::MAX).then_some(epoch)
}

/// For files that only this user may touch.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a directory that only this user may look into, unless it is there.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => match path.parent() {
            Some(above) if above.as_os_str().is_empty() => sync_dir(Path::new(".")),
            Some(above) => sync_dir(above),
            None => Ok(()),
        },
        // If it is no directory, the lock in it cannot be opened.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes sure that what was created or renamed in a directory is found there after a power cut.
#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Whoever may write there can keep the node from starting. That is worth a warning and no more:
/// nothing there is secret, and volumes in containers are often shared with a group.
#[cfg(unix)]
fn warn_if_open(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = path.metadata() else { return };
    if metadata.permissions().mode() & 0o022 != 0 {
        warn!(dir = %path.display(), "others may write to the state directory; run `chmod go-w` on it");
    }
}

#[cfg(not(unix))]
fn warn_if_open(_path: &Path) {}

const EPOCH_FILE: &str = "epoch";
const NEW_FILE: &str = "epoch.new";
const LOCK_FILE: &str = "lock";

/// The digits of the greatest number of 64 bits and the end of the line.
const EPOCH_BYTES_MAX: u64 = 21;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    /// One life at this time of the clock.
    fn live(dir: &TempDir, clock: u64) -> u64 {
        StateDir::open(dir.path()).unwrap().next_epoch(Epoch(clock)).unwrap().0
    }

    fn epoch_file(dir: &TempDir) -> PathBuf {
        dir.path().join(EPOCH_FILE)
    }

    /// SEQ-1: the epoch grows with every start.
    #[test]
    fn the_epoch_grows_with_every_start_whatever_the_clock_says() {
        let dir = TempDir::new().unwrap();
        let clocks = [1_000, 1_000, 1_001, 0, 5_000, 4_999, 5_001, 5_002];
        let epochs = clocks.map(|clock| live(&dir, clock));
        assert_eq!(epochs, [1_000, 1_001, 1_002, 1_003, 5_000, 5_001, 5_002, 5_003]);
        let many: Vec<u64> = (0..200).map(|_| live(&dir, 7)).collect();
        assert_eq!(many, (5_004..5_204).collect::<Vec<u64>>());
    }

    #[test]
    fn the_file_holds_the_epoch_of_this_life_before_it_begins() {
        let dir = TempDir::new().unwrap();
        for clock in [1_000, 10] {
            let epoch = live(&dir, clock);
            assert_eq!(fs::read_to_string(epoch_file(&dir)).unwrap(), format!("{epoch}\n"));
        }
        assert!(!dir.path().join(NEW_FILE).exists(), "it was renamed");
    }

    #[test]
    fn a_lost_or_rolled_back_file_is_made_up_for_by_the_clock() {
        let dir = TempDir::new().unwrap();
        let mut last = live(&dir, 1_000);
        let backup = fs::read(epoch_file(&dir)).unwrap();
        for clock in [2_000, 3_000] {
            fs::write(epoch_file(&dir), &backup).unwrap();
            let epoch = live(&dir, clock);
            assert!(epoch > last, "rolled back: {epoch} after {last}");
            last = epoch;
        }
        fs::remove_file(epoch_file(&dir)).unwrap();
        let epoch = live(&dir, 4_000);
        assert!(epoch > last, "lost: {epoch} after {last}");
    }

    #[test]
    fn a_damaged_file_counts_as_lost_and_is_whole_again_after_the_start() {
        let greatest = format!("{}\n", u64::MAX);
        let too_great = format!("{}0\n", u64::MAX);
        let long = "9".repeat(100_000);
        let damaged: [&[u8]; 12] = [
            b"",
            b"\n",
            b"9000",
            b"9000\n\n",
            b"9000 \n",
            b"+9000\n",
            b"09000\n",
            b"-1\n",
            b"\xff\xfe\x00\n",
            greatest.as_bytes(),
            too_great.as_bytes(),
            long.as_bytes(),
        ];
        for found in damaged {
            let dir = TempDir::new().unwrap();
            fs::write(epoch_file(&dir), found).unwrap();
            assert_eq!(live(&dir, 1_000), 1_000, "{}", found.escape_ascii());
            assert_eq!(live(&dir, 1_000), 1_001, "{}", found.escape_ascii());
        }
    }

    #[test]
    fn the_greatest_epoch_that_another_can_follow_is_followed() {
        let dir = TempDir::new().unwrap();
        fs::write(epoch_file(&dir), format!("{}\n", u64::MAX - 1)).unwrap();
        assert_eq!(live(&dir, 1_000), u64::MAX);
    }

    #[test]
    fn what_a_crash_left_half_written_is_overwritten() {
        let dir = TempDir::new().unwrap();
        assert_eq!(live(&dir, 1_000), 1_000);
        fs::write(dir.path().join(NEW_FILE), "99999999999").unwrap();
        assert_eq!(live(&dir, 10), 1_001);
        assert_eq!(live(&dir, 10), 1_002);
    }

    #[test]
    fn a_directory_belongs_to_one_node_at_a_time() {
        let dir = TempDir::new().unwrap();
        let first = StateDir::open(dir.path()).unwrap();
        first.next_epoch(Epoch(1_000)).unwrap();
        let error = StateDir::open(dir.path()).unwrap_err();
        assert!(matches!(&error, StateError::InUse { dir: named } if named == dir.path()));
        assert!(error.to_string().contains("node.state_dir"), "{error}");
        assert_eq!(fs::read(epoch_file(&dir)).unwrap(), b"1000\n", "the second changed nothing");
        drop(first);
        StateDir::open(dir.path()).unwrap();
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_the_key_and_the_remedy() {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "").unwrap();
        fs::create_dir_all(path("lock is a directory/lock")).unwrap();
        // Permissions do not hold a superuser back; what stands in the way holds everybody.
        let cases = [
            ("file", "file/lock"),
            ("file/below", "file/below"),
            ("missing/below", "missing/below"),
            ("lock is a directory", "lock is a directory/lock"),
        ];
        for (state_dir, named) in cases {
            let error = StateDir::open(path(state_dir)).unwrap_err();
            assert_names(&error, &path(named));
        }
        for name in [EPOCH_FILE, NEW_FILE] {
            let dir = TempDir::new().unwrap();
            fs::create_dir(dir.path().join(name)).unwrap();
            let error = StateDir::open(dir.path()).unwrap().next_epoch(Epoch(1)).unwrap_err();
            assert_names(&error, &dir.path().join(name));
        }
    }

    fn assert_names(error: &StateError, place: &Path) {
        assert!(matches!(error, StateError::Unusable { path, .. } if path == place), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&place.display().to_string()), "{text}");
        assert!(text.contains("set `node.state_dir` to"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_or_write_what_is_kept() {
        use std::os::unix::fs::PermissionsExt;
        let above = TempDir::new().unwrap();
        let path = above.path().join("state");
        StateDir::open(&path).unwrap().next_epoch(Epoch(1)).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode(&path), 0);
        assert_eq!(mode(&path.join(EPOCH_FILE)), 0);
        assert_eq!(mode(&path.join(LOCK_FILE)), 0);
    }
}
