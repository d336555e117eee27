//! What the tests of folders share: files of any content, offers, and a way to move them by hand.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use amop_files::{Folder, Part, Prepared, RefusedFile, Settings, Source, Wrote};
use amop_wire::FileOffer;
use tempfile::TempDir;

/// A directory with a file that is sent and a folder that receives.
pub(crate) struct Scene {
    pub(crate) dir: TempDir,
    pub(crate) inbox: PathBuf,
    pub(crate) content: Vec<u8>,
    pub(crate) source: Source,
    pub(crate) offer: FileOffer,
}

impl Scene {
    pub(crate) fn new(size: u64) -> Self {
        Self::of(content(size))
    }

    pub(crate) fn of(content: Vec<u8>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inbox = dir.path().join("in");
        std::fs::create_dir(&inbox).unwrap();
        std::fs::write(dir.path().join("big.bin"), &content).unwrap();
        let source = Source::open(&dir.path().join("big.bin"), &mut |_| {}).unwrap();
        let offer = offer(&source);
        Self { dir, inbox, content, source, offer }
    }

    pub(crate) fn folder(&self) -> Folder {
        self.folder_with(|_| {})
    }

    pub(crate) fn folder_with(&self, change: impl FnOnce(&mut Settings)) -> Folder {
        Folder::open(&self.inbox, settings(change)).unwrap()
    }

    /// Receives up to this offset of the stream, in pieces of 64 KiB.
    pub(crate) fn receive(&mut self, part: &mut Part, until: u64) {
        let mut start = part.kept();
        while start < until {
            let bytes = (self.offer.layout.part_at(start).end.min(until) - start).min(65_536);
            let piece = self.source.read(start, usize::try_from(bytes).unwrap()).unwrap();
            assert!(matches!(part.write(start, &piece).unwrap(), Wrote::Taken { .. }));
            start += bytes;
        }
    }

    pub(crate) fn stream_bytes(&self) -> u64 {
        self.offer.layout.stream_bytes()
    }

    pub(crate) fn received(&self) -> PathBuf {
        self.inbox.join("big.bin")
    }
}

pub(crate) fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    settings.keep_free_bytes = 0;
    change(&mut settings);
    settings
}

pub(crate) fn offer(source: &Source) -> FileOffer {
    let (from, topic) = ("app.sdk.bank-a.amop".parse().unwrap(), "reports".parse().unwrap());
    source.offer(source.id(), from, topic)
}

/// Bytes of which no two pieces are alike.
pub(crate) fn content(size: u64) -> Vec<u8> {
    let words = u32::try_from(size.div_ceil(4)).unwrap();
    let mut content: Vec<u8> =
        (0..words).flat_map(|word| (word * 7 + 0x0100_0001).to_le_bytes()).collect();
    content.truncate(usize::try_from(size).unwrap());
    content
}

/// Whether the file system of a directory tells what was written from what room was only taken for; nearly all do.
pub(crate) fn tells_holes(dir: &Path) -> bool {
    let file = std::fs::File::create(dir.join("holes")).unwrap();
    file.set_len(1 << 20).unwrap();
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(0)) == Ok(0)
}

/// Prepares what can be received.
pub(crate) fn prepare(folder: &Folder, now: SystemTime, offer: &FileOffer) -> Part {
    match folder.prepare(now, offer).unwrap() {
        Prepared::Part(part) => *part,
        Prepared::AlreadyThere => panic!("it is there already"),
    }
}

pub(crate) fn refused(folder: &Folder, now: SystemTime, offer: &FileOffer) -> RefusedFile {
    folder.prepare(now, offer).unwrap_err()
}

/// The names in a directory, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
