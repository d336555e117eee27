//! One frame of each kind of message.

use std::collections::BTreeMap;
use std::fmt::Debug;

use amop_wire::{
    Code, FileBody, FileEnd, FileId, FileLayout, FileMessage, FileOffer, FileRoute, Instance,
    Message, NodeId, PeerMessage, Reason, put_frame_head,
};
use bytes::{Bytes, BytesMut};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::{strategies, walk};

/// What is written to a corpus, by name.
pub(crate) type Seeds = Vec<(String, Vec<u8>)>;

pub(crate) fn client() -> Seeds {
    of_each_kind(strategies::client_messages())
}

pub(crate) fn node() -> Seeds {
    of_each_kind(strategies::node_messages())
}

pub(crate) fn peer() -> Seeds {
    of_each_kind(strategies::peer_messages())
}

pub(crate) fn file() -> Seeds {
    let name = |at: usize| format!("{at:02}");
    let all = file_messages(1);
    all.iter().enumerate().map(|(at, message)| (name(at), written(message))).collect()
}

/// A node says that it has something new, is asked for it, and tells it.
pub(crate) fn announcements() -> Seeds {
    let mut runner = TestRunner::deterministic();
    let mut seeds = Seeds::new();
    for at in 0..4096 {
        let drawn = strategies::peer_messages().new_tree(&mut runner);
        let message = drawn.expect("the strategy always draws").current();
        let signed = match &message {
            PeerMessage::Snapshot(announcement) => announcement.signed(),
            PeerMessage::Changes(changes) => changes.signed(),
            _ => continue,
        };
        let summary = PeerMessage::Summary(vec![(signed.node(), signed.version())]);
        let data = [written(&summary), written(&message)].concat();
        if data.len() <= BYTES_MAX && seeds.len() < SEEDS {
            seeds.push((format!("{at}"), data));
        }
    }
    seeds
}

/// Writes a message as a frame.
pub(crate) fn written(message: &impl Message) -> Vec<u8> {
    let mut frame = BytesMut::new();
    let payload_bytes = message.payload().len();
    let head = put_frame_head(&mut frame, payload_bytes, |buf| message.put_header(buf));
    head.expect("it is within the limits");
    frame.extend_from_slice(message.payload());
    frame.to_vec()
}

/// All that the ends of a transfer say in one round, in an order in which they may say it.
pub(crate) fn file_messages(round: u32) -> Vec<FileMessage> {
    let end = |number: u8| FileEnd {
        instance: Instance(number.into()),
        node: NodeId::from_bytes([number; 32]),
    };
    let route = FileRoute { transfer: 1, sender: end(1), receiver: end(2) };
    let data = Bytes::from_static(b"hello");
    let offer = FileOffer {
        id: FileId(7),
        layout: FileLayout::new(5).expect("it is a size that a file may have"),
        modified_ms: 0,
        sha256: [1; 32],
        list_sha256: [2; 32],
        from: "app.sdk.bank-a.amop".parse().expect("a certified name"),
        topic: "statements".parse().expect("a valid topic"),
        label: "a.csv".parse().expect("a label"),
    };
    let bodies = [
        FileBody::Offer(Box::new(offer)),
        FileBody::Wait,
        FileBody::Credit { received: 0, granted: 4096 },
        FileBody::Piece { start: 0, data: vec![9; 32].into() },
        FileBody::Piece { start: 32, data },
        FileBody::Ask { sent: 37 },
        FileBody::Again,
        FileBody::Window { passed: 37, beside_messages: true },
        FileBody::Done { sha256: [1; 32] },
        FileBody::Refused(Code::FileRefused, Reason::DiskFull),
        FileBody::Cancel(Reason::Cancelled),
    ];
    bodies.map(|body| FileMessage { route, round, body }).into()
}

/// The first of each kind that is short.
fn of_each_kind<M: Message + Debug>(messages: impl Strategy<Value = M>) -> Seeds {
    let mut runner = TestRunner::deterministic();
    let mut kinds = BTreeMap::new();
    for _ in 0..4096 {
        let drawn = messages.new_tree(&mut runner).expect("the strategy always draws");
        let data = written(&drawn.current());
        let header_bytes = usize::from(u16::from_be_bytes([data[4], data[5]]));
        let kind = walk::kind(&data[6..6 + header_bytes]).number;
        if data.len() <= BYTES_MAX {
            kinds.entry(kind).or_insert(data);
        }
    }
    kinds.into_iter().map(|(kind, data)| (format!("kind-{kind:02}"), data)).collect()
}

/// Short seeds are changed to good purpose more often.
const BYTES_MAX: usize = 1024;

/// How many are enough of what is alike.
const SEEDS: usize = 8;
