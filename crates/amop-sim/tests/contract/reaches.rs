//! What a node finds out of who would get a message on a topic, before one is published.

use amop_core::node::{Hop, HopWord, Permissions, Reach, Rule};
use amop_sim::{ClientId, NodeId, World};
use amop_wire::{Instance, Name};

use crate::scene::{SECOND, millis};

/// Nodes of institutions of their own in a row: bank-a, bank-b, ...
struct Row {
    world: World,
    nodes: Vec<NodeId>,
}

impl Row {
    fn new(count: usize) -> Self {
        let mut world = World::new(11);
        let letters = "abcdefgh".chars().take(count);
        let nodes: Vec<NodeId> =
            letters.map(|letter| world.node(&format!("n1.node.bank-{letter}.amop"))).collect();
        for pair in nodes.windows(2) {
            world.link(pair[0], pair[1]);
        }
        world.run_for(SECOND);
        Self { world, nodes }
    }

    fn subscriber(&mut self, at: usize) -> ClientId {
        let letter = char::from(b'a' + u8::try_from(at).unwrap());
        let client = self.world.client(&format!("sub.sdk.bank-{letter}.amop"), &[self.nodes[at]]);
        self.world.subscribe(client, "t");
        self.world.run_for(millis(200));
        client
    }

    /// What the first node answers to a client of this name; `None` if it may not publish.
    fn reach(&mut self, topic: &str, whom: Option<Name>) -> Option<Reach> {
        let number = self.world.reach(self.nodes[0], topic, whom);
        self.world.run_for(millis(2001));
        self.world.reached(number).expect("it takes 2 s at most").clone()
    }

    /// How many links away a node is, and what it answered.
    fn hop<'a>(&self, reach: &'a Reach, node: usize) -> (usize, &'a Hop) {
        let id = self.world.id_of(self.nodes[node]);
        let hop = reach.hops.iter().find(|hop| hop.way.last() == Some(&id));
        let hop = hop.unwrap_or_else(|| panic!("node {node} is on no way: {reach:?}"));
        (hop.way.len() - 1, hop)
    }
}

fn there(subscribers: &[Instance]) -> HopWord {
    let mut subscribers = subscribers.to_vec();
    subscribers.sort_unstable();
    HopWord::There { count: u32::try_from(subscribers.len()).unwrap(), subscribers }
}

/// REACH-1, REACH-3: each node on the way says whether it is there, and who is there.
#[test]
fn every_node_on_the_way_says_who_would_get_a_message() {
    let mut row = Row::new(4);
    let own = row.subscriber(0);
    let far = [row.subscriber(2), row.subscriber(2)];
    row.subscriber(3);
    let reach = row.reach("t", None).expect("without rules everybody may");
    assert_eq!((reach.count, &reach.here[..]), (1, &[row.world.instance(own)][..]));
    assert_eq!(reach.hops.len(), 3, "{reach:?}");
    let (links, relay) = row.hop(&reach, 1);
    assert_eq!((links, relay.announced, &relay.word), (1, 0, &there(&[])));
    let (links, exit) = row.hop(&reach, 2);
    let both = far.map(|client| row.world.instance(client));
    assert_eq!((links, exit.announced, &exit.word), (2, 2, &there(&both)));
    let (links, last) = row.hop(&reach, 3);
    assert_eq!((links, last.announced), (3, 1));
    // A link takes 1 to 2 ms each way.
    for (links, hop) in [(1, relay), (2, exit), (3, last)] {
        assert!(
            (millis(2 * links)..=millis(4 * links)).contains(&hop.round_trip),
            "{links} {hop:?}"
        );
    }
    row.world.check();
}

/// REACH-2: what is said is the same for a topic with subscribers and for one that nobody knows.
#[test]
fn who_may_not_publish_is_told_nothing() {
    let mut row = Row::new(2);
    row.subscriber(1);
    let rule = Rule {
        who: vec!["app.sdk.bank-a.amop".parse().unwrap(), "agency:bank-b".parse().unwrap()],
        topics: vec!["t".parse().unwrap()],
        allow: Permissions { publish: true, subscribe: true, file: false },
    };
    row.world.set_rules(row.nodes[0], vec![rule]);
    let name = |label: &str| Some(format!("{label}.sdk.bank-a.amop").parse().unwrap());
    assert_eq!(row.reach("t", name("other")), None);
    assert_eq!(row.reach("unknown", name("other")), None);
    assert_eq!(row.reach("unknown", name("app")), None);
    assert_eq!(row.reach("unknown", None), None);
    let mine = row.reach("t", name("app")).expect("it may");
    let of_agency = row.reach("t", None).expect("some client of the agency may");
    assert_eq!((mine.hops.len(), of_agency.hops.len()), (1, 1));
    row.world.check();
}

/// REACH-4: so is a node of an earlier version, which skips the question.
#[test]
fn who_does_not_answer_is_silent_after_two_seconds() {
    let mut row = Row::new(3);
    row.subscriber(2);
    row.world.set_swallowing(row.nodes[1], true);
    let number = row.world.reach(row.nodes[0], "t", None);
    row.world.run_for(millis(1990));
    assert_eq!(row.world.reached(number), None, "it may come yet");
    row.world.run_for(millis(20));
    let reach = row.world.reached(number).expect("it has ended").clone().expect("it may");
    let relay = row.hop(&reach, 1).1;
    assert!(
        matches!(relay.word, HopWord::There { .. }),
        "what is for itself it answers: {relay:?}"
    );
    assert_eq!(row.hop(&reach, 2).1.word, HopWord::Silent);
    row.world.check();
}

/// REACH-1: a node says who is there, not whom it has announced.
#[test]
fn a_subscriber_that_has_just_gone_is_not_counted() {
    let mut row = Row::new(2);
    let (gone, left) = (row.subscriber(1), row.subscriber(1));
    row.world.cut_client(gone, millis(0), millis(0));
    let reach = row.reach("t", None).expect("it may");
    let hop = row.hop(&reach, 1).1;
    assert_eq!((hop.announced, &hop.word), (2, &there(&[row.world.instance(left)])));
}
