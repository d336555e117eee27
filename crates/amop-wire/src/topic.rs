//! Topics: what messages are published to and subscribed by.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use unicode_normalization::is_nfc;

use crate::limits::TOPIC_BYTES_MAX;

/// A valid topic: 1 to [`TOPIC_BYTES_MAX`] bytes of UTF-8 in normal form C, without control
/// characters and without white space at either end. Compared byte by byte.
///
/// A clone is cheap: it shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks the bytes and copies them.
    ///
    /// # Errors
    ///
    /// [`TopicError`] says which rule they break.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TopicError> {
        if bytes.is_empty() {
            return Err(TopicError::Empty);
        }
        if bytes.len() > TOPIC_BYTES_MAX {
            return Err(TopicError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TopicError::NotUtf8)?;
        if let Some(position) = text.chars().position(char::is_control) {
            return Err(TopicError::ControlCharacter { position });
        }
        if text.trim() != text {
            return Err(TopicError::SurroundingSpace);
        }
        if !text.is_ascii() && !is_nfc(text) {
            return Err(TopicError::NotNormalized);
        }
        Ok(Self(text.into()))
    }

    /// The topic as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The topic's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a topic is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::from_bytes(text.as_bytes())
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shows the topic quoted and escaped.
impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why bytes are no topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// No byte at all.
    #[error("a topic has at least one byte")]
    Empty,
    /// Longer than [`TOPIC_BYTES_MAX`].
    #[error("topic of {bytes} bytes is over the limit of {TOPIC_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("a topic is UTF-8 text")]
    NotUtf8,
    /// A control character, a line break or a tab among them.
    #[error("a topic has no control characters; there is one at character {position}")]
    ControlCharacter {
        /// Its position, counted in characters from 0.
        position: usize,
    },
    /// White space before or after.
    #[error("a topic neither begins nor ends with white space")]
    SurroundingSpace,
    /// Not in Unicode normal form C, so that it could look the same as another topic.
    #[error("a topic is in Unicode normal form C")]
    NotNormalized,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn topics_of_any_script_are_taken() {
        for text in ["quote", "settle/usd", "报价", "$sys", "a b", "é"] {
            assert_eq!(text.parse::<Topic>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_topic_at_the_limit_is_taken_and_one_byte_more_is_not() {
        assert!("x".repeat(TOPIC_BYTES_MAX).parse::<Topic>().is_ok());
        let bytes = TOPIC_BYTES_MAX + 1;
        assert_eq!("x".repeat(bytes).parse::<Topic>(), Err(TopicError::TooLong { bytes }));
    }

    #[test]
    fn every_rule_has_its_error() {
        let error = |text: &'static [u8]| Topic::from_bytes(text).unwrap_err();
        assert_eq!(error(b""), TopicError::Empty);
        assert_eq!(error(b"\xff"), TopicError::NotUtf8);
        assert_eq!(error(b"a\tb"), TopicError::ControlCharacter { position: 1 });
        assert_eq!(error("a\u{9b}".as_bytes()), TopicError::ControlCharacter { position: 1 });
        assert_eq!(error(b" a"), TopicError::SurroundingSpace);
        assert_eq!(error("a\u{3000}".as_bytes()), TopicError::SurroundingSpace);
        assert_eq!(error("e\u{301}".as_bytes()), TopicError::NotNormalized);
    }

    proptest! {
        #[test]
        fn what_is_taken_keeps_every_rule(bytes: Vec<u8>) {
            if let Ok(topic) = Topic::from_bytes(&bytes) {
                prop_assert_eq!(topic.as_str().as_bytes(), &bytes[..]);
                prop_assert!(!topic.as_str().chars().any(char::is_control));
            }
        }
    }
}
