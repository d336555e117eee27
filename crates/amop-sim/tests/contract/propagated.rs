//! Subscriptions that every node knows of: PROP.

use amop_sim::{ClientId, NodeId, World};
use amop_wire::{Code, Epoch, Instant, Mode, PeerMessage, Topic};

use crate::scene::{SECOND, millis};

/// A line of five nodes, whose links take 10 ms; a subscriber at the first.
pub(crate) struct Line {
    pub(crate) world: World,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) client: ClientId,
}

impl Line {
    pub(crate) fn new() -> Self {
        let mut world = World::new(11);
        let nodes: Vec<NodeId> =
            (0..5).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
        for pair in nodes.windows(2) {
            world.link(pair[0], pair[1]);
        }
        let client = world.client("sub.sdk.bank.amop", &nodes[..1]);
        world.run_for(SECOND);
        world.set_latency(millis(10), millis(0));
        Self { world, nodes, client }
    }

    pub(crate) fn subscribe(&mut self) {
        self.world.subscribe_propagated(self.client, "t");
    }

    /// How many subscribers of `t` a node knows.
    fn known(&self, node: usize) -> u32 {
        known(&self.world, self.nodes[node])
    }

    pub(crate) fn told(&self) -> Option<Instant> {
        told(&self.world, self.client)
    }

    /// Lets time pass until the client is told; says how much.
    pub(crate) fn wait(&mut self) -> std::time::Duration {
        let start = self.world.now();
        while self.told().is_none() {
            assert!(self.world.now() < start + 20 * SECOND, "it is never told");
            self.world.run_for(millis(1));
        }
        self.world.now().saturating_since(start)
    }

    /// Every node that is up can reach the subscriber at this very moment.
    pub(crate) fn assert_reached_from(&mut self, nodes: &[usize]) {
        let publishers: Vec<ClientId> = nodes
            .iter()
            .map(|&n| self.world.client(&format!("p{n}.sdk.bank.amop"), &[self.nodes[n]]))
            .collect();
        let publish =
            |&client: &ClientId| self.world.publish(client, Mode::Unicast, "t", 5 * SECOND);
        let ids: Vec<_> = publishers.iter().map(publish).collect();
        self.world.run_for(SECOND);
        for id in ids {
            assert_eq!(self.world.record().publication(id).code(), Code::Ok);
        }
        self.world.check();
    }
}

fn known(world: &World, node: NodeId) -> u32 {
    let topic: Topic = "t".parse().unwrap();
    world.node_core(node).table().spread(&topic).iter().map(|(_, count)| count).sum()
}

fn told(world: &World, client: ClientId) -> Option<Instant> {
    let told = world.propagated(client);
    assert!(told.len() <= 1, "told more than once: {told:?}");
    told.first().map(|&(_, at)| at)
}

/// PROP-1: four links of 10 ms to the last node and back, and one to the client and back.
#[test]
fn a_client_is_told_when_the_last_node_of_a_line_knows_and_not_before() {
    let mut line = Line::new();
    line.subscribe();
    let start = line.world.now();
    while line.told().is_none() {
        assert!(line.world.now() < start + SECOND, "it is never told");
        let first_missing = (0..5).find(|&node| line.known(node) == 0);
        line.world.run_for(millis(1));
        assert!(
            line.told().is_none() || first_missing.is_none(),
            "node {first_missing:?} lacks it"
        );
    }
    let took = line.told().unwrap().saturating_since(start);
    assert!(took >= millis(100), "{took:?} is too short for the answer of the last node");
    assert!(
        took <= millis(140),
        "{took:?}: with a probe that came too early, 20 ms before the next"
    );
    line.assert_reached_from(&[0, 1, 2, 3, 4]);
}

/// PROP-2: and none of them is forgotten.
#[test]
fn a_thousand_subscriptions_of_one_batch_cost_one_probe_for_each_node() {
    let mut line = Line::new();
    let watcher = line.world.stranger("n9.node.bank.amop", line.nodes[0]);
    line.world.say(watcher, &PeerMessage::Greeting(Epoch(1)));
    line.world.run_for(SECOND);
    line.world.set_batching(millis(5));
    for n in 0..1000 {
        line.world.subscribe_propagated(line.client, &format!("t{n}"));
    }
    let probes = |world: &World| {
        let told = world.told_peer(watcher).iter();
        told.filter(|message| **message == PeerMessage::Probe).count()
    };
    let mut waited = 0;
    while probes(&line.world) == 0 {
        assert!(waited < 100, "no probe within 100 ms");
        line.world.run_for(millis(1));
        waited += 1;
    }
    line.world.run_for(millis(15));
    assert_eq!(probes(&line.world), 1);
    let version = line.world.node_core(line.nodes[0]).table().own_version();
    line.world.say(watcher, &PeerMessage::Held(version));
    line.world.run_for(SECOND);
    assert_eq!(line.world.propagated(line.client).len(), 1000);
    assert!(probes(&line.world) <= 3, "{} probes", probes(&line.world));
}

/// PROP-1
#[test]
fn a_node_without_others_tells_at_once() {
    let mut world = World::new(1);
    let node = world.node("n1.node.bank.amop");
    let client = world.client("sub.sdk.bank.amop", &[node]);
    world.run_for(millis(100));
    world.subscribe_propagated(client, "t");
    world.run_for(millis(5));
    assert!(told(&world, client).is_some());
    world.run_for(10 * SECOND);
    assert!(told(&world, client).is_some(), "and only once");
}

/// PROP-2
#[test]
fn a_lost_probe_is_repeated() {
    let mut line = Line::new();
    line.world.set_link_bytes_max(0); // Replies and messages are lost, what is announced is not.
    line.subscribe();
    line.world.run_for(2 * SECOND);
    assert_eq!(line.known(4), 1);
    assert_eq!(line.told(), None);
    line.world.set_link_bytes_max(1 << 20);
    let took = line.wait();
    assert!(took <= millis(500 + 100), "{took:?}");
    line.world.check();
}

/// PROP-2: the probe is answered, and the answer says that the node does not know.
#[test]
fn a_node_that_missed_the_change_is_waited_for_until_it_has_caught_up() {
    let mut line = Line::new();
    line.world.set_control_bytes_max(0);
    line.subscribe();
    line.world.run_for(SECOND);
    line.world.set_control_bytes_max(usize::MAX);
    assert_eq!((line.known(1), line.told()), (0, None), "the push was lost");
    line.wait();
    assert_eq!((1..5).map(|node| line.known(node)).collect::<Vec<_>>(), [1; 4]);
    line.assert_reached_from(&[0, 1, 2, 3, 4]);
}

/// PROP-3
#[test]
fn who_cannot_be_reached_is_not_waited_for() {
    let mut line = Line::new();
    line.world.part(line.nodes[2], line.nodes[3], SECOND);
    line.subscribe();
    line.world.run_for(millis(900));
    assert_eq!(line.told(), None, "nobody has noticed so far");
    let took = line.wait();
    assert!(took <= millis(200), "{took:?}");
    assert_eq!(line.known(3), 0);
    line.assert_reached_from(&[0, 1, 2]);
}

/// PROP-3
#[test]
fn who_can_be_reached_again_is_waited_for() {
    let mut line = Line::new();
    line.world.part(line.nodes[2], line.nodes[3], millis(5));
    line.world.run_for(SECOND);
    line.world.set_detour(line.nodes[1], line.nodes[2], millis(300));
    line.subscribe();
    line.world.run_for(millis(200));
    line.world.join(line.nodes[2], line.nodes[3]);
    line.world.link(line.nodes[2], line.nodes[3]);
    let took = line.wait();
    assert!(took >= millis(400), "{took:?}");
    line.assert_reached_from(&[0, 1, 2, 3, 4]);
}

/// PROP-3: the new life knows nothing of what the old one confirmed.
#[test]
fn a_node_that_restarts_is_waited_for_again() {
    let mut line = Line::new();
    for n in 0..100 {
        line.world.subscribe(line.client, &format!("t{n}"));
    }
    line.world.run_for(SECOND);
    line.world.set_detour(line.nodes[3], line.nodes[4], 3 * SECOND);
    line.subscribe();
    line.world.run_for(millis(500));
    assert_eq!((line.known(1), line.told()), (1, None), "the second has confirmed, the last not");

    // The first node believes in the old link until there is the new one.
    line.world.crash(line.nodes[1], 6 * SECOND);
    line.world.restart(line.nodes[1]);
    line.world.set_control_bytes_max(600); // So much that the list of topics is lost.
    line.world.link(line.nodes[0], line.nodes[1]);
    line.world.run_for(SECOND);
    assert_eq!((line.known(1), line.told()), (0, None));
    line.world.set_control_bytes_max(usize::MAX);
    line.wait();
    assert_eq!(line.known(1), 1);
    line.assert_reached_from(&[1]);
}

/// PROP-4
#[test]
fn a_client_whose_node_is_killed_is_told_by_its_new_one() {
    let mut line = Line::new();
    line.client = line.world.client("mover.sdk.bank.amop", &[line.nodes[0], line.nodes[4]]);
    line.world.run_for(SECOND);
    line.world.set_detour(line.nodes[3], line.nodes[4], SECOND);
    line.subscribe();
    line.world.run_for(millis(500));
    assert_eq!(line.told(), None);
    line.world.set_detour(line.nodes[3], line.nodes[4], millis(0));
    line.world.crash(line.nodes[0], millis(10));
    line.wait();
    assert_eq!(line.world.home_of(line.client), Some(line.nodes[4]));
    line.assert_reached_from(&[1, 2, 3, 4]);
}

/// PROP-1
#[test]
fn nobody_is_probed_for_a_subscription_that_has_ended() {
    fn unsubscribe(line: &mut Line) {
        line.world.unsubscribe(line.client, "t");
    }
    fn kill(line: &mut Line) {
        line.world.kill(line.client, millis(1));
    }
    for end in [unsubscribe, kill] {
        let mut line = Line::new();
        let silent = line.world.stranger("n9.node.bank.amop", line.nodes[0]);
        line.world.say(silent, &PeerMessage::Greeting(Epoch(1)));
        line.subscribe();
        line.world.run_for(SECOND);
        end(&mut line);
        line.world.run_for(millis(50));
        let probes = |world: &World| {
            let told = world.told_peer(silent).iter();
            told.filter(|message| **message == PeerMessage::Probe).count()
        };
        let before = probes(&line.world);
        assert!(before > 0);
        line.world.run_for(5 * SECOND);
        assert_eq!(probes(&line.world), before);
    }
}

/// PROP-2: a probe takes another way each time.
#[test]
fn a_relay_that_keeps_probes_to_itself_costs_little() {
    let mut world = World::new(5);
    let nodes: Vec<NodeId> = (0..5).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
    for (a, b) in [(0, 1), (1, 4), (0, 2), (2, 3), (3, 4)] {
        world.link(nodes[a], nodes[b]);
    }
    let client = world.client("sub.sdk.bank.amop", &nodes[..1]);
    world.run_for(SECOND);
    world.set_swallowing(nodes[1], true);
    world.subscribe_propagated(client, "t");
    world.run_for(millis(200));
    assert!(told(&world, client).is_some());
    assert!(nodes.iter().all(|&node| known(&world, node) == 1));
    world.check();
}
