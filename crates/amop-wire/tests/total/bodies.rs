//! The fewest fields with which each kind of message is valid. The last of a repeated field wins,
//! so a test spoils one field by writing it once more.

use crate::protobuf::Fields;

/// A subscribe or an unsubscribe.
pub(crate) fn subscribe() -> Fields {
    Fields::new().bytes(1, TOPIC)
}

pub(crate) fn publish() -> Fields {
    Fields::new().fixed32(3, 1).bytes(5, TOPIC)
}

/// An answer of a client, or a refuse.
pub(crate) fn answer() -> Fields {
    Fields::new().message(5, home())
}

pub(crate) fn subscribed() -> Fields {
    Fields::new().bytes(3, TOPIC)
}

/// A propagate or a propagated.
pub(crate) fn propagated() -> Fields {
    Fields::new().bytes(1, TOPIC)
}

pub(crate) fn delivery() -> Fields {
    Fields::new().message(5, home()).bytes(6, NAME).bytes(7, TOPIC)
}

/// The head of version 1.
pub(crate) fn head() -> Fields {
    Fields::new().fixed64(2, 1).bytes(3, NAME).bytes(4, [7; 32])
}

pub(crate) fn snapshot() -> Fields {
    Fields::new().message(1, Fields::new().message(1, head())).bytes(2, "certificate")
}

/// Changes from version 0 to 1.
pub(crate) fn changes() -> Fields {
    Fields::new().message(2, Fields::new().message(1, head()))
}

pub(crate) fn request() -> Fields {
    Fields::new().bytes(7, NAME).bytes(8, TOPIC)
}

pub(crate) fn multicast() -> Fields {
    Fields::new().bytes(5, NAME).bytes(6, TOPIC)
}

pub(crate) fn relay() -> Fields {
    let relay = Fields::new().fixed32(1, 1).fixed32(2, 1);
    (0..3).fold(relay, |relay, number| relay.message(4, hop(number)))
}

pub(crate) fn returned() -> Fields {
    (0..3).fold(Fields::new(), |returned, number| returned.message(2, hop(number)))
}

pub(crate) fn tree() -> Fields {
    Fields::new().message(2, hop(1)).message(3, stop(2))
}

/// The place of a node in a tree.
pub(crate) fn stop(number: u64) -> Fields {
    Fields::new().message(1, hop(number)).fixed32(2, 1)
}

/// A node of its own for each number.
pub(crate) fn hop(number: u64) -> Fields {
    (1..=4).fold(Fields::new(), |hop, word| hop.fixed64(word, number))
}

pub(crate) fn home() -> Fields {
    (1..=4).fold(Fields::new(), |home, word| home.fixed64(word, 0))
}

pub(crate) const TOPIC: &str = "quote";
pub(crate) const NAME: &str = "n1.node.bank-a.amop";
