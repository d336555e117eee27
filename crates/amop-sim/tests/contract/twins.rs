//! Two processes of one name.

use amop_sim::{NodeId, World};
use amop_wire::{Code, Epoch, Mode};

use crate::scene::{SECOND, millis};

/// SEQ-9: linked with the same node or at different ends of the network, both hear of each other, and
/// one of them gives way.
#[test]
fn of_two_processes_of_one_name_one_stays_wherever_they_are_linked() {
    let places = [(0, 0), (0, 2)].into_iter();
    // It started later, or both went back to the same state.
    let cases = places.flat_map(|at| [Epoch(7), Epoch(1)].map(|epoch| (at, epoch)));
    for ((first_at, second_at), epoch) in cases {
        let mut world = World::new(11);
        let line = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        world.keep_linked(line[0], line[1]);
        world.keep_linked(line[1], line[2]);
        let first = world.node("twin.node.bank.amop");
        world.keep_linked(first, line[first_at]);
        world.run_for(SECOND);
        let second = world.node("twin.node.bank.amop");
        world.crash(second, millis(1));
        world.restart_with(second, epoch);
        // Of an epoch of both, something must tell them apart.
        let only_here = world.client("one.sdk.bank.amop", &[second]);
        world.subscribe(only_here, "only here");
        world.keep_linked(second, line[second_at]);
        world.run_for(40 * SECOND);
        let is_up = |world: &World, twin: NodeId| world.node_core(twin).peers().count() > 0;
        let stays: Vec<NodeId> =
            [first, second].into_iter().filter(|&twin| is_up(&world, twin)).collect();
        assert_eq!(stays.len(), 1, "at {first_at} and {second_at}, {epoch:?}");
        for twin in [first, second] {
            let has_raised = world.node_core(twin).table().own_version().epoch > epoch;
            assert!(has_raised, "each has heard of the other");
        }

        let subscriber = world.client("sub.sdk.bank.amop", &[stays[0]]);
        world.subscribe(subscriber, "t");
        let publisher = world.client("app.sdk.bank.amop", &[line[1]]);
        world.run_for(SECOND);
        let id = world.publish(publisher, Mode::Unicast, "t", SECOND);
        world.run_for(SECOND);
        assert_eq!(world.record().publication(id).code(), Code::Ok, "the one that stays is heard");
        world.check();
    }
}

/// SEQ-9: nobody is stopped by what earlier lives of it left with others.
#[test]
fn a_node_that_lost_its_epoch_over_and_over_is_stopped_by_nobody() {
    let mut world = World::new(11);
    let line = [0, 1, 2, 3].map(|n| world.node(&format!("n{n}.node.bank.amop")));
    for pair in line.windows(2) {
        world.keep_linked(pair[0], pair[1]);
    }
    world.run_for(SECOND);
    for _ in 0..8 {
        world.crash(line[3], millis(20));
        world.run_for(millis(200));
        world.restart_with(line[3], Epoch(0));
        world.run_for(3 * SECOND);
        assert_eq!(world.node_core(line[3]).peers().count(), 1);
        assert_eq!(world.wrong_views(), [] as [String; 0]);
    }
}

/// SEQ-9: as if the state directory had been restored from a copy, and the clock set back.
#[test]
fn a_life_that_begins_with_the_epoch_of_the_one_before_is_believed_all_the_same() {
    for topics_before in 0..6 {
        let mut world = World::new(11);
        let line = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        for pair in line.windows(2) {
            world.keep_linked(pair[0], pair[1]);
        }
        let before = world.client("before.sdk.bank.amop", &[line[2]]);
        for n in 0..topics_before {
            world.subscribe(before, &format!("before/{n}"));
            world.run_for(millis(100));
        }
        world.run_for(SECOND);
        world.kill(before, millis(1));
        world.crash(line[2], millis(1));
        let after = world.client("after.sdk.bank.amop", &[line[2]]);
        world.subscribe(after, "after");
        let epoch = world.epoch_of(line[2]);
        world.restart_with(line[2], epoch);
        world.run_for(2 * SECOND);
        assert_eq!(world.wrong_views(), [] as [String; 0], "after {topics_before} topics");
        world.check();
    }
}
