//! Keys at the border of the node: signs what it announces, and judges what others do.
//!
//! The core decides what is to be judged by which certificate, see [`Node::admit`]; here are the keys
//! and the roots. A refusal is counted, and logged once for each peer and second: a peer that floods
//! us with forgeries must not flood the log.
//!
//! [`Node::admit`]: amop_core::node::Node::admit

use std::collections::BTreeMap;
use std::time::Duration;

use amop_core::node::{Input, Judge, Refused};
use amop_p2p::{Identity, Notary, SignError, Trust};
use amop_wire::{BadChain, Chain, Instant, Name};
use bytes::Bytes;
use tracing::warn;

use crate::epoch::wall_clock;

#[derive(Debug)]
pub(crate) struct Border {
    identity: Identity,
    chain: Chain,
    notary: Notary,
    refused_count: u64,
    /// When a refusal of each peer was logged last, if that is less than a second ago.
    logged: BTreeMap<Name, Instant>,
}

impl Border {
    pub(crate) fn new(identity: Identity, trust: &Trust) -> Result<Self, BadChain> {
        let chain = Chain::new(identity.chain().map(Bytes::copy_from_slice).collect())?;
        let notary = Notary::new(trust);
        Ok(Self { identity, chain, notary, refused_count: 0, logged: BTreeMap::new() })
    }

    /// Answers what the core waits for.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Input, SignError> {
        let signature = self.identity.sign(message)?.into();
        Ok(Input::Signed { signature, chain: self.chain.clone() })
    }

    /// Counts what a peer passed on and is not believed, and logs it unless that was just done.
    pub(crate) fn refused(&mut self, now: Instant, peer: &Name, what: &Refused) {
        self.refused_count += 1;
        if self.may_log(now, peer) {
            let Refused { origin, why } = what;
            let refused = self.refused_count;
            warn!(%peer, %origin, %why, refused, "an announcement is not believed");
        }
    }

    /// Whether it is time for another line about a peer; then that is now.
    fn may_log(&mut self, now: Instant, peer: &Name) -> bool {
        self.logged.retain(|_, at| now < *at + LOG_INTERVAL);
        if self.logged.contains_key(peer) {
            return false;
        }
        self.logged.insert(peer.clone(), now);
        true
    }

    /// How many there were so far.
    pub(crate) fn refused_count(&self) -> u64 {
        self.refused_count
    }
}

impl Judge for Border {
    fn certify(&self, chain: &Chain, name: &Name) -> Result<(), String> {
        let issuers = chain.issuers().iter().map(AsRef::as_ref);
        match self.notary.certify(chain.leaf(), issuers, wall_clock()) {
            Ok(certified) if certified == *name => Ok(()),
            Ok(certified) => Err(format!("its certificate is that of {certified}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn is_signed(&self, leaf: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.notary.is_signed(leaf, message, signature)
    }
}

/// How long after a line about a peer there is no other.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use amop_core::node::Refusal;
    use amop_pki::Root;

    use super::*;

    fn border(dns: &str) -> Border {
        let root = Root::new("Test", "amop", wall_clock()).unwrap();
        let name: Name = dns.parse().unwrap();
        let agency = root.agency(name.agency(), wall_clock()).unwrap();
        let leaf = agency.issue(&name, wall_clock()).unwrap();
        let identity =
            Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap();
        let trust = Trust::from_pem(root.certificate_pem().as_bytes()).unwrap();
        Border::new(identity, &trust).unwrap()
    }

    #[test]
    fn a_border_believes_its_own_signature_and_certificate_and_no_other_name() {
        let border = border("n1.node.bank-a.amop");
        let Input::Signed { signature, chain } = border.sign(b"message").unwrap() else {
            panic!("no signature")
        };
        let name = |dns: &str| dns.parse::<Name>().unwrap();
        assert_eq!(border.certify(&chain, &name("n1.node.bank-a.amop")), Ok(()));
        let other = border.certify(&chain, &name("n1.node.bank-b.amop"));
        assert_eq!(other, Err("its certificate is that of bank-a/n1".to_owned()));
        assert!(border.is_signed(chain.leaf(), b"message", &signature));
        assert!(!border.is_signed(chain.leaf(), b"another", &signature));
    }

    /// SEQ-13
    #[test]
    fn refusals_are_counted_all_and_logged_once_for_each_peer_and_second() {
        let mut border = border("n1.node.bank-a.amop");
        let peers: [Name; 2] =
            ["n1.node.bank-b.amop", "n2.node.bank-b.amop"].map(|dns| dns.parse().unwrap());
        let start = Instant::default();
        for (millis, logs) in [(0, true), (500, false), (999, false), (1000, true), (1999, false)] {
            for peer in &peers {
                let now = start + Duration::from_millis(millis);
                assert_eq!(border.may_log(now, peer), logs, "{peer} after {millis} ms");
            }
        }
        assert!(border.may_log(start + Duration::from_secs(9), &peers[0]));
        assert_eq!(border.logged.len(), 1, "nothing is kept of who keeps quiet");

        let origin: Name = "n9.node.bank-c.amop".parse().unwrap();
        let what = Refused { origin, why: Refusal::Signature };
        (0..7).for_each(|_| border.refused(start, &peers[0], &what));
        assert_eq!(border.refused_count(), 7);
    }
}
