//! What may be given where a topic is wanted.

use amop_wire::{Topic, TopicError};

/// A topic, or a text that is checked to be one.
///
/// A [`Topic`] that is kept and lent costs nothing to use again; a text is checked and copied each
/// time.
pub trait IntoTopic {
    /// Checks the text, unless it is a topic already.
    ///
    /// # Errors
    ///
    /// [`TopicError`] says which rule the text breaks.
    fn into_topic(self) -> Result<Topic, TopicError>;
}

/// What was made of a text before.
impl IntoTopic for Result<Topic, TopicError> {
    fn into_topic(self) -> Result<Topic, TopicError> {
        self
    }
}

impl IntoTopic for Topic {
    fn into_topic(self) -> Result<Topic, TopicError> {
        Ok(self)
    }
}

impl IntoTopic for &Topic {
    fn into_topic(self) -> Result<Topic, TopicError> {
        Ok(self.clone())
    }
}

impl IntoTopic for &str {
    fn into_topic(self) -> Result<Topic, TopicError> {
        self.parse()
    }
}

impl IntoTopic for String {
    fn into_topic(self) -> Result<Topic, TopicError> {
        self.parse()
    }
}

impl IntoTopic for &String {
    fn into_topic(self) -> Result<Topic, TopicError> {
        self.parse()
    }
}
