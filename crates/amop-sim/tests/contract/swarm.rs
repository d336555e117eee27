//! Random worlds under random faults: the contract holds in all of them.

use amop_sim::{Application, ClientId, NodeId, Reading, World};
use amop_wire::{AnswerStatus, Mode, Topic};

use crate::scene::{SECOND, millis};

/// A seed that ever failed is kept here by its number.
#[test]
fn the_contract_holds_whatever_fails_and_views_are_true_once_it_is_quiet() {
    for seed in 0..SEEDS {
        run(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..3 {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(0), run(1));
}

fn run(seed: u64) -> u64 {
    let mut world = World::new(seed);
    world.set_latency(millis(1), millis(20));
    let nodes: Vec<NodeId> =
        (0..2 + world.draw(2)).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
    link_all(&mut world, &nodes);
    let clients: Vec<ClientId> =
        (0..1 + world.draw(8)).map(|n| client(&mut world, n, &nodes)).collect();
    let mut alive = clients.clone();
    for _ in 0..STEPS {
        let pause = world.draw(150);
        world.run_for(millis(pause));
        step(&mut world, &nodes, &mut alive);
    }
    for &node in &nodes {
        world.restart_if_down(node);
    }
    world.run_for(8 * SECOND);
    link_all(&mut world, &nodes);
    world.run_for(11 * SECOND);
    world.check();
    for topic in TOPICS.map(|topic| topic.parse::<Topic>().unwrap()) {
        let seen = |&node: &NodeId| {
            let spread = world.node_core(node).table().spread(&topic);
            spread.iter().map(|(_, count)| count).sum::<u32>()
        };
        let views: Vec<u32> = nodes.iter().map(seen).collect();
        assert!(views.iter().all(|&view| view == views[0]), "seed {seed}: {topic}: {views:?}");
    }
    world.trace_hash()
}

fn client(world: &mut World, number: u64, nodes: &[NodeId]) -> ClientId {
    let first = usize::try_from(world.draw(nodes.len() as u64)).unwrap();
    let mut homes = nodes.to_vec();
    homes.rotate_left(first);
    let client = world.client(&format!("c{number}.sdk.bank.amop"), &homes);
    let application = Application {
        delay: millis(world.draw(3000)),
        status: AnswerStatus::Answered,
        reading: if world.draw(5) == 0 { Reading::Never } else { Reading::Always },
        capacity: usize::try_from(world.draw(8)).unwrap(),
    };
    world.set_application(client, application);
    client
}

/// One thing that an application or the world does.
fn step(world: &mut World, nodes: &[NodeId], alive: &mut Vec<ClientId>) {
    let node = nodes[usize::try_from(world.draw(nodes.len() as u64)).unwrap()];
    let other = nodes[usize::try_from(world.draw(nodes.len() as u64)).unwrap()];
    let topic = TOPICS[usize::try_from(world.draw(TOPICS.len() as u64)).unwrap()];
    let notice = millis(world.draw(6000));
    if alive.is_empty() {
        return;
    }
    let position = usize::try_from(world.draw(alive.len() as u64)).unwrap();
    let client = alive[position];
    let timeout = millis(world.draw(4000));
    match world.draw(30) {
        0..=11 => drop(world.publish(client, Mode::Unicast, topic, timeout)),
        12..=16 => drop(world.publish(client, Mode::Multicast, topic, timeout)),
        17..=20 => world.subscribe(client, topic),
        21..=22 => world.unsubscribe(client, topic),
        23 => {
            let soon = millis(world.draw(100));
            world.cut_client(client, soon, notice);
        }
        24 => world.cut(node, other, notice),
        25 => link_all(world, nodes),
        26 => {
            world.crash_if_up(node, notice);
        }
        27 => world.restart_if_down(node),
        28 => {
            let bytes = usize::try_from(world.draw(2000)).unwrap();
            world.set_link_bytes_max(200 + bytes);
        }
        _ => {
            alive.swap_remove(position);
            world.kill(client, notice);
        }
    }
}

/// Links every pair that has no link, as the dialers of real nodes do.
fn link_all(world: &mut World, nodes: &[NodeId]) {
    for (i, &from) in nodes.iter().enumerate() {
        for &to in &nodes[i + 1..] {
            if world.is_up(from) && world.is_up(to) && !world.are_linked(from, to) {
                world.link(from, to);
            }
        }
    }
}

const TOPICS: [&str; 3] = ["t", "u", "v"];
const STEPS: usize = 300;
const SEEDS: u64 = 300;
