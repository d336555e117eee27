//! Every bound on what a remote can make us hold or do, and how long things last.
//!
//! A limit is the largest value that is still taken; each is tested at the limit and one past it.

use std::time::Duration;

use amop_wire::limits::PAYLOAD_BYTES_MAX;

/// Most subscribers of one private topic that a publisher knows of.
pub const SUBSCRIBERS_PER_TOPIC_MAX: usize = 1024;

/// Most publishers that a subscriber has or makes channels with on one private topic.
pub const PUBLISHERS_PER_TOPIC_MAX: usize = 256;

/// Most channels with one publisher on one topic: the present one, the one before it, and two that
/// are being made.
pub const CHANNELS_PER_PUBLISHER_MAX: usize = 4;

/// Most group keys of one publisher and topic that a subscriber keeps: those that messages on their
/// way may still need.
pub const GROUPS_PER_PUBLISHER_MAX: usize = 4;

/// How many messages under one key may arrive in another order than they were sealed in.
pub const REORDERED_MAX: u64 = 16_384;

/// After so many messages a key is replaced.
pub const RENEW_AFTER_SEALED: u64 = 1 << 20;

/// Most pieces of one file that are sealed for one receiver: the longest file is sent some thousand times with them.
pub const FILE_PIECES_MAX: u64 = 1 << 32;

/// Most messages under one key, for one that could not be replaced: more are refused.
pub const SEALED_MAX: u64 = 2 * RENEW_AFTER_SEALED;

/// How long a verification counts, from the challenge on; a subscriber signs nothing longer.
pub const VALID_MAX: Duration = Duration::from_secs(3600);

/// When a verification is repeated, so that the next one counts before this one ends.
pub const RENEW_AFTER: Duration = Duration::from_secs(3000);

/// How long a publisher waits for the proof.
pub const PROOF_TIMEOUT: Duration = Duration::from_secs(5);

/// When a challenge without an answer is sent once more.
pub const CHALLENGE_AGAIN: Duration = Duration::from_millis(500);

/// How long after its first failure a verification is tried again; doubled with each one after it.
pub const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// The longest time between two tries.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// How long the verdict over a subscriber is kept that is attached nowhere.
pub const ABSENT_MAX: Duration = Duration::from_secs(30);

/// The time that a subscriber's signature costs out of its allowance: 20 a second.
pub const SIGNATURE_INTERVAL: Duration = Duration::from_millis(50);

/// Most signatures at once.
pub const SIGNATURES_AT_ONCE: u32 = 20;

/// Longest payload on a private topic, in bytes: what sealing adds to it at most is one payload with it.
pub const PRIVATE_PAYLOAD_BYTES_MAX: usize =
    PAYLOAD_BYTES_MAX - (SUBSCRIBERS_PER_TOPIC_MAX * WRAP_BYTES + 64);

/// How long the key of a group is for one subscriber of it, its instance included.
pub(crate) const WRAP_BYTES: usize = 8 + SEALED_HEAD_BYTES + 32 + TAG_BYTES;

/// How long the beginning of everything sealed is: version, kind, id and counter.
pub(crate) const SEALED_HEAD_BYTES: usize = 1 + 1 + 8 + 8;

/// What authenticates a sealed message, in bytes.
pub(crate) const TAG_BYTES: usize = 16;
