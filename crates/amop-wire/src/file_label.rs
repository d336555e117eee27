//! What a file is called on the wire: one name, never a path.
//!
//! A label is for people and for the last part of a path. What could lead out of a directory, hide
//! what it is, or mean something to an operating system is refused here, once for all receivers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use unicode_normalization::is_nfc;

use crate::limits::LABEL_OF_FILE_BYTES_MAX;

/// A valid label of a file: 1 to [`LABEL_OF_FILE_BYTES_MAX`] bytes of UTF-8 in normal form C (FILE-2).
///
/// A clone is cheap: it shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileLabel(Arc<str>);

impl FileLabel {
    /// Checks the bytes and copies them.
    ///
    /// # Errors
    ///
    /// [`FileLabelError`] says which rule they break.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileLabelError> {
        if !(1..=LABEL_OF_FILE_BYTES_MAX).contains(&bytes.len()) {
            return Err(FileLabelError::Length { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| FileLabelError::NotUtf8)?;
        if let Some(position) = text.chars().position(is_forbidden) {
            return Err(FileLabelError::ForbiddenCharacter { position });
        }
        if text.trim() != text {
            return Err(FileLabelError::SurroundingSpace);
        }
        if !text.is_ascii() && !is_nfc(text) {
            return Err(FileLabelError::NotNormalized);
        }
        if is_reserved(text) {
            return Err(FileLabelError::Reserved);
        }
        Ok(Self(text.into()))
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for FileLabel {
    type Err = FileLabelError;

    fn from_str(text: &str) -> Result<Self, FileLabelError> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for FileLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shows the label quoted and escaped.
impl fmt::Debug for FileLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why bytes are no label of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileLabelError {
    /// No byte, or more than [`LABEL_OF_FILE_BYTES_MAX`].
    #[error("a file's name has 1 to {LABEL_OF_FILE_BYTES_MAX} bytes, not {bytes}")]
    Length {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("a file's name is UTF-8 text")]
    NotUtf8,
    /// A separator of paths, a control character, or one that turns the direction of text.
    #[error("a file's name has no character such as that at position {position}")]
    ForbiddenCharacter {
        /// Its position, counted in characters from 0.
        position: usize,
    },
    /// White space before or after.
    #[error("a file's name neither begins nor ends with white space")]
    SurroundingSpace,
    /// Not in Unicode normal form C, so that it could look the same as another one.
    #[error("a file's name is in Unicode normal form C")]
    NotNormalized,
    /// A name that means something else to a system, or to a receiver.
    #[error("a file cannot have this name: it is reserved")]
    Reserved,
}

fn is_forbidden(char: char) -> bool {
    let turns_direction = matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    char.is_control() || turns_direction || matches!(char, '/' | '\\')
}

fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().trim_end();
    let numbered = |device: &str| {
        let number = stem.get(..3).filter(|start| start.eq_ignore_ascii_case(device));
        number.is_some()
            && matches!(&stem[3..], "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")
    };
    let device = ["con", "prn", "aux", "nul"].iter().any(|name| stem.eq_ignore_ascii_case(name));
    let part = text.get(..PART_NAME.len()).is_some_and(|s| s.eq_ignore_ascii_case(PART_NAME));
    matches!(text, "." | "..") || part || device || numbered("com") || numbered("lpt")
}

/// Where receivers keep what is not complete.
const PART_NAME: &str = ".amop-part";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_any_script_are_taken() {
        for text in
            ["big.bin", "a b.csv", "报价.pdf", ".profile", "con-fig", "comma", "com10", "x.con"]
        {
            assert_eq!(text.parse::<FileLabel>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_name_at_the_limit_is_taken_and_one_byte_more_is_not() {
        assert!("x".repeat(LABEL_OF_FILE_BYTES_MAX).parse::<FileLabel>().is_ok());
        let bytes = LABEL_OF_FILE_BYTES_MAX + 1;
        assert_eq!("x".repeat(bytes).parse::<FileLabel>(), Err(FileLabelError::Length { bytes }));
    }

    /// FILE-2.
    #[test]
    fn every_rule_has_its_error() {
        let error = |text: &'static [u8]| FileLabel::from_bytes(text).unwrap_err();
        assert_eq!(error(b""), FileLabelError::Length { bytes: 0 });
        assert_eq!(error(b"\xff"), FileLabelError::NotUtf8);
        for (text, position) in
            [("a/b", 1), ("..\\b", 2), ("a\tb", 1), ("\0", 0), ("a\u{202e}b", 1), ("\u{2066}b", 0)]
        {
            assert_eq!(error(text.as_bytes()), FileLabelError::ForbiddenCharacter { position });
        }
        assert_eq!(error(b" a"), FileLabelError::SurroundingSpace);
        assert_eq!(error("e\u{301}".as_bytes()), FileLabelError::NotNormalized);
        for text in [
            ".",
            "..",
            ".amop-part",
            ".AMOP-part",
            ".amop-part.x",
            "CON",
            "nul.txt",
            "Aux.tar.gz",
            "com1",
            "LPT9.log",
            "nul .txt",
        ] {
            assert_eq!(error(text.as_bytes()), FileLabelError::Reserved, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_in_its_directory(text in "[./a\\\\ \u{0}é]{0,6}|\\PC{0,20}") {
            if let Ok(label) = text.parse::<FileLabel>() {
                prop_assert_eq!(label.as_bytes(), text.as_bytes());
                prop_assert!(!text.contains(['/', '\\', '\0']) && text != "." && text != "..");
            }
        }
    }
}
