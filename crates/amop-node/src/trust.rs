//! Whom the node trusts while it runs: changed by its operator, and judged again as time passes.

use std::sync::Arc;
use std::time::Duration;

use amop_p2p::{Endpoint, Identity, Revocations, Trust};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::epoch::wall_clock;
use crate::expiry::{CERTIFICATE_DAYS, End, Expiries, LIST_DAYS};

/// The trust of a running node, to be changed from outside of its thread.
#[derive(Clone, Debug)]
pub(crate) struct LiveTrust {
    trust: Trust,
    changed: Arc<Notify>,
}

impl LiveTrust {
    pub(crate) fn new(trust: Trust) -> Self {
        Self { trust, changed: Arc::default() }
    }

    /// The revocation lists that count now.
    pub(crate) fn revocations(&self) -> Revocations {
        self.trust.revocations()
    }

    /// Trusts what `other` trusts from now on, and has every open link judged again.
    ///
    /// Of the revocation lists of one authority the newest stays, also if `other` has only an older one.
    pub(crate) fn replace(&self, other: &Trust) {
        let lists = other.revocations().or_newer(&self.trust.revocations());
        self.trust.replace(&other.with_revocations(lists));
        for list in self.trust.revocations().dates() {
            info!(issuer = %list.issuer, number = list.number, "going by a revocation list");
        }
        self.changed.notify_one();
    }

    /// Judges all open links again, after each change and from time to time, and tells what ends soon.
    pub(crate) async fn watch(self, identity: watch::Receiver<Identity>, endpoints: [Endpoint; 2]) {
        let mut expiries = Expiries::default();
        loop {
            for refused in endpoints.iter().flat_map(|endpoint| endpoint.judge_again(wall_clock()))
            {
                warn!(error = %refused, "closed a link");
            }
            self.tell(&mut expiries, &identity.borrow().clone(), &endpoints);
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep(PERIOD) => {}
            }
        }
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
