//! How often the core of a node asks for memory while it works, once it has all the room it needs.
//!
//! Times differ from machine to machine, allocations do not. A message costs none; what a batch costs is
//! the list of runs that its receipts travel in.

use allocation_counter::measure;
use benches::{BATCH_MESSAGES, Scene, handle_all};

/// How many allocations a batch of 64 messages costs, in the worst of some batches.
fn allocations_per_batch(scene: Scene) -> u64 {
    let (mut node, mut traffic) = scene.set(256);
    for _ in 0..WARM_UP_BATCHES {
        handle_all(&mut node, traffic.next_batch());
    }
    let measured = (0..BATCHES).map(|_| {
        let inputs = traffic.next_batch();
        measure(|| {
            handle_all(&mut node, inputs);
        })
        .count_total
    });
    measured.max().expect("there are batches")
}

#[test]
fn a_batch_costs_as_many_allocations_as_it_did() {
    let found = Scene::ALL.map(|scene| (scene.name(), allocations_per_batch(scene)));
    let expected =
        [("unicast_home", 0), ("unicast_exit", 0), ("multicast_home", 1), ("multicast_exit", 2)];
    assert_eq!(found, expected, "allocations for {BATCH_MESSAGES} messages");
}

const WARM_UP_BATCHES: usize = 200;
const BATCHES: usize = 100;
