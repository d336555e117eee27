//! Certified names: who a party is, as its certificate says it.
//!
//! A leaf certificate carries one DNS name, `n1.node.bank-a.amop`, read from the left as label,
//! role, agency and consortium domain. The name is the identity: keys, machines and addresses may
//! change under it. People see the short form `bank-a/n1`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use crate::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX};

/// The certified name of a node or of a client: `label.role.agency.domain`.
///
/// Every part is a lower-case DNS label of 1 to [`LABEL_BYTES_MAX`] bytes out of `a-z`, `0-9` and
/// `-` (not first, not last); the domain may have several labels; the whole has at most
/// [`NAME_BYTES_MAX`] bytes. A clone is cheap: it shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<Parts>);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    /// The DNS form, checked: ASCII, at least four labels.
    dns: Box<str>,
    label_bytes: u8,
    agency_bytes: u8,
    role: Role,
}

/// What a certificate entitles its holder to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Links with other nodes and serves clients: the label `node`.
    Node,
    /// Attaches to a node: the label `sdk`.
    Sdk,
}

impl Name {
    /// Puts a name together from its parts.
    ///
    /// # Errors
    ///
    /// [`NameError`] names the part that is no DNS label.
    pub fn new(label: &str, role: Role, agency: &str, domain: &str) -> Result<Self, NameError> {
        for part in [label, agency].into_iter().chain(domain.split('.')) {
            check_label(part)?;
        }
        Self::from_dns(format!("{label}.{role}.{agency}.{domain}").as_bytes())
    }

    /// Reads the DNS form, `n1.node.bank-a.amop`.
    ///
    /// # Errors
    ///
    /// [`NameError`] names the part that is wrong.
    pub fn from_dns(dns: &[u8]) -> Result<Self, NameError> {
        if dns.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { bytes: dns.len() });
        }
        let Some((label_bytes, role, agency_bytes)) = measure(dns) else {
            return Err(what_is_wrong(dns));
        };
        let short = |bytes| u8::try_from(bytes).expect("labels are at most 63 bytes");
        let (label_bytes, agency_bytes) = (short(label_bytes), short(agency_bytes));
        let dns = std::str::from_utf8(dns).expect("it was measured: a name is ASCII").into();
        Ok(Self(Arc::new(Parts { dns, label_bytes, agency_bytes, role })))
    }

    /// The first part, unique within role and agency: `n1`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.as_dns()[..usize::from(self.0.label_bytes)]
    }

    /// What the holder may be.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// The institution: `bank-a`.
    #[must_use]
    pub fn agency(&self) -> &str {
        &self.as_dns()[self.agency_range()]
    }

    /// The consortium's suffix: `amop`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.as_dns()[self.agency_range().end + 1..]
    }

    /// The DNS subtree that belongs to the holder's agency: `bank-a.amop`.
    #[must_use]
    pub fn agency_subtree(&self) -> &str {
        &self.as_dns()[self.agency_range().start..]
    }

    /// The DNS name in the certificate: `n1.node.bank-a.amop`.
    #[must_use]
    pub fn as_dns(&self) -> &str {
        &self.0.dns
    }

    /// The bytes of the DNS name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.dns.as_bytes()
    }

    fn agency_range(&self) -> Range<usize> {
        let start = usize::from(self.0.label_bytes) + 1 + self.role().label().len() + 1;
        start..start + usize::from(self.0.agency_bytes)
    }
}

/// Shows the DNS form.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_dns())
    }
}

/// Prints the short form, `bank-a/n1`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.agency(), self.label())
    }
}

/// Parses the DNS form, `n1.node.bank-a.amop`.
impl FromStr for Name {
    type Err = NameError;

    fn from_str(dns: &str) -> Result<Self, NameError> {
        Self::from_dns(dns.as_bytes())
    }
}

impl Role {
    /// The role as it stands in a name.
    fn label(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Sdk => "sdk",
        }
    }
}

/// Prints the role as it stands in a name: `node` or `sdk`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl FromStr for Role {
    type Err = NameError;

    fn from_str(label: &str) -> Result<Self, NameError> {
        match label {
            "node" => Ok(Self::Node),
            "sdk" => Ok(Self::Sdk),
            other => Err(NameError::UnknownRole { found: shorten(other) }),
        }
    }
}

/// Why a text is no certified name. The text comes from outside; it is cut before it is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not UTF-8.
    #[error("the name is no text")]
    NotText,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("name of {bytes} bytes is over the limit of {NAME_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Fewer than label, role, agency and domain.
    #[error("`{dns}` is not of the form label.role.agency.domain")]
    TooFewParts {
        /// The text, cut to a printable length.
        dns: String,
    },
    /// The second part is neither `node` nor `sdk`.
    #[error("`{found}` is no role; a role is `node` or `sdk`")]
    UnknownRole {
        /// What stood there, cut to a printable length.
        found: String,
    },
    /// A part is empty, too long, or has a character that a DNS label may not have.
    #[error("`{found}` is no label of 1 to {LABEL_BYTES_MAX} characters out of a-z, 0-9 and -")]
    BadLabel {
        /// What stood there, cut to a printable length.
        found: String,
    },
}

fn check_label(label: &str) -> Result<(), NameError> {
    let edges_ok = !label.starts_with('-') && !label.ends_with('-');
    let bytes_ok = label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if edges_ok && bytes_ok && (1..=LABEL_BYTES_MAX).contains(&label.len()) {
        Ok(())
    } else {
        Err(NameError::BadLabel { found: shorten(label) })
    }
}

/// Finds the length of the label, the role, and the length of the agency, if all of it is a name.
fn measure(dns: &[u8]) -> Option<(usize, Role, usize)> {
    let mut ends = [0; 3]; // Of label, role and agency.
    let (mut labels, mut start, mut before) = (0, 0, b'.');
    for (at, &byte) in dns.iter().chain(b".").enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => {}
            b'-' if before != b'.' => {}
            b'.' if before != b'.' && before != b'-' && at - start <= LABEL_BYTES_MAX => {
                if let Some(end) = ends.get_mut(labels) {
                    *end = at;
                }
                (labels, start) = (labels + 1, at + 1);
            }
            _ => return None,
        }
        before = byte;
    }
    let [label_end, role_end, agency_end] = ends;
    let role = match dns.get(label_end + 1..role_end)? {
        b"node" => Role::Node,
        b"sdk" => Role::Sdk,
        _ => return None,
    };
    let agency_bytes = agency_end.checked_sub(role_end + 1)?;
    (labels >= 4).then_some((label_end, role, agency_bytes))
}

/// Finds the first thing that is wrong with a name.
fn what_is_wrong(dns: &[u8]) -> NameError {
    let Ok(text) = std::str::from_utf8(dns) else { return NameError::NotText };
    let mut parts = text.splitn(4, '.');
    let (Some(label), Some(role), Some(agency), Some(domain)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return NameError::TooFewParts { dns: shorten(text) };
    };
    let labels = [label, agency].into_iter().chain(domain.split('.'));
    let error =
        role.parse::<Role>().err().or_else(|| labels.filter_map(|l| check_label(l).err()).next());
    error.unwrap_or_else(|| NameError::BadLabel { found: shorten(text) })
}

/// Cuts and escapes what a remote wrote, so that it can stand in a log line.
fn shorten(text: &str) -> String {
    text.chars().take(LABEL_BYTES_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_reads_back_as_it_was_written() {
        let name: Name = "n1.node.bank-a.amop".parse().unwrap();
        assert_eq!(name, Name::new("n1", Role::Node, "bank-a", "amop").unwrap());
        assert_eq!(name.as_dns(), "n1.node.bank-a.amop");
        assert_eq!(name.to_string(), "bank-a/n1");
        assert_eq!(name.agency_subtree(), "bank-a.amop");
    }

    #[test]
    fn a_domain_may_have_several_labels() {
        let name: Name = "pay.sdk.bank-a.east.amop".parse().unwrap();
        assert_eq!((name.role(), name.domain()), (Role::Sdk, "east.amop"));
    }

    #[test]
    fn what_is_no_name_is_refused_by_the_part_that_is_wrong() {
        let error = |text: &str| text.parse::<Name>().unwrap_err();
        assert!(matches!(error("n1.node.bank-a"), NameError::TooFewParts { .. }));
        assert!(matches!(error("n1.boss.bank-a.amop"), NameError::UnknownRole { .. }));
        assert!(matches!(error("N1.node.bank-a.amop"), NameError::BadLabel { .. }));
        assert!(matches!(error("n1.node.-bank.amop"), NameError::BadLabel { .. }));
        assert!(matches!(error("n1.node.bank-a."), NameError::BadLabel { .. }));
        let long = format!("{}.node.a.amop", "n".repeat(LABEL_BYTES_MAX + 1));
        assert!(matches!(error(&long), NameError::BadLabel { .. }));
        let rest = format!("node.a.{}b", "x.".repeat((NAME_BYTES_MAX - 11) / 2));
        assert_eq!(error(&format!("n12.{rest}")), NameError::TooLong { bytes: NAME_BYTES_MAX + 1 });
        assert!(format!("n1.{rest}").parse::<Name>().is_ok());
        let fits = format!("{}.node.a.amop", "n".repeat(LABEL_BYTES_MAX));
        assert!(fits.parse::<Name>().is_ok());
    }

    proptest! {
        #[test]
        fn the_one_pass_takes_exactly_what_the_rules_say(
            text in "([a-zA0-]{0,3}|sdk|node|[n-]{62,64})(\\.([a-b0-]{0,3}|sdk|node)){0,5}",
        ) {
            let mut parts = text.splitn(4, '.');
            let label = |part: Option<&str>| part.is_some_and(|part| check_label(part).is_ok());
            let good = label(parts.next())
                && parts.next().is_some_and(|role| role.parse::<Role>().is_ok())
                && label(parts.next())
                && parts.next().is_some_and(|domain| domain.split('.').all(|part| label(Some(part))));
            let name = text.parse::<Name>();
            prop_assert_eq!(name.is_ok(), good, "{}", text);
            if let Ok(name) = name {
                let parts = [name.label(), name.role().label(), name.agency(), name.domain()];
                prop_assert_eq!(parts.join("."), text);
            }
        }
    }

    #[test]
    fn an_error_cannot_smuggle_control_characters_into_a_log() {
        let error = "a\nb.node.x.y".parse::<Name>().unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}
