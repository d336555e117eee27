//! How much a node holds for others, and who is refused first: MEM-1 to MEM-4.

use amop_sim::End;
use amop_wire::{Code, Mode, MsgId, Reason};

use crate::net::Net;
use crate::scene::{SECOND, Scene, deaf, millis};

/// What `count` unicasts of a client to a topic are.
fn publish(net: &mut Net, from: usize, topic: &str, count: usize) -> Vec<MsgId> {
    let client = net.clients[from];
    let one = |_| net.world.publish(client, Mode::Unicast, topic, 8 * SECOND);
    (0..count).map(one).collect()
}

fn count(net: &Net, ids: &[MsgId], code: Code) -> usize {
    ids.iter().filter(|id| net.code(**id) == code).count()
}

fn reason(net: &Net, id: MsgId) -> Reason {
    let End::Outcome { reason, .. } = net.world.record().publication(id).end() else {
        panic!("a receipt")
    };
    *reason
}

/// MEM-1, MEM-2: what is between others goes first, then what its own clients publish; replies stay.
#[test]
fn a_node_that_fills_refuses_transit_first_and_its_own_replies_last() {
    let mut net = Net::new(&[(0, 1), (1, 2)]);
    let (relay, far) = (net.nodes[1], net.nodes[2]);
    net.world.limit_node(relay, |limits| limits.memory_bytes = 60_000);
    net.world.stall_one_way(relay, far, 2 * SECOND);

    let transit = publish(&mut net, 0, "to2", 120);
    net.world.run_for(millis(200));
    let own = publish(&mut net, 1, "to2", 100);
    net.world.run_for(millis(200));
    let late_transit = publish(&mut net, 0, "to2", 5);
    let replies = publish(&mut net, 2, "to1", 5);
    net.world.run_for(9 * SECOND);

    let passed_on = count(&net, &transit, Code::Ok);
    assert!((30..80).contains(&passed_on), "a quarter of the memory is theirs: {passed_on}");
    assert_eq!(
        count(&net, &transit, Code::NoSubscriber),
        120 - passed_on,
        "and the rest came back"
    );
    let taken = count(&net, &own, Code::Ok);
    assert!((5..95).contains(&taken), "a quarter of the memory is theirs: {taken}");
    assert_eq!(count(&net, &own, Code::Overloaded), 100 - taken);
    assert_eq!(reason(&net, own[99]), Reason::MemoryFull);
    assert_eq!(count(&net, &late_transit, Code::NoSubscriber), 5);
    assert_eq!(count(&net, &replies, Code::Ok), 5);

    let again = [publish(&mut net, 0, "to2", 5), publish(&mut net, 1, "to2", 5)].concat();
    net.world.run_for(SECOND);
    assert_eq!(count(&net, &again, Code::Ok), 10, "nothing waits any more");
    net.end();
}

/// MEM-3: who floods a link gets half of it, and who asks for little gets all of that.
#[test]
fn no_peer_takes_the_room_of_others_on_a_link() {
    let mut net = Net::new(&[(0, 3), (1, 3), (2, 3), (3, 4)]);
    let (relay, far) = (net.nodes[3], net.nodes[4]);
    net.world.limit_node(relay, |limits| limits.link_bytes = 40_000);
    net.world.set_link_bytes_max(40_000);
    net.world.stall_one_way(relay, far, 2 * SECOND);

    let flood = publish(&mut net, 0, "to4", 300);
    net.world.run_for(millis(200));
    let others = [publish(&mut net, 1, "to4", 10), publish(&mut net, 2, "to4", 10)].concat();
    net.world.run_for(9 * SECOND);

    assert_eq!(count(&net, &others, Code::Ok), 20);
    let passed_on = count(&net, &flood, Code::Ok);
    assert!((20..100).contains(&passed_on), "{passed_on}");
    assert_eq!(count(&net, &flood, Code::NoSubscriber), 300 - passed_on);
    net.end();
}

/// MEM-3: three links that stand still together have room for more than there is memory.
#[test]
fn a_peer_that_floods_several_links_leaves_memory_to_another() {
    let mut net = Net::new(&[(0, 2), (1, 2), (2, 3), (2, 4), (2, 5)]);
    let relay = net.nodes[2];
    net.world.limit_node(relay, |limits| limits.memory_bytes = 80_000);
    for far in 3..=5 {
        net.world.stall_one_way(relay, net.nodes[far], 2 * SECOND);
    }
    let topics = ["to3", "to4", "to5"];
    let flood = topics.map(|topic| publish(&mut net, 0, topic, 100)).concat();
    net.world.run_for(millis(200));
    let others = topics.map(|topic| publish(&mut net, 1, topic, 8)).concat();
    net.world.run_for(9 * SECOND);

    assert_eq!(count(&net, &others, Code::Ok), 24);
    let passed_on = count(&net, &flood, Code::Ok);
    assert!((30..100).contains(&passed_on), "a quarter of the memory is its own: {passed_on}");
    assert_eq!(count(&net, &flood, Code::NoSubscriber), 300 - passed_on);
    net.end();
}

/// MEM-4, SES-5: what unicasts of one client hold, at the limit and past it.
#[test]
fn the_payload_of_a_client_under_way_is_bounded_but_a_single_message_always_passes() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, deaf(100));
    let id = scene.unicast(SECOND); // Its payload is its id, as all payloads here.
    let bytes = id.to_string().len();
    scene.world.run_for(2 * SECOND);
    for (limit, taken) in [(3 * bytes, 3), (3 * bytes - 1, 2), (1, 1)] {
        scene.world.limit_node(scene.a, |limits| limits.request_bytes_per_client = limit);
        let ids = [0; 4].map(|_| scene.unicast(SECOND));
        let multicast = scene.multicast(SECOND);
        scene.world.run_for(2 * SECOND);
        let refused = ids.iter().filter(|id| scene.code(**id) == Code::Overloaded).count();
        assert_eq!(4 - refused, taken, "with {limit}");
        assert_eq!(scene.code(multicast), Code::Ok, "of multicasts nothing is kept");
    }
    scene.end();
}

/// MEM-1, MEM-3: what has been sent and waits nowhere counts no more, on a relay that always keeps up.
#[test]
fn a_relay_on_which_nothing_waits_passes_on_any_amount() {
    let mut net = Net::new(&[(0, 1), (1, 2)]);
    let relay = net.nodes[1];
    net.world.limit_node(relay, |limits| (limits.link_bytes, limits.memory_bytes) = (4000, 8000));
    for _ in 0..50 {
        let ids = publish(&mut net, 0, "to2", 1);
        net.world.run_for(SECOND);
        assert_eq!(count(&net, &ids, Code::Ok), 1);
    }
    net.end();
}
