//! What the two ends of a file transfer say to each other.
//!
//! A message is the same on all its way: it names both ends, so that nodes pass it on without knowing
//! the transfer. It travels on a lane of its own, on links of clients and of peers alike.

use std::fmt;

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::fields::{bad, name, no_payload, node_id, node_id_words, put, text, topic};
use crate::file_found::{FileFound, read_found};
use crate::generated::{self as pb, file_header::Kind};
use crate::limits::FILE_PIECE_BYTES_MAX;
use crate::message::no_kind;
use crate::sealed_offer::{SealedOffer, read_sealed_offer};
use crate::{
    Code, FileLabel, FileLayout, Frame, Instance, Lane, Message, MessageError, Name, NodeId,
    Reason, Topic,
};

/// One message of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMessage {
    /// Which transfer.
    pub route: FileRoute,
    /// In which round, from 1.
    pub round: u32,
    /// What it says.
    pub body: FileBody,
}

/// One transfer from one client to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRoute {
    /// Counts the transfers of the sending client.
    pub transfer: u64,
    /// Who sends the file.
    pub sender: FileEnd,
    /// Who gets it.
    pub receiver: FileEnd,
}

/// One end of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileEnd {
    /// The client.
    pub instance: Instance,
    /// Where it is attached.
    pub node: NodeId,
}

impl FileEnd {
    /// Whom a sender names that has not been told who receives: its home node chooses (FILE-4).
    pub const ANY: Self = Self { instance: Instance(0), node: NodeId::from_bytes([0; 32]) };
}

/// What a message says. The first five kinds go to the receiver, the others to the sender, and the last
/// three to a neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileBody {
    /// This is the file: say what you have.
    Offer(Box<FileOffer>),
    /// The same on a private topic, for the receiver alone.
    SealedOffer(Box<SealedOffer>),
    /// The stream from here on.
    Piece {
        /// The offset of its first byte.
        start: u64,
        /// 1 to [`FILE_PIECE_BYTES_MAX`] bytes.
        data: Bytes,
    },
    /// So much was sent in this round: say what you have received of it.
    Ask {
        /// The offset behind the last byte.
        sent: u64,
    },
    /// Nothing more will come.
    Cancel(Reason),
    /// So much was received without a hole, and so far may be sent.
    Credit {
        /// The offset behind the last byte that was received.
        received: u64,
        /// The offset behind the last byte that may be sent; not less than `received`.
        granted: u64,
    },
    /// Not yet; the sender may offer again.
    Wait,
    /// Begin another round.
    Again,
    /// The file is on the disk under its name.
    Done {
        /// The hash of what is there.
        sha256: [u8; 32],
    },
    /// This will not be received.
    Refused(Code, Reason),
    /// So many bytes of pieces were passed on or taken, counted from the first of the round on this
    /// link.
    Window {
        /// How many.
        passed: u64,
        /// Whether messages of clients go there as well, so that the sender shall not be far ahead.
        beside_messages: bool,
    },
    /// Who subscribes to this topic?
    Find(Topic),
    /// These do.
    Found(Box<FileFound>),
}

impl FileBody {
    /// The topic, and who sends, of what begins a round.
    #[must_use]
    pub fn offered(&self) -> Option<(&Topic, &Name)> {
        match self {
            Self::Offer(offer) => Some((&offer.topic, &offer.from)),
            Self::SealedOffer(offer) => Some((&offer.topic, &offer.from)),
            _ => None,
        }
    }

    /// Says who sends, in what begins a round.
    pub fn attest(&mut self, sender: &Name) {
        match self {
            Self::Offer(offer) => offer.from = sender.clone(),
            Self::SealedOffer(offer) => offer.from = sender.clone(),
            _ => {}
        }
    }
}

/// What a sender says of a file before it sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOffer {
    /// The name of the file among those of its sender to this topic.
    pub id: FileId,
    /// How the file lies in the stream; its size is in it.
    pub layout: FileLayout,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: u64,
    /// The hash of the file.
    pub sha256: [u8; 32],
    /// The hash of the list of the hashes of its chunks.
    pub list_sha256: [u8; 32],
    /// Who sends, as its node attests it.
    pub from: Name,
    /// To what.
    pub topic: Topic,
    /// What the file is called.
    pub label: FileLabel,
}

/// The name of a file among those of one sender to one topic: who sends it again under the same one
/// goes on where it was (FILE-3). Shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u128);

impl FileId {
    /// The id of a file whose sender chooses none: it follows from label, size and content.
    #[must_use]
    pub fn of_content(label: &FileLabel, size: u64, sha256: &[u8; 32]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"AMOP-FILE-ID/v1\0");
        hash.update(label.as_bytes());
        hash.update(b"\0");
        hash.update(size.to_be_bytes());
        hash.update(sha256);
        Self::of_hash(hash)
    }

    /// The id of a file whose sender gives it an idempotency key: the first half of SHA-256 of `AMOP-FILE-KEY/v1`, a
    /// zero byte, and the key.
    #[must_use]
    pub fn of_key(key: &[u8]) -> Self {
        Self::of_hash(Sha256::new_with_prefix(b"AMOP-FILE-KEY/v1\0").chain_update(key))
    }

    fn of_hash(hash: Sha256) -> Self {
        let hash: [u8; 32] = hash.finalize().into();
        let (first_half, _) = hash.split_first_chunk().expect("32 bytes");
        Self(u128::from_be_bytes(*first_half))
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Message for FileMessage {
    fn lane(&self) -> Lane {
        Lane::Files
    }

    fn put_header(&self, buf: &mut BytesMut) {
        put(&pb::FileHeader { kind: Some(self.to_kind()) }, buf);
    }

    fn payload(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match &self.body {
            FileBody::Piece { data, .. } => data,
            FileBody::SealedOffer(offer) => &offer.sealed,
            FileBody::Offer(_)
            | FileBody::Ask { .. }
            | FileBody::Cancel(_)
            | FileBody::Credit { .. }
            | FileBody::Wait
            | FileBody::Again
            | FileBody::Done { .. }
            | FileBody::Refused(..)
            | FileBody::Window { .. }
            | FileBody::Find(_)
            | FileBody::Found(_) => &NONE,
        }
    }

    fn from_frame(Frame { header, payload }: Frame) -> Result<Self, MessageError> {
        let header_bytes = header.len();
        let header = pb::FileHeader::decode(header).map_err(MessageError::Malformed)?;
        let kind = header.kind.ok_or_else(|| no_kind(header_bytes))?;
        if !matches!(kind, Kind::Piece(_) | Kind::SealedOffer(_)) {
            no_payload(&payload)?;
        }
        let (route, body) = match kind {
            Kind::Offer(offer) => (offer.route, FileBody::Offer(Box::new(read_offer(&offer)?))),
            Kind::Piece(piece) => (piece.route, read_piece(piece.start, payload)?),
            Kind::Ask(ask) => (ask.route, FileBody::Ask { sent: ask.sent.unwrap_or_default() }),
            Kind::Cancel(cancel) => (cancel.route, FileBody::Cancel(reason(cancel.reason))),
            Kind::Credit(credit) => (credit.route, read_credit(&credit)?),
            Kind::Wait(wait) => (wait.route, FileBody::Wait),
            Kind::Again(again) => (again.route, FileBody::Again),
            Kind::Done(done) => {
                (done.route, FileBody::Done { sha256: sha256("file_done.sha256", &done.sha256)? })
            }
            Kind::Refused(refused) => (refused.route, read_refused(&refused)?),
            Kind::Window(window) => {
                let passed = window.passed.unwrap_or_default();
                let beside_messages = window.beside_messages.unwrap_or_default();
                (window.route, FileBody::Window { passed, beside_messages })
            }
            Kind::Find(find) => {
                (find.route, FileBody::Find(topic("file_find.topic", &find.topic)?))
            }
            Kind::Found(found) => (found.route, FileBody::Found(Box::new(read_found(&found)?))),
            Kind::SealedOffer(offer) => (offer.route, read_sealed_offer(&offer, payload)?),
        };
        let route = route.unwrap_or_default();
        let round = route.round.unwrap_or_default();
        Ok(Self { route: read_route(route)?, round, body })
    }
}

impl FileMessage {
    fn to_kind(&self) -> Kind {
        let route = Some(self.put_route());
        match &self.body {
            FileBody::Offer(offer) => Kind::Offer(put_offer(route, offer)),
            FileBody::Piece { start, .. } => {
                Kind::Piece(pb::FilePiece { route, start: Some(*start) })
            }
            FileBody::Ask { sent } => Kind::Ask(pb::FileAsk { route, sent: Some(*sent) }),
            FileBody::Cancel(reason) => {
                Kind::Cancel(pb::FileCancel { route, reason: Some(reason.number()) })
            }
            FileBody::Credit { received, granted } => Kind::Credit(pb::FileCredit {
                route,
                received: Some(*received),
                granted: Some(*granted),
            }),
            FileBody::Wait => Kind::Wait(pb::FileWait { route }),
            FileBody::Again => Kind::Again(pb::FileAgain { route }),
            FileBody::Done { sha256 } => Kind::Done(pb::FileDone { route, sha256: text(sha256) }),
            FileBody::Refused(code, reason) => Kind::Refused(pb::FileRefused {
                route,
                code: Some(code.number().into()),
                reason: Some(reason.number()),
            }),
            FileBody::Window { passed, beside_messages } => {
                let (passed, beside_messages) = (Some(*passed), beside_messages.then_some(true));
                Kind::Window(pb::FileWindow { route, passed, beside_messages })
            }
            FileBody::Find(topic) => {
                Kind::Find(pb::FileFind { route, topic: text(topic.as_bytes()) })
            }
            FileBody::Found(found) => Kind::Found(found.to_proto(route)),
            FileBody::SealedOffer(offer) => Kind::SealedOffer(pb::FileSealedOffer {
                route,
                from: text(offer.from.as_bytes()),
                topic: text(offer.topic.as_bytes()),
            }),
        }
    }

    fn put_route(&self) -> pb::FileRoute {
        let FileRoute { transfer, sender, receiver } = self.route;
        pb::FileRoute {
            transfer: Some(transfer),
            round: Some(self.round),
            sender: Some(sender.instance.0),
            home: node_id_words(sender.node),
            receiver: Some(receiver.instance.0),
            exit: node_id_words(receiver.node),
        }
    }
}

fn read_route(route: pb::FileRoute) -> Result<FileRoute, MessageError> {
    let end = |field, instance: Option<u64>, node| {
        let node = node_id(field, node)?;
        Ok(FileEnd { instance: Instance(instance.unwrap_or_default()), node })
    };
    Ok(FileRoute {
        transfer: route.transfer.unwrap_or_default(),
        sender: end("file_route.home", route.sender, route.home)?,
        receiver: end("file_route.exit", route.receiver, route.exit)?,
    })
}

pub(crate) fn put_offer(route: Option<pb::FileRoute>, offer: &FileOffer) -> pb::FileOffer {
    #[expect(clippy::cast_possible_truncation, reason = "each is one half")]
    let (high, low) = ((offer.id.0 >> 64) as u64, offer.id.0 as u64);
    pb::FileOffer {
        route,
        size: Some(offer.layout.size()),
        modified_ms: Some(offer.modified_ms),
        id_high: Some(high),
        id_low: Some(low),
        sha256: text(&offer.sha256),
        list_sha256: text(&offer.list_sha256),
        from: text(offer.from.as_bytes()),
        topic: text(offer.topic.as_bytes()),
        label: text(offer.label.as_bytes()),
    }
}

pub(crate) fn read_offer(offer: &pb::FileOffer) -> Result<FileOffer, MessageError> {
    let half = |half: Option<u64>| u128::from(half.unwrap_or_default());
    let layout = FileLayout::new(offer.size.unwrap_or_default());
    let label = FileLabel::from_bytes(&offer.label);
    Ok(FileOffer {
        id: FileId(half(offer.id_high) << 64 | half(offer.id_low)),
        layout: layout.ok_or_else(|| bad("file_offer.size", "it is over the limit"))?,
        modified_ms: offer.modified_ms.unwrap_or_default(),
        sha256: sha256("file_offer.sha256", &offer.sha256)?,
        list_sha256: sha256("file_offer.list_sha256", &offer.list_sha256)?,
        from: name("file_offer.from", &offer.from)?,
        topic: topic("file_offer.topic", &offer.topic)?,
        label: label.map_err(|error| bad("file_offer.label", error.to_string()))?,
    })
}

fn read_piece(start: Option<u64>, data: Bytes) -> Result<FileBody, MessageError> {
    if !(1..=FILE_PIECE_BYTES_MAX).contains(&data.len()) {
        return Err(bad("file_piece", format!("{} bytes are no piece", data.len())));
    }
    Ok(FileBody::Piece { start: start.unwrap_or_default(), data })
}

fn read_credit(credit: &pb::FileCredit) -> Result<FileBody, MessageError> {
    let (received, granted) =
        (credit.received.unwrap_or_default(), credit.granted.unwrap_or_default());
    if granted < received {
        return Err(bad("file_credit.granted", "it is less than what was received"));
    }
    Ok(FileBody::Credit { received, granted })
}

fn read_refused(refused: &pb::FileRefused) -> Result<FileBody, MessageError> {
    let code = Code::from_number(refused.code.unwrap_or_default());
    match code {
        Some(code) if code != Code::Ok => Ok(FileBody::Refused(code, reason(refused.reason))),
        _ => Err(bad("file_refused.code", "it is no refusal")),
    }
}

fn reason(number: Option<u32>) -> Reason {
    Reason::from_number(number.unwrap_or_default())
}

fn sha256(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], MessageError> {
    bytes.try_into().map_err(|_| bad(field, "a hash has 32 bytes"))
}
