//! What goes into a node and what comes out of it.

use amop_topic_table::Rules;
use amop_wire::{
    AuthorityId, Chain, ClientMessage, CloseCode, CloseReason, Epoch, FileMessage, Gen, Instance,
    MsgId, Name, NodeId, NodeMessage, PeerMessage, RevocationList, Topic,
};
use bytes::Bytes;

use super::Node;
use super::border::Refused;
use super::reach::Reach;
use super::trace::Trace;
use super::untruth::Untruth;

/// One link, as its driver numbers it. A number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A client has linked; the name is the certified one.
    ClientUp {
        /// The new link.
        link: LinkId,
        /// Who is at its other end.
        name: Name,
    },
    /// A node has linked; the name is the certified one.
    PeerUp {
        /// The new link.
        link: LinkId,
        /// Who is at its other end.
        name: Name,
        /// Whether this end dialed.
        dialed: bool,
    },
    /// A link has ended, for whatever reason.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// A client said something.
    Client {
        /// On which link.
        link: LinkId,
        /// What.
        message: ClientMessage,
    },
    /// A peer said something, and this much of it is [admitted](super::Node::admit).
    Peer {
        /// On which link.
        link: LinkId,
        /// What.
        message: PeerMessage,
    },
    /// Something came on the lane for files. What is to be sent there is
    /// [taken](super::Node::poll_file), and is no effect.
    File {
        /// On which link, of a client or a peer.
        link: LinkId,
        /// What.
        message: FileMessage,
    },
    /// The effect that would have sent this was not performed, because the link has no room. The
    /// client will never see it. It is handed in right after the effects of the input that caused
    /// it, before any other input.
    UnsentToClient {
        /// On which link.
        link: LinkId,
        /// What.
        message: NodeMessage,
    },
    /// The effect that would have sent this was not performed, because the link has no room. The
    /// peer will never see it.
    UnsentToPeer {
        /// On which link.
        link: LinkId,
        /// What.
        message: PeerMessage,
    },
    /// What [`Effect::Sign`] asked for. It is handed in right after the effects of the input that
    /// caused it, before any other input.
    Signed {
        /// The signature, of at most
        /// [`SIGNATURE_BYTES_MAX`](amop_wire::limits::SIGNATURE_BYTES_MAX) bytes.
        signature: Bytes,
        /// Whose signature it is.
        chain: Chain,
    },
    /// How much waits on links to be sent, so that the node stays within its memory. It is handed in before
    /// what has arrived, whenever something waits or [counts as such](super::Node::counts_waiting).
    Waiting {
        /// On all of them, without control messages, in bytes.
        bytes: usize,
        /// On each of the [links for others](super::Node::transit_links).
        transit: Box<[(LinkId, usize)]>,
    },
    /// All inputs that arrived together were handed in: what was held to share a frame goes out.
    EndOfBatch,
    /// The moment that `poll_timeout` named has come.
    Timeout,
    /// Somebody here wants to know what became of a message, by whatever number; [`Effect::Traced`] answers,
    /// within 2 s.
    Trace {
        /// Which question it is.
        number: u64,
        /// Which message.
        id: MsgId,
    },
    /// Somebody here wants to know who would get a message on a topic now, by whatever number; [`Effect::Reached`]
    /// answers, within 2 s.
    Reach {
        /// Which question it is.
        number: u64,
        /// On which topic.
        topic: Topic,
        /// The client in whose name it is asked: it must be permitted to publish there. Without one it is enough
        /// that some client of this node's agency may.
        whom: Option<Name>,
    },
    /// The authorities whose revocation lists can be judged here, and the list of each that this node goes by: all of
    /// them, at the start and at each change. At most
    /// [`AUTHORITIES_MAX`](amop_wire::limits::AUTHORITIES_MAX), with lists that fit one payload.
    Revocations(Vec<(AuthorityId, Option<RevocationList>)>),
    /// What [`Effect::JudgeRevocations`] asked for. If the list counts, it is among those that the node goes by. It is
    /// handed in right after the effects of the input that caused it, before any other input.
    RevocationsJudged {
        /// Who gave the list.
        peer: NodeId,
        /// The list.
        list: RevocationList,
        /// Whether it counts from now on, or why not, in one sentence.
        verdict: Result<(), String>,
    },
    /// The node signs by another certificate of its name from now on: what it has announced is to be announced
    /// anew, with that.
    Recertified,
    /// What its clients, and those of other agencies, may do from now on. What they may not do any more ends.
    Rules(Rules),
    /// The node is to stop without harm, within 30 s: clients leave first, see [`Event::Drained`].
    Drain,
    /// The node is to stop: refuse what is new and close every link.
    Shutdown,
}

/// What a node wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send this to a client.
    ToClient {
        /// On this link.
        link: LinkId,
        /// This.
        message: NodeMessage,
    },
    /// Send this to several clients, so encode it once. If a link has no room, that is an
    /// [`UnsentToClient`](Input::UnsentToClient) of its own.
    ToClients {
        /// On each of these links.
        links: Box<[LinkId]>,
        /// This.
        message: NodeMessage,
    },
    /// Send this to a peer.
    ToPeer {
        /// On this link.
        link: LinkId,
        /// This.
        message: PeerMessage,
    },
    /// Sign this with the key of this node's certificate. If that fails, it is asked for again when
    /// more has changed.
    Sign {
        /// This.
        message: Vec<u8>,
    },
    /// Judge a revocation list that a peer has given, and go by it if it is newer and genuine.
    JudgeRevocations {
        /// Who gave it.
        peer: NodeId,
        /// The list.
        list: RevocationList,
    },
    /// Tell who asked by [`Input::Trace`] what became of a message.
    Traced {
        /// Which question it was.
        number: u64,
        /// What is left of it.
        trace: Trace,
    },
    /// Tell who asked by [`Input::Reach`] who would get a message.
    Reached {
        /// Which question it was.
        number: u64,
        /// Who, and over which nodes; `None` to whom may not publish there.
        reach: Option<Reach>,
    },
    /// Send what is queued, then close the link with this reason.
    Close {
        /// This link.
        link: LinkId,
        /// With this reason.
        reason: CloseReason,
    },
    /// Tell the people who watch.
    Event(Event),
}

/// What is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client is connected.
    ClientAttached {
        /// Its certified name.
        name: Name,
        /// The life of its process.
        instance: Instance,
        /// Which link of that life.
        generation: Gen,
    },
    /// A client is no longer connected.
    ClientDetached {
        /// Its certified name.
        name: Name,
        /// The life of its process.
        instance: Instance,
    },
    /// A peer is connected.
    PeerLinked {
        /// Its certified name.
        name: Name,
        /// Its present life.
        epoch: Epoch,
    },
    /// A peer knows a later life of this node, which therefore counts as later still from now on.
    /// Its epoch was lost, or another process runs with its name.
    Outlived {
        /// The life that the peer knows.
        seen: Epoch,
        /// The epoch of this node from now on.
        epoch: Epoch,
    },
    /// Another process with the name of this node lives, and this one gives way: it has shut down, and
    /// takes in no links any more.
    Superseded {
        /// The epoch of the other.
        by: Epoch,
    },
    /// Nobody is attached to this node any more, which drains: no path leads over it from now on.
    Emptied,
    /// Nobody needs this node any more, or its time is up: it has shut down.
    Drained,
    /// A peer passed on an announcement that is not believed. Nothing of it was taken.
    Refused {
        /// Its certified name.
        peer: Name,
        /// What, and why.
        what: Refused,
    },
    /// A peer gave a revocation list that does not count. Nothing of it was taken.
    RevocationsRefused {
        /// Its certified name.
        peer: Name,
        /// Why, in one sentence.
        why: String,
    },
    /// Somebody said what cannot be true. It was dropped.
    Untrue {
        /// The certified name of the client or the node that said it. What came over others is nobody's
        /// signed word: whoever passed it on may have made it up.
        by: Name,
        /// What.
        what: Untruth,
    },
    /// No link leads to the peer any more.
    PeerLost {
        /// Its certified name.
        name: Name,
    },
}

impl Node {
    /// Sends to an attached client.
    pub(super) fn tell_client(&mut self, instance: Instance, message: NodeMessage) {
        if let Some(session) = self.sessions.get(&instance) {
            self.effects.push_back(Effect::ToClient { link: session.link, message });
        }
    }

    /// Sends on the link that leads to the peer; says whether there is one.
    pub(super) fn tell_peer(&mut self, node: NodeId, message: PeerMessage) -> bool {
        let Some(link) = self.link_back(node) else { return false };
        self.effects.push_back(Effect::ToPeer { link, message });
        true
    }

    /// Closes a link for this reason.
    pub(super) fn close(&mut self, link: LinkId, code: CloseCode, text: impl Into<String>) {
        let reason = CloseReason::new(code, text);
        self.effects.push_back(Effect::Close { link, reason });
    }
}
