//! What is in the files of a world: it follows from a number, so that nobody has to keep it.
//!
//! The stream of each file is a window on one long run of counted words, the same in every world. So no two
//! files are alike at any offset, and to read, send and compare them copies nothing.

use std::sync::OnceLock;

use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{FileId, FileLabel, FileLayout, FileOffer, Name, Topic};
use bytes::Bytes;

/// A file of a world. Its id and its name follow from the number alone, so that two sizes are two files
/// under one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// Which one, at most [`NUMBER_MAX`](Self::NUMBER_MAX). Some are [secret](Self::secret).
    pub number: u16,
    /// How long, in bytes, at most [`SIZE_MAX`](Self::SIZE_MAX).
    pub size: u64,
}

impl Content {
    /// The greatest number.
    pub const NUMBER_MAX: u16 = 999;

    /// The longest file: a few chunks.
    pub const SIZE_MAX: u64 = 4 * FILE_CHUNK_BYTES + 1;

    /// A file that is sent on private topics only: nobody may see anything of it on a link. There are so many as of
    /// others.
    #[must_use]
    pub fn secret(number: u16, size: u64) -> Self {
        Self { number: SECRET_FROM + number, size }
    }

    pub(crate) fn is_secret(self) -> bool {
        self.number >= SECRET_FROM
    }

    pub(crate) fn layout(self) -> FileLayout {
        FileLayout::new(self.size).expect("it is below the limit")
    }

    pub(crate) fn label(self) -> FileLabel {
        let prefix = if self.is_secret() { SECRET_LABEL } else { "f" };
        format!("{prefix}{}.bin", self.number).parse().expect("it is a plain name")
    }

    /// What is sent of it: list and file.
    pub(crate) fn stream(self) -> Bytes {
        let start = usize::from(self.number % SECRET_FROM) * STEP;
        let bytes = usize::try_from(self.layout().stream_bytes()).expect("it is short");
        let words = if self.is_secret() { secret_words() } else { words() };
        words.slice(start..start + bytes)
    }

    /// What stands for its hash: it tells two files apart, which is all that a world needs of it.
    pub(crate) fn sha256(self) -> [u8; 32] {
        let mut hash = [if self.is_secret() { SECRET_BYTE } else { 0xaa }; 32];
        hash[..2].copy_from_slice(&self.number.to_be_bytes());
        hash[2..10].copy_from_slice(&self.size.to_be_bytes());
        hash
    }

    pub(crate) fn offer(self, from: Name, topic: Topic) -> FileOffer {
        FileOffer {
            id: FileId(self.number.into()),
            layout: self.layout(),
            modified_ms: 0,
            sha256: self.sha256(),
            list_sha256: self.sha256().map(|byte| !byte),
            from,
            topic,
            label: self.label(),
        }
    }

    /// The file that somebody offers.
    pub(crate) fn of(offer: &FileOffer) -> Self {
        let (number, size) = (offer.sha256[..2].try_into(), offer.layout.size());
        Self { number: u16::from_be_bytes(number.expect("two bytes")), size }
    }
}

fn words() -> Bytes {
    static WORDS: OnceLock<Bytes> = OnceLock::new();
    WORDS.get_or_init(|| count_from(0)).clone()
}

fn secret_words() -> Bytes {
    static WORDS: OnceLock<Bytes> = OnceLock::new();
    WORDS.get_or_init(|| count_from(u32::from(SECRET_BYTE) << 24)).clone()
}

/// Words that count up; as they are fewer than 2^24, their highest byte stays.
fn count_from(first: u32) -> Bytes {
    let streams = Content { number: 0, size: Content::SIZE_MAX }.layout().stream_bytes();
    let bytes = usize::try_from(streams).expect("it is short");
    let bytes = bytes + (usize::from(Content::NUMBER_MAX) + 1) * STEP;
    let count = u32::try_from(bytes / 4 + 1).expect("it is some megabytes");
    (first..first + count).flat_map(u32::to_le_bytes).collect()
}

/// How far apart two files begin.
const STEP: usize = 64;

/// The first number of a secret file.
const SECRET_FROM: u16 = Content::NUMBER_MAX + 1;

/// How the name of each secret file begins.
pub(super) const SECRET_LABEL: &str = "secret-";

/// What is in the hashes and the stream of each secret file.
pub(super) const SECRET_BYTE: u8 = 0x5e;
