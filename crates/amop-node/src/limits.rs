//! The section `[limits]`: how fast clients may publish.
//!
//! Every rate is written with its unit, since a bare number would be read as bytes by one and as bits by
//! another. A limit that is not there is none; zero is refused rather than taken for either.

use std::path::Path;

use amop_core::node::{Pace, Rate, Rates};
use amop_wire::limits::PAYLOAD_BYTES_MAX;
use serde::Deserialize;

use crate::config::ConfigError;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    session: PaceSection,
    agency: PaceSection,
    node: PaceSection,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PaceSection {
    bytes: Option<String>,
    bytes_burst: Option<String>,
    messages: Option<String>,
    messages_burst: Option<u64>,
}

impl LimitsSection {
    pub(crate) fn check(&self, file: &Path) -> Result<Rates, ConfigError> {
        Ok(Rates {
            session: self.session.check(file, "session")?,
            agency: self.agency.check(file, "agency")?,
            node: self.node.check(file, "node")?,
        })
    }
}

impl PaceSection {
    fn check(&self, file: &Path, section: &str) -> Result<Pace, ConfigError> {
        let bad = |key: &str, found: &dyn std::fmt::Display, wanted| ConfigError::BadLimit {
            file: file.into(),
            key: format!("limits.{section}.{key}").into(),
            found: found.to_string().into(),
            wanted,
        };
        let text = |key: &str, text: &Option<String>, unit: fn(&str) -> Option<u64>, wanted| {
            let read = |text: &String| unit(text).ok_or_else(|| bad(key, text, wanted));
            text.as_ref().map(read).transpose()
        };
        let bytes = text("bytes", &self.bytes, bytes_a_second, "a rate such as \"10 MB/s\"")?;
        let burst = text("bytes_burst", &self.bytes_burst, size, "a size such as \"5 MB\"")?;
        let messages =
            text("messages", &self.messages, messages_a_second, "a rate such as \"1000/s\"")?;
        if let Some(0) = self.messages_burst {
            return Err(bad(
                "messages_burst",
                &0,
                "at least 1; leave it out for one second's worth",
            ));
        }
        if let (None, Some(burst)) = (bytes, &self.bytes_burst) {
            return Err(bad("bytes_burst", burst, "`bytes` beside it"));
        }
        if let (None, Some(burst)) = (messages, &self.messages_burst) {
            return Err(bad("messages_burst", burst, "`messages` beside it"));
        }
        let one_message = PAYLOAD_BYTES_MAX as u64;
        Ok(Pace {
            bytes: bytes.map(|per_second| Rate {
                per_second,
                burst: burst.unwrap_or(per_second.max(one_message)),
            }),
            messages: messages.map(|per_second| Rate {
                per_second,
                burst: self.messages_burst.unwrap_or(per_second),
            }),
        })
    }
}

pub(crate) fn bytes_a_second(text: &str) -> Option<u64> {
    size(text.strip_suffix("/s")?)
}

pub(crate) fn messages_a_second(text: &str) -> Option<u64> {
    positive(text.strip_suffix("/s")?.trim_end())
}

/// Reads a whole number and its unit, with or without a space between them.
pub(crate) fn size(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit.trim_start())?;
    positive(number)?.checked_mul(factor)
}

fn positive(number: &str) -> Option<u64> {
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|&number| is_number && number > 0)
}

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_whole_number_and_a_unit() {
        let sizes = ["1 B", "7kB", "10 MB", "2 GB", "1 KiB", "3 MiB", "1 GiB"].map(size);
        let bytes = [1, 7000, 10_000_000, 2_000_000_000, 1024, 3_145_728, 1_073_741_824];
        assert_eq!(sizes, bytes.map(Some));
        let wrong = ["", "10", "MB", "0 MB", "1.5 MB", "-1 B", "+1 B", "1 mb", "1 Mbit", "1 MB/s"];
        assert!(wrong.iter().all(|text| size(text).is_none()));
        assert_eq!(size("18446744073709551615 B"), Some(u64::MAX));
        assert_eq!(size("18446744073709551615 kB"), None, "more than fits");
    }

    #[test]
    fn a_rate_is_by_the_second() {
        assert_eq!(bytes_a_second("10 MB/s"), Some(10_000_000));
        assert_eq!(messages_a_second("1000/s"), Some(1000));
        assert_eq!([bytes_a_second("10 MB"), bytes_a_second("10 MB/m")], [None; 2]);
        assert_eq!(["1000", "0/s", "/s", "+1/s"].map(messages_a_second), [None; 4]);
    }
}
