//! How publishes end: with an answer, with a receipt, or with a code that says what is certain.

use std::fmt;
use std::time::Duration;

use amop_core::client::PublishEnd;
use amop_wire::limits::PAYLOAD_BYTES_MAX;
use amop_wire::{AnswerStatus, Code, MsgId, Name, Outcome, Reason, TopicError};
use bytes::Bytes;

use crate::publishes::Ended;

/// What a subscriber said to a request: the request was handled, exactly once.
///
/// The payload may share memory with other messages that arrived with it: copy a small part that
/// is kept for long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The answer itself; with [`AnswerStatus::Failed`], what the handler says about it.
    pub payload: Bytes,
    /// What the handler did.
    pub status: AnswerStatus,
    /// The node of the subscriber that answered, if its node said so.
    pub answered_by: Option<Name>,
    /// How many subscribers were tried, this one included.
    pub attempts: u32,
    /// The id of the request.
    pub id: MsgId,
    /// How long it took, from the moment at which the request was queued to the link.
    pub took: Duration,
}

/// What became of a multicast, counted in subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MulticastReceipt {
    /// The id of the multicast.
    pub id: MsgId,
    /// How many were known when the node accepted it. All of them were tried once.
    pub targets: u32,
    /// How many applications took it.
    pub acked: u32,
    /// How many never got it and never will.
    pub refused: u32,
    /// How many may or may not have got it.
    pub unknown: u32,
    /// How long it took, from the moment at which the multicast was queued to the link.
    pub took: Duration,
}

/// Why a publish did not succeed.
///
/// The [code](Self::code) is the contract, the [reason](Self::reason) is for people. Prints one
/// sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishError {
    code: Code,
    reason: Reason,
    /// A sentence that says more than the reason.
    detail: Option<Box<str>>,
    id: Option<MsgId>,
    attempts: u32,
    tried: Vec<Name>,
    retry_after: Option<Duration>,
}

impl PublishError {
    /// The code of the contract; never [`Code::Ok`].
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// How it came to that.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The id, unless the message failed before it got one.
    #[must_use]
    pub fn id(&self) -> Option<MsgId> {
        self.id
    }

    /// How many times a subscriber was tried, as far as the node could tell.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The nodes whose subscribers were tried in vain, at most 16.
    #[must_use]
    pub fn tried(&self) -> &[Name] {
        &self.tried
    }

    /// With [`Code::Limited`]: after how long the same message will be within the limits, if nothing
    /// else is published meanwhile that counts to them.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether a subscriber may have handled the message, or may yet: true for
    /// [`Code::TimedOut`] only. Otherwise it is safe to publish it again.
    #[must_use]
    pub fn may_have_been_handled(&self) -> bool {
        self.code.may_have_been_handled()
    }

    pub(crate) fn bad_topic(error: TopicError) -> Self {
        Self::unsent(Code::Invalid, Reason::BadTopic, Some(error.to_string()))
    }

    pub(crate) fn payload_too_long(payload_bytes: usize) -> Self {
        let detail =
            format!("payload of {payload_bytes} bytes is over the limit of {PAYLOAD_BYTES_MAX}");
        Self::unsent(Code::Invalid, Reason::PayloadTooLong, Some(detail))
    }

    pub(crate) fn closed() -> Self {
        let detail = Some("the client is closed".to_owned());
        Self::unsent(Code::NotSent, Reason::NotConnected, detail)
    }

    /// Half of its time passed before there was room for the message.
    pub(crate) fn no_room(is_connected: bool) -> Self {
        let reason = if is_connected { Reason::TooManyRequests } else { Reason::NotConnected };
        Self::unsent(Code::NotSent, reason, None)
    }

    fn unsent(code: Code, reason: Reason, detail: Option<String>) -> Self {
        let detail = detail.map(String::into_boxed_str);
        Self { code, reason, detail, id: None, attempts: 0, tried: Vec::new(), retry_after: None }
    }

    fn of(id: MsgId, outcome: &Outcome) -> Self {
        Self {
            code: outcome.code,
            reason: outcome.reason,
            detail: None,
            id: Some(id),
            attempts: outcome.attempts,
            tried: outcome.tried.clone(),
            retry_after: outcome.retry_after,
        }
    }

    /// The node ended a publish in a way that only the other kind of publish has. What it did with
    /// the message is anyone's guess.
    fn mixed_up(id: MsgId) -> Self {
        let detail = "the node answered as if it were another kind of message".to_owned();
        let unsent = Self::unsent(Code::TimedOut, Reason::Unspecified, Some(detail));
        Self { id: Some(id), ..unsent }
    }
}

/// Prints one sentence: `100: no reachable node has a subscriber (id 0123…, 0 attempts)`.
impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}: {detail}", self.code)?,
            None => write!(f, "{}: {}", self.code, self.reason)?,
        }
        if let Some(span) = self.retry_after {
            write!(f, "; try again in {span:?}")?;
        }
        if let Some(id) = self.id {
            let plural = if self.attempts == 1 { "" } else { "s" };
            write!(f, " (id {id}, {} attempt{plural})", self.attempts)?;
        }
        Ok(())
    }
}

impl std::error::Error for PublishError {}

/// What the end of a unicast means.
pub(crate) fn answer(id: MsgId, Ended { end, took }: Ended) -> Result<Answer, PublishError> {
    match end {
        PublishEnd::Outcome(outcome) if outcome.code == Code::Ok => {
            let Outcome { payload, status, answered_by, attempts, .. } = outcome;
            Ok(Answer { payload, status, answered_by, attempts, id, took })
        }
        PublishEnd::Outcome(outcome) => Err(PublishError::of(id, &outcome)),
        PublishEnd::Receipt(_) => Err(PublishError::mixed_up(id)),
    }
}

/// What the end of a multicast means.
pub(crate) fn receipt(
    id: MsgId,
    Ended { end, took }: Ended,
) -> Result<MulticastReceipt, PublishError> {
    match end {
        PublishEnd::Receipt(receipt) => Ok(MulticastReceipt {
            id,
            targets: receipt.targets(),
            acked: receipt.acked,
            refused: receipt.refused,
            unknown: receipt.unknown,
            took,
        }),
        PublishEnd::Outcome(outcome) if outcome.code == Code::Ok => Err(PublishError::mixed_up(id)),
        PublishEnd::Outcome(outcome) => Err(PublishError::of(id, &outcome)),
    }
}

#[cfg(test)]
mod tests {
    use amop_wire::{Instance, Receipt};

    use super::*;

    const ID: MsgId = MsgId { publisher: Instance(0xab), counter: 0x10 };

    fn outcome(code: Code, reason: Reason) -> Outcome {
        Outcome {
            counter: ID.counter,
            code,
            reason,
            attempts: 1,
            status: AnswerStatus::Answered,
            answered_by: None,
            tried: vec!["n1.node.bank-a.amop".parse().unwrap()],
            retry_after: None,
            payload: Bytes::from_static(b"answer"),
        }
    }

    fn ended(end: PublishEnd) -> Ended {
        Ended { end, took: Duration::from_millis(1) }
    }

    #[test]
    fn an_error_is_one_sentence_with_code_id_and_attempts() {
        let end = PublishEnd::Outcome(outcome(Code::SubscriberUnreachable, Reason::SubscriberBusy));
        let error = answer(ID, ended(end)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "101: the subscriber's queue is full (id 00000000000000ab0000000000000010, 1 attempt)"
        );
        assert_eq!(error.tried().len(), 1);
        assert_eq!(
            PublishError::payload_too_long(1_048_577).to_string(),
            "201: payload of 1048577 bytes is over the limit of 1048576"
        );
        assert_eq!(
            PublishError::bad_topic(TopicError::TooLong { bytes: 256 }).to_string(),
            "201: topic of 256 bytes is over the limit of 255"
        );
    }

    #[test]
    fn an_error_over_a_limit_says_when_to_try_again() {
        let retry_after = Some(Duration::from_millis(1500));
        let outcome =
            Outcome { retry_after, attempts: 0, ..outcome(Code::Limited, Reason::SessionRate) };
        let error = answer(ID, ended(PublishEnd::Outcome(outcome))).unwrap_err();
        assert_eq!(error.retry_after(), retry_after);
        assert!(!error.may_have_been_handled());
        assert_eq!(
            error.to_string(),
            "103: the session publishes faster than its limit; try again in 1.5s \
             (id 00000000000000ab0000000000000010, 0 attempts)"
        );
    }

    #[test]
    fn an_end_of_the_other_kind_leaves_doubt() {
        let receipt_for_unicast = ended(PublishEnd::Receipt(Receipt::default()));
        let error = answer(ID, receipt_for_unicast).unwrap_err();
        assert!(error.may_have_been_handled());
        let answer_to_multicast = PublishEnd::Outcome(outcome(Code::Ok, Reason::Unspecified));
        let error = receipt(ID, ended(answer_to_multicast)).unwrap_err();
        assert!(error.may_have_been_handled());
    }
}
