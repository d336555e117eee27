//! The links of an endpoint that are open, so that their certificates can be judged again.
//!
//! A handshake judges once; a link may outlive what was true then. Whoever changes what is trusted, and
//! whoever sees time pass, has the open links judged again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use amop_wire::{CloseCode, CloseReason, Name};
use quinn::Connection;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::endpoint::Endpoint;
use crate::identity::{end_of, read_party};
use crate::kind::Side;
use crate::notary::NotCertified;
use crate::outbox::Outbox;
use crate::verdict::Refusal;

impl Endpoint {
    /// Judges the certificates of all open links again, as they would be judged in a handshake at `now`, and
    /// closes at once those whose peer would be refused. Answers whom, and the sentences that both sides
    /// read.
    ///
    /// Call it after [`Trust::replace`](crate::Trust::replace), and from time to time since certificates end. That a list of
    /// revoked certificates has become stale closes no link: it would take a network apart at one moment.
    #[must_use = "somebody should be told"]
    pub fn judge_again(&self, now: SystemTime) -> Vec<NotCertified> {
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let mut refused = Vec::new();
        for link in self.context.open.all() {
            let chain = link.chain();
            let Err(verdict) = self.tls.judge(link.side, None).judge(&chain[0], &chain[1..], now)
            else {
                continue;
            };
            if matches!(verdict.why, Refusal::StaleList { .. }) {
                continue;
            }
            let sentence = verdict.to_string();
            link.outbox.abort(CloseReason::new(CloseCode::Refused, sentence.clone()));
            refused.push(NotCertified(sentence));
        }
        refused
    }

    /// The peers of all open links, and the last second in which each of their chains counts.
    #[must_use]
    pub fn peers_until(&self) -> Vec<(Name, SystemTime)> {
        let links = self.context.open.all();
        let chains = links.iter().map(OpenLink::chain);
        chains
            .filter_map(|chain| Some((read_party(&chain[0]).ok()?.name, end_of(&chain)?)))
            .collect()
    }
}

/// The open links of one endpoint. Cheap to clone; clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenLinks(Arc<Mutex<Vec<OpenLink>>>);

/// A link, as far as it matters for judging it again.
#[derive(Clone, Debug)]
pub(crate) struct OpenLink {
    connection: Connection,
    outbox: Outbox,
    /// The side on which the peer stands.
    side: Side,
}

impl OpenLinks {
    /// Remembers a link for as long as it is open. `side` is our own.
    pub(crate) fn add(&self, connection: &Connection, outbox: &Outbox, side: Side) {
        let side = match side {
            Side::Dialer => Side::Acceptor,
            Side::Acceptor => Side::Dialer,
        };
        let (connection, outbox) = (connection.clone(), outbox.clone());
        let mut links = self.lock();
        links.retain(OpenLink::is_open);
        links.push(OpenLink { connection, outbox, side });
    }

    /// Those that are open now.
    fn all(&self) -> Vec<OpenLink> {
        let mut links = self.lock();
        links.retain(OpenLink::is_open);
        links.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OpenLink>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenLink {
    /// The certificates that the peer has shown, its own first.
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        chain_of(&self.connection)
    }

    fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }
}

/// The certificates that the other end of a connection has shown.
pub(crate) fn chain_of(connection: &Connection) -> Vec<CertificateDer<'static>> {
    let chain = connection.peer_identity().expect("both ends are certified");
    *chain.downcast().expect("TLS is by rustls")
}
