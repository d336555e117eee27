//! The two kinds of links and who may stand at their ends.

use amop_wire::Role;

/// What a link is for. The kind fixes the protocol name in the handshake and the roles of both
/// ends, so that a party of the wrong role is refused before a byte of it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Between two nodes: `amop-node/1`.
    Node,
    /// From a client to its node: `amop-sdk/1`.
    Sdk,
}

impl LinkKind {
    /// The protocol name (ALPN) that both ends must speak.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Node => "amop-node/1",
            Self::Sdk => "amop-sdk/1",
        }
    }

    /// The role that the end on this side must have.
    #[must_use]
    pub fn role(self, side: Side) -> Role {
        match (self, side) {
            (Self::Node, _) | (Self::Sdk, Side::Acceptor) => Role::Node,
            (Self::Sdk, Side::Dialer) => Role::Sdk,
        }
    }
}

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that dialed, the client of the handshake.
    Dialer,
    /// The end that listened, the server of the handshake.
    Acceptor,
}
