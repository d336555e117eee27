//! Tests of disks that cannot put safe what they were given.

use std::cell::Cell;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use amop_wire::{FileOffer, Reason};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::files::Dirs;
use crate::folder::Opened;
use crate::{Folder, Overwrite, Part, Prepared, Settings, Source};

thread_local! {
    /// What cannot be put safe now, and what the system says then.
    static FAILS: Cell<Option<(What, Errno)>> = const { Cell::new(None) };
}

type What = fn(&Stat) -> bool;

const FILES: What = |stat| !DIRECTORIES(stat);

/// What is received, and what stands in its place, has four bytes, and no small file has.
const DATA: What = |stat| FILES(stat) && stat.st_size == 4;

const DIRECTORIES: What = |stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;

fn fsync(fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let stat = rustix::fs::fstat(fd)?;
    match FAILS.get() {
        Some((fails, error)) if fails(&stat) => Err(error),
        Some(_) | None => rustix::fs::fsync(fd),
    }
}

struct Scene {
    dir: TempDir,
    folder: Folder,
    source: Source,
    offer: FileOffer,
}

impl Scene {
    fn new(overwrite: Overwrite) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inbox = dir.path().join("in");
        std::fs::create_dir(&inbox).unwrap();
        std::fs::write(dir.path().join("a"), "ours").unwrap();
        let source = Source::open(&dir.path().join("a"), &mut |_| {}).unwrap();
        let from = "app.sdk.bank-a.amop".parse().unwrap();
        let offer = source.offer(source.id(), from, "t".parse().unwrap());
        let dirs = Dirs { fsync, ..Dirs::open(&inbox).unwrap() };
        let settings = Settings { overwrite, keep_free_bytes: 0, ..Settings::default() };
        let folder = Folder::of(Arc::new(Opened::new(dirs, inbox, settings)));
        Self { dir, folder, source, offer }
    }

    fn prepare(&self) -> Result<Part, Reason> {
        match self.folder.prepare(UNIX_EPOCH, &self.offer) {
            Ok(Prepared::Part(part)) => Ok(*part),
            Ok(Prepared::AlreadyThere) => panic!("it is there already"),
            Err(refused) => Err(refused.reason()),
        }
    }

    /// Receives the list, and then the file.
    fn receive(&mut self, part: &mut Part) -> Result<(), Reason> {
        for (start, bytes) in [(0, 32), (32, 4)] {
            let piece = self.source.read(start, bytes).unwrap();
            part.write(start, &piece).map_err(|error| error.reason())?;
        }
        Ok(())
    }

    fn name(&self) -> PathBuf {
        self.dir.path().join("in").join("a")
    }

    /// How the names of what is there of parts end.
    fn parts(&self) -> Vec<String> {
        let parts = std::fs::read_dir(self.dir.path().join("in").join(".amop-part")).unwrap();
        let names = parts.map(|part| part.unwrap().file_name().into_string().unwrap());
        names.map(|name| name.split_once('.').unwrap().1.to_owned()).collect()
    }
}

/// A system may say yes the next time though it has lost what it could not write.
#[test]
fn data_that_could_not_be_put_safe_are_sent_again() {
    let mut scene = Scene::new(Overwrite::Never);
    let mut part = scene.prepare().unwrap();
    scene.receive(&mut part).unwrap();
    FAILS.set(Some((DATA, Errno::IO)));
    assert_eq!(part.finish().unwrap_err().reason(), Reason::DirectoryFailed);
    assert!(!scene.name().exists() && scene.parts().is_empty());

    FAILS.set(None);
    let mut part = scene.prepare().unwrap();
    assert_eq!(part.checked(), 0);
    scene.receive(&mut part).unwrap();
    part.finish().unwrap();
    assert_eq!(std::fs::read(scene.name()).unwrap(), b"ours");
}

#[test]
fn a_file_that_stands_there_is_not_said_to_be_safe_if_it_is_not() {
    let scene = Scene::new(Overwrite::Never);
    std::fs::write(scene.name(), "ours").unwrap();
    for what in [DATA, DIRECTORIES] {
        FAILS.set(Some((what, Errno::IO)));
        assert_eq!(scene.prepare().unwrap_err(), Reason::DirectoryFailed);
    }
    FAILS.set(None);
    let again = scene.folder.prepare(UNIX_EPOCH, &scene.offer).unwrap();
    assert!(matches!(again, Prepared::AlreadyThere));
}

#[test]
fn what_could_not_be_replaced_safely_is_there_as_before() {
    for (overwrite, before) in [
        (Overwrite::Always, Some("before")),
        (Overwrite::Newer, Some("before")),
        (Overwrite::Never, None),
    ] {
        let mut scene = Scene::new(overwrite);
        scene.offer.modified_ms = u64::from(u32::MAX) * 1000;
        if let Some(before) = before {
            std::fs::write(scene.name(), before).unwrap();
        }
        let mut part = scene.prepare().unwrap();
        scene.receive(&mut part).unwrap();
        FAILS.set(Some((DIRECTORIES, Errno::IO)));
        assert_eq!(part.finish().unwrap_err().reason(), Reason::DirectoryFailed);
        FAILS.set(None);
        assert_eq!(std::fs::read_to_string(scene.name()).ok().as_deref(), before, "{overwrite:?}");
        let mut left = scene.parts();
        left.sort();
        assert_eq!(left, ["data", "list", "offer"], "{overwrite:?}");

        let part = scene.prepare().unwrap();
        assert_eq!(part.checked(), scene.offer.layout.stream_bytes());
        part.finish().unwrap();
        assert_eq!(std::fs::read(scene.name()).unwrap(), b"ours");
        assert_eq!(scene.parts(), ["done"], "{overwrite:?}");
    }
}

/// A full disk may be noticed as late as that, and is called what it is.
#[test]
fn a_disk_that_is_full_when_a_small_file_is_written_is_said_to_be_full() {
    let mut scene = Scene::new(Overwrite::Never);
    FAILS.set(Some((FILES, Errno::NOSPC)));
    assert_eq!(scene.prepare().unwrap_err(), Reason::DiskFull);
    assert!(scene.parts().is_empty(), "{:?}", scene.parts());
    FAILS.set(None);
    let mut part = scene.prepare().unwrap();
    FAILS.set(Some((FILES, Errno::NOSPC)));
    assert_eq!(scene.receive(&mut part).unwrap_err(), Reason::DiskFull);
    FAILS.set(None);
}
