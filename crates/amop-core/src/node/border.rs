//! What is believed of announcements before they come in: those that their node has signed.
//!
//! A driver asks here what to do with every message of a peer, and hands in what comes out of it.
//! Keys and certificates are the driver's business, so it brings a [`Judge`]; which of them to judge
//! by is decided here, from what this node holds:
//!
//! - A **snapshot** brings its certificates. They are judged unless they are those that are held, and
//!   only if somebody was asked for it.
//! - **Changes** bring none: they are judged by those that came with the snapshot. Where there are
//!   none, and where the node has begun another life, maybe with another key, the changes count as no
//!   more than the peer's word that there is something to pull.
//!
//! What is not newer than what is held costs no judgement, as long as it does not contradict it: it
//! comes from every peer in turn, and is nobody's fault.

use amop_wire::{Announcement, AnnouncementChanges, Chain, Name, PeerMessage, SignedHead};

use super::Node;

/// Judges keys and certificates.
pub trait Judge {
    /// Whether the chain certifies the node of this name.
    ///
    /// # Errors
    ///
    /// Why not, in one sentence.
    fn certify(&self, chain: &Chain, name: &Name) -> Result<(), String>;

    /// Whether the key of a certificate, in DER and certified before, made the signature.
    fn is_signed(&self, leaf: &[u8], message: &[u8], signature: &[u8]) -> bool;
}

/// An announcement, or changes of one, that is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose announcement it was said to be.
    pub origin: Name,
    /// Why it is not believed.
    pub why: Refusal,
}

/// Why an announcement is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its certificates are not those of the node. Whoever passed it on forged it, or did not
    /// verify it.
    #[error("{0}")]
    Certificate(String),
    /// Its signature is not the node's. Whoever passed it on forged it, or did not verify it.
    #[error("it is not signed by its node")]
    Signature,
    /// It is not what the node signed. Whoever passed it on altered it, or did not verify it.
    #[error("it is not what its node signed")]
    Altered,
    /// The node itself is at fault.
    #[error("its node has signed something else under the same version")]
    Contradicts,
}

impl Node {
    /// Answers what to hand in of a message that a peer sent, if anything.
    ///
    /// # Errors
    ///
    /// [`Refused`]: nothing is to be handed in.
    pub fn admit(
        &self,
        message: PeerMessage,
        judge: &impl Judge,
    ) -> Result<Option<PeerMessage>, Refused> {
        match message {
            PeerMessage::Snapshot(announcement) => self.admit_snapshot(announcement, judge),
            PeerMessage::Changes(changes) => self.admit_changes(changes, judge),
            PeerMessage::Greeting(_)
            | PeerMessage::Summary(_)
            | PeerMessage::Heartbeat(_)
            | PeerMessage::Pull(_)
            | PeerMessage::Request(_)
            | PeerMessage::Answer(_)
            | PeerMessage::Refusal(_)
            | PeerMessage::Multicast(_)
            | PeerMessage::Receipts(_)
            | PeerMessage::Relay(_)
            | PeerMessage::Tree(_)
            | PeerMessage::Returned(_)
            | PeerMessage::Probe
            | PeerMessage::Held(_)
            | PeerMessage::TraceQuestion(_)
            | PeerMessage::TraceAnswer(_)
            | PeerMessage::Reach(_)
            | PeerMessage::Revocation(_)
            | PeerMessage::Handshake(_) => Ok(Some(message)),
        }
    }

    fn admit_snapshot(
        &self,
        announcement: Announcement,
        judge: &impl Judge,
    ) -> Result<Option<PeerMessage>, Refused> {
        let (signed, chain) = (announcement.signed(), announcement.chain());
        let is_wanted = if signed.node() == self.id {
            self.table.is_outlived_by(signed) // A life of ours that others hold.
        } else {
            self.table.is_pulling(signed.node())
        };
        if !is_wanted {
            return Ok(None);
        }
        let name = signed.name();
        if self.table.chain_of(signed.node()) != Some(chain) {
            judge.certify(chain, name).map_err(|why| refused(signed, Refusal::Certificate(why)))?;
        }
        if !is_signed(judge, chain, signed) {
            return Err(refused(signed, Refusal::Signature));
        }
        Ok(Some(PeerMessage::Snapshot(announcement)))
    }

    fn admit_changes(
        &self,
        changes: AnnouncementChanges,
        judge: &impl Judge,
    ) -> Result<Option<PeerMessage>, Refused> {
        let signed = changes.signed();
        let (node, version) = (signed.node(), signed.version());
        if node == self.id {
            // Mostly it has gone round. Signed with another key, it may still come as a snapshot.
            let chain = self.table.chain_of(node).filter(|_| self.table.is_outlived_by(signed));
            let is_own = chain.is_some_and(|chain| is_signed(judge, chain, signed));
            return Ok(is_own.then_some(PeerMessage::Changes(changes)));
        }
        let hint = PeerMessage::Summary(vec![(node, version)]);
        let (Some(held), Some(chain)) = (self.table.signed_by(node), self.table.chain_of(node))
        else {
            return Ok(Some(hint));
        };
        let is_repeated = held.version() == version && held.digest() == signed.digest();
        if held.version() > version || is_repeated {
            return Ok(None);
        }
        if is_signed(judge, chain, signed) {
            return Ok(Some(PeerMessage::Changes(changes)));
        }
        if version.epoch > held.version().epoch {
            return Ok(Some(hint));
        }
        Err(refused(signed, Refusal::Signature))
    }
}

fn is_signed(judge: &impl Judge, chain: &Chain, signed: &SignedHead) -> bool {
    judge.is_signed(chain.leaf(), &signed.signed_bytes(), signed.signature())
}

fn refused(signed: &SignedHead, why: Refusal) -> Refused {
    Refused { origin: signed.name().clone(), why }
}
