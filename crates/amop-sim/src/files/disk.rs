//! The disk of a client: it outlives its processes, and may lose what was not synced.
//!
//! It does what `amop-files` does with a real one, in the same order: parts lie aside, a complete one is
//! synced, renamed, and the directory synced. Each of these is a step of its own, so that a process can be
//! killed between any two of them, and the power cut.

use std::collections::BTreeMap;

use amop_core::transfer::DiskSaid;
use amop_wire::{FileId, FileLabel, FileOffer, Name, Reason, Topic};

use super::content::Content;

/// What one client has of files. Everything but what a [`Part`] holds is on the disk once it is here.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    parts: BTreeMap<Key, Part>,
    names: BTreeMap<FileLabel, Named>,
    done: BTreeMap<Key, Content>,
    pub(crate) trouble: DiskTrouble,
    /// The last step of a file's end that was done.
    pub(crate) last_step: Option<FileStep>,
}

/// What a disk fails at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskTrouble {
    /// Nothing.
    #[default]
    None,
    /// It has no room for another file.
    Full,
    /// It cannot put anything safe.
    Sync,
}

/// What makes two offers one file (FILE-3).
pub(crate) type Key = (Name, Topic, FileId);

/// A file that is not complete, or has no name yet.
#[derive(Clone, Debug)]
struct Part {
    content: Content,
    /// The end of the list and of each chunk behind it that was written whole and right; a chunk that a
    /// power cut took is no more there.
    checked: u64,
    /// The offset behind the last byte that was written.
    written: u64,
    /// Whether what was written past `checked` is right so far.
    is_right: bool,
    is_synced: bool,
    is_held: bool,
}

/// A file under its name.
#[derive(Clone, Debug)]
struct Named {
    key: Key,
    part: Part,
    /// Whether the directory was synced since.
    is_safe: bool,
}

/// One step of giving a file its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileStep {
    /// What it consists of is safe.
    SyncData,
    /// It is seen.
    Rename,
    /// Its name is safe.
    SyncDirectory,
    /// The same file is known not to be needed again.
    Remember,
}

impl FileStep {
    pub(crate) const FIRST: Self = Self::SyncData;

    pub(crate) fn next(self) -> Option<Self> {
        match self {
            Self::SyncData => Some(Self::Rename),
            Self::Rename => Some(Self::SyncDirectory),
            Self::SyncDirectory => Some(Self::Remember),
            Self::Remember => None,
        }
    }
}

pub(crate) fn key_of(offer: &FileOffer) -> Key {
    (offer.from.clone(), offer.topic.clone(), offer.id)
}

impl Disk {
    /// Judges an offer and finds what is there of it, which is held from now on.
    pub(crate) fn prepare(&mut self, offer: &FileOffer) -> DiskSaid {
        let (key, content) = (key_of(offer), Content::of(offer));
        let known = self.done.get(&key).or(self.parts.get(&key).map(|part| &part.content));
        if known.is_some_and(|known| *known != content) {
            return DiskSaid::Failed(Reason::FileIdReused);
        }
        if self.done.contains_key(&key) {
            return DiskSaid::AlreadyThere;
        }
        if let Some(named) = self.names.get_mut(&offer.label) {
            if !named.is_file(content) {
                return DiskSaid::Failed(Reason::FileExists);
            }
            if self.trouble == DiskTrouble::Sync {
                return DiskSaid::Failed(Reason::DirectoryFailed);
            }
            // It may have got its name just before its process was killed.
            named.is_safe = true;
            self.done.insert(key, content);
            return DiskSaid::AlreadyThere;
        }
        if self.trouble == DiskTrouble::Full && !self.parts.contains_key(&key) {
            return DiskSaid::Failed(Reason::DiskFull);
        }
        let part = self.parts.entry(key).or_insert_with(|| Part::new(content));
        if std::mem::replace(&mut part.is_held, true) {
            return DiskSaid::Failed(Reason::DirectoryFailed);
        }
        if part.checked < part.content.layout().list_bytes() {
            part.forget_beginning(); // A list is kept once it is complete.
        }
        DiskSaid::Prepared { checked: part.checked, kept: part.written }
    }

    /// Writes a piece; `None` if it does not follow what is there.
    pub(crate) fn write(&mut self, key: &Key, start: u64, data: &[u8]) -> Option<DiskSaid> {
        let part = self.parts.get_mut(key)?;
        let part_end = part.content.layout().part_at(part.written).end;
        if start != part.written || part.written == part_end {
            return None;
        }
        let from = usize::try_from(start).expect("a stream is short");
        part.is_right &= part.content.stream().get(from..from + data.len()) == Some(data);
        part.written += u64::try_from(data.len()).expect("a length fits 64 bits");
        part.is_synced = false;
        if part.written < part_end {
            let is_list = part.checked < part.content.layout().list_bytes();
            let (checked, kept) = (part.checked, if is_list { 0 } else { part.written });
            return Some(DiskSaid::Wrote { checked, kept });
        }
        if std::mem::replace(&mut part.is_right, true) {
            part.checked = part_end;
            return Some(DiskSaid::Wrote { checked: part_end, kept: part_end });
        }
        part.written = part.checked;
        Some(DiskSaid::Corrupt { checked: part.checked })
    }

    /// One step of giving a file its name; what it says if that was the last.
    pub(crate) fn finish(&mut self, step: FileStep, offer: &FileOffer) -> Option<DiskSaid> {
        let (key, label) = (key_of(offer), offer.label.clone());
        let cannot_sync = self.trouble == DiskTrouble::Sync;
        let failed = Some(DiskSaid::Failed(Reason::DirectoryFailed));
        match step {
            FileStep::SyncData if cannot_sync => {
                self.parts.remove(&key); // A system may forget what it could not write.
                return failed;
            }
            FileStep::SyncData => self.parts.get_mut(&key)?.is_synced = true,
            FileStep::Rename if self.names.contains_key(&label) => {
                return Some(DiskSaid::Failed(Reason::FileExists));
            }
            FileStep::Rename => {
                let part = self.parts.remove(&key)?;
                self.names.insert(label, Named { key, part, is_safe: false });
            }
            FileStep::SyncDirectory if cannot_sync => {
                // What may be gone after a power cut must not be seen now.
                let named = self.names.remove(&label)?;
                self.parts.insert(named.key, named.part);
                return failed;
            }
            FileStep::SyncDirectory => self.names.get_mut(&label)?.is_safe = true,
            FileStep::Remember => {
                self.done.insert(key, Content::of(offer));
                return Some(DiskSaid::Finished);
            }
        }
        None
    }

    /// Lets go of a part.
    pub(crate) fn release(&mut self, key: &Key) {
        if let Some(part) = self.parts.get_mut(key) {
            part.is_held = false;
        }
    }

    /// The process is gone, and with it what it held.
    pub(crate) fn release_all(&mut self) {
        self.parts.values_mut().for_each(|part| part.is_held = false);
    }

    /// Power is cut: of what was not synced it hangs on `keeps` what is there afterwards.
    pub(crate) fn cut_power(&mut self, mut keeps: impl FnMut() -> bool) {
        let unsafe_names: Vec<FileLabel> = self
            .names
            .iter()
            .filter(|(_, named)| !named.is_safe)
            .map(|(label, _)| label.clone())
            .collect();
        for label in unsafe_names {
            if !keeps() {
                let Named { key, part, .. } = self.names.remove(&label).expect("it was just seen");
                self.parts.insert(key, Part { is_held: false, ..part });
            }
        }
        let named = self.names.values_mut().map(|named| &mut named.part);
        for part in self.parts.values_mut().chain(named).filter(|part| !part.is_synced) {
            // What was lost first is where it goes on; the list is synced when it is complete.
            let list = part.content.layout().list_bytes().min(part.checked);
            let mut kept = list;
            while kept < part.checked && keeps() {
                kept = part.content.layout().part_at(kept).end;
            }
            part.checked = kept;
            part.forget_beginning();
        }
    }

    /// Whether this file is under its name, whatever happens now.
    pub(crate) fn is_safe(&self, content: Content) -> bool {
        self.names
            .get(&content.label())
            .is_some_and(|named| named.is_file(content) && named.part.is_synced && named.is_safe)
    }

    /// What is visible and not what it should be.
    pub(crate) fn half_files(&self) -> impl Iterator<Item = Content> {
        let is_half = |named: &&Named| !named.is_file(named.part.content);
        self.names.values().filter(is_half).map(|named| named.part.content)
    }

    /// Whether something else stands in the way of this file.
    pub(crate) fn has_another(&self, offer: &FileOffer) -> bool {
        let (key, content) = (key_of(offer), Content::of(offer));
        let named = self.names.get(&offer.label).map(|named| named.part.content);
        let part = self.parts.get(&key).map(|part| part.content);
        let done = self.done.get(&key).copied();
        [named, part, done].into_iter().flatten().any(|other| other != content)
    }

    /// A day later: everything goes that nobody receives. How many parts are left.
    pub(crate) fn clean(&mut self) -> usize {
        self.parts.retain(|_, part| part.is_held);
        self.parts.len()
    }
}

impl Part {
    fn new(content: Content) -> Self {
        Self { content, checked: 0, written: 0, is_right: true, is_synced: false, is_held: false }
    }

    /// What there is of the part behind the last one that is right is gone.
    fn forget_beginning(&mut self) {
        (self.written, self.is_right) = (self.checked, true);
    }
}

impl Named {
    /// Whether it is this file, whole and right.
    fn is_file(&self, content: Content) -> bool {
        let is_whole = self.part.checked == content.layout().stream_bytes();
        self.part.content == content && is_whole
    }
}
