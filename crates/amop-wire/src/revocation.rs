//! What neighbours tell each other of revocation lists. What stands in a list is nobody's business here.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::MessageError;
use crate::announcement::check_count;
use crate::fields::bad;
use crate::generated::{self as pb, peer_header::Kind};
use crate::limits::AUTHORITIES_MAX;

/// An authority, as far as its signature is concerned: the SHA-256 of its name and its key under a domain tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorityId([u8; 32]);

/// Two neighbours speak of revocation lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationMessage {
    /// The lists that the sender goes by, and their numbers; at most [`AUTHORITIES_MAX`].
    Held(Vec<(AuthorityId, u64)>),
    /// Asks for the list of an authority.
    Pull(AuthorityId),
    /// The list of an authority.
    List(RevocationList),
}

/// A revocation list on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Whose it is said to be.
    pub authority: AuthorityId,
    /// The number that it is said to have.
    pub number: u64,
    /// The list itself, in DER.
    pub der: Bytes,
}

impl AuthorityId {
    /// The id of the authority with this subject and this public key (SubjectPublicKeyInfo), both in DER.
    #[must_use]
    pub fn of(subject: &[u8], public_key: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"AMOP-AUTHORITY-ID/v1\0");
        hash.update(subject); // DER says how long it is.
        hash.update(public_key);
        Self(hash.finalize().into())
    }

    fn read(field: &'static str, bytes: &[u8]) -> Result<Self, MessageError> {
        let bytes = bytes.try_into().map_err(|_| bad(field, "an authority's id has 32 bytes"))?;
        Ok(Self(bytes))
    }

    fn to_proto(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

/// All 64 hex digits.
impl fmt::Display for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads the 64 hex digits.
impl FromStr for AuthorityId {
    type Err = AuthorityIdError;

    fn from_str(text: &str) -> Result<Self, AuthorityIdError> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let digits: Option<Vec<u8>> = text.bytes().map(digit).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(AuthorityIdError)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

/// A text is no id of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of an authority has 64 hex digits")]
pub struct AuthorityIdError;

/// Shows the first 8 of 64 hex digits.
impl fmt::Debug for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "authority:{:.8}", self.to_string())
    }
}

impl RevocationMessage {
    pub(crate) fn to_kind(&self) -> Kind {
        match self {
            Self::Held(held) => {
                let list = |&(authority, number): &(AuthorityId, u64)| pb::HeldRevocations {
                    number: Some(number),
                    authority: authority.to_proto(),
                };
                Kind::RevocationsHeld(pb::RevocationsHeld {
                    lists: held.iter().map(list).collect(),
                })
            }
            Self::Pull(authority) => {
                Kind::RevocationPull(pb::RevocationPull { authority: authority.to_proto() })
            }
            Self::List(list) => Kind::RevocationList(pb::RevocationList {
                number: Some(list.number),
                authority: list.authority.to_proto(),
            }),
        }
    }

    pub(crate) fn read_held(held: &pb::RevocationsHeld) -> Result<Self, MessageError> {
        check_count("revocations_held.lists", held.lists.len(), AUTHORITIES_MAX)?;
        let list = |list: &pb::HeldRevocations| {
            let authority = AuthorityId::read("revocations_held.authority", &list.authority)?;
            Ok((authority, list.number.unwrap_or_default()))
        };
        Ok(Self::Held(held.lists.iter().map(list).collect::<Result<_, _>>()?))
    }

    pub(crate) fn read_pull(pull: &pb::RevocationPull) -> Result<Self, MessageError> {
        Ok(Self::Pull(AuthorityId::read("revocation_pull.authority", &pull.authority)?))
    }

    pub(crate) fn read_list(list: &pb::RevocationList, der: Bytes) -> Result<Self, MessageError> {
        let authority = AuthorityId::read("revocation_list.authority", &list.authority)?;
        Ok(Self::List(RevocationList { authority, number: list.number.unwrap_or_default(), der }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRL-1
    #[test]
    fn an_authority_is_known_by_its_name_and_its_key_and_its_id_is_read_as_it_is_shown() {
        let id = AuthorityId::of(b"name", b"key");
        assert_eq!(
            id.to_string(),
            "b5d53bf5b13eacc86caf69e08c62e6d6f257e3048c394adab2b405eafc13aac1"
        );
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [AuthorityId::of(b"name", b"kez"), AuthorityId::of(b"nbme", b"key")] {
            assert_ne!(id, other);
        }
        let text = id.to_string();
        for bad in ["", &text[1..], &format!("{text}0"), &text.replace(&text[..1], "g")] {
            assert_eq!(bad.parse::<AuthorityId>(), Err(AuthorityIdError), "{bad}");
        }
    }
}
