//! What a node finds out of one message at the others on its way.

use amop_core::node::{Step, Told, Trace};
use amop_sim::{NodeId, World};
use amop_wire::{Code, Mode, MsgId, TraceWord};

use crate::records::words;
use crate::scene::{SECOND, deaf, millis};

/// Nodes of institutions of their own in a row, with a publisher at the first.
struct Row {
    world: World,
    nodes: Vec<NodeId>,
    publisher: amop_sim::ClientId,
}

impl Row {
    fn new(agencies: &[&str]) -> Self {
        let mut world = World::new(11);
        let nodes: Vec<NodeId> =
            agencies.iter().map(|agency| world.node(&format!("n1.node.{agency}.amop"))).collect();
        for pair in nodes.windows(2) {
            world.link(pair[0], pair[1]);
        }
        let publisher = world.client(&format!("app.sdk.{}.amop", agencies[0]), &nodes[..1]);
        world.run_for(SECOND);
        Self { world, nodes, publisher }
    }

    fn subscriber(&mut self, at: usize, agency: &str) -> amop_sim::ClientId {
        let client = self.world.client(&format!("sub.sdk.{agency}.amop"), &[self.nodes[at]]);
        self.world.subscribe(client, "t");
        self.world.run_for(millis(200));
        client
    }

    fn unicast(&mut self) -> MsgId {
        let id = self.world.publish(self.publisher, Mode::Unicast, "t", SECOND);
        self.world.run_for(millis(300));
        id
    }

    fn trace(&mut self, at: usize, id: MsgId) -> Trace {
        let number = self.world.trace(self.nodes[at], id);
        self.world.run_for(millis(2001));
        self.world.traced(number).expect("a trace takes 2 s at most").clone()
    }

    /// Who said what: the position of the node in the row, its word and its steps.
    fn told(&self, trace: &Trace) -> Vec<(usize, Option<TraceWord>, Vec<String>)> {
        let position = |told: &Told| {
            let is_it = |&node: &NodeId| self.world.id_of(node) == told.node;
            self.nodes.iter().position(is_it).expect("a node of the row")
        };
        let one = |told: &Told| {
            (position(told), told.word, told.records.iter().map(words).collect::<Vec<_>>())
        };
        trace.told.iter().map(one).collect()
    }
}

const TOLD: Option<TraceWord> = Some(TraceWord::Told);

/// TRACE-3, TRACE-4
#[test]
fn the_publishers_node_hears_of_every_node_on_the_way() {
    let mut row = Row::new(&["bank-a", "bank-r", "bank-b"]);
    row.subscriber(2, "bank-b");
    let id = row.unicast();
    let before = row.world.now();
    let number = row.world.trace(row.nodes[0], id);
    row.world.run_for(millis(30));
    let trace = row.world.traced(number).expect("all have answered").clone();
    let mut told = row.told(&trace);
    told.sort_by_key(|(node, ..)| *node);
    let strings = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let home = ["accepted 32 B", "sent 1 of 1", "over relays, 2 hops", "answered"];
    let relay = (1, TOLD, strings(&["relayed"]));
    let exit = (2, TOLD, strings(&["pushed", "replied", "over relays, 2 hops"]));
    // The relay is asked about the message and about the answer.
    assert_eq!(told, [(0, TOLD, strings(&home)), relay.clone(), relay, exit]);
    let at = |node: usize, n: usize| {
        trace
            .told
            .iter()
            .find(|told| told.node == row.world.id_of(row.nodes[node]))
            .unwrap()
            .records[n]
            .at
    };
    // TRACE-5: it took 2 to 4 ms to get there, and the question took at most 4 each way.
    let (sent, pushed, answered) = (at(0, 1), at(2, 0), at(0, 3));
    assert!(pushed.saturating_since(sent) <= millis(8), "{sent:?} {pushed:?}");
    assert!(answered + millis(4) >= pushed && pushed < before);
    row.world.check();
}

/// TRACE-3: an institution that took no part hears nothing; one that did hears what others say of it.
#[test]
fn who_took_no_part_in_a_message_is_refused() {
    let mut row = Row::new(&["bank-a", "bank-b", "bank-c"]);
    let busy = row.subscriber(1, "bank-b");
    row.world.set_application(busy, deaf(0));
    row.subscriber(2, "bank-c");
    let ids: Vec<MsgId> = (0..20).map(|_| row.unicast()).collect();
    let tried_both = |id: &&MsgId| {
        let records = row.world.node_core(row.nodes[0]).records(**id);
        records.iter().any(|record| matches!(record.step, Step::Sent { nth: 2, .. }))
    };
    let id = **ids.iter().find(tried_both).as_ref().expect("some were meant for the busy one");
    assert_eq!(row.world.record().publication(id).code(), Code::Ok);
    let trace = row.trace(2, id);
    let about_message =
        |told: &&Told| told.about == id && told.node == row.world.id_of(row.nodes[1]);
    let refused = trace.told.iter().find(about_message).expect("bank-b was asked");
    assert_eq!((refused.word, refused.records.len()), (Some(TraceWord::Refused), 0));
    let told = row.told(&trace);
    let home = told.iter().find(|(node, ..)| *node == 0).expect("bank-a was asked");
    assert!(home.2.contains(&"refused subscriber-busy".to_owned()), "{home:?}");
    // The institution that refused it hears all but what the last one did.
    let trace = row.trace(1, id);
    let told = row.told(&trace);
    assert!(told.contains(&(1, TOLD, vec!["relayed".into()])), "it was a relay as well: {told:?}");
    assert!(told.iter().all(|(_, word, _)| word.is_some()), "{told:?}");
    row.world.check();
}

/// TRACE-4: so is one of an earlier version, which skips the question.
#[test]
fn who_does_not_answer_is_told_as_silent_after_two_seconds() {
    let mut row = Row::new(&["bank-a", "bank-r", "bank-b"]);
    row.subscriber(2, "bank-b");
    let id = row.unicast();
    row.world.set_swallowing(row.nodes[1], true);
    let number = row.world.trace(row.nodes[0], id);
    row.world.run_for(millis(1990));
    assert_eq!(row.world.traced(number), None, "it may come yet");
    row.world.run_for(millis(20));
    let trace = row.world.traced(number).expect("it has ended").clone();
    let silent = trace.told.iter().find(|told| told.word.is_none()).expect("one is silent");
    assert_eq!(silent.node, row.world.id_of(row.nodes[2]));
    assert_eq!(row.told(&trace)[0].1, TOLD, "the own records are there all the same");
    row.world.check();
}

/// TRACE-4: a multicast asks each node that it went to.
#[test]
fn a_multicast_is_traced_at_all_of_its_nodes() {
    let mut row = Row::new(&["bank-a", "bank-b", "bank-c"]);
    for (at, agency) in [(0, "bank-a"), (1, "bank-b"), (2, "bank-c")] {
        row.subscriber(at, agency);
    }
    let id = row.world.publish(row.publisher, Mode::Multicast, "t", SECOND);
    row.world.run_for(millis(300));
    let trace = row.trace(0, id);
    let fanned_out = |told: &&Told| {
        told.about == id
            && told.records.iter().any(|one| matches!(one.step, Step::FannedOut { .. }))
    };
    assert_eq!(trace.told.iter().filter(fanned_out).count(), 3, "{:?}", row.told(&trace));
    row.world.check();
}
