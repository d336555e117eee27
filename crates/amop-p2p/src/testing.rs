//! Certificates and messages for the tests in this crate's own files.

use std::sync::LazyLock;
use std::time::SystemTime;

use amop_pki::{Leaf, LeafProfile, Root};
use amop_wire::{Frame, Lane, Message, MessageError};
use bytes::{Bytes, BytesMut};

use crate::identity::Identity;
use crate::trust::Trust;

static ROOT: LazyLock<Root> =
    LazyLock::new(|| Root::new("Test Consortium", "amop", now()).unwrap());

#[expect(clippy::disallowed_methods, reason = "certificates must count at the real time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

pub(crate) fn leaf(dns: &str) -> Leaf {
    let name: amop_wire::Name = dns.parse().unwrap();
    ROOT.agency(name.agency(), now()).unwrap().issue(&name, now()).unwrap()
}

/// A certificate of bank-a with whatever the profile says.
pub(crate) fn custom_leaf(profile: &LeafProfile) -> Leaf {
    ROOT.agency("bank-a", now()).unwrap().issue_custom(profile, now()).unwrap()
}

pub(crate) fn identity(dns: &str) -> Identity {
    let leaf = leaf(dns);
    Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap()
}

pub(crate) fn trust() -> Trust {
    Trust::from_pem(ROOT.certificate_pem().as_bytes()).unwrap()
}

/// A message of any shape.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) lane: Lane,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Bytes,
}

impl Message for Note {
    fn lane(&self) -> Lane {
        self.lane
    }

    fn put_header(&self, buf: &mut BytesMut) {
        buf.extend_from_slice(&self.header);
    }

    fn payload(&self) -> &Bytes {
        &self.payload
    }

    fn from_frame(_: Frame) -> Result<Self, MessageError> {
        Err(MessageError::UnknownKind)
    }
}
