//! One link: an authenticated connection with its five lanes.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use amop_wire::{CloseCode, CloseReason, Frame, Lane};
use quinn::{ConnectionClose, ConnectionError, VarInt};
use tracing::debug;

use crate::congestion::make_way_for_close;
use crate::handshake::Counted;
use crate::kind::Side;
use crate::lane::{LaneReader, LaneWriter};
use crate::outbox::Outbox;
use crate::party::Party;
use crate::run::Runner;
use crate::settings::Settings;
use crate::verdict::tidy;

/// A link to a party whose certificate was judged, and that judged ours.
///
/// Nothing is read or written until [`run`](Self::run) is polled. Dropping a link closes it.
pub struct Link {
    pub(crate) peer: Party,
    pub(crate) remote_addr: SocketAddr,
    pub(crate) side: Side,
    pub(crate) readers: [LaneReader; Lane::COUNT],
    pub(crate) writers: [LaneWriter; Lane::COUNT],
    pub(crate) settings: Arc<Settings>,
    pub(crate) guard: Guard,
}

/// Sees to it that connection and outbox end together, however the link ends.
pub(crate) struct Guard {
    pub(crate) connection: quinn::Connection,
    pub(crate) outbox: Outbox,
    /// What the peer is told if nobody closes the link before it is dropped.
    pub(crate) if_dropped: (CloseCode, &'static str),
    /// Counts as a link of its endpoint, once its lanes are open.
    pub(crate) counted: Option<Counted>,
}

impl Link {
    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> &Party {
        &self.peer
    }

    /// Where the other end was when the link came up.
    #[must_use]
    pub fn remote_addr(&self) -> SocketAddr {
        self.remote_addr
    }

    /// Whether we dialed.
    #[must_use]
    pub fn initiated_by_us(&self) -> bool {
        self.side == Side::Dialer
    }

    /// What to send through and how to end the link from elsewhere.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.guard.outbox.clone()
    }

    /// Reads and writes until the link ends, and says how it ended.
    ///
    /// `on_frames` gets whole batches: everything that had arrived on a lane, in order, the most
    /// urgent lane first. What it leaves in the vector is dropped. Its error closes the link with
    /// that reason, after what was queued; nothing more is read then. After
    /// [`Outbox::close`] frames are still handed over until the link is closed.
    ///
    /// With no frames at all on [`Lane::Files`] it is told that there is [room for
    /// files](Outbox::has_file_room) again.
    ///
    /// All lanes share one task: no lock, allocation or wake is spent on a single message, and
    /// what the callback sends back on this link is written without another wake.
    pub async fn run<F>(self, mut on_frames: F) -> LinkEnd
    where
        F: FnMut(Lane, &mut Vec<Frame>) -> Result<(), CloseReason>,
    {
        let (peer, remote) = (self.peer.name.clone(), self.remote_addr);
        let mut runner = Runner::new(self);
        let end = poll_fn(|cx| runner.poll(cx, &mut on_frames)).await;
        debug!(%peer, %remote, %end, "link down");
        end
    }
}

impl Guard {
    pub(crate) fn new(
        connection: quinn::Connection,
        outbox: Outbox,
        if_dropped: (CloseCode, &'static str),
    ) -> Self {
        Self { connection, outbox, if_dropped, counted: None }
    }

    /// Closes the connection at once; the peer reads the reason in its CONNECTION_CLOSE.
    pub(crate) fn close_now(&self, reason: &CloseReason) {
        make_way_for_close(&self.connection);
        let code = VarInt::from_u32(reason.code.number());
        self.connection.close(code, reason.text.as_bytes());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.outbox.ended();
        if self.connection.close_reason().is_none() {
            let (code, text) = self.if_dropped;
            self.close_now(&CloseReason::new(code, text));
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .field("remote_addr", &self.remote_addr)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// We closed it, for a reason that lies in what the peer said or did, or in ourselves.
    ClosedByUs(CloseReason),
    /// The peer closed it.
    ClosedByPeer(CloseReason),
    /// We closed it, since the peer broke the protocol below the messages.
    Broken(CloseReason),
    /// The peer fell silent, was restarted, or its transport gave up. The text says which.
    Lost(String),
}

/// Prints one sentence that says who ended the link and why.
impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedByUs(reason) => write!(f, "closed by us: {reason}"),
            Self::ClosedByPeer(reason) => write!(f, "closed by the peer: {reason}"),
            Self::Broken(reason) => write!(f, "the peer broke the protocol: {reason}"),
            Self::Lost(how) => write!(f, "lost: {how}"),
        }
    }
}

/// What the end of a connection means, when it was not we who ended it.
pub(crate) fn end_of(error: &ConnectionError, settings: &Settings) -> LinkEnd {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let code = CloseCode::from_number(close.error_code.into_inner());
            LinkEnd::ClosedByPeer(CloseReason::new(code, tidy(&close.reason)))
        }
        ConnectionError::TransportError(error) => {
            LinkEnd::Broken(CloseReason::new(CloseCode::Protocol, error.to_string()))
        }
        ConnectionError::TimedOut => {
            LinkEnd::Lost(format!("heard nothing for {:?}", settings.idle_timeout))
        }
        ConnectionError::Reset => LinkEnd::Lost("the peer no longer knows this link".into()),
        ConnectionError::LocallyClosed => {
            LinkEnd::ClosedByUs(CloseReason::new(CloseCode::Shutdown, "the endpoint shut down"))
        }
        ConnectionError::ConnectionClosed(close) => {
            LinkEnd::Lost(format!("the peer's transport gave up: {}", transport_text(close)))
        }
        ConnectionError::VersionMismatch | ConnectionError::CidsExhausted => {
            LinkEnd::Lost(error.to_string())
        }
    }
}

/// What the peer's transport says about its close; the code speaks where there is no text.
pub(crate) fn transport_text(close: &ConnectionClose) -> String {
    if close.reason.is_empty() { close.error_code.to_string() } else { tidy(&close.reason) }
}
