//! A node with many topics: what one change costs its links.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use amop_topic_table::{Heard, TopicTable};
use amop_wire::limits::{NAME_BYTES_MAX, TOPIC_BYTES_MAX};
use amop_wire::{
    AnnouncementChanges, Chain, Epoch, Gen, Instance, Instant, Message, NodeId, PeerMessage,
    Subscriber, Topic, put_frame_head,
};
use bytes::BytesMut;

const TOPICS: usize = 10_000;

/// SEQ-3, SEQ-10: with the longest name and topic there are, and a signature of the longest that a
/// key of P-256 makes.
#[test]
fn one_change_among_10_000_topics_costs_each_link_at_most_one_kibibyte() {
    let name = format!("n.node.a.{}bc", "x.".repeat((NAME_BYTES_MAX - 11) / 2));
    assert_eq!(name.len(), NAME_BYTES_MAX);
    let mut there = TopicTable::new(name.parse().unwrap(), Epoch(u64::MAX));
    let mut here = TopicTable::new("n2.node.bank-b.amop".parse().unwrap(), Epoch(1));
    let now = Instant::default();
    there.set_neighbours(now, vec![here.id()]);
    here.set_neighbours(now, vec![there.id()]);
    let subscriber = Subscriber { instance: Instance(u64::MAX), generation: Gen(u32::MAX) };
    for number in 0..TOPICS {
        there.subscribe(&topic(number, 20), subscriber).unwrap();
    }
    sign(&mut there);
    let all = learn(&mut here, &there);
    assert!(all > 100 * 1024, "{all} bytes are worth a delta");

    for leave in [false, true] {
        let topic = topic(TOPICS, TOPIC_BYTES_MAX);
        if leave {
            assert!(there.unsubscribe(&topic, subscriber.instance));
        } else {
            assert!(there.subscribe(&topic, subscriber).unwrap());
        }
        let changes = sign(&mut there);
        assert_eq!(here.apply_changes(now, there.id(), &changes), Ok(Heard::News));
        assert_eq!(here.signed_by(there.id()), Some(changes.signed()));
        let bytes = frame_bytes(&PeerMessage::Changes(changes));
        assert!(bytes <= 1024, "{bytes} bytes");
    }
}

fn topic(number: usize, bytes: usize) -> Topic {
    format!("{number:0>bytes$}").parse().unwrap()
}

fn sign(table: &mut TopicTable) -> AnnouncementChanges {
    table.propose().expect("something has changed");
    table.sign([7; 72].as_slice().into(), chain()).expect("something has changed")
}

fn chain() -> Chain {
    Chain::new(vec![[7; 600].as_slice().into(), [8; 600].as_slice().into()]).unwrap()
}

/// Has one node learn all that another announces; answers how many bytes that takes.
fn learn(here: &mut TopicTable, there: &TopicTable) -> usize {
    let now = Instant::default();
    let entries: Vec<(NodeId, _)> = there.summary().collect();
    let pulls = here.weigh_summary(now, there.id(), &entries);
    assert_eq!(pulls.len(), 1);
    let announcement = there.announcement(there.id()).unwrap();
    assert_eq!(here.apply_snapshot(now, there.id(), &announcement), Ok(Heard::News));
    frame_bytes(&PeerMessage::Snapshot(announcement))
}

fn frame_bytes(message: &PeerMessage) -> usize {
    let mut head = BytesMut::new();
    put_frame_head(&mut head, message.payload().len(), |buf| message.put_header(buf)).unwrap();
    head.len() + message.payload().len()
}
