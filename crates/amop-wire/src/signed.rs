//! What a node signs of its announcement, and the certificates that say whose signature it is.
//!
//! A signature covers a short head, not the announcement: the head says by a digest what the
//! announcement is. So whoever holds the announcement and applies changes to it can check the
//! result, and can pass on the whole of it, with no other bytes of its origin than these.
//!
//! Nothing is verified here. The head keeps the bytes that were signed, whatever a newer version
//! may have added to them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::announcement::check_count;
use crate::fields::{bad, name, text};
use crate::generated as pb;
use crate::limits::{CHAIN_BYTES_MAX, CHAIN_CERTIFICATES_MAX, HEAD_BYTES_MAX, SIGNATURE_BYTES_MAX};
use crate::{Epoch, MessageError, Name, NodeId, Seq, Version};

/// What the neighbours and topics of one version of an announcement are, in 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetDigest([u8; 32]);

/// Which version of whose announcement it is, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementHead {
    /// The certified name of the node that announces.
    pub name: Name,
    /// Which version.
    pub version: Version,
    /// What it says.
    pub digest: SetDigest,
}

/// A head with the signature of the node that it names, as long as that was verified. Equal only if
/// encoded alike too. A clone is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedHead(Arc<Signed>);

#[derive(PartialEq, Eq)]
struct Signed {
    head: AnnouncementHead,
    node: NodeId,
    encoded: Bytes,
    signature: Bytes,
}

/// A certificate and its issuers up to but without the root, in DER. A clone is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Chain(Arc<[Bytes]>);

/// Certificates are no chain that can be told to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{count} certificates of {bytes} bytes are not 1 to {CHAIN_CERTIFICATES_MAX} of at most \
     {CHAIN_BYTES_MAX} bytes"
)]
pub struct BadChain {
    /// How many there are.
    pub count: usize,
    /// How long they are together.
    pub bytes: usize,
}

impl SetDigest {
    /// The digest with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes for the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows the first 8 of 64 hex digits.
impl fmt::Debug for SetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl AnnouncementHead {
    /// What the node signs: no signature that it makes for another purpose begins alike.
    #[must_use]
    pub fn to_sign(&self) -> Vec<u8> {
        to_sign(&self.encode())
    }

    fn encode(&self) -> Bytes {
        let head = pb::AnnouncementHead {
            epoch: Some(self.version.epoch.0),
            seq: Some(self.version.seq.0),
            name: text(self.name.as_bytes()),
            digest: text(self.digest.as_bytes()),
        };
        head.encode_to_vec().into()
    }

    fn decode(encoded: Bytes) -> Result<Self, MessageError> {
        let read = pb::AnnouncementHead::decode(encoded).map_err(MessageError::Malformed)?;
        let digest = read.digest.as_ref().try_into();
        Ok(Self {
            name: name("head.name", &read.name)?,
            version: Version {
                epoch: Epoch(read.epoch.unwrap_or_default()),
                seq: Seq(read.seq.unwrap_or_default()),
            },
            digest: SetDigest(digest.map_err(|_| bad("head.digest", "a digest has 32 bytes"))?),
        })
    }
}

impl SignedHead {
    /// Puts a signature of at most [`SIGNATURE_BYTES_MAX`] bytes to a head.
    #[must_use]
    pub fn new(head: AnnouncementHead, signature: Bytes) -> Self {
        let (node, encoded) = (NodeId::of(&head.name), head.encode());
        Self(Arc::new(Signed { head, node, encoded, signature }))
    }

    /// The node that announces.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// The certified name of that node.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0.head.name
    }

    /// Which version of its announcement this is.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.head.version
    }

    /// What the announcement says.
    #[must_use]
    pub fn digest(&self) -> SetDigest {
        self.0.head.digest
    }

    /// What was signed.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        to_sign(&self.0.encoded)
    }

    /// The signature over [`signed_bytes`](Self::signed_bytes).
    #[must_use]
    pub fn signature(&self) -> &Bytes {
        &self.0.signature
    }

    pub(crate) fn to_proto(&self) -> pb::SignedHead {
        pb::SignedHead { head: self.0.encoded.clone(), signature: self.0.signature.clone() }
    }

    pub(crate) fn read(signed: Option<pb::SignedHead>) -> Result<Self, MessageError> {
        let pb::SignedHead { head: encoded, signature } = signed.unwrap_or_default();
        check_count("signed.head", encoded.len(), HEAD_BYTES_MAX)?;
        check_count("signed.signature", signature.len(), SIGNATURE_BYTES_MAX)?;
        // They are kept for as long as the node is known, the frame that they came in is not.
        let (encoded, signature) = (text(&encoded), text(&signature));
        let head = AnnouncementHead::decode(encoded.clone())?;
        let node = NodeId::of(&head.name);
        Ok(Self(Arc::new(Signed { head, node, encoded, signature })))
    }
}

impl fmt::Debug for SignedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedHead").field(&self.0.head).finish_non_exhaustive()
    }
}

impl Chain {
    /// Takes the certificate itself and then its issuers.
    ///
    /// # Errors
    ///
    /// [`BadChain`] if there are none, too many, or too long ones.
    pub fn new(certificates: Vec<Bytes>) -> Result<Self, BadChain> {
        let (count, bytes) = (certificates.len(), certificates.iter().map(Bytes::len).sum());
        if !(1..=CHAIN_CERTIFICATES_MAX).contains(&count) || bytes > CHAIN_BYTES_MAX {
            return Err(BadChain { count, bytes });
        }
        Ok(Self(certificates.into()))
    }

    /// The certificate of the party itself.
    #[must_use]
    pub fn leaf(&self) -> &Bytes {
        self.0.first().expect("a chain has a certificate")
    }

    /// The certificates of its issuers.
    #[must_use]
    pub fn issuers(&self) -> &[Bytes] {
        &self.0[1..]
    }

    pub(crate) fn to_proto(&self) -> Vec<Bytes> {
        self.0.to_vec()
    }

    pub(crate) fn read(certificates: &[Bytes]) -> Result<Self, MessageError> {
        let detached = certificates.iter().map(|one| text(one)).collect();
        Self::new(detached).map_err(|error| bad("snapshot.certificates", error.to_string()))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({} certificates)", self.0.len())
    }
}

fn to_sign(head: &[u8]) -> Vec<u8> {
    [DOMAIN, head].concat()
}

/// What every signature of a head begins with.
const DOMAIN: &[u8] = b"AMOP-ANNOUNCEMENT/v1\0";
