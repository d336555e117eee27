//! What goes into a publisher and what comes out of it.

use std::collections::BTreeSet;

use amop_wire::{Instance, Name, Topic};
use bytes::Bytes;

use crate::{Exit, PublicKey};

/// Who publishes. With another certificate it is another publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certified name, as the home node attests it to subscribers. Its domain is the network.
    pub name: Name,
    /// The SHA-256 of the certificate in DER.
    pub certificate: [u8; 32],
    /// The life of the client.
    pub instance: Instance,
}

/// What happens to a publisher.
#[derive(Clone, Debug)]
pub enum Input {
    /// The application says who may receive on a topic: from now on these keys, and no others.
    Allow {
        /// Which topic.
        topic: Topic,
        /// All keys.
        keys: BTreeSet<PublicKey>,
    },
    /// The application takes a key off a list. From the return on nothing is sealed for it.
    Remove {
        /// Which topic.
        topic: Topic,
        /// Which key.
        key: PublicKey,
    },
    /// A subscriber of a topic with a list is attached somewhere, newly or again (0x37 in AMOP's
    /// documents).
    Appeared {
        /// To what it subscribes.
        topic: Topic,
        /// Who.
        subscriber: Instance,
        /// Where.
        exit: Exit,
    },
    /// A subscriber is attached nowhere, or subscribes no longer.
    Gone {
        /// To what it subscribed.
        topic: Topic,
        /// Who.
        subscriber: Instance,
    },
    /// A subscriber said something.
    Message {
        /// On which topic.
        topic: Topic,
        /// Who, as its exit node attests it.
        from: Instance,
        /// What.
        message: Bytes,
    },
    /// A subscriber could not open what was sealed for it, and said so elsewhere than here. It is verified anew,
    /// as if it had said that its keys are lost.
    CannotOpen {
        /// On which topic.
        topic: Topic,
        /// Who.
        subscriber: Instance,
    },
    /// The moment that `poll_timeout` named has come.
    Timeout,
}

/// What a publisher wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to a subscriber, and to no other.
    Send {
        /// On which topic.
        topic: Topic,
        /// To whom.
        to: Instance,
        /// What.
        message: Bytes,
    },
    /// From now on a subscriber gets the messages of a topic (0x38 in AMOP's documents): look again at
    /// what waits.
    Verified {
        /// Which topic.
        topic: Topic,
        /// Who.
        subscriber: Instance,
        /// By which key.
        key: PublicKey,
    },
    /// A subscriber that was verified was verified again, by the same key, and has other keys of a channel
    /// now: what it could not open may go to it again.
    Renewed {
        /// Which topic.
        topic: Topic,
        /// Who.
        subscriber: Instance,
    },
    /// A subscriber without a verdict gave no proof, or a false one: look again at what waits. It is
    /// asked again later.
    Refused {
        /// Which topic.
        topic: Topic,
        /// Who.
        subscriber: Instance,
    },
    /// From now on a subscriber that was verified gets nothing.
    Withdrawn {
        /// Which topic.
        topic: Topic,
        /// Who.
        subscriber: Instance,
    },
}

/// Who would get a message now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// These, which are verified and attached: at least one, in the order of their instances.
    Verified(Vec<Instance>),
    /// Nobody yet, but a verification is running: hold the message until it has ended.
    Verifying,
    /// Nobody: 100, `no_verified_receiver`.
    Nobody,
}
