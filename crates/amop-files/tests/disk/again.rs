//! Files that have come before and are offered again: code 0 is for what stands there, not for what once did.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use amop_files::{Folder, Overwrite, Prepared, Source};
use amop_wire::{FileOffer, Reason};
use tempfile::TempDir;

use crate::common::{self, settings};

/// One file name, and what is sent under it at different times.
struct Versions {
    dir: TempDir,
    folder: Folder,
}

impl Versions {
    fn new(overwrite: Overwrite) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        let settings = settings(|settings| settings.overwrite = overwrite);
        let folder = Folder::open(&dir.path().join("in"), settings).unwrap();
        Self { dir, folder }
    }

    /// Sends this text, which was written at that second. Says whether bytes moved for it.
    fn send(&self, text: &str, second: u64) -> Result<bool, Reason> {
        let path = self.dir.path().join("big.bin");
        std::fs::write(&path, text).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let moment = UNIX_EPOCH + Duration::from_secs(second);
        file.set_times(std::fs::FileTimes::new().set_modified(moment)).unwrap();
        let source = Source::open(&path, &mut |_| {}).unwrap();
        let offer = common::offer(&source);
        let prepared = self.folder.prepare(UNIX_EPOCH, &offer);
        match prepared.map_err(|refused| refused.reason())? {
            Prepared::AlreadyThere => Ok(false),
            Prepared::Part(mut part) => {
                receive(source, &offer, &mut part);
                part.finish().map(|_| true).map_err(|error| error.reason())
            }
        }
    }

    fn there(&self) -> String {
        std::fs::read_to_string(self.received()).unwrap()
    }

    fn received(&self) -> impl AsRef<Path> {
        self.dir.path().join("in").join("big.bin")
    }
}

fn receive(mut source: Source, offer: &FileOffer, part: &mut amop_files::Part) {
    while part.checked() < offer.layout.stream_bytes() {
        let start = part.checked();
        let bytes = usize::try_from(offer.layout.part_at(start).end - start).unwrap();
        part.write(start, &source.read(start, bytes).unwrap()).unwrap();
    }
}

/// FILE-9: the first version, the second, and the first again.
#[test]
fn a_file_in_whose_place_another_one_came_is_not_said_to_be_there() {
    for overwrite in [Overwrite::Always, Overwrite::Newer] {
        let versions = Versions::new(overwrite);
        assert_eq!(versions.send("one", 1), Ok(true));
        assert_eq!(versions.send("two", 2), Ok(true));
        match overwrite {
            Overwrite::Always => {
                assert_eq!(versions.send("one", 1), Ok(true));
                assert_eq!(versions.there(), "one");
            }
            Overwrite::Newer | Overwrite::Never => {
                assert_eq!(versions.send("one", 1), Err(Reason::FileExists));
                assert_eq!(versions.there(), "two");
            }
        }
    }
}

/// FILE-9
#[test]
fn a_file_that_somebody_changed_since_is_not_said_to_be_there() {
    let versions = Versions::new(Overwrite::Never);
    assert_eq!(versions.send("one", 1), Ok(true));
    assert_eq!(versions.send("one", 1), Ok(false));
    std::fs::write(versions.received(), "won").unwrap();
    assert_eq!(versions.send("one", 1), Err(Reason::FileExists));
    assert_eq!(versions.there(), "won");
    std::fs::remove_file(versions.received()).unwrap();
    assert_eq!(versions.send("one", 1), Ok(false), "who took it away had it");
}
