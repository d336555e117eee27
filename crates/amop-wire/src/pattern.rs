//! Patterns of names and topics, in which an operator says whom and what a rule is about.
//!
//! A `*` stands for any number of characters, none included: in a name within one part of it, in a topic
//! anywhere, since topics have no parts. Nothing else is special, and `*` cannot be written otherwise: the
//! pattern of a topic with a `*` in its text fits other topics too.

use std::fmt;
use std::str::FromStr;

use crate::limits::{NAME_BYTES_MAX, TOPIC_BYTES_MAX};
use crate::{Name, Role};

/// Whose names fit: `payments.sdk.bank-a.amop`, `*.sdk.bank-a.amop`, `agency:bank-a` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    text: Box<str>,
    whom: Whom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Everybody,
    Agency,
    Parts,
}

/// How many of the clients of one agency a pattern fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Nobody.
    None,
    /// Those with some labels.
    Some,
    /// Everybody.
    All,
}

impl NamePattern {
    /// Whether it fits a name.
    #[must_use]
    pub fn fits(&self, name: &Name) -> bool {
        match self.whom {
            Whom::Everybody => true,
            Whom::Agency => self.is_of_agency_of(name),
            Whom::Parts => {
                let mut patterns = self.text.split('.');
                let mut parts = name.as_dns().split('.');
                loop {
                    match (patterns.next(), parts.next()) {
                        (None, None) => return true,
                        (Some(pattern), Some(part)) if fits(pattern, part) => {}
                        _ => return false,
                    }
                }
            }
        }
    }

    /// How many of the clients it fits that may exist in the agency of this name.
    #[must_use]
    pub fn share_of_clients(&self, member: &Name) -> Share {
        match self.whom {
            Whom::Everybody => Share::All,
            Whom::Agency if self.is_of_agency_of(member) => Share::All,
            Whom::Agency => Share::None,
            Whom::Parts => {
                let (label, rest) = self.text.split_once('.').unwrap_or_default();
                let (role, agency) = rest.split_once('.').unwrap_or_default();
                let mut pairs = agency.split('.').zip(member.agency_subtree().split('.'));
                let parts = |text: &str| text.split('.').count();
                let is_its = fits(role, "sdk")
                    && parts(agency) == parts(member.agency_subtree())
                    && pairs.all(|(pattern, part)| fits(pattern, part));
                match is_its {
                    false => Share::None,
                    true if label.chars().all(|char| char == '*') => Share::All,
                    true => Share::Some,
                }
            }
        }
    }

    fn is_of_agency_of(&self, name: &Name) -> bool {
        let agency = self.text.strip_prefix(AGENCY).unwrap_or_default();
        agency == name.agency() || agency == name.agency_subtree()
    }
}

impl FromStr for NamePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let whom = match text.strip_prefix(AGENCY) {
            _ if text == "*" => Whom::Everybody,
            Some(agency) => {
                let domain = agency.split_once('.').map_or("amop", |(_, domain)| domain);
                let label = agency.split('.').next().unwrap_or_default();
                Name::new("n1", Role::Node, label, domain).map_err(|_| PatternError)?;
                Whom::Agency
            }
            None => {
                let parts: Vec<&str> = text.split('.').collect();
                let of_part = |char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '*');
                let is_part = |part: &&str| !part.is_empty() && part.chars().all(of_part);
                let is_role = |part: &str| ["node", "sdk"].iter().any(|role| fits(part, role));
                let is_good = text.len() <= NAME_BYTES_MAX
                    && parts.len() >= 4
                    && parts.iter().all(is_part)
                    && is_role(parts[1]);
                if !is_good {
                    return Err(PatternError);
                }
                Whom::Parts
            }
        };
        Ok(Self { text: text.into(), whom })
    }
}

/// Prints what was parsed.
impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which topics fit: `quote`, `settle/*` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPattern(Box<str>);

impl TopicPattern {
    /// Whether it fits a topic.
    #[must_use]
    pub fn fits(&self, topic: &str) -> bool {
        fits(&self.0, topic)
    }
}

impl FromStr for TopicPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let is_good = !text.is_empty()
            && text.len() <= TOPIC_BYTES_MAX
            && !text.chars().any(char::is_control)
            && text.trim() == text;
        if is_good { Ok(Self(text.into())) } else { Err(PatternError) }
    }
}

/// Prints what was parsed.
impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no pattern: nothing could ever fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no pattern")]
pub struct PatternError;

/// Whether a text fits a pattern. Takes no longer than the product of both lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // Behind the last `*`, and from where on the text is tried against what stands there.
    let mut retry: Option<(usize, usize)> = None;
    while read < text.len() {
        match (pattern.get(at), retry) {
            (Some(b'*'), _) => {
                at += 1;
                retry = Some((at, read));
            }
            (Some(byte), _) if *byte == text[read] => {
                at += 1;
                read += 1;
            }
            (_, Some((after, from))) => {
                at = after;
                read = from + 1;
                retry = Some((after, read));
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// What stands before the name of an agency.
const AGENCY: &str = "agency:";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fitting(pattern: &str) -> Vec<&'static str> {
        let pattern: NamePattern = pattern.parse().unwrap();
        let names = [
            "pay.sdk.bank-a.amop",
            "pay-2.sdk.bank-a.amop",
            "pay.sdk.bank-b.amop",
            "n1.node.bank-a.amop",
            "pay.sdk.bank-a.east.amop",
        ];
        names.into_iter().filter(|name| pattern.fits(&name.parse().unwrap())).collect()
    }

    #[test]
    fn a_star_in_a_name_stays_within_its_part() {
        assert_eq!(fitting("pay.sdk.bank-a.amop"), ["pay.sdk.bank-a.amop"]);
        assert_eq!(fitting("pay*.sdk.bank-a.amop").len(), 2);
        assert_eq!(fitting("*.*.bank-a.amop").len(), 3);
        assert_eq!(fitting("*.sdk.*.amop").len(), 3, "one part, not two");
        assert_eq!(fitting("*.sdk.bank-a.*.amop"), ["pay.sdk.bank-a.east.amop"]);
        assert_eq!(fitting("*").len(), 5);
        assert_eq!(fitting("agency:bank-a").len(), 4);
        assert_eq!(fitting("agency:bank-a.amop").len(), 3);
        assert_eq!(fitting("agency:bank"), [""; 0]);
    }

    #[test]
    fn what_nothing_could_fit_is_no_pattern() {
        for text in ["", "bank-a", "pay.sdk.bank-a", "pay.app.bank-a.amop", "agency:", "agency:*"] {
            assert_eq!(text.parse::<NamePattern>(), Err(PatternError), "{text}");
        }
        for text in ["Pay.sdk.bank-a.amop", "pay..bank-a.amop", "**sdk.bank-a.amop ", "agency:A"] {
            assert_eq!(text.parse::<NamePattern>(), Err(PatternError), "{text}");
        }
        let long = "x".repeat(TOPIC_BYTES_MAX + 1);
        for text in ["", " quote", "a\nb", &long] {
            assert_eq!(text.parse::<TopicPattern>(), Err(PatternError), "{text}");
        }
        assert!(long[1..].parse::<TopicPattern>().is_ok());
    }

    #[test]
    fn it_is_known_how_many_clients_of_an_agency_a_pattern_fits() {
        let share = |pattern: &str| {
            let pattern: NamePattern = pattern.parse().unwrap();
            pattern.share_of_clients(&"n1.node.bank-a.amop".parse().unwrap())
        };
        for all in ["*", "agency:bank-a", "*.sdk.bank-a.amop", "*.*.*.amop"] {
            assert_eq!(share(all), Share::All, "{all}");
        }
        for some in ["pay.sdk.bank-a.amop", "p*.s*.bank-a.amop"] {
            assert_eq!(share(some), Share::Some, "{some}");
        }
        for none in ["agency:bank-b", "*.node.bank-a.amop", "*.sdk.bank-a.amop.x", "*.sdk.b.amop"] {
            assert_eq!(share(none), Share::None, "{none}");
        }
    }

    /// The plain way, which may take for ever.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|from| slowly(rest, &text[from..])),
            Some((byte, rest)) => text.first() == Some(byte) && slowly(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_says(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(fits(&pattern, &text), slowly(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
