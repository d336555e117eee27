//! What a subscriber of private topics opens, and how it seals its answers.

use amop_auth::limits::PRIVATE_PAYLOAD_BYTES_MAX;
use amop_auth::{Exit, OpenError, SecretKey, subscriber};
use amop_wire::{Answer, AnswerStatus, Attempt, Epoch, Instant, MsgId, Reason, Sealing, Topic};
use bytes::{Buf, Bytes};

use super::super::Client;
use super::Private;

impl Private {
    /// Whether messages of the topic must be sealed for us.
    fn subscribes_to(&self, topic: &Topic) -> bool {
        self.subscriber.is_private(topic)
    }
}

impl Client {
    /// The application subscribes with a key.
    pub(in super::super) fn hold_key(&mut self, now: Instant, topic: Topic, key: SecretKey) {
        if let Some(private) = &mut self.private {
            private.subscriber.handle(now, subscriber::Input::Subscribe { topic, key });
        }
    }

    /// The application subscribes no longer, or without a key.
    pub(in super::super) fn drop_key(&mut self, now: Instant, topic: &Topic) {
        if let Some(private) = self.private.as_mut().filter(|it| it.subscribes_to(topic)) {
            let input = subscriber::Input::Unsubscribe { topic: topic.clone() };
            private.subscriber.handle(now, input);
        }
    }

    /// We are attached to this life of the node at the other end of the link.
    pub(in super::super) fn attached_to(&mut self, now: Instant, epoch: Epoch) {
        if let Some(private) = &mut self.private
            && let Some(node) = private.node
        {
            private.subscriber.handle(now, subscriber::Input::Attached(Exit { node, epoch }));
        }
    }

    /// Opens a payload if it is sealed. Answers it with the id that its publisher calls it by.
    ///
    /// # Errors
    ///
    /// The reason to refuse it: it must be sealed and is not, or cannot be opened.
    pub(in super::super) fn unseal(
        &mut self,
        now: Instant,
        topic: &Topic,
        id: MsgId,
        sealing: Sealing,
        payload: Bytes,
    ) -> Result<(MsgId, Bytes), Reason> {
        let Some(private) = self.private.as_mut().filter(|it| it.subscribes_to(topic)) else {
            let is_clear = sealing == Sealing::Clear;
            return if is_clear { Ok((id, payload)) } else { Err(Reason::CannotOpen) };
        };
        match sealing {
            Sealing::Clear => return Err(Reason::NotSealed),
            Sealing::For(instance) if instance != self.instance => return Err(Reason::CannotOpen),
            Sealing::For(_) | Sealing::Group => {}
        }
        let opened = private.subscriber.open(now, topic, id, &payload);
        let opened = opened.map_err(|error| match error {
            OpenError::NotSealed => Reason::NotSealed,
            _ => Reason::CannotOpen,
        });
        let opened = opened.and_then(|opened| {
            let (counter, payload) = read_message(opened.payload).ok_or(Reason::CannotOpen)?;
            if let Some(key) = opened.answer {
                private.answers.insert(id, (topic.clone(), key));
            }
            Ok((MsgId { counter, ..id }, payload))
        });
        self.drain_subscriber();
        opened
    }

    /// Seals an answer if its question was; `None` if it cannot be sealed any more.
    ///
    /// What the handler did is sealed with it, for nobody on the way shall change that.
    pub(in super::super) fn seal_answer(
        &mut self,
        now: Instant,
        attempt: Attempt,
        status: AnswerStatus,
        payload: Bytes,
    ) -> Option<Answer> {
        let private = self.private.as_mut().filter(|it| !it.answers.is_empty());
        let sealed_with = private.and_then(|it| it.answers.remove(&attempt.id));
        let Some((topic, key)) = sealed_with else {
            return Some(Answer { attempt, status, payload });
        };
        let plain = [&[status_byte(status)][..], &payload];
        let subscriber = &mut self.private.as_mut()?.subscriber;
        let sealed = subscriber.seal_answer(now, &topic, attempt.id, key, &plain).ok()?;
        Some(Answer { attempt, status, payload: sealed })
    }

    /// A message was refused: nothing is sealed for it.
    pub(in super::super) fn drop_answer_key(&mut self, id: MsgId) {
        if let Some(private) = &mut self.private {
            private.answers.remove(&id);
        }
    }
}

/// The number that its publisher calls a message by, and its payload.
fn read_message(mut plain: Bytes) -> Option<(u64, Bytes)> {
    let counter = u64::from_be_bytes(*plain.first_chunk()?);
    plain.advance(NUMBER_BYTES);
    Some((counter, plain))
}

/// Longest payload that can be published to a private topic, in bytes.
pub const PRIVATE_MESSAGE_BYTES_MAX: usize = PRIVATE_PAYLOAD_BYTES_MAX - NUMBER_BYTES;

const NUMBER_BYTES: usize = 8;

/// Takes apart what an answer was made of.
pub(super) fn read_answer(mut plain: Bytes) -> Option<(AnswerStatus, Bytes)> {
    let status = match *plain.first()? {
        0 => AnswerStatus::Answered,
        1 => AnswerStatus::Failed,
        2 => AnswerStatus::Dropped,
        _ => return None,
    };
    plain.advance(1);
    Some((status, plain))
}

fn status_byte(status: AnswerStatus) -> u8 {
    match status {
        AnswerStatus::Answered => 0,
        AnswerStatus::Failed => 1,
        AnswerStatus::Dropped => 2,
    }
}
