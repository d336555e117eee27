//! The numbers that stand for words on the wire, and how a node's id follows from its name.

use amop_wire::{CloseCode, Lane, NodeId, Reason};

use crate::{name, to_hex};

#[test]
fn reasons_keep_their_numbers_and_kinds() {
    let kinds: Vec<(u32, &str)> =
        Reason::ALL.iter().map(|reason| (reason.number(), reason.kind())).collect();
    assert_eq!(
        kinds,
        [
            (0, "unspecified"),
            (1, "not-connected"),
            (2, "connection-lost"),
            (3, "no-subscriber"),
            (4, "no-path"),
            (5, "subscriber-gone"),
            (6, "subscriber-busy"),
            (7, "not-subscribed"),
            (8, "deadline"),
            (9, "stale-epoch"),
            (10, "bad-topic"),
            (11, "payload-too-long"),
            (12, "too-many-subscriptions"),
            (13, "too-many-requests"),
            (14, "shutting-down"),
            (15, "key-reused"),
            (16, "no-verified-receiver"),
            (17, "cannot-open"),
            (18, "not-sealed"),
            (19, "not-permitted"),
            (24, "session-rate"),
            (25, "agency-rate"),
            (26, "node-rate"),
            (27, "memory-full"),
            (32, "file-exists"),
            (33, "file-too-long"),
            (34, "file-not-wanted"),
            (35, "disk-full"),
            (36, "directory-failed"),
            (37, "file-changed"),
            (38, "file-unreadable"),
            (39, "checksum-mismatch"),
            (40, "file-id-reused"),
            (41, "cancelled"),
        ]
    );
}

#[test]
fn lanes_and_close_codes_keep_their_numbers() {
    let lanes = [Lane::Control, Lane::Replies, Lane::Unicasts, Lane::Multicasts, Lane::Files];
    assert_eq!(lanes.map(Lane::number), [0, 1, 2, 3, 4]);
    let codes = [
        CloseCode::Done,
        CloseCode::Shutdown,
        CloseCode::Protocol,
        CloseCode::Superseded,
        CloseCode::SlowReader,
        CloseCode::Refused,
        CloseCode::Overloaded,
    ];
    assert_eq!(codes.map(CloseCode::number), [0, 1, 2, 3, 4, 5, 6]);
}

/// The hash as `printf 'AMOP-NODE-ID/v1\0n1.node.bank-a.amop' | sha256sum` prints it.
#[test]
fn the_id_of_a_node_keeps_its_bytes() {
    let id = NodeId::of(&name("n1.node.bank-a.amop"));
    let expected = "72b95718d51e43902562ac770881f49832d3b7d289f6709787b22b93b2f706f7";
    assert_eq!(to_hex(id.as_bytes()), expected);
}
