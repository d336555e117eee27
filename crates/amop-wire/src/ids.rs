//! Identifiers: who, which life of it, which message.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::Name;

/// A node, however its keys, machine and address may change: the SHA-256 of its certified name
/// under a domain tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// The id of the node of this name.
    #[must_use]
    pub fn of(name: &Name) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"AMOP-NODE-ID/v1\0");
        hash.update(name.as_dns());
        Self(hash.finalize().into())
    }

    /// The id with these bytes, as it came from the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes for the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows the first 8 of 64 hex digits.
impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node:")?;
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One life of a client process: random, drawn when the process makes its client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u64);

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Counts the links that one [`Instance`] has made, from 1: the highest is the one that lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gen(pub u32);

/// One life of a node: grows with every start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The version of a node's own topics within an [`Epoch`]: moves when and only when they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Which version of its own topics a node holds. Ordered: a later life is always newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The life of the node.
    pub epoch: Epoch,
    /// The version within it.
    pub seq: Seq,
}

/// One publish of one publisher, shown as 32 hex digits ("seq" in AMOP's documents).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MsgId {
    /// Who published.
    pub publisher: Instance,
    /// The how manieth of its publications this is.
    pub counter: u64,
}

impl fmt::Display for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.publisher.0, self.counter)
    }
}

/// Reads the 32 hex digits.
impl FromStr for MsgId {
    type Err = MsgIdError;

    fn from_str(text: &str) -> Result<Self, MsgIdError> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (publisher, counter) =
            text.split_at_checked(16).filter(|_| is_hex).ok_or(MsgIdError)?;
        let word = |digits| u64::from_str_radix(digits, 16).map_err(|_| MsgIdError);
        Ok(Self { publisher: Instance(word(publisher)?), counter: word(counter)? })
    }
}

/// A text is no message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message id has 32 hex digits")]
pub struct MsgIdError;

impl fmt::Debug for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_depends_on_the_whole_name_and_on_nothing_else() {
        let id = |dns: &str| NodeId::of(&dns.parse().unwrap());
        assert_eq!(id("n1.node.bank-a.amop"), id("n1.node.bank-a.amop"));
        assert_ne!(id("n1.node.bank-a.amop"), id("n1.node.bank-b.amop"));
        assert_ne!(id("n1.node.bank-a.amop"), id("n1.sdk.bank-a.amop"));
        assert_eq!(format!("{:?}", id("n1.node.bank-a.amop")).len(), "node:".len() + 8);
    }

    #[test]
    fn a_message_id_is_shown_as_32_hex_digits() {
        let id = MsgId { publisher: Instance(0xab), counter: 0x10 };
        assert_eq!(id.to_string(), "00000000000000ab0000000000000010");
        assert_eq!("00000000000000AB0000000000000010".parse(), Ok(id));
        for wrong in
            ["", "ab", "00000000000000ab000000000000001", "+0000000000000ab0000000000000010"]
        {
            assert_eq!(wrong.parse::<MsgId>(), Err(MsgIdError), "{wrong:?}");
        }
    }

    #[test]
    fn a_later_epoch_is_newer_whatever_the_seq() {
        let old = Version { epoch: Epoch(1), seq: Seq(9) };
        let new = Version { epoch: Epoch(2), seq: Seq(0) };
        assert!(new > old);
    }
}
