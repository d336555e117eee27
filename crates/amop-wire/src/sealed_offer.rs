//! An offer on a private topic: what nodes need to pass it on, and what only its receiver can read.

use bytes::Bytes;
use prost::Message as _;

use crate::fields::{bad, name, text, topic};
use crate::file_message::{put_offer, read_offer};
use crate::generated as pb;
use crate::limits::SEALED_OFFER_BYTES_MAX;
use crate::{FileBody, FileOffer, MessageError, Name, Topic};

/// An offer that only its receiver can read (FILE-14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedOffer {
    /// Who sends, as its node attests it.
    pub from: Name,
    /// To what.
    pub topic: Topic,
    /// At most [`SEALED_OFFER_BYTES_MAX`] bytes, sealed.
    pub sealed: Bytes,
}

impl FileOffer {
    /// What of it is to be sealed: all but who sends, and to what.
    #[must_use]
    pub fn to_secret(&self) -> Vec<u8> {
        let (from, topic) = (Bytes::new(), Bytes::new());
        pb::FileOffer { from, topic, ..put_offer(None, self) }.encode_to_vec()
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    ///
    /// [`MessageError`] says what is wrong; its sender broke the protocol.
    pub fn from_secret(secret: &[u8], from: &Name, topic: &Topic) -> Result<Self, MessageError> {
        let offer = pb::FileOffer::decode(secret).map_err(MessageError::Malformed)?;
        let (from, topic) = (text(from.as_bytes()), text(topic.as_bytes()));
        read_offer(&pb::FileOffer { from, topic, ..offer })
    }
}

pub(crate) fn read_sealed_offer(
    offer: &pb::FileSealedOffer,
    sealed: Bytes,
) -> Result<FileBody, MessageError> {
    if sealed.len() > SEALED_OFFER_BYTES_MAX {
        let why = format!("{} bytes are over the limit of {SEALED_OFFER_BYTES_MAX}", sealed.len());
        return Err(bad("file_sealed_offer", why));
    }
    Ok(FileBody::SealedOffer(Box::new(SealedOffer {
        from: name("file_sealed_offer.from", &offer.from)?,
        topic: topic("file_sealed_offer.topic", &offer.topic)?,
        sealed,
    })))
}
