//! What is said about a certificate that was refused, in the same words on both sides.
//!
//! The sentence travels in the reason phrase of QUIC's CONNECTION_CLOSE. TLS and QUIC put prefixes
//! before it, so the other side looks for where the sentence begins.

use std::fmt;

use amop_wire::{Name, NameError, Role};
use rustls_pki_types::UnixTime;
use webpki::Error as ChainError;
use x509_parser::time::ASN1Time;

use crate::kind::Side;

/// A refused certificate: `certificate n1.node.bank-x.amop refused: not issued by a trusted root`.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{BEGIN}{} refused: {why}", Named(&self.names))]
pub(crate) struct Verdict {
    /// Every DNS name in the certificate, whatever it is worth.
    pub(crate) names: Vec<String>,
    pub(crate) why: Refusal,
}

/// Prints the sentence: TLS prints some of its errors by `Debug`.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it cannot be read")]
    Unreadable,
    #[error("not issued by a trusted root")]
    UnknownRoot,
    #[error("expired on {}", Date(*.on))]
    Expired { on: UnixTime },
    #[error("the certificate of its issuer expired on {}", Date(*.on))]
    IssuerExpired { on: UnixTime },
    #[error("not valid before {}", Date(*.until))]
    NotYetValid { until: UnixTime },
    #[error("the certificate of its issuer is not valid before {}", Date(*.until))]
    IssuerNotYetValid { until: UnixTime },
    #[error("revoked on {}", Date(*.on))]
    Revoked { on: UnixTime },
    #[error("the certificate of its issuer was revoked on {}", Date(*.on))]
    IssuerRevoked { on: UnixTime },
    #[error("the list of what {issuer} has revoked ended on {}", Date(*.on))]
    StaleList { issuer: String, on: UnixTime },
    #[error("the list of what {issuer} has revoked is not signed by it")]
    ForgedList { issuer: String },
    #[error("not made for {}", purpose(*.of))]
    WrongPurpose { of: Side },
    #[error("its name is not among those that its issuer may certify")]
    OutsideConstraint,
    #[error("its issuer is no certificate authority")]
    IssuerIsNoAuthority,
    #[error("its chain is longer than an authority in it allows")]
    ChainTooLong,
    #[error("it is a certificate authority, not a party")]
    IsAuthority,
    #[error("it has no DNS name")]
    NoName,
    #[error("it has {count} DNS names, not one")]
    ManyNames { count: usize },
    #[error("bad name: {0}")]
    BadName(NameError),
    #[error("its issuer is not limited to one agency")]
    IssuerOfAnyAgency,
    #[error("its issuer may certify {}, not the agency in its name", tidy(.subtree.as_bytes()))]
    IssuerOfOtherAgency { subtree: String },
    #[error("its role is {found}, but this link takes {wanted}")]
    WrongRole { found: Role, wanted: Role },
    #[error("expected {}", .expected.as_dns())]
    UnexpectedName { expected: Name },
    #[error("its chain is not valid ({0:?})")]
    Chain(ChainError),
}

impl Refusal {
    /// What a fault in the chain means. `leaf_dates` are those of the refused certificate, to
    /// tell whether it is itself out of date or an issuer.
    #[expect(deprecated, reason = "the deprecated variants may still be returned")]
    pub(crate) fn from_chain_error(
        error: ChainError,
        side: Side,
        leaf_dates: (UnixTime, UnixTime),
    ) -> Self {
        match error {
            ChainError::UnknownIssuer | ChainError::InvalidSignatureForPublicKey => {
                Self::UnknownRoot
            }
            ChainError::CertExpired { not_after: on, .. } if on == leaf_dates.1 => {
                Self::Expired { on }
            }
            ChainError::CertExpired { not_after: on, .. } => Self::IssuerExpired { on },
            ChainError::CertNotValidYet { not_before: until, .. } if until == leaf_dates.0 => {
                Self::NotYetValid { until }
            }
            ChainError::CertNotValidYet { not_before: until, .. } => {
                Self::IssuerNotYetValid { until }
            }
            ChainError::RequiredEkuNotFound
            | ChainError::RequiredEkuNotFoundContext(_)
            | ChainError::EmptyEkuExtension => Self::WrongPurpose { of: side },
            ChainError::NameConstraintViolation => Self::OutsideConstraint,
            ChainError::EndEntityUsedAsCa => Self::IssuerIsNoAuthority,
            ChainError::PathLenConstraintViolated | ChainError::MaximumPathDepthExceeded => {
                Self::ChainTooLong
            }
            ChainError::CaUsedAsEndEntity => Self::IsAuthority,
            other => Self::Chain(other),
        }
    }
}

/// Finds the sentence about a refused certificate in what TLS or the peer gave as the reason.
pub(crate) fn sentence_in(reason: &str) -> Option<&str> {
    let sentence = &reason[reason.find(BEGIN)?..];
    sentence.contains(" refused: ").then_some(sentence)
}

/// Makes what a remote wrote fit to stand in a log line: no control characters, and not endless.
pub(crate) fn tidy(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|c| !c.is_control()).take(REMOTE_TEXT_CHARS_MAX).collect()
}

struct Named<'a>(&'a [String]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("without a name"),
            [name] => f.write_str(&tidy(name.as_bytes())),
            [name, ..] => write!(f, "{} and others", tidy(name.as_bytes())),
        }
    }
}

struct Date(UnixTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX);
        match ASN1Time::from_timestamp(seconds) {
            Ok(time) => time.to_datetime().date().fmt(f),
            Err(_) => write!(f, "second {seconds} since 1970"),
        }
    }
}

fn purpose(side: Side) -> &'static str {
    match side {
        Side::Dialer => "dialing",
        Side::Acceptor => "accepting links",
    }
}

const BEGIN: &str = "certificate ";

/// Longest text of a remote that we repeat, in characters.
const REMOTE_TEXT_CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn verdict(names: &[&str], why: Refusal) -> Verdict {
        Verdict { names: names.iter().map(ToString::to_string).collect(), why }
    }

    #[test]
    fn a_refusal_is_one_sentence_that_names_the_certificate_and_the_reason() {
        let on = UnixTime::since_unix_epoch(Duration::from_secs(1_767_312_000));
        let name = "n1.node.bank-x.amop";
        assert_eq!(
            verdict(&[name], Refusal::Expired { on }).to_string(),
            "certificate n1.node.bank-x.amop refused: expired on 2026-01-02"
        );
        assert_eq!(
            verdict(&[], Refusal::NoName).to_string(),
            "certificate without a name refused: it has no DNS name"
        );
        let forever = UnixTime::since_unix_epoch(Duration::MAX);
        let text = verdict(&[name], Refusal::Expired { on: forever }).to_string();
        assert!(text.contains("expired on second 9223372036854775807"), "{text}");
    }

    #[test]
    fn the_sentence_is_found_behind_the_prefixes_of_tls() {
        let sentence = verdict(&["a.b"], Refusal::UnknownRoot).to_string();
        assert_eq!(sentence_in(&format!("other error: {sentence}")), Some(sentence.as_str()));
        assert_eq!(sentence_in("invalid peer certificate: BadSignature"), None);
        assert_eq!(sentence_in(""), None);
    }

    #[test]
    fn what_a_remote_wrote_cannot_break_a_log_line() {
        assert_eq!(tidy(b"a\nb\x1b[31mc"), "ab[31mc");
        let long = tidy(&[b'x'; 10_000]);
        assert_eq!(long.len(), REMOTE_TEXT_CHARS_MAX);
    }
}
