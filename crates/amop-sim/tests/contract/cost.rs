//! What a network costs in which nothing changes: SEQ-4.

use std::time::Duration;

use amop_sim::{NodeId, Sent, World};

use crate::scene::{SECOND, millis};

/// SEQ-4: nothing but the heartbeats crosses the links of a network that rests.
#[test]
fn a_hundred_quiet_nodes_send_one_frame_of_17_bytes_over_each_link_each_way_in_5_s() {
    let (world, before, links) = at_rest(100);
    assert_eq!(links.len(), 300);
    let mut world = world;
    world.run_for(6 * HEARTBEAT); // Signs of life come later.
    for (&(from, to), before) in links.iter().zip(before) {
        for ((from, to), before) in [((from, to), before[0]), ((to, from), before[1])] {
            let sent = world.sent(from, to) - before;
            assert_eq!(sent, Sent { frames: 6, bytes: 6 * 17, messages: 0 });
        }
    }
    assert_eq!(world.wrong_views(), [] as [String; 0]);
}

/// Nodes with six links and two topics each that have come to agree, and what they have sent so far.
fn at_rest(count: usize) -> (World, Vec<[Sent; 2]>, Vec<(NodeId, NodeId)>) {
    let mut world = World::new(1);
    world.stop_telling();
    world.stop_watching_versions();
    world.set_latency(millis(5), millis(5));
    world.set_batching(millis(1));
    let nodes: Vec<NodeId> =
        (0..count).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
    let mut links = Vec::new();
    for n in 0..count {
        for step in [1, 9, 30] {
            let (from, to) = (nodes[n], nodes[(n + step) % count]);
            world.link(from, to);
            links.push((from, to));
        }
        let client = world.client(&format!("c{n}.sdk.bank.amop"), &[nodes[n]]);
        world.subscribe(client, &format!("t{n}"));
        world.subscribe(client, &format!("u{n}"));
    }
    world.run_for(HEARTBEAT + SECOND);
    let sent = links.iter().map(|&(a, b)| [world.sent(a, b), world.sent(b, a)]).collect();
    (world, sent, links)
}

const HEARTBEAT: Duration = Duration::from_secs(5);
