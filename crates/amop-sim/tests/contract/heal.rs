//! Everything heals at one moment: everybody tells and asks at once.

use amop_sim::World;

use crate::scene::{SECOND, millis};

/// SEQ-3, SEQ-4: nodes with six links each, which all come up in the same instant.
#[test]
fn when_all_links_heal_at_once_pulls_and_pushes_stay_few_and_everybody_knows_everybody() {
    let mut world = World::new(5);
    let nodes: Vec<_> = (0..COUNT).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
    let edges: Vec<(usize, usize)> =
        (0..COUNT).flat_map(|n| [1, 5, 9].map(|step| (n, (n + step) % COUNT))).collect();
    for &(a, b) in &edges {
        world.link(nodes[a], nodes[b]);
    }
    world.run_for(11 * SECOND);
    for &(a, b) in &edges {
        world.part(nodes[a], nodes[b], millis(10));
    }
    world.run_for(20 * SECOND);
    for (n, &node) in nodes.iter().enumerate() {
        let late = world.client(&format!("late{n}.sdk.bank.amop"), &[node]);
        world.subscribe(late, "late");
    }
    world.run_for(20 * SECOND);

    let sent = |world: &World, kind: &'static str, from: usize| -> Vec<u64> {
        let its = edges.iter().filter(|&&(a, b)| a == from || b == from);
        its.map(|&(a, b)| world.sent_of_kind(nodes[from], nodes[a + b - from], kind)).collect()
    };
    let all_sent = |world: &World| {
        KINDS.map(|(kind, _)| (0..COUNT).map(|n| sent(world, kind, n)).collect::<Vec<_>>())
    };
    let before = all_sent(&world);
    for &(a, b) in &edges {
        world.join(nodes[a], nodes[b]);
        world.link(nodes[a], nodes[b]);
    }
    world.run_for(11 * SECOND);
    for (((kind, most), before), after) in KINDS.iter().zip(before).zip(all_sent(&world)) {
        for (n, (before, after)) in before.iter().zip(after).enumerate() {
            let during: Vec<u64> = after.iter().zip(before).map(|(now, then)| now - then).collect();
            assert!(during.iter().all(|frames| frames <= most), "{n} sent {during:?} {kind}");
            if *kind == "Pull" {
                let all: u64 = during.iter().sum();
                assert_eq!(all, COUNT as u64 - 1, "{n} pulls once from each other");
            }
        }
    }
    let late = "late".parse().unwrap();
    for &node in &nodes {
        let table = world.node_core(node).table();
        assert_eq!(table.spread(&late).len(), COUNT);
        assert_eq!(table.summary().count(), COUNT);
    }
    world.check();
}

const COUNT: usize = 24;

/// How many frames of each kind may go over one link in each direction, in eleven seconds.
const KINDS: [(&str, u64); 4] =
    [("Summary", 8), ("Pull", COUNT as u64 - 1), ("Snapshot", COUNT as u64 - 1), ("Changes", 4)];
