//! Every bound on what a remote can make us hold or read.
//!
//! A limit is the largest value that is still taken; each is tested at the limit and one past it.

use std::time::Duration;

/// Longest part of a certified name, in bytes: that of a DNS label.
pub const LABEL_BYTES_MAX: usize = 63;

/// Longest certified name, in bytes: that of a DNS name.
pub const NAME_BYTES_MAX: usize = 253;

/// Longest topic, in bytes of UTF-8.
pub const TOPIC_BYTES_MAX: usize = 255;

/// Longest time that a publish may take, from publisher to outcome.
pub const TTL_MAX: Duration = Duration::from_secs(3600);

/// Most nodes that an outcome names as tried in vain.
pub const TRIED_MAX: usize = 16;

/// Most nodes of one network.
pub const NODES_MAX: usize = 1024;

/// Most links that a message crosses between nodes.
pub const HOPS_MAX: usize = 8;

/// Most subscriptions of one client.
pub const SUBSCRIPTIONS_PER_CLIENT_MAX: usize = 1024;

/// Most topics with a subscriber on one node, and most that a node takes from one peer.
pub const TOPICS_PER_NODE_MAX: usize = 65_536;

/// Most bytes of one node's own topics, as a snapshot encodes them: with the node's neighbours it is
/// one payload.
pub const TOPIC_SET_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - 40 * NODES_MAX;

/// Longest head of an announcement, in bytes: the longest name, and room for newer versions.
pub const HEAD_BYTES_MAX: usize = 512;

/// Longest signature, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 512;

/// Most certificates that vouch for a node: its own and those of its issuers without the root.
pub const CHAIN_CERTIFICATES_MAX: usize = 4;

/// Longest chain of certificates, in bytes of DER.
pub const CHAIN_BYTES_MAX: usize = 16 << 10;

/// Most topics whose subscribers one client watches.
pub const WATCHES_PER_CLIENT_MAX: usize = 256;

/// Most subscribers of one topic that those who watch it are told of.
pub const WATCHED_SUBSCRIBERS_MAX: usize = 1024;

/// Longest message of a verification, in bytes.
pub const HANDSHAKE_BYTES_MAX: usize = 512;

/// Most publishes of one client that a node holds at a time.
pub const REQUESTS_PER_CLIENT_MAX: usize = 16_384;

/// Most payload of the unicasts of one client that a node holds at a time, in bytes.
pub const REQUEST_BYTES_PER_CLIENT_MAX: usize = 16 << 20;

/// Most publishes of all clients that a node holds at a time.
pub const REQUESTS_PER_NODE_MAX: usize = 262_144;

/// Most multicast deliveries of one subscriber that wait for its ack at a time: half of what a publisher may have
/// without an end, so that one subscriber that takes nothing leaves it room.
pub const UNACKED_PER_CLIENT_MAX: usize = REQUESTS_PER_CLIENT_MAX / 2;

/// Most bytes that wait for one link, but for control messages, of which as many more may wait.
pub const LINK_BYTES_MAX: usize = 8 << 20;

/// Most messages that wait for one link.
pub const LINK_MESSAGES_MAX: usize = 65_536;

/// Most links of one node, to clients and to peers together.
pub const LINKS_PER_NODE_MAX: usize = 16_384;

/// How many links one address may begin a second if a node is not told otherwise.
pub const HANDSHAKES_PER_SECOND: u32 = 200;

/// How many links one address may begin at once after a pause if a node is not told otherwise.
pub const HANDSHAKES_BURST: u32 = 1000;

/// How many links may be begun a second at one port of a node if it is not told otherwise.
pub const ALL_HANDSHAKES_PER_SECOND: u32 = 2000;

/// How many links may be begun at once at one port after a pause if a node is not told otherwise.
pub const ALL_HANDSHAKES_BURST: u32 = 16_384;

/// Most addresses of which a port remembers how many links they have begun; past that all are forgotten.
pub const ADDRESSES_MAX: usize = 16_384;

/// Most newcomers that wait at one port until they are looked at.
pub const INCOMING_MAX: usize = 512;

/// Most bytes of one of them that are kept for then.
pub const INCOMING_BYTES_MAX: u64 = 64 << 10;

/// Most bytes of all of them that are kept for then.
pub const ALL_INCOMING_BYTES_MAX: u64 = 8 << 20;

/// Most handshakes that may be half open before a newcomer must prove its address.
pub const HALF_OPEN_UNPROVED_MAX: usize = 64;

/// Most connections at one port that are no links: half open, or ended and not yet forgotten by QUIC, which answers late
/// packets of them for three times as long as it waits for a lost one. Each takes up to 60 KB.
pub const UNLINKED_MAX: usize = 512;

/// Most bytes that a node holds for others if it is not told otherwise: publishes without an outcome, and
/// what waits for its links.
pub const MEMORY_BYTES: usize = 1 << 30;

/// How many steps of messages a node writes down before the oldest makes way, if it is not told otherwise: 4 MiB,
/// which stay in the caches of the processor, so that writing them costs nothing that can be measured.
pub const RECORDS: usize = 1 << 16;

/// How many of those that went wrong are kept beside them, if it is not told otherwise.
pub const FAILURES: usize = 1 << 14;

/// Most steps of a message in one answer to a question about it.
pub const STEPS_PER_ANSWER_MAX: usize = 128;

/// Most numbers that tell of one step.
pub const NUMBERS_PER_STEP_MAX: usize = 8;

/// Most subscribers in one answer to the question who would get a message.
pub const SUBSCRIBERS_PER_ANSWER_MAX: usize = 128;

/// Most authorities whose revocation lists a node knows, and tells of.
pub const AUTHORITIES_MAX: usize = 1024;

/// Most bytes of all revocation lists that peers have given, in DER.
pub const LEARNED_BYTES_MAX: usize = 32 << 20;

/// Longest payload of one message, in bytes. Larger content is a file.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Longest frame header, in bytes: what its two-byte length can say.
pub const HEADER_BYTES_MAX: usize = u16::MAX as usize;

/// Longest frame after its length word, in bytes: header length, header and payload.
pub const FRAME_BYTES_MAX: usize = 2 + HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX;

/// Longest file, in bytes: 65,536 chunks.
pub const FILE_BYTES_MAX: u64 = FILE_CHUNK_BYTES << 16;

/// What is checked of a file as a whole, in bytes; the last chunk may be shorter.
pub const FILE_CHUNK_BYTES: u64 = 2 << 20;

/// Longest piece of a file that travels in one frame, in bytes.
pub const FILE_PIECE_BYTES_MAX: usize = 64 << 10;

/// Most bytes of one file that are on their way, or at their receiver and not yet checked.
pub const FILE_IN_FLIGHT_BYTES_MAX: u64 = 2 * FILE_CHUNK_BYTES;

/// How far whoever sends pieces of a file on a link is ahead of what its neighbour has passed on, in
/// bytes: the most that a relay holds of one transfer.
pub const FILE_WINDOW_BYTES: u64 = 1 << 20;

/// Most transfers that one receiver takes, or one link carries, at a time; the next one waits.
pub const TRANSFERS_MAX: usize = 64;

/// Most subscribers of a topic that a client is told of who may receive a file.
pub const FILE_RECEIVERS_MAX: usize = 1024;

/// Longest offer of a file on a private topic, sealed, in bytes.
pub const SEALED_OFFER_BYTES_MAX: usize = 1024;

/// How much shorter than [`FILE_PIECE_BYTES_MAX`] a piece is before it is sealed, in bytes.
pub const FILE_SEAL_BYTES_MAX: usize = 64;

/// Longest name of a file, in bytes of UTF-8.
pub const LABEL_OF_FILE_BYTES_MAX: usize = 255;

/// How full one collection is that others can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// What is in it: `unanswered requests`.
    pub what: &'static str,
    /// How much of it is held now.
    pub held: usize,
    /// How much of it may be held.
    pub limit: usize,
}

impl Occupancy {
    /// Whether no more is held than may be.
    #[must_use]
    pub const fn is_within(&self) -> bool {
        self.held <= self.limit
    }
}
