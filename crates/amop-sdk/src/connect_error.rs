//! Why a client did not connect, endpoint by endpoint.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use amop_p2p::{DialError, EndpointError, HandshakeError, LinkEnd};
use amop_wire::CloseCode;

/// Why there is no client. Nothing of the attempt is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is nobody to connect to.
    #[error("no endpoint: call `endpoint`, or set AMOP_ENDPOINT to host:port and call `from_env`")]
    NoEndpoint,
    /// An endpoint cannot be read.
    #[error("endpoint `{endpoint}` is not host:port")]
    BadEndpoint {
        /// The endpoint.
        endpoint: String,
    },
    /// The client has no certificate.
    #[error("no identity: call `identity` or `from_env`")]
    NoIdentity,
    /// The client trusts nobody.
    #[error("no trusted roots: call `trust` or `from_env`")]
    NoTrust,
    /// The certificate is not that of a client, the settings are wrong, or the system gives no
    /// socket.
    #[error("cannot set up the link")]
    Setup(#[source] EndpointError),
    /// No node took the client in.
    #[error("{}", unreachable(*.within, *.endpoints, .failures))]
    Unreachable {
        /// How long it could have taken.
        within: Duration,
        /// How many endpoints there are.
        endpoints: usize,
        /// Why each endpoint failed that was tried to the end, in the order of the attempts.
        failures: Vec<AttemptError>,
    },
}

impl ConnectError {
    /// Whether every endpoint that answered refused us, or we it, for what a certificate says:
    /// trying again will not help.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        match self {
            Self::Unreachable { failures, .. } => {
                failures.iter().any(AttemptError::is_refusal)
                    && failures.iter().all(|failure| failure.is_refusal() || failure.is_silence())
            }
            Self::Setup(EndpointError::WrongRole { .. }) => true,
            Self::NoEndpoint
            | Self::BadEndpoint { .. }
            | Self::NoIdentity
            | Self::NoTrust
            | Self::Setup(_) => false,
        }
    }
}

/// Why one attempt to connect failed. Prints one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// There is no link.
    #[error("{}", chain(.0))]
    Dial(DialError),
    /// There was a link, and it ended before the node had taken the client in.
    #[error("the link with {endpoint} ended before the client was attached: {end}")]
    Ended {
        /// Where the node is.
        endpoint: SocketAddr,
        /// How it ended.
        end: LinkEnd,
    },
}

impl AttemptError {
    fn is_refusal(&self) -> bool {
        match self {
            Self::Dial(DialError::Handshake { source, .. }) => matches!(
                source,
                HandshakeError::PeerRefused { .. }
                    | HandshakeError::RefusedByPeer { .. }
                    | HandshakeError::PeerUncertified
            ),
            Self::Ended { end: LinkEnd::ClosedByPeer(reason), .. } => {
                reason.code == CloseCode::Refused
            }
            Self::Dial(_) | Self::Ended { .. } => false,
        }
    }

    fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Dial(DialError::Handshake { source: HandshakeError::NoAnswer { .. }, .. })
        )
    }
}

/// Says why no endpoint took the client in.
fn unreachable(within: Duration, endpoints: usize, failures: &[AttemptError]) -> String {
    if failures.is_empty() {
        return format!("not connected within {within:?}");
    }
    let mut text = failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if failures.len() < endpoints {
        let left = endpoints - failures.len();
        text.push_str(&format!("; {left} of {endpoints} not tried to the end within {within:?}"));
    }
    text
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
