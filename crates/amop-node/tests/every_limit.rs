//! Every limit of the wire is in the table of limits, or is named here with the reason why not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;

/// Limits, each with its row; that the row has the right number is for another test.
const ROWS: &[(&str, &str)] = &[
    ("PAYLOAD_BYTES_MAX", "payload of a message"),
    ("TOPIC_BYTES_MAX", "length of a topic"),
    ("TTL_MAX", "time that a publish may take"),
    ("HOPS_MAX", "links between nodes that a message crosses"),
    ("SUBSCRIPTIONS_PER_CLIENT_MAX", "subscriptions of one client"),
    ("WATCHES_PER_CLIENT_MAX", "topics watched by one client"),
    ("WATCHED_SUBSCRIBERS_MAX", "subscribers of a topic that one who watches it is told of"),
    ("REQUESTS_PER_CLIENT_MAX", "publishes of one client without an end, of both modes together"),
    ("REQUEST_BYTES_PER_CLIENT_MAX", "payload of these, if unicasts"),
    ("REQUESTS_PER_NODE_MAX", "publishes of all clients without an end"),
    ("UNACKED_PER_CLIENT_MAX", "multicasts to one client without an ack"),
    ("TOPIC_SET_BYTES_MAX", "topics of one node, as others are told of them"),
    ("NODES_MAX", "nodes of a network"),
    ("AUTHORITIES_MAX", "authorities whose revocation lists are known"),
    ("LEARNED_BYTES_MAX", "revocation lists of peers, together"),
    ("LINKS_PER_NODE_MAX", "links of one node"),
    ("LINK_BYTES_MAX", "bytes that wait for one link"),
    ("LINK_MESSAGES_MAX", "messages that wait for one link"),
    ("MEMORY_BYTES", "held for others altogether"),
    ("ALL_HANDSHAKES_PER_SECOND", "links begun at one port a second"),
    ("ALL_HANDSHAKES_BURST", "links begun at one port at once"),
    ("HANDSHAKES_PER_SECOND", "links begun by one address a second"),
    ("HANDSHAKES_BURST", "links begun by one address at once"),
    ("ADDRESSES_MAX", "addresses whose handshakes are counted"),
    ("INCOMING_MAX", "newcomers that wait at one port to be looked at"),
    ("INCOMING_BYTES_MAX", "bytes of one of them"),
    ("ALL_INCOMING_BYTES_MAX", "bytes of all of them"),
    ("HALF_OPEN_UNPROVED_MAX", "handshakes half open, unproved"),
    ("UNLINKED_MAX", "connections at one port that are no links"),
    ("TRANSFERS_MAX", "files on one link at a time"),
    ("FILE_WINDOW_BYTES", "bytes of one file held by a node"),
    ("FILE_IN_FLIGHT_BYTES_MAX", "bytes of one file on their way"),
    ("FILE_BYTES_MAX", "length of a file"),
    ("FILE_RECEIVERS_MAX", "receivers of a file for all"),
    ("RECORDS", "steps of messages kept"),
    ("FAILURES", "steps of failures kept"),
    ("STEPS_PER_ANSWER_MAX", "steps in one answer to a trace"),
    ("SUBSCRIBERS_PER_ANSWER_MAX", "subscribers in one answer to a probe"),
];

/// Limits that an operator does not meet, each with the reason.
const NOT_THERE: &[(&str, &str)] = &[
    ("LABEL_BYTES_MAX", "the authority signs no longer ones"),
    ("NAME_BYTES_MAX", "likewise"),
    ("HEAD_BYTES_MAX", "a field of one message, which is refused as malformed"),
    ("SIGNATURE_BYTES_MAX", "likewise"),
    ("HANDSHAKE_BYTES_MAX", "likewise"),
    ("HEADER_BYTES_MAX", "likewise"),
    ("NUMBERS_PER_STEP_MAX", "likewise"),
    ("SEALED_OFFER_BYTES_MAX", "likewise"),
    ("LABEL_OF_FILE_BYTES_MAX", "likewise"),
    ("FRAME_BYTES_MAX", "what payload and header make"),
    ("TOPICS_PER_NODE_MAX", "the bytes of one node's topics are reached before"),
    ("TRIED_MAX", "a list in an outcome, which this node makes and cuts"),
    ("CHAIN_CERTIFICATES_MAX", "stands beside `tls.cert`"),
    ("CHAIN_BYTES_MAX", "likewise"),
    ("FILE_CHUNK_BYTES", "how files are cut, no limit"),
    ("FILE_PIECE_BYTES_MAX", "likewise"),
    ("FILE_SEAL_BYTES_MAX", "likewise"),
];

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_limit_of_the_wire_has_a_row_or_a_reason() {
    let source = read("crates/amop-wire/src/limits.rs");
    let names = source.lines().filter_map(|line| line.strip_prefix("pub const "));
    let limits: BTreeSet<&str> = names.map(|rest| rest.split(':').next().unwrap()).collect();
    let named: Vec<&str> = ROWS.iter().chain(NOT_THERE).map(|(name, _)| *name).collect();
    assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), limits);
    assert_eq!(named.len(), limits.len(), "each once");
    let page = read("docs/OPERATIONS.md");
    let (_, table) = page.split_once("| what | key | limit | past it |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for (name, row) in ROWS {
        let beginning = format!("| {row} |");
        let rows = table.lines().filter(|line| line.starts_with(&beginning)).count();
        assert_eq!(rows, 1, "{name}: {row}");
    }
}
