//! Signatures of a world: a hash under a secret that no party knows.
//!
//! A node signs through its driver, a stranger through [`World::sign`], each with its own name only:
//! so a test can have a stranger say whatever it wants, but not in the name of another.

use std::hash::{DefaultHasher, Hash, Hasher};

use amop_core::node::{Input as NodeInput, Judge, Refused};
use amop_wire::{AnnouncementHead, Chain, Name, SignedHead};
use bytes::Bytes;

use crate::stranger::StrangerId;
use crate::world::{NodeId, World};

/// Who signs for every party of a world, and judges what they signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notary {
    secret: u64,
    /// With how many bytes signatures and certificates are filled up, if others would be longer.
    signature_bytes: usize,
    chain_bytes: usize,
}

impl Notary {
    pub(crate) fn new(seed: u64) -> Self {
        Self { secret: seed ^ 0x5ec2_e75e_c2e7_5ec2, signature_bytes: 0, chain_bytes: 0 }
    }

    /// The signature of the party of this name.
    pub(crate) fn sign(self, name: &Name, message: &[u8]) -> Bytes {
        self.sign_by(&leaf(name, 0), message)
    }

    /// The signature by the key of one certificate.
    pub(crate) fn sign_by(self, leaf: &[u8], message: &[u8]) -> Bytes {
        self.hash(leaf, message)
    }

    fn hash(self, leaf: &[u8], message: &[u8]) -> Bytes {
        let mut hasher = DefaultHasher::new();
        (self.secret, leaf, message).hash(&mut hasher);
        let mut signature = hasher.finish().to_be_bytes().to_vec();
        signature.resize(signature.len().max(self.signature_bytes), 0);
        signature.into()
    }

    /// What certifies a party. Everybody may have a copy of it.
    pub(crate) fn chain(self, name: &Name) -> Chain {
        self.chain_of(leaf(name, 0))
    }

    /// A certificate with all that certifies it.
    pub(crate) fn chain_of(self, leaf: Bytes) -> Chain {
        let rest = self.chain_bytes.saturating_sub(leaf.len());
        let issuer = (rest > 0).then(|| Bytes::from(vec![0; rest]));
        Chain::new([leaf].into_iter().chain(issuer).collect()).expect("it is short")
    }
}

/// The certificate that a party has after so many others, each with a key of its own.
pub(crate) fn leaf(name: &Name, renewals: u32) -> Bytes {
    match renewals {
        0 => Bytes::copy_from_slice(name.as_bytes()),
        _ => format!("{} {renewals}", name.as_dns()).into(),
    }
}

/// A certificate of a world is the name that it certifies, and a number if it is not the first.
impl Judge for Notary {
    fn certify(&self, chain: &Chain, name: &Name) -> Result<(), String> {
        let certified = chain.leaf().split(|byte| *byte == b' ').next();
        if certified == Some(name.as_bytes()) {
            return Ok(());
        }
        Err(format!("the certificate is not that of {name}"))
    }

    fn is_signed(&self, leaf: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.hash(leaf, message) == signature
    }
}

impl World {
    /// Gives a node another certificate with another key, which it signs with from now on. It stays up.
    pub fn recertify(&mut self, node: NodeId) {
        self.disturb(self.now);
        self.nodes[node.0].renewals += 1;
        self.node_batch(node.0, [NodeInput::Recertified]);
    }

    /// Makes signatures, and the certificates of one party together, at least so long from now on,
    /// as those of a real network are. A test that counts bytes wants that.
    pub fn set_paper_bytes(&mut self, signature: usize, certificates: usize) {
        (self.notary.signature_bytes, self.notary.chain_bytes) = (signature, certificates);
    }

    /// What certifies a node, whoever shows it.
    ///
    /// # Panics
    ///
    /// If `dns` is no certified name.
    #[must_use]
    pub fn certificate(&self, dns: &str) -> Chain {
        self.notary.chain(&dns.parse().expect("a certified name"))
    }

    /// Has a stranger sign a head, whomever that names.
    #[must_use]
    pub fn sign(&self, stranger: StrangerId, head: AnnouncementHead) -> SignedHead {
        let name = &self.strangers[stranger.0].name;
        let signature = self.notary.sign(name, &head.to_sign());
        SignedHead::new(head, signature)
    }

    /// The announcements that a node did not believe, in their order, with the peers that passed
    /// them on.
    #[must_use]
    pub fn refused(&self, node: NodeId) -> &[(Name, Refused)] {
        &self.nodes[node.0].refused
    }
}
