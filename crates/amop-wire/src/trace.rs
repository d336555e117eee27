//! What nodes ask each other about one message, and what they answer.
//!
//! Clocks do not travel: the answer says how long ago each step was.

use std::time::Duration;

use crate::announcement::check_count;
use crate::fields::msg_id;
use crate::generated as pb;
use crate::limits::{NUMBERS_PER_STEP_MAX, STEPS_PER_ANSWER_MAX};
use crate::{MessageError, MsgId};

/// Asks what the receiver has written down of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceQuestion {
    /// The asker's number of this question.
    pub number: u64,
    /// The message, or what stands for one that was passed on unread.
    pub id: MsgId,
    /// The number of an attempt that the asker knows of, or 0.
    pub attempt: u32,
}

/// What is left of a message at the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceAnswer {
    /// The asker's number of the question.
    pub number: u64,
    /// What the answer is worth.
    pub word: TraceWord,
    /// At most [`STEPS_PER_ANSWER_MAX`], in the order in which they happened.
    pub steps: Vec<TraceStep>,
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceWord {
    /// It is all that is left.
    Told,
    /// The asker's agency took no part in the message, or the asker knows none of its attempts.
    Refused,
    /// The node was asked too often.
    Busy,
}

/// One step of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// How long ago it was. Travels in whole microseconds.
    pub ago: Duration,
    /// Which.
    pub kind: u32,
    /// At most [`NUMBERS_PER_STEP_MAX`]; what they mean depends on the kind.
    pub numbers: Vec<u64>,
}

impl TraceQuestion {
    pub(crate) fn to_proto(self) -> pb::TraceQuestion {
        pb::TraceQuestion {
            number: Some(self.number),
            publisher: Some(self.id.publisher.0),
            counter: Some(self.id.counter),
            attempt: Some(self.attempt),
        }
    }

    pub(crate) fn read(question: pb::TraceQuestion) -> Self {
        Self {
            number: question.number.unwrap_or_default(),
            id: msg_id(question.publisher, question.counter),
            attempt: question.attempt.unwrap_or_default(),
        }
    }
}

impl TraceAnswer {
    pub(crate) fn to_proto(&self) -> pb::TraceAnswer {
        let step = |step: &TraceStep| pb::TraceStep {
            ago_us: Some(u64::try_from(step.ago.as_micros()).unwrap_or(u64::MAX)),
            kind: Some(step.kind),
            numbers: step.numbers.clone(),
        };
        pb::TraceAnswer {
            number: Some(self.number),
            word: Some(self.word.number()),
            steps: self.steps.iter().map(step).collect(),
        }
    }

    pub(crate) fn read(answer: pb::TraceAnswer) -> Result<Self, MessageError> {
        check_count("trace_answer.steps", answer.steps.len(), STEPS_PER_ANSWER_MAX)?;
        let step = |step: pb::TraceStep| {
            check_count("trace_step.numbers", step.numbers.len(), NUMBERS_PER_STEP_MAX)?;
            let ago = Duration::from_micros(step.ago_us.unwrap_or_default());
            Ok(TraceStep { ago, kind: step.kind.unwrap_or_default(), numbers: step.numbers })
        };
        Ok(Self {
            number: answer.number.unwrap_or_default(),
            word: TraceWord::from_number(answer.word.unwrap_or_default()),
            steps: answer.steps.into_iter().map(step).collect::<Result<_, _>>()?,
        })
    }
}

impl TraceWord {
    fn number(self) -> u32 {
        match self {
            Self::Told => 0,
            Self::Refused => 1,
            Self::Busy => 2,
        }
    }

    /// A word of a newer version is no answer to build on.
    fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Told,
            2 => Self::Busy,
            _ => Self::Refused,
        }
    }
}
