//! From the first packet to a link whose lanes are open on both sides.
//!
//! ```text
//! dialer                                 acceptor
//!   │ ── TLS hello ────────────────────────▶ │
//!   │ ◀───────────────── its certificate ─── │
//!   │  (judges it)                           │
//!   │ ── our certificate, five lanes ─────▶ │  (judges it, takes the lanes)
//!   │ ◀───────── the number on each lane ─── │
//! ```
//!
//! In TLS 1.3 the dialer is through before the acceptor has judged it. A dialed link is therefore
//! given out only when the acceptor has opened its side of the lanes: a refusal is always the
//! error of a handshake, never the early end of a link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use amop_wire::{CloseCode, CloseReason};
use quinn::{Connection, ConnectionError, Incoming};
use tokio::time::timeout;
use tracing::debug;

use crate::identity::read_party;
use crate::kind::{LinkKind, Side};
use crate::link::{Guard, Link, transport_text};
use crate::open::{OpenLinks, chain_of};
use crate::opening::{LaneError, accept_lanes, open_lanes};
use crate::outbox::Outbox;
use crate::party::Party;
use crate::settings::Settings;
use crate::trust::{Rules, Trust};
use crate::verdict::{sentence_in, tidy};

/// An attempt of somebody to link with us. Dropping it refuses the attempt.
#[derive(Debug)]
pub struct Handshake {
    pub(crate) incoming: Incoming,
    pub(crate) context: Context,
    /// Counts as half open until it is done.
    pub(crate) half_open: Counted,
}

impl Handshake {
    /// Where the attempt comes from. Not proved before [`complete`](Self::complete) is done.
    #[must_use]
    pub fn remote_addr(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// Judges the dialer, lets it judge us, and opens the lanes.
    ///
    /// Takes as long as the dialer makes it take, at most
    /// [`handshake_timeout`](Settings::handshake_timeout): run it in a task of its own.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which side is at fault. Nothing of the attempt is left.
    pub async fn complete(self) -> Result<Link, HandshakeError> {
        let Self { incoming, context, half_open } = self;
        let remote = incoming.remote_address();
        let rules = context.trust.rules();
        let link = context.link(Side::Acceptor, remote, rules, incoming.into_future()).await;
        drop(half_open);
        link
    }
}

/// What a handshake needs to know of its endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) kind: LinkKind,
    pub(crate) settings: Arc<Settings>,
    pub(crate) open: OpenLinks,
    /// How many connections are links.
    pub(crate) links: Arc<AtomicUsize>,
    pub(crate) trust: Trust,
}

impl Context {
    /// Turns a connection that is being made into a link, in time or not at all. `rules` are those of the
    /// moment before it was begun.
    pub(crate) async fn link(
        &self,
        side: Side,
        remote: SocketAddr,
        rules: Arc<Rules>,
        connecting: impl Future<Output = Result<Connection, ConnectionError>>,
    ) -> Result<Link, HandshakeError> {
        let within = self.settings.handshake_timeout;
        let outcome = match timeout(within, self.establish(side, rules, connecting)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HandshakeError::NoAnswer { remote, within }),
        };
        match &outcome {
            Ok(link) => debug!(peer = %link.peer.name, %remote, ?side, "link up"),
            Err(error) => debug!(%remote, ?side, %error, "handshake failed"),
        }
        outcome
    }

    async fn establish(
        &self,
        side: Side,
        rules: Arc<Rules>,
        connecting: impl Future<Output = Result<Connection, ConnectionError>>,
    ) -> Result<Link, HandshakeError> {
        let connection = connecting.await.map_err(|error| self.meaning_of(&error))?;
        let outbox = Outbox::new(&self.settings);
        let if_dropped = (CloseCode::Protocol, "the lanes were not opened in time");
        let mut guard = Guard::new(connection.clone(), outbox, if_dropped);
        let lanes = match side {
            Side::Dialer => open_lanes(&connection).await,
            Side::Acceptor => accept_lanes(&connection).await,
        };
        let lanes = lanes.map_err(|error| match error {
            LaneError::Connection(error) => self.meaning_of(&error),
            LaneError::Protocol(text) => {
                guard.close_now(&CloseReason::new(CloseCode::Protocol, text.clone()));
                HandshakeError::Protocol { text }
            }
        })?;
        let [(w0, r0), (w1, r1), (w2, r2), (w3, r3), (w4, r4)] = lanes;
        guard.if_dropped = (CloseCode::Shutdown, "the link was dropped");
        guard.counted = Some(Counted::count(&self.links));
        self.open.add(&connection, &guard.outbox, side);
        // Whoever changes the trust judges the links that are open then. This one was not yet, and may have
        // been judged by what counts no more.
        if !Arc::ptr_eq(&rules, &self.trust.rules()) {
            let error = HandshakeError::TrustChanged;
            // Nobody is refused for good: the next attempt tells.
            guard.close_now(&CloseReason::new(CloseCode::Overloaded, error.to_string()));
            return Err(error);
        }
        Ok(Link {
            peer: peer_of(&connection),
            remote_addr: connection.remote_address(),
            side,
            readers: [r0, r1, r2, r3, r4],
            writers: [w0, w1, w2, w3, w4],
            settings: Arc::clone(&self.settings),
            guard,
        })
    }

    /// Tells in our words why there is no connection.
    fn meaning_of(&self, error: &ConnectionError) -> HandshakeError {
        match error {
            ConnectionError::TransportError(error) => {
                let code = u64::from(error.code);
                self.refusal(code, &error.reason, true)
                    .unwrap_or_else(|| HandshakeError::Protocol { text: error.to_string() })
            }
            ConnectionError::ConnectionClosed(close) => {
                let (code, text) = (u64::from(close.error_code), transport_text(close));
                self.refusal(code, &text, false).unwrap_or(HandshakeError::Lost { text })
            }
            ConnectionError::ApplicationClosed(close) => {
                let code = CloseCode::from_number(close.error_code.into_inner());
                HandshakeError::Closed(CloseReason::new(code, tidy(&close.reason)))
            }
            ConnectionError::TimedOut => HandshakeError::Lost { text: "fell silent".into() },
            ConnectionError::LocallyClosed => HandshakeError::ShutDown,
            ConnectionError::Reset
            | ConnectionError::VersionMismatch
            | ConnectionError::CidsExhausted => HandshakeError::Lost { text: error.to_string() },
        }
    }

    /// What a close during the handshake says about certificates and protocols, if anything.
    fn refusal(&self, code: u64, reason: &str, by_us: bool) -> Option<HandshakeError> {
        let sentence = sentence_in(reason).map(str::to_owned);
        match (code, sentence) {
            (_, Some(sentence)) if by_us => Some(HandshakeError::PeerRefused { sentence }),
            (_, Some(sentence)) => Some(HandshakeError::RefusedByPeer { sentence }),
            (NO_APPLICATION_PROTOCOL, None) => {
                Some(HandshakeError::OtherProtocol { ours: self.kind.protocol() })
            }
            (CERTIFICATE_REQUIRED, None) if by_us => Some(HandshakeError::PeerUncertified),
            (CONNECTION_REFUSED, None) => Some(HandshakeError::Overloaded),
            _ => None,
        }
    }
}

/// Why there is no link. Nothing of the attempt is left in any case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// We refused the peer's certificate. The peer was told the same sentence.
    #[error("{sentence}")]
    PeerRefused {
        /// `certificate n1.node.bank-x.amop refused: ` and the reason.
        sentence: String,
    },
    /// The peer refused our certificate.
    #[error("refused by the peer: {sentence}")]
    RefusedByPeer {
        /// `certificate n1.node.bank-x.amop refused: ` and the reason, as the peer told it.
        sentence: String,
    },
    /// The peer showed no certificate.
    #[error("peer has no certificate")]
    PeerUncertified,
    /// The peer speaks none of our protocols: something else, or the other kind of link.
    #[error("peer speaks another protocol, not {ours}")]
    OtherProtocol {
        /// The protocol of our kind of link.
        ours: &'static str,
    },
    /// Nobody answered, or not to the end.
    #[error("no answer from {remote} within {within:?}")]
    NoAnswer {
        /// Where we dialed, or who dialed us.
        remote: SocketAddr,
        /// How long we waited.
        within: Duration,
    },
    /// Whom we trust has changed meanwhile, so that nobody knows whether the peer is still welcome. Try
    /// again.
    #[error("what is trusted changed during the handshake")]
    TrustChanged,
    /// The peer takes no link now. It may later.
    #[error("peer takes no more links now")]
    Overloaded,
    /// The peer closed the link while its lanes were being opened.
    #[error("closed by the peer: {0}")]
    Closed(CloseReason),
    /// The peer did what no party does.
    #[error("peer broke the protocol: {text}")]
    Protocol {
        /// What it did.
        text: String,
    },
    /// The connection ended before it was a link.
    #[error("connection lost: {text}")]
    Lost {
        /// How.
        text: String,
    },
    /// The address cannot be reached from the endpoint's socket, whoever is there.
    #[error("address {remote} cannot be dialed from here")]
    BadAddress {
        /// The address.
        remote: SocketAddr,
    },
    /// Our endpoint is shut down.
    #[error("endpoint is shut down")]
    ShutDown,
}

/// Counts what there is of something, a handshake that is not done or a link, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn count(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counter))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn peer_of(connection: &Connection) -> Party {
    let chain = chain_of(connection);
    let leaf = chain.first().expect("a judged chain has a leaf");
    read_party(leaf).expect("a judged leaf names a party")
}

/// TLS alerts and QUIC errors as codes of CONNECTION_CLOSE.
const CERTIFICATE_REQUIRED: u64 = 0x100 | 116;
const NO_APPLICATION_PROTOCOL: u64 = 0x100 | 120;
const CONNECTION_REFUSED: u64 = 0x2;
