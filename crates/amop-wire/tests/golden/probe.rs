//! How a node finds out what another one holds, byte by byte.

use amop_wire::{Lane, PeerMessage, Seq, Version};

use crate::{EPOCH, assert_golden};

#[test]
fn a_probe_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Probe,
        "00000004 0002
         7a00",
    );
}

#[test]
fn what_is_held_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Held(Version { epoch: EPOCH, seq: Seq(0x4142_4344_4546_4748) }),
        "00000017 0015
         820112
           09 2827262524232221
           11 4847464544434241",
    );
}
