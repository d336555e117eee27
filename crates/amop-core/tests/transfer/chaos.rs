//! Random worlds: whatever is lost, doubled, late, damaged and killed, nothing is shown but the whole
//! file, and once the network is well it is.

use std::time::Duration;

use amop_core::transfer::SenderInput;
use amop_wire::Code;
use amop_wire::limits::{FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX};
use proptest::prelude::*;

use crate::world::{NODE, World};

#[derive(Clone, Copy, Debug)]
enum Step {
    RestartSender,
    RestartReceiver,
    RestartNode,
    Lose,
    LinkDown,
    Run(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => Just(Step::RestartSender),
        1 => Just(Step::RestartReceiver),
        1 => Just(Step::RestartNode),
        1 => Just(Step::Lose),
        1 => Just(Step::LinkDown),
        3 => (1_u64..80).prop_map(Step::Run),
        1 => (80_u64..8_000).prop_map(Step::Run),
    ];
    prop::collection::vec(step, 1..25)
}

fn apply(world: &mut World, step: Step) {
    match step {
        Step::RestartSender => world.restart_sender(),
        Step::RestartReceiver => world.restart_receiver(),
        Step::RestartNode => world.restart_node(),
        Step::Lose => world.lose_all(),
        Step::LinkDown => world.tell_sender(SenderInput::LinkDown),
        Step::Run(ms) => world.run_for(Duration::from_millis(ms)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// FILE-5 to FILE-9 over all that can happen on the way; what must hold after every step is checked
    /// by the world.
    #[test]
    fn a_file_arrives_whole_once_the_network_is_well(
        seed: u64,
        size in prop_oneof![0..3_u64, FILE_CHUNK_BYTES - 1..FILE_CHUNK_BYTES + 2, 0..5 * FILE_CHUNK_BYTES],
        (loss, copies, damage) in (0_u64..8, 0_u64..30, 0_u64..2),
        delay in 0_u64..60,
        steps in steps(),
    ) {
        let mut world = World::new(seed, size);
        world.net.loss_percent = loss;
        world.net.copy_percent = copies;
        world.net.damage_percent = damage;
        world.net.delay_ms_max = delay;
        for step in steps {
            apply(&mut world, step);
        }

        (world.net.loss_percent, world.net.damage_percent) = (0, 0);
        world.net.delay_ms_max = 0;
        // Three damaged copies of one part in a row are the end of a send (FILE-8), and so is silence.
        world.restart_sender();
        world.tell_sender(SenderInput::LinkUp(NODE));
        world.run_for(Duration::from_secs(120));
        if damage > 0 && world.sent.map(|end| end.code) == Some(Code::FileRefused) {
            // What was said of the send before, for its damage, came to this one.
            world.restart_sender();
            world.tell_sender(SenderInput::LinkUp(NODE));
            world.run_for(Duration::from_secs(120));
        }
        prop_assert_eq!(world.sent.map(|end| end.code), Some(Code::Ok));
        world.assert_complete();
    }

    /// The promise of resumption, counted.
    #[test]
    fn each_interruption_moves_at_most_two_chunks_twice(
        seed: u64,
        size in 0..6 * FILE_CHUNK_BYTES,
        kills in prop::collection::vec((0..4_u8, 1_u64..40), 1..6),
        (read_us, write_us) in (1_u64..400, 1_u64..400),
    ) {
        let mut world = World::new(seed, size);
        world.net.delay_ms_max = 0; // One way, so in order.
        world.read_time = Duration::from_micros(read_us);
        world.disk.write_time = Duration::from_micros(write_us);
        let mut interruptions = 0;
        for (kind, ms) in kills {
            world.run_for(Duration::from_millis(ms));
            match kind {
                0 => world.restart_sender(),
                1 => world.restart_receiver(),
                2 => world.restart_node(),
                _ => world.lose_all(),
            }
            interruptions += 1;
        }
        world.run_for(Duration::from_secs(200));
        prop_assert_eq!(world.sent.map(|end| end.code), Some(Code::Ok));
        world.assert_complete();
        let twice = world.moved_bytes() - world.stream_bytes();
        prop_assert!(twice <= interruptions * FILE_IN_FLIGHT_BYTES_MAX, "{} bytes moved twice", twice);
    }
}
