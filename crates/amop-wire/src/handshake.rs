//! What a publisher and one subscriber of a private topic say to each other.
//!
//! The nodes pass it on between two instances and read nothing of it. What it says is up to the ends:
//! see PRIV-3 in `docs/PROTOCOL.md`. It is small, and may be lost.

use bytes::Bytes;

use crate::fields::{bad, name, node_id, node_id_words, text, topic};
use crate::generated as pb;
use crate::limits::HANDSHAKE_BYTES_MAX;
use crate::{Instance, MessageError, Name, NodeId, Topic};

/// One of them from a client to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHandshake {
    /// Whom it is for.
    pub to: Instance,
    /// The node of the publisher that it is for; `None` if it is for a subscriber.
    pub home: Option<NodeId>,
    /// On which topic.
    pub topic: Topic,
    /// What is said, in at most [`HANDSHAKE_BYTES_MAX`] bytes.
    pub payload: Bytes,
}

/// One of them from a node to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHandshake {
    /// Who says it, as its node attests it.
    pub from: Instance,
    /// The node of the publisher that says it; `None` if a subscriber does.
    pub home: Option<NodeId>,
    /// The certified name of who says it, as its node attests it.
    pub name: Name,
    /// On which topic.
    pub topic: Topic,
    /// What is said, in at most [`HANDSHAKE_BYTES_MAX`] bytes.
    pub payload: Bytes,
}

/// One of them between home node and exit node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerHandshake {
    /// Who says it, attached to the node that sends this.
    pub from: Instance,
    /// Whom it is for, attached to the node that receives this.
    pub to: Instance,
    /// Whether the publisher says it to the subscriber.
    pub from_publisher: bool,
    /// The certified name of who says it.
    pub name: Name,
    /// On which topic.
    pub topic: Topic,
    /// What is said, in at most [`HANDSHAKE_BYTES_MAX`] bytes.
    pub payload: Bytes,
}

impl ClientHandshake {
    pub(crate) fn to_proto(&self) -> pb::ClientHandshake {
        pb::ClientHandshake {
            to: Some(self.to.0),
            home: self.home.and_then(node_id_words),
            topic: text(self.topic.as_bytes()),
        }
    }
}

impl NodeHandshake {
    pub(crate) fn to_proto(&self) -> pb::NodeHandshake {
        pb::NodeHandshake {
            from: Some(self.from.0),
            home: self.home.and_then(node_id_words),
            name: text(self.name.as_bytes()),
            topic: text(self.topic.as_bytes()),
        }
    }
}

impl PeerHandshake {
    pub(crate) fn to_proto(&self) -> pb::PeerHandshake {
        pb::PeerHandshake {
            from: Some(self.from.0),
            to: Some(self.to.0),
            from_publisher: Some(self.from_publisher),
            name: text(self.name.as_bytes()),
            topic: text(self.topic.as_bytes()),
        }
    }
}

pub(crate) fn read_client_handshake(
    handshake: &pb::ClientHandshake,
    payload: Bytes,
) -> Result<ClientHandshake, MessageError> {
    check_length(&payload)?;
    Ok(ClientHandshake {
        to: Instance(handshake.to.unwrap_or_default()),
        home: read_home(handshake.home)?,
        topic: topic("handshake.topic", &handshake.topic)?,
        payload,
    })
}

pub(crate) fn read_node_handshake(
    handshake: &pb::NodeHandshake,
    payload: Bytes,
) -> Result<NodeHandshake, MessageError> {
    check_length(&payload)?;
    Ok(NodeHandshake {
        from: Instance(handshake.from.unwrap_or_default()),
        home: read_home(handshake.home)?,
        name: name("handshake.name", &handshake.name)?,
        topic: topic("handshake.topic", &handshake.topic)?,
        payload,
    })
}

pub(crate) fn read_peer_handshake(
    handshake: &pb::PeerHandshake,
    payload: Bytes,
) -> Result<PeerHandshake, MessageError> {
    check_length(&payload)?;
    Ok(PeerHandshake {
        from: Instance(handshake.from.unwrap_or_default()),
        to: Instance(handshake.to.unwrap_or_default()),
        from_publisher: handshake.from_publisher.unwrap_or_default(),
        name: name("handshake.name", &handshake.name)?,
        topic: topic("handshake.topic", &handshake.topic)?,
        payload,
    })
}

fn read_home(home: Option<pb::NodeId>) -> Result<Option<NodeId>, MessageError> {
    home.map(|home| node_id("handshake.home", Some(home))).transpose()
}

fn check_length(payload: &Bytes) -> Result<(), MessageError> {
    let bytes = payload.len();
    if bytes > HANDSHAKE_BYTES_MAX {
        let why = format!("{bytes} bytes are over the limit of {HANDSHAKE_BYTES_MAX}");
        return Err(bad("handshake.payload", why));
    }
    Ok(())
}
