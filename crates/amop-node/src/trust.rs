//! Whom the node trusts while it runs: changed by its operator, and judged again as time passes.

use std::sync::Arc;
use std::time::Duration;

use amop_p2p::{Endpoint, Identity, ListRefused, Notary, Revocations, Trust};
use amop_wire::RevocationList;
use amop_wire::limits::PAYLOAD_BYTES_MAX;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep;
use tracing::{debug, error, info, warn};

use crate::driver::Driver;
use crate::epoch::wall_clock;
use crate::expiry::{CERTIFICATE_DAYS, End, Expiries, LIST_DAYS};

/// The trust of a running node, to be changed from outside of its thread.
#[derive(Clone, Debug)]
pub(crate) struct LiveTrust {
    trust: Trust,
    changed: Arc<Notify>,
    /// What is to be kept for the next life.
    learned: mpsc::UnboundedSender<RevocationList>,
}

impl LiveTrust {
    /// Whoever holds the other end is told of every list that is learned.
    pub(crate) fn new(trust: Trust) -> (Self, mpsc::UnboundedReceiver<RevocationList>) {
        let (learned, to_keep) = mpsc::unbounded_channel();
        (Self { trust, changed: Arc::default(), learned }, to_keep)
    }

    /// The revocation lists that count now.
    pub(crate) fn revocations(&self) -> Revocations {
        self.trust.revocations()
    }

    /// Trusts what `other` trusts from now on, and has every open link judged again.
    ///
    /// Of the revocation lists of one authority the newest stays, also if `other` has only an older one.
    pub(crate) fn replace(&self, other: &Trust) {
        self.trust.renew(other);
        for list in self.trust.revocations().dates() {
            info!(issuer = %list.issuer, number = list.number, "going by a revocation list");
        }
        self.changed.notify_one();
    }

    /// Goes by a list that a peer has given, if it counts, and has every open link judged again.
    pub(crate) fn learn(&self, list: &RevocationList) -> Result<(), ListRefused> {
        let dates = self.trust.learn(list)?;
        info!(issuer = %dates.issuer, number = dates.number, "learned a revocation list");
        // Without a state directory nobody keeps it.
        let _ = self.learned.send(list.clone());
        self.changed.notify_one();
        Ok(())
    }

    /// Judges all open links again, after each change and from time to time, tells the core which lists count, and
    /// the log what ends soon.
    pub(crate) async fn watch(
        self,
        identity: watch::Receiver<Identity>,
        endpoints: [Endpoint; 2],
        driver: Arc<Driver>,
    ) {
        let mut expiries = Expiries::default();
        loop {
            self.tell_core(&identity.borrow().clone(), &driver);
            for refused in endpoints.iter().flat_map(|endpoint| endpoint.judge_again(wall_clock()))
            {
                warn!(error = %refused, "closed a link");
            }
            self.tell(&mut expiries, &identity.borrow().clone(), &endpoints);
            tokio::select! {
                () = self.changed.notified() => {}
                () = self.trust.meets_another() => {}
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Tells which lists there are to give to others, of which authorities.
    fn tell_core(&self, identity: &Identity, driver: &Driver) {
        let mut chain = identity.chain();
        if let Some(leaf) = chain.next() {
            // So our own authorities are met. If the certificate is not worth anything, others will say so.
            let _ = Notary::new(&self.trust).certify(leaf, chain, wall_clock());
        }
        let mut authorities = self.trust.authorities();
        for (authority, list) in &mut authorities {
            if let Some(long) = list.take_if(|list| list.der.len() > PAYLOAD_BYTES_MAX) {
                debug!(?authority, bytes = long.der.len(), "too long a revocation list to give");
            }
        }
        driver.told_revocations(authorities);
    }

    fn tell(&self, expiries: &mut Expiries, identity: &Identity, endpoints: &[Endpoint]) {
        let certificate = |what, until| End { what, until, days: CERTIFICATE_DAYS };
        let ours = format!("our certificate {}", identity.name().as_dns());
        let mut ends = vec![certificate(ours, identity.valid_until())];
        for (name, until) in endpoints.iter().flat_map(Endpoint::peers_until) {
            ends.push(certificate(format!("certificate of {}", name.as_dns()), until));
        }
        for list in self.trust.revocations().dates() {
            let what = format!("revocation list of {}", list.issuer);
            ends.push(End { what, until: list.next_update, days: LIST_DAYS });
        }
        // Two links of one peer, or two lists of one authority: what ends last counts.
        ends.sort_by(|a, b| (&a.what, b.until).cmp(&(&b.what, a.until)));
        ends.dedup_by(|later, first| later.what == first.what);
        for (End { what, .. }, days) in expiries.due(wall_clock(), &ends) {
            match days {
                Some(days) => warn!(what, days, "ends soon; renew it"),
                None => error!(what, "has ended; renew it"),
            }
        }
    }
}

/// How often open links are judged again although nothing was changed: certificates end.
const PERIOD: Duration = Duration::from_secs(60);
