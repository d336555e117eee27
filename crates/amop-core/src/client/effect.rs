//! What goes into a client and what comes out of it.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_auth::{PublicKey, SecretKey};
use amop_wire::{
    AnswerStatus, Attempt, ClientMessage, CloseReason, Code, Gen, Instance, Instant, Mode, MsgId,
    Name, NodeId, NodeMessage, Outcome, Reason, Receipt, Terms, Topic,
};
use bytes::Bytes;

/// What happens to a client.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link is up. If the client is connected on another one, that is the old one from now on;
    /// close one that was the old one before.
    LinkUp {
        /// To this node, as its certificate says.
        node: NodeId,
    },
    /// The link has ended.
    LinkDown,
    /// The node said something.
    Message(NodeMessage),
    /// The node that the client [left](Effect::Leave) said something on the old link.
    OldMessage(NodeMessage),
    /// The old link has ended.
    OldLinkDown,
    /// The application wants the messages of a topic.
    Subscribe(Topic),
    /// The application wants the messages of a private topic, and proves with this key that it may have
    /// them. Of a client that has an [identity](super::Client::with_identity).
    SubscribePrivate {
        /// To what.
        topic: Topic,
        /// With which key.
        key: SecretKey,
    },
    /// The application says who may receive what it publishes to a topic: from now on the holders of these
    /// keys, and nobody else. Of a client that has an [identity](super::Client::with_identity), and of no
    /// more than [`WATCHES_PER_CLIENT_MAX`](amop_wire::limits::WATCHES_PER_CLIENT_MAX) topics.
    Allow {
        /// Which topic.
        topic: Topic,
        /// All keys.
        keys: BTreeSet<PublicKey>,
    },
    /// The application takes a key off the list of a topic. From now on nothing is sealed for it.
    Remove {
        /// Which topic.
        topic: Topic,
        /// Which key.
        key: PublicKey,
    },
    /// A subscriber of a private topic says that it cannot open the offer of a file. It is offered none until it
    /// is verified anew, which is asked of it.
    CannotOpen {
        /// Which topic.
        topic: Topic,
        /// Who.
        subscriber: Instance,
    },
    /// The application waits until every node knows of its subscription to a topic, which was handed
    /// in before: once that is so, [`Effect::Propagated`] says it.
    Propagate(Topic),
    /// The application wants them no longer.
    Unsubscribe(Topic),
    /// The application publishes.
    Publish {
        /// Drawn from [`Client::draw_counter`](super::Client::draw_counter).
        counter: u64,
        /// What the driver keeps it under; it comes back with the end.
        key: usize,
        /// To one subscriber or to all.
        mode: Mode,
        /// What a unicast asks for beyond the usual.
        terms: Terms,
        /// To whom.
        topic: Topic,
        /// The message itself.
        payload: Bytes,
        /// How long it may take.
        timeout: Duration,
    },
    /// The application answered a unicast.
    Answer {
        /// Which.
        attempt: Attempt,
        /// How.
        status: AnswerStatus,
        /// The answer itself.
        payload: Bytes,
    },
    /// A unicast will never reach the application.
    Refuse {
        /// Which.
        attempt: Attempt,
        /// Why.
        reason: Reason,
    },
    /// The application took a multicast, or never will.
    Ack {
        /// The link that delivered it.
        generation: Gen,
        /// Its number on that link.
        number: u64,
        /// Whether the application will never take it.
        refused: bool,
    },
    /// All inputs that came together were handed in: what was held to share a frame goes out.
    EndOfBatch,
    /// The moment that `poll_timeout` named has come.
    Timeout,
}

/// What a client wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send this to the node.
    Send(ClientMessage),
    /// Hand a message to the application.
    Deliver(Delivered),
    /// A publish has ended.
    Published {
        /// Which.
        counter: u64,
        /// What the driver keeps it under.
        key: usize,
        /// How.
        end: PublishEnd,
    },
    /// A subscribe of the application has ended.
    Subscribed {
        /// To what.
        topic: Topic,
        /// [`Code::Ok`] if the node holds the subscription.
        code: Code,
        /// Why it does not.
        reason: Reason,
    },
    /// Every node that the client's node can reach knows of a subscription.
    Propagated {
        /// To what.
        topic: Topic,
    },
    /// Who may receive on a private topic may be others than before: see
    /// [`Client::verified`](super::Client::verified).
    Receivers {
        /// On which topic.
        topic: Topic,
    },
    /// The client is connected, and the node holds every subscription.
    Connected,
    /// The client was connected and is no longer.
    Disconnected,
    /// The node stops soon, and nothing that was published there is without an end: link with another
    /// one, if there is one, and keep this link as the old one. What is published meanwhile waits for it.
    Leave,
    /// Send this on the old link.
    SendOld(ClientMessage),
    /// Close the old link.
    Part,
    /// Close the link with this reason.
    Close(CloseReason),
}

/// A message for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The link that it came on, for its ack.
    pub generation: Gen,
    /// It must not be handed out later than this: refuse it then.
    pub expires: Instant,
    /// Which message, as its publisher calls it.
    pub id: MsgId,
    /// What its publisher wants to hear.
    pub wanted: Wanted,
    /// Its number among the multicasts of its publisher to the topic; see [`Order`](super::Order).
    /// 0 for a unicast.
    pub sequence: u64,
    /// Whether another subscriber may have handled it.
    pub redelivered: bool,
    /// Who published, as the publisher's node attests it.
    pub from: Name,
    /// To what.
    pub topic: Topic,
    /// The message itself.
    pub payload: Bytes,
}

/// What a message asks of its subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is a unicast: [answer](Input::Answer) or [refuse](Input::Refuse) this.
    Answer(Attempt),
    /// It is a multicast: [ack](Input::Ack) this number.
    Ack(u64),
}

impl Delivered {
    /// To how many subscribers the message goes.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.wanted {
            Wanted::Answer(_) => Mode::Unicast,
            Wanted::Ack(_) => Mode::Multicast,
        }
    }

    /// What tells the core that the message will never reach the application.
    #[must_use]
    pub fn refusal(&self, reason: Reason) -> Input {
        let generation = self.generation;
        match self.wanted {
            Wanted::Answer(attempt) => Input::Refuse { attempt, reason },
            Wanted::Ack(number) => Input::Ack { generation, number, refused: true },
        }
    }
}

/// How a publish ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishEnd {
    /// A unicast, or a multicast that failed.
    Outcome(Outcome),
    /// A multicast, with [`Code::Ok`].
    Receipt(Receipt),
}
