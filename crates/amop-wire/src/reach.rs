//! What nodes ask each other about a topic before anything is published to it: who would get a message there now.
//!
//! A relay on the way is asked without the topic: whether it is there, and how far away.

use bytes::Bytes;

use crate::announcement::check_count;
use crate::fields::topic;
use crate::generated::{self as pb, peer_header::Kind};
use crate::limits::SUBSCRIBERS_PER_ANSWER_MAX;
use crate::{Instance, MessageError, Topic};

/// What two nodes say to each other about who would get a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReachMessage {
    /// Asks whether the receiver is there, and who there would get a message.
    Question {
        /// The asker's number of this question.
        number: u64,
        /// On which topic; none asks for a sign of life alone.
        topic: Option<Topic>,
    },
    /// What the sender knows at this moment.
    Answer(ReachAnswer),
}

/// Who would get a message at one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachAnswer {
    /// The asker's number of the question.
    pub number: u64,
    /// Whether the node was asked too often; then it says nothing else.
    pub is_busy: bool,
    /// How many attached clients subscribe to the topic.
    pub count: u32,
    /// Some of them, at most [`SUBSCRIBERS_PER_ANSWER_MAX`].
    pub subscribers: Vec<Instance>,
}

impl ReachMessage {
    pub(crate) fn to_kind(&self) -> Kind {
        match self {
            Self::Question { number, topic } => {
                let topic = topic.as_ref();
                let topic = topic.map(|topic| Bytes::copy_from_slice(topic.as_str().as_bytes()));
                Kind::ReachQuestion(pb::ReachQuestion { number: Some(*number), topic })
            }
            Self::Answer(answer) => Kind::ReachAnswer(pb::ReachAnswer {
                number: Some(answer.number),
                busy: Some(answer.is_busy),
                count: Some(answer.count),
                subscribers: answer.subscribers.iter().map(|instance| instance.0).collect(),
            }),
        }
    }

    pub(crate) fn read_question(question: &pb::ReachQuestion) -> Result<Self, MessageError> {
        let named = question.topic.as_ref();
        Ok(Self::Question {
            number: question.number.unwrap_or_default(),
            topic: named.map(|named| topic("reach_question.topic", named)).transpose()?,
        })
    }

    pub(crate) fn read_answer(answer: pb::ReachAnswer) -> Result<Self, MessageError> {
        let subscribers = answer.subscribers;
        check_count("reach_answer.subscribers", subscribers.len(), SUBSCRIBERS_PER_ANSWER_MAX)?;
        Ok(Self::Answer(ReachAnswer {
            number: answer.number.unwrap_or_default(),
            is_busy: answer.busy.unwrap_or_default(),
            count: answer.count.unwrap_or_default(),
            subscribers: subscribers.into_iter().map(Instance).collect(),
        }))
    }
}
