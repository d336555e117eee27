//! Why a link is closed: the application code of QUIC's CONNECTION_CLOSE, with a sentence.

use std::fmt;

/// What kind of reason closed a link.
///
/// Travels as the application error code; unknown codes of newer versions read as
/// [`Protocol`](Self::Protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The sender is done with the link; nothing was wrong.
    Done,
    /// The sender shuts down.
    Shutdown,
    /// The receiver broke the protocol: garbage, a frame over a limit, an unexpected message.
    Protocol,
    /// A newer link of the same party took this one's place.
    Superseded,
    /// The receiver did not read for too long.
    SlowReader,
    /// The receiver is not welcome here, though its certificate is valid.
    Refused,
    /// The sender cannot take another link now.
    Overloaded,
}

impl CloseCode {
    /// Every code, in the order of their numbers on the wire.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Shutdown,
        Self::Protocol,
        Self::Superseded,
        Self::SlowReader,
        Self::Refused,
        Self::Overloaded,
    ];

    /// The application error code.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Done => 0,
            Self::Shutdown => 1,
            Self::Protocol => 2,
            Self::Superseded => 3,
            Self::SlowReader => 4,
            Self::Refused => 5,
            Self::Overloaded => 6,
        }
    }

    /// The code with this number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let found = Self::ALL.into_iter().find(|code| u64::from(code.number()) == number);
        found.unwrap_or(Self::Protocol)
    }
}

/// A close code with the sentence that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// What kind of reason.
    pub code: CloseCode,
    /// One sentence for people, at most a few hundred bytes.
    pub text: String,
}

impl CloseReason {
    /// A reason of this kind, told in one sentence.
    #[must_use]
    pub fn new(code: CloseCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_unknown_ones_are_protocol() {
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_number(code.number().into()), code);
        }
        assert_eq!(CloseCode::from_number(u64::MAX), CloseCode::Protocol);
    }
}
