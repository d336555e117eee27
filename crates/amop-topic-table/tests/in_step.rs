//! Two tables kept in step by pushes and heartbeats that may be lost, against a naive twin.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use amop_topic_table::{Place, TopicTable};
use amop_wire::{
    Epoch, Gen, Instance, Instant, MsgId, Name, NodeId, Subscriber, Topic, TopicChanges,
};
use proptest::prelude::*;

fn topic(number: u8) -> Topic {
    format!("t{number}").parse().unwrap()
}

fn node() -> NodeId {
    NodeId::of(&"n2.node.bank-b.amop".parse::<Name>().unwrap())
}

/// One heartbeat period in which nothing is lost.
fn heartbeat(here: &mut TopicTable, there: &TopicTable, now: Instant) {
    if here.announced(now, node(), there.own_version()).is_some() {
        here.apply_snapshot(node(), &there.snapshot()).unwrap();
    }
}

fn push(here: &mut TopicTable, there: &TopicTable, now: Instant, changes: &TopicChanges) {
    if here.apply_changes(now, node(), changes).unwrap().is_some() {
        here.apply_snapshot(node(), &there.snapshot()).unwrap();
    }
}

proptest! {
    /// SEQ-1, SEQ-4: after one undisturbed heartbeat the view equals the truth, whatever was lost.
    #[test]
    fn the_view_equals_the_truth_once_a_heartbeat_gets_through(
        steps in prop::collection::vec((0_u8..4, 0_u64..4, any::<bool>(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let mut here = TopicTable::new(Epoch(1));
        let mut there = TopicTable::new(Epoch(1));
        let mut truth = BTreeSet::new();
        let mut now = Instant::default();
        for (number, instance, leave, flush, lose) in steps {
            now = now + Duration::from_secs(1);
            let before = (there.own_version().seq, truth.clone());
            if leave {
                there.unsubscribe(&topic(number), Instance(instance));
                truth.remove(&(number, instance));
            } else {
                let subscriber = Subscriber { instance: Instance(instance), generation: Gen(1) };
                there.subscribe(&topic(number), subscriber).unwrap();
                truth.insert((number, instance));
            }
            // SEQ-2: the seq moves when and only when the set changes.
            prop_assert_eq!(there.own_version().seq != before.0, truth != before.1);
            if flush && let Some(changes) = there.take_changes() && !lose {
                push(&mut here, &there, now, &changes);
            }
        }
        now = now + Duration::from_secs(5);
        // A fetch that was answered above is over, so the heartbeat may fetch again.
        heartbeat(&mut here, &there, now);
        for number in 0..4 {
            let expected: u32 = truth.iter().filter(|(of, _)| *of == number).map(|_| 1).sum();
            let seen: u32 = here.spread(&topic(number)).iter().map(|(_, count)| count).sum();
            prop_assert_eq!(seen, expected, "topic {}", number);
        }
    }
}

#[test]
fn an_emptied_set_is_announced_like_any_other_change() {
    let mut here = TopicTable::new(Epoch(1));
    let mut there = TopicTable::new(Epoch(1));
    let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
    there.subscribe(&topic(0), subscriber).unwrap();
    heartbeat(&mut here, &there, Instant::default());
    assert_eq!(here.spread(&topic(0)), [(Place::Node(node()), 1)]);

    assert!(there.unsubscribe(&topic(0), subscriber.instance));
    heartbeat(&mut here, &there, Instant::default());
    assert_eq!(here.spread(&topic(0)), []);
}

#[test]
fn a_peer_without_a_link_is_no_candidate() {
    let mut here = TopicTable::new(Epoch(1));
    let mut there = TopicTable::new(Epoch(1));
    let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
    there.subscribe(&topic(0), subscriber).unwrap();
    heartbeat(&mut here, &there, Instant::default());
    let id = MsgId { publisher: Instance(9), counter: 1 };
    assert!(here.choose(&topic(0), id, &[]).is_some());
    here.forget(node());
    assert_eq!(here.choose(&topic(0), id, &[]), None);
    assert_eq!(here.version_of(node()), None);
}
