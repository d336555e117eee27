//! Keys at the border of the node: signs what it announces, and judges what others do.
//!
//! The core decides what is to be judged by which certificate, see [`Node::admit`]; here are the keys
//! and the roots.
//!
//! [`Node::admit`]: amop_core::node::Node::admit

use amop_core::node::{Input, Judge};
use amop_p2p::{Identity, Notary, SignError, Trust};
use amop_wire::{BadChain, Chain, Name};
use bytes::Bytes;

use crate::epoch::wall_clock;

#[derive(Debug)]
pub(crate) struct Border {
    identity: Identity,
    chain: Chain,
    notary: Notary,
}

impl Border {
    pub(crate) fn new(identity: Identity, trust: &Trust) -> Result<Self, BadChain> {
        let chain = chain_of(&identity)?;
        let notary = Notary::new(trust);
        Ok(Self { identity, chain, notary })
    }

    /// Signs by another certificate from now on.
    pub(crate) fn recertify(&mut self, identity: Identity) -> Result<(), BadChain> {
        self.chain = chain_of(&identity)?;
        self.identity = identity;
        Ok(())
    }

    /// Who the node is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Answers what the core waits for.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Input, SignError> {
        let signature = self.identity.sign(message)?.into();
        Ok(Input::Signed { signature, chain: self.chain.clone() })
    }
}

/// What others are told of it.
pub(crate) fn chain_of(identity: &Identity) -> Result<Chain, BadChain> {
    Chain::new(identity.chain().map(Bytes::copy_from_slice).collect())
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

#[cfg(test)]
mod tests {
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
}
