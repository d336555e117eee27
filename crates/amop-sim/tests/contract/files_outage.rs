//! How soon a transfer goes on once its way is back.

use std::time::Duration;

use amop_sim::{Content, World};
use amop_wire::Code;
use amop_wire::limits::FILE_CHUNK_BYTES;

use crate::scene::{SECOND, millis};

/// How often files have done that.
fn count(world: &World, what: &str) -> u64 {
    let mut counts = world.coverage().counts();
    counts.find(|(_, kind, _)| *kind == what).unwrap().2
}

/// FILE-5, FILE-7: whoever asks, or offers, does so every second or two, however long there was no way.
#[test]
fn a_transfer_goes_on_a_second_or_two_after_its_link_is_back() {
    for (away, within) in [(7, 2), (9, 2), (12, 1), (19, 1), (29, 1), (45, 1)] {
        let mut world = World::new(away);
        let [a, b, c] = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        world.keep_linked(a, b);
        world.keep_linked(b, c);
        let sender = world.client("app.sdk.bank.amop", &[a]);
        let receiver = world.client("sub.sdk.bank.amop", &[c]);
        world.receive_files(receiver, "t");
        world.run_for(SECOND);
        let content = Content { number: 1, size: 4 * FILE_CHUNK_BYTES + 1 };
        let id = world.send_file(sender, "t", content, 60 * SECOND);
        while count(&world, "grows") < 2 {
            world.run_for(millis(5));
        }
        assert_eq!(world.file_code(id), None, "it is under way");
        world.part(b, c, millis(6000));
        world.run_for(u32::try_from(away).unwrap() * SECOND);
        let before = count(&world, "goes on");
        world.join(b, c);
        let back = world.now();
        while count(&world, "goes on") == before {
            world.run_for(millis(20));
        }
        // And what it takes to link, and to tell each other who is where.
        let took = world.now().saturating_since(back);
        assert!(took < Duration::from_millis(1000 * within + 500), "{took:?} after {away} s");
        world.run_for(20 * SECOND);
        assert_eq!(world.file_code(id), Some(Code::Ok));
        assert!(world.has_file(receiver, content));
        world.check();
    }
}
