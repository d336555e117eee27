//! Nodes that stop without harm: DRAIN-1 to DRAIN-5.

use amop_sim::{ClientId, NodeId, World};
use amop_wire::{Code, Mode, MsgId};

use crate::private::private;
use crate::scene::{SECOND, Scene, millis, slow};

/// A ring or a line of nodes, with clients that know two of them.
struct Five {
    world: World,
    nodes: Vec<NodeId>,
    clients: Vec<ClientId>,
    published: Vec<MsgId>,
}

impl Five {
    fn new() -> Self {
        let mut world = World::new(11);
        let nodes: Vec<NodeId> =
            (0..5).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
        for n in 0..5 {
            world.keep_linked(nodes[n], nodes[(n + 1) % 5]);
        }
        let mut clients = Vec::new();
        for n in 0..5 {
            let homes = [nodes[n], nodes[(n + 2) % 5]];
            let client = world.client(&format!("c{n}.sdk.bank.amop"), &homes);
            world.subscribe(client, &format!("t{n}"));
            world.set_application(client, slow(millis(5)));
            clients.push(client);
        }
        world.run_for(2 * SECOND);
        Self { world, nodes, clients, published: Vec::new() }
    }

    /// Every client publishes to every topic again and again, until this is so, for a while at most.
    fn publish_until(&mut self, is_done: impl Fn(&World) -> bool) {
        for step in 0..3000 {
            if is_done(&self.world) {
                return;
            }
            let (from, to) = (self.clients[step % 5], format!("t{}", step / 5 % 5));
            let mode = if step % 11 == 0 { Mode::Multicast } else { Mode::Unicast };
            self.published.push(self.world.publish(from, mode, &to, 5 * SECOND));
            self.world.run_for(millis(6));
        }
        panic!("it takes too long");
    }

    fn publish_for(&mut self, span: std::time::Duration) {
        let until = self.world.now() + span;
        self.publish_until(|world| world.now() >= until);
    }
}

/// DRAIN-1, DRAIN-2, DRAIN-5: everything that is published meanwhile is handled, wherever it comes from.
#[test]
fn nodes_are_restarted_one_after_another_and_every_publish_ends_well() {
    let mut five = Five::new();
    for node in five.nodes.clone() {
        five.publish_for(SECOND);
        five.world.drain(node);
        five.publish_until(|world| world.has_drained(node));
        five.world.crash(node, millis(10));
        five.publish_for(millis(200));
        five.world.restart(node);
        five.publish_for(SECOND);
    }
    five.world.run_for(10 * SECOND);
    five.world.check();
    for id in &five.published {
        let publication = five.world.record().publication(*id);
        assert_eq!(publication.code(), Code::Ok, "{id}: {publication:?}");
    }
    assert!(five.published.len() > 1000);
    assert_eq!(five.world.record().gaps(), [], "who moves misses nothing");
}

/// A line of three nodes: a publisher at one end, a subscriber at the other.
struct Line {
    world: World,
    nodes: [NodeId; 3],
    publisher: ClientId,
}

impl Line {
    fn new() -> Self {
        let mut world = World::new(12);
        let nodes = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        world.keep_linked(nodes[0], nodes[1]);
        world.keep_linked(nodes[1], nodes[2]);
        let publisher = world.client("app.sdk.bank.amop", &[nodes[0]]);
        let subscriber = world.client("sub.sdk.bank.amop", &[nodes[2]]);
        world.subscribe(subscriber, "t");
        world.run_for(2 * SECOND);
        Self { world, nodes, publisher }
    }

    fn code(&mut self, client: ClientId) -> Code {
        let id = self.world.publish(client, Mode::Unicast, "t", SECOND);
        self.world.run_for(millis(1600));
        self.world.record().publication(id).code()
    }
}

/// DRAIN-2: a client that knows no other node keeps it, and the only way leads over it.
#[test]
fn a_node_that_drains_passes_on_what_others_say() {
    let mut line = Line::new();
    line.world.client("only.sdk.bank.amop", &[line.nodes[1]]);
    line.world.run_for(SECOND);
    line.world.drain(line.nodes[1]);
    let publisher = line.publisher;
    for _ in 0..10 {
        assert_eq!(line.code(publisher), Code::Ok);
    }
    assert!(!line.world.has_drained(line.nodes[1]));
    line.world.run_for(14 * SECOND);
    assert!(line.world.has_drained(line.nodes[1]), "30 s are over");
    line.world.check();
}

/// DRAIN-3: it publishes where it may, and nothing before; nobody else is taken in.
#[test]
fn who_knows_no_other_node_waits_and_who_comes_is_not_taken_in() {
    let mut line = Line::new();
    let node = line.nodes[1];
    let only = line.world.client("only.sdk.bank.amop", &[node]);
    line.world.run_for(SECOND);
    line.world.drain(node);
    line.world.run_for(millis(100));
    assert_eq!(line.code(only), Code::NotSent);
    let late = line.world.client("late.sdk.bank.amop", &[node, line.nodes[0]]);
    line.world.run_for(SECOND);
    assert_eq!(line.world.home_of(late), Some(line.nodes[0]));
    line.world.check();
}

/// DRAIN-3: a client whose process stood still has not read that its node stops. What is refused it publishes elsewhere.
#[test]
fn what_a_client_publishes_that_stood_still_while_its_node_began_to_stop_ends_with_0() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.multicast(SECOND);
    scene.world.run_for(SECOND);
    scene.world.pause_client(scene.publisher, 3 * SECOND);
    scene.world.drain(scene.a);
    scene.world.run_for(millis(2900));
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.extend([scene.unicast(5 * SECOND), scene.multicast(5 * SECOND)]);
        scene.world.run_for(millis(10)); // The first are refused while the last are published.
    }
    scene.world.run_for(2 * SECOND);
    assert_eq!(scene.world.home_of(scene.publisher), Some(scene.b));
    for id in ids {
        assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1), "{id}");
    }
    assert_eq!(scene.world.record().gaps(), [], "multicasts keep their order");
    assert!(scene.world.is_connected(subscriber));
    scene.end();
}

/// DRAIN-3, PRIV-9: nobody was asked, so that each goes to whom it may at the next node, sealed anew.
#[test]
fn what_is_refused_of_a_private_topic_is_sealed_for_the_next_node() {
    let mut scene = private(&[1]);
    let holder = scene.world.client("sub.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe_private(holder, "t", 1);
    scene.world.run_for(SECOND);
    scene.world.pause_client(scene.publisher, 3 * SECOND);
    scene.world.drain(scene.a);
    scene.world.run_for(millis(2900));
    let ids = [scene.unicast(8 * SECOND), scene.multicast(8 * SECOND), scene.unicast(8 * SECOND)];
    scene.world.run_for(6 * SECOND);
    assert_eq!(scene.world.home_of(scene.publisher), Some(scene.b));
    for id in ids {
        assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1), "{id}");
    }
    scene.end();
}

/// DRAIN-3: there is nowhere to go.
#[test]
fn what_is_refused_of_a_client_that_knows_no_other_node_ends_with_99_at_its_deadline() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let only = scene.world.client("only.sdk.bank-a.amop", &[scene.a]);
    scene.world.run_for(SECOND);
    scene.world.pause_client(only, 3 * SECOND);
    scene.world.drain(scene.a);
    scene.world.run_for(millis(2900));
    let id = scene.world.publish(only, Mode::Unicast, "t", SECOND);
    scene.world.run_for(millis(990));
    assert!(!scene.has_ended(id));
    scene.world.run_for(millis(20));
    assert_eq!((scene.code(id), scene.calls(id)), (Code::NotSent, 0));
    scene.end();
}

/// DRAIN-4: nobody is attached, and what is on its way over it still arrives.
#[test]
fn a_node_that_nobody_needs_stops_once_no_path_leads_over_it() {
    let mut five = Five::new();
    let node = five.nodes[0];
    five.world.drain(node);
    let start = five.world.now();
    five.publish_until(|world| world.has_drained(node));
    let took = five.world.now().saturating_since(start);
    assert!(took >= SECOND && took < 3 * SECOND, "{took:?}");
}

/// DRAIN-5: the way to the old place is the longer one, so that what is sent to the new one overtakes it.
#[test]
fn what_is_sent_to_the_new_place_waits_for_what_was_sent_to_the_old_one() {
    let mut world = World::new(13);
    let [home, old, new] = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
    world.link(home, old);
    world.link(home, new);
    world.link(old, new);
    let publisher = world.client("app.sdk.bank.amop", &[home]);
    let subscriber = world.client("sub.sdk.bank.amop", &[old, new]);
    world.subscribe(subscriber, "t");
    world.run_for(2 * SECOND);
    world.set_detour(home, old, millis(100));
    let mut published = Vec::new();
    for step in 0..600 {
        if step == 100 {
            world.drain(old);
        }
        published.push(world.publish(publisher, Mode::Multicast, "t", SECOND));
        world.run_for(millis(5));
    }
    world.run_for(2 * SECOND);
    assert_eq!(world.home_of(subscriber), Some(new));
    let handled = |id: &&MsgId| world.record().publication(**id).calls.len() == 1;
    assert_eq!(published.iter().filter(handled).count(), published.len());
    assert_eq!(world.record().gaps(), []);
    world.check();
}
