//! Two tables kept in step by pushes and summaries that may be lost, against a naive twin.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use amop_topic_table::{Heard, Place, TopicTable};
use amop_wire::{
    AnnouncementChanges, Chain, Epoch, Gen, Instance, Instant, MsgId, NodeId, Seq, Subscriber,
    Topic, TopicChange, Version,
};
use proptest::prelude::*;

fn topic(number: u8) -> Topic {
    format!("t{number}").parse().unwrap()
}

/// A node and its only neighbour.
fn linked() -> (TopicTable, TopicTable) {
    let [mut here, mut there] = ["n1.node.bank-a.amop", "n2.node.bank-b.amop"]
        .map(|name| TopicTable::new(name.parse().unwrap(), Epoch(1)));
    here.set_neighbours(Instant::default(), vec![there.id()]);
    there.set_neighbours(Instant::default(), vec![here.id()]);
    changes(&mut here);
    changes(&mut there);
    (here, there)
}

/// What has changed since the last call, signed.
fn changes(there: &mut TopicTable) -> Option<AnnouncementChanges> {
    there.propose();
    there.sign("signature".into(), Chain::new(vec!["certificate".into()]).unwrap())
}

/// One heartbeat period in which nothing is lost.
fn summary(here: &mut TopicTable, there: &mut TopicTable, now: Instant) {
    changes(there);
    let entries: Vec<_> = there.summary().collect();
    for pull in here.weigh_summary(now, there.id(), &entries) {
        let announcement = there.announcement(pull.node).unwrap();
        assert_eq!(here.apply_snapshot(now, pull.via, &announcement), Ok(Heard::News));
    }
    here.refresh_routes(now);
}

fn push(here: &mut TopicTable, there: &TopicTable, now: Instant, changes: &AnnouncementChanges) {
    if let Heard::Hole(pull) = here.apply_changes(now, there.id(), changes).unwrap() {
        let announcement = there.announcement(pull.node).unwrap();
        assert_eq!(here.apply_snapshot(now, pull.via, &announcement), Ok(Heard::News));
    }
    here.refresh_routes(now);
}

proptest! {
    /// SEQ-1, SEQ-4: after one undisturbed heartbeat the view equals the truth, whatever was lost.
    #[test]
    fn the_view_equals_the_truth_once_a_heartbeat_gets_through(
        steps in prop::collection::vec((0_u8..4, 0_u64..4, any::<bool>(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let (mut here, mut there) = linked();
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
            if flush && let Some(changes) = changes(&mut there) && !lose {
                push(&mut here, &there, now, &changes);
            }
        }
        now = now + Duration::from_secs(5);
        summary(&mut here, &mut there, now);
        prop_assert_eq!(here.version_of(there.id()), Some(there.own_version()));
        for number in 0..4 {
            let expected: u32 = truth.iter().filter(|(of, _)| *of == number).map(|_| 1).sum();
            let seen: u32 = here.spread(&topic(number)).iter().map(|(_, count)| count).sum();
            prop_assert_eq!(seen, expected, "topic {}", number);
        }
    }
}

#[test]
fn an_emptied_set_is_announced_like_any_other_change() {
    let (mut here, mut there) = linked();
    let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
    there.subscribe(&topic(0), subscriber).unwrap();
    summary(&mut here, &mut there, Instant::default());
    assert_eq!(here.spread(&topic(0)), [(Place::Node(there.id()), 1)]);

    assert!(there.unsubscribe(&topic(0), subscriber.instance));
    summary(&mut here, &mut there, Instant::default());
    assert_eq!(here.spread(&topic(0)), []);
}

#[test]
fn the_digests_of_two_nodes_are_equal_once_they_know_the_same() {
    let (mut here, mut there) = linked();
    assert_ne!(here.digest(), there.digest());
    summary(&mut here, &mut there, Instant::default());
    summary(&mut there, &mut here, Instant::default());
    assert_eq!(here.digest(), there.digest());
    let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
    there.subscribe(&topic(0), subscriber).unwrap();
    assert_eq!(here.digest(), there.digest(), "nobody is told before it is signed");
    changes(&mut there);
    assert_ne!(here.digest(), there.digest());
}

/// UNI-1, SEQ-12: a relay may change what comes to the same, within the seqs there are.
#[test]
fn a_subscriber_does_not_fall_back_to_an_earlier_link_by_changes_that_change_nothing() {
    let (mut here, mut there) = linked();
    let subscriber = |generation| Subscriber { instance: Instance(1), generation };
    there.subscribe(&topic(0), subscriber(Gen(2))).unwrap();
    summary(&mut here, &mut there, Instant::default());
    there.subscribe(&topic(1), subscriber(Gen(2))).unwrap();
    there.unsubscribe(&topic(1), Instance(1));
    let honest = changes(&mut there).unwrap();
    let back = TopicChange { topic: topic(0), subscriber: subscriber(Gen(1)), removed: false };
    let (from, signed) = (honest.from_seq(), honest.signed().clone());
    let altered = AnnouncementChanges::new(from, signed, None, vec![back]);
    push(&mut here, &there, Instant::default(), &altered);
    assert_eq!(here.version_of(there.id()), Some(there.own_version()));
    assert_eq!(here.find(&topic(0), Instance(1)).unwrap().generation, Gen(2));
}

/// SEQ-6
#[test]
fn a_node_to_which_no_path_leads_is_no_candidate_and_forgotten_after_a_day() {
    let (mut here, mut there) = linked();
    let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
    there.subscribe(&topic(0), subscriber).unwrap();
    summary(&mut here, &mut there, Instant::default());
    let id = MsgId { publisher: Instance(9), counter: 1 };
    assert!(here.choose(&topic(0), id, &[]).is_some());

    here.set_neighbours(Instant::default(), Vec::new());
    let lost = here.refresh_routes(Instant::default());
    assert_eq!(lost, Some(vec![there.id()]));
    assert_eq!(here.refresh_routes(Instant::default()), None, "nothing is new");
    assert_eq!(here.choose(&topic(0), id, &[]), None);
    let held = |here: &TopicTable| here.version_of(there.id()).is_some();
    let over = Instant::default() + Duration::from_secs(24 * 60 * 60);
    while here.poll_timeout().unwrap() < over {
        let due = here.poll_timeout().unwrap();
        assert_eq!(here.handle_timeout(due), []);
    }
    assert_eq!(here.poll_timeout(), Some(over));
    here.handle_timeout(over - Duration::from_nanos(1));
    assert!(held(&here), "it may be back soon");
    here.handle_timeout(over);
    assert!(!held(&here));
    assert_eq!(here.poll_timeout(), None, "nothing is kept");
}

/// SEQ-14: and whoever says that it is there.
#[test]
fn an_announcement_that_is_not_renewed_expires_and_is_not_believed_again() {
    let (mut here, mut there) = linked();
    let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
    there.subscribe(&topic(0), subscriber).unwrap();
    let start = Instant::default();
    summary(&mut here, &mut there, start);
    let old = there.announcement(there.id()).unwrap();
    let is_candidate = |here: &TopicTable| !here.spread(&topic(0)).is_empty();
    let at = |secs: u64| start + Duration::from_secs(secs);
    assert_eq!(here.handle_timeout(at(199)), []);
    assert_eq!(here.refresh_routes(at(199)), None);
    assert!(is_candidate(&here));
    assert_eq!(here.handle_timeout(at(200)), []);
    assert_eq!(here.refresh_routes(at(200)), Some(vec![there.id()]));
    assert!(!is_candidate(&here));
    assert!(here.summary().all(|(node, _)| node != there.id()));

    // Somebody passes on what has expired, as if it were later.
    let later = Version { seq: Seq(99), ..old.version() };
    assert_eq!(here.weigh_summary(at(201), there.id(), &[(there.id(), old.version())]), []);
    assert_eq!(here.weigh_summary(at(201), there.id(), &[(there.id(), later)]).len(), 1);
    assert_eq!(here.apply_snapshot(at(201), there.id(), &old), Ok(Heard::Old));
    assert_eq!(here.refresh_routes(at(201)), None);

    there.renew();
    let sign_of_life = changes(&mut there).unwrap();
    assert_eq!(sign_of_life.changes(), []);
    assert_eq!(here.apply_changes(at(202), there.id(), &sign_of_life), Ok(Heard::News));
    assert_eq!(here.refresh_routes(at(202)), Some(Vec::new()));
    assert!(is_candidate(&here));
    here.handle_timeout(at(401));
    assert_eq!(here.refresh_routes(at(401)), None, "from the last sign of life on");
}

/// SEQ-14
#[test]
fn how_long_a_node_did_not_run_does_not_make_others_expire() {
    let (mut here, mut there) = linked();
    summary(&mut here, &mut there, Instant::default());
    let night = Duration::from_secs(10_000);
    let awake = Instant::default() + night;
    here.slept(night);
    here.handle_timeout(awake + Duration::from_secs(199));
    assert_eq!(here.refresh_routes(awake), None);
    here.handle_timeout(awake + Duration::from_secs(200));
    assert_eq!(here.refresh_routes(awake), Some(vec![there.id()]));
}

/// SEQ-6: of what no path leads to, our summary says nothing.
#[test]
fn who_holds_an_earlier_version_of_a_node_that_is_out_of_reach_is_told_of_the_later_one() {
    let (mut here, mut there) = linked();
    summary(&mut here, &mut there, Instant::default());
    let held = there.own_version();
    let earlier = (there.id(), Version { epoch: Epoch(0), seq: Seq(1 << 40) });
    assert_eq!(here.lagging(&[earlier]), [], "the summary says it");
    here.set_neighbours(Instant::default(), Vec::new());
    let _ = here.refresh_routes(Instant::default());
    assert_eq!(here.lagging(&[earlier, (there.id(), held)]), [(there.id(), held)]);
    let unknown = (NodeId::from_bytes([9; 32]), held);
    assert_eq!(here.lagging(&[(there.id(), held), unknown]), []);
}

/// SEQ-7, LIMIT-1: what a peer claims to know of nodes that nobody reaches takes room for 30 s.
#[test]
fn a_summary_of_more_nodes_than_a_network_has_leaves_no_more_than_those() {
    let (mut here, there) = linked();
    let node = |n: u16| {
        let mut id = [7; 32];
        id[..2].copy_from_slice(&n.to_le_bytes());
        (NodeId::from_bytes(id), there.own_version())
    };
    let entries: Vec<_> = (0..2000).map(node).collect();
    let pulls = here.weigh_summary(Instant::default(), there.id(), &entries);
    assert_eq!(pulls.len(), amop_wire::limits::NODES_MAX - 1, "all but this one");
    assert_eq!(here.peer_gone(Instant::default(), there.id()), []);
    here.handle_timeout(Instant::default() + Duration::from_secs(30));
    assert_eq!(here.poll_timeout(), None, "nothing is kept");
}

/// SEQ-7: a peer that invents nodes takes room from itself alone.
#[test]
fn nodes_that_one_peer_invents_do_not_keep_out_those_that_another_tells_of() {
    let (mut here, there) = linked();
    let now = Instant::default();
    let [liar, honest] = [1, 2].map(|byte| NodeId::from_bytes([byte; 32]));
    let claims = |first: u16, count: u16| -> Vec<_> {
        let node = |n: u16| {
            let mut id = [7; 32];
            id[..2].copy_from_slice(&n.to_le_bytes());
            (NodeId::from_bytes(id), there.own_version())
        };
        (first..first + count).map(node).collect()
    };
    let all = amop_wire::limits::NODES_MAX - 1;
    assert_eq!(here.weigh_summary(now, liar, &claims(0, 2000)).len(), all);
    let honest_claims = claims(5000, 10);
    assert_eq!(here.weigh_summary(now, honest, &honest_claims).len(), 10);
    assert_eq!(here.weigh_summary(now, liar, &claims(2000, 2000)), [], "there is no room");
    assert_eq!(here.weigh_summary(now, honest, &honest_claims), [], "they are being pulled");
    assert!(honest_claims.iter().all(|&(node, _)| here.is_pulling(node)));

    // What is known stays, whoever claims what.
    assert_eq!(here.peer_gone(now, liar), []);
    let entries: Vec<_> = there.summary().collect();
    assert_eq!(here.weigh_summary(now, there.id(), &entries).len(), 1);
    let announcement = there.announcement(there.id()).unwrap();
    assert_eq!(here.apply_snapshot(now, there.id(), &announcement), Ok(Heard::News));
    for (peer, first) in [(liar, 10_000), (honest, 20_000), (liar, 30_000)] {
        let _ = here.weigh_summary(now, peer, &claims(first, 2000));
    }
    assert_eq!(here.version_of(there.id()), Some(there.own_version()));
}
