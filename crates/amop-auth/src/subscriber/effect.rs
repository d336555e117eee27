//! What goes into a subscriber and what comes out of it.

use amop_wire::{Instance, Name, Topic};
use bytes::Bytes;

use crate::{Exit, SecretKey};

/// What happens to a subscriber.
#[derive(Clone, Debug)]
pub enum Input {
    /// The client is attached to a node, newly or again.
    Attached(Exit),
    /// The application subscribes to a private topic with a key. Subscribing again begins anew.
    Subscribe {
        /// To what.
        topic: Topic,
        /// With which key.
        key: SecretKey,
    },
    /// The application subscribes no longer.
    Unsubscribe {
        /// To what.
        topic: Topic,
    },
    /// A publisher said something.
    Message {
        /// On which topic.
        topic: Topic,
        /// Which process, as its home node attests it.
        from: Instance,
        /// Whose it is, as its home node attests it.
        name: Name,
        /// What.
        message: Bytes,
    },
    /// The moment that `poll_timeout` named has come.
    Timeout,
}

/// What a subscriber wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to a publisher, and to nobody else.
    Send {
        /// On which topic.
        topic: Topic,
        /// To whom.
        to: Instance,
        /// What.
        message: Bytes,
    },
    /// A publisher has shown that it has the keys of a new channel: it took the proof.
    Verified {
        /// On which topic.
        topic: Topic,
        /// Who.
        publisher: Instance,
    },
}
