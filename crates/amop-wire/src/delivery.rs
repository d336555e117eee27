//! How a message is spread and how its handling ended: words that both kinds of link share.

use crate::fields::bad;
use crate::{Lane, MessageError};

/// To how many subscribers a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// To one, chosen at random, which answers.
    Unicast,
    /// To all, which acknowledge.
    Multicast,
}

impl Mode {
    /// On which lane messages of this mode travel.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Unicast => Lane::Unicasts,
            Self::Multicast => Lane::Multicasts,
        }
    }

    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Unicast => 1,
            Self::Multicast => 2,
        }
    }

    pub(crate) fn from_number(
        field: &'static str,
        number: Option<u32>,
    ) -> Result<Self, MessageError> {
        match number {
            Some(1) => Ok(Self::Unicast),
            Some(2) => Ok(Self::Multicast),
            other => Err(bad(field, format!("{} is no mode", other.unwrap_or_default()))),
        }
    }
}

/// What the subscriber's handler did with a unicast. All of them are answers: none is a reason to
/// try again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerStatus {
    /// It answered; the payload is the answer.
    #[default]
    Answered,
    /// It failed; the payload is what it says about it.
    Failed,
    /// It dropped the message without an answer.
    Dropped,
}

impl AnswerStatus {
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Answered => 0,
            Self::Failed => 1,
            Self::Dropped => 2,
        }
    }

    pub(crate) fn from_number(
        field: &'static str,
        number: Option<u32>,
    ) -> Result<Self, MessageError> {
        match number {
            None | Some(0) => Ok(Self::Answered),
            Some(1) => Ok(Self::Failed),
            Some(2) => Ok(Self::Dropped),
            Some(other) => Err(bad(field, format!("{other} is no status"))),
        }
    }
}

/// What became of one multicast, counted in subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// Took the message.
    pub acked: u32,
    /// Never got it and never will.
    pub refused: u32,
    /// May or may not have got it.
    pub unknown: u32,
}

impl Receipt {
    /// All subscribers that were tried.
    #[must_use]
    pub fn targets(&self) -> u32 {
        self.acked.saturating_add(self.refused).saturating_add(self.unknown)
    }

    /// Adds what became of the message elsewhere.
    pub fn add(&mut self, other: Self) {
        self.acked = self.acked.saturating_add(other.acked);
        self.refused = self.refused.saturating_add(other.refused);
        self.unknown = self.unknown.saturating_add(other.unknown);
    }
}
