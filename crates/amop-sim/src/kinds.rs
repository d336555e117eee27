//! The names of all that can happen in a world, for whoever counts it.

use amop_core::client::{Effect as ClientEffect, Input as ClientInput};
use amop_core::node::{Effect as NodeEffect, Input as NodeInput};
use amop_wire::{
    ClientMessage, Code, FileBody, NodeMessage, PeerMessage, ReachMessage, RevocationMessage,
};

pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "0",
        Code::NotSent => "99",
        Code::NoSubscriber => "100",
        Code::SubscriberUnreachable => "101",
        Code::TimedOut => "102",
        Code::Limited => "103",
        Code::Invalid => "201",
        Code::NotPermitted => "202",
        Code::Draining => "203",
        Code::Overloaded => "204",
        Code::IdReused => "205",
        Code::FileRefused => "206",
    }
}

/// Lists the kinds of something once, for its name and for the table.
macro_rules! kinds {
    ($function:ident, $names:ident, $type:ty, { $($pattern:pat => $name:literal),+ $(,)? }) => {
        pub(crate) fn $function(of: &$type) -> &'static str {
            match of { $($pattern => $name),+ }
        }

        pub(crate) const $names: &[&str] = &[$($name),+];
    };
}

kinds!(node_input, NODE_INPUTS, NodeInput, {
    NodeInput::ClientUp { .. } => "client up",
    NodeInput::PeerUp { .. } => "peer up",
    NodeInput::LinkDown { .. } => "link down",
    NodeInput::Client { .. } => "client",
    NodeInput::Peer { .. } => "peer",
    NodeInput::File { .. } => "file",
    NodeInput::UnsentToClient { .. } => "unsent to client",
    NodeInput::UnsentToPeer { .. } => "unsent to peer",
    NodeInput::Waiting { .. } => "waiting",
    NodeInput::EndOfBatch => "end of batch",
    NodeInput::Timeout => "timeout",
    NodeInput::Signed { .. } => "signed",
    NodeInput::Shutdown => "shutdown",
    NodeInput::Recertified => "recertified",
    NodeInput::Rules(_) => "rules",
    NodeInput::Drain => "drain",
    NodeInput::Trace { .. } => "trace",
    NodeInput::Reach { .. } => "reach",
    NodeInput::Revocations(_) => "revocations",
    NodeInput::RevocationsJudged { .. } => "revocations judged",
});

kinds!(node_effect, NODE_EFFECTS, NodeEffect, {
    NodeEffect::ToClient { .. } => "to client",
    NodeEffect::ToClients { .. } => "to clients",
    NodeEffect::ToPeer { .. } => "to peer",
    NodeEffect::Sign { .. } => "sign",
    NodeEffect::Traced { .. } => "traced",
    NodeEffect::Reached { .. } => "reached",
    NodeEffect::JudgeRevocations { .. } => "judge revocations",
    NodeEffect::Close { .. } => "close",
    NodeEffect::Event(_) => "event",
});

kinds!(client_input, CLIENT_INPUTS, ClientInput, {
    ClientInput::LinkUp { .. } => "link up",
    ClientInput::LinkDown => "link down",
    ClientInput::Message(_) => "message",
    ClientInput::OldMessage(_) => "old message",
    ClientInput::OldLinkDown => "old link down",
    ClientInput::Subscribe(_) => "subscribe",
    ClientInput::SubscribePrivate { .. } => "subscribe private",
    ClientInput::Allow { .. } => "allow",
    ClientInput::Remove { .. } => "remove",
    ClientInput::CannotOpen { .. } => "cannot open",
    ClientInput::Propagate(_) => "propagate",
    ClientInput::Unsubscribe(_) => "unsubscribe",
    ClientInput::Publish { .. } => "publish",
    ClientInput::Answer { .. } => "answer",
    ClientInput::Refuse { .. } => "refuse",
    ClientInput::Ack { .. } => "ack",
    ClientInput::EndOfBatch => "end of batch",
    ClientInput::Timeout => "timeout",
});

kinds!(client_effect, CLIENT_EFFECTS, ClientEffect, {
    ClientEffect::Send(_) => "send",
    ClientEffect::Deliver(_) => "deliver",
    ClientEffect::Published { .. } => "published",
    ClientEffect::Subscribed { .. } => "subscribed",
    ClientEffect::Propagated { .. } => "propagated",
    ClientEffect::Receivers { .. } => "receivers",
    ClientEffect::Connected => "connected",
    ClientEffect::Disconnected => "disconnected",
    ClientEffect::Close(_) => "close",
    ClientEffect::Leave => "leave",
    ClientEffect::SendOld(_) => "send old",
    ClientEffect::Part => "part",
});

kinds!(client_message, CLIENT_MESSAGES, ClientMessage, {
    ClientMessage::Attach { .. } => "Attach",
    ClientMessage::Subscribe(_) => "Subscribe",
    ClientMessage::Unsubscribe(_) => "Unsubscribe",
    ClientMessage::Propagate(_) => "Propagate",
    ClientMessage::Watch(_) => "Watch",
    ClientMessage::Handshake(_) => "ClientHandshake",
    ClientMessage::Publish(_) => "Publish",
    ClientMessage::Answer(_) => "Answer",
    ClientMessage::Refuse(_) => "Refuse",
    ClientMessage::Acks(_) => "Acks",
});

kinds!(node_message, NODE_MESSAGES, NodeMessage, {
    NodeMessage::Attached { .. } => "Attached",
    NodeMessage::Subscribed { .. } => "Subscribed",
    NodeMessage::Propagated { .. } => "Propagated",
    NodeMessage::Watched(_) => "Watched",
    NodeMessage::Handshake(_) => "NodeHandshake",
    NodeMessage::Outlived { .. } => "Outlived",
    NodeMessage::Draining => "Draining",
    NodeMessage::Delivery(_) => "Delivery",
    NodeMessage::Multicast(_) => "Multicast",
    NodeMessage::Outcome(_) => "Outcome",
    NodeMessage::Receipts(_) => "Receipts",
});

kinds!(peer_message, PEER_MESSAGES, PeerMessage, {
    PeerMessage::Greeting(_) => "Greeting",
    PeerMessage::Summary(_) => "Summary",
    PeerMessage::Heartbeat(_) => "Heartbeat",
    PeerMessage::Pull(_) => "Pull",
    PeerMessage::Snapshot(_) => "Snapshot",
    PeerMessage::Changes(_) => "Changes",
    PeerMessage::Request(_) => "Request",
    PeerMessage::Answer(_) => "PeerAnswer",
    PeerMessage::Refusal(_) => "PeerRefusal",
    PeerMessage::Multicast(_) => "Multicast",
    PeerMessage::Receipts(_) => "PeerReceipts",
    PeerMessage::Relay(_) => "Relay",
    PeerMessage::Returned(_) => "Returned",
    PeerMessage::Tree(_) => "Tree",
    PeerMessage::Probe => "Probe",
    PeerMessage::Held(_) => "Held",
    PeerMessage::Handshake(_) => "PeerHandshake",
    PeerMessage::TraceQuestion(_) => "TraceQuestion",
    PeerMessage::TraceAnswer(_) => "TraceAnswer",
    PeerMessage::Reach(ReachMessage::Question { .. }) => "ReachQuestion",
    PeerMessage::Reach(ReachMessage::Answer(_)) => "ReachAnswer",
    PeerMessage::Revocation(RevocationMessage::Held(_)) => "RevocationsHeld",
    PeerMessage::Revocation(RevocationMessage::Pull(_)) => "RevocationPull",
    PeerMessage::Revocation(RevocationMessage::List(_)) => "RevocationList",
});

kinds!(file_message, FILE_MESSAGES, FileBody, {
    FileBody::Offer(_) => "Offer",
    FileBody::SealedOffer(_) => "SealedOffer",
    FileBody::Piece { .. } => "Piece",
    FileBody::Ask { .. } => "Ask",
    FileBody::Cancel(_) => "Cancel",
    FileBody::Credit { .. } => "Credit",
    FileBody::Wait => "Wait",
    FileBody::Again => "Again",
    FileBody::Done { .. } => "Done",
    FileBody::Refused(..) => "Refused",
    FileBody::Window { .. } => "Window",
    FileBody::Find(_) => "Find",
    FileBody::Found(_) => "Found",
});

/// What disks and senders come to.
pub(crate) const FILES: &[&str] = &[
    "begins",
    "is resumed",
    "is there already",
    "grows",
    "was damaged",
    "gets its name",
    "fails",
    "goes on",
    "goes to the next",
];

/// What the cores count of what they hold.
pub(crate) const LIMITS: &[&str] = &[
    "subscriptions of one client",
    "topics watched by one client",
    "deliveries to one client without an ack",
    "publishes of one client without an outcome",
    "publishes without an outcome",
    "bytes held",
    "pieces of numbers heard",
    "idempotency keys",
    "nodes of publishers",
    "replies kept",
    "replies held",
    "ways back to other nodes",
    "own topics",
    "other nodes",
    "nodes on the map",
    "edges that went lately",
    "topics that lost their last subscriber",
];
