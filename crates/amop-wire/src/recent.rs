//! The topics and names that were read last on a lane.
//!
//! Most messages on a lane repeat one of a few topics and names. What was read once is compared
//! byte by byte and shared, not checked and copied again.

use crate::{MessageError, Name, Topic, fields};

/// Remembers the last few topics and names of one lane, for [`Message::read`](crate::Message::read).
#[derive(Debug, Default)]
pub struct Recent {
    topics: [Option<Topic>; SLOTS],
    names: [Option<Name>; SLOTS],
}

impl Recent {
    pub(crate) fn topic(
        &mut self,
        field: &'static str,
        bytes: &[u8],
    ) -> Result<Topic, MessageError> {
        let slot = &mut self.topics[slot(bytes)];
        match slot {
            Some(topic) if topic.as_bytes() == bytes => Ok(topic.clone()),
            Some(_) | None => {
                let topic = fields::topic(field, bytes)?;
                Ok(slot.insert(topic).clone())
            }
        }
    }

    pub(crate) fn name(&mut self, field: &'static str, bytes: &[u8]) -> Result<Name, MessageError> {
        let slot = &mut self.names[slot(bytes)];
        match slot {
            Some(name) if name.as_bytes() == bytes => Ok(name.clone()),
            Some(_) | None => {
                let name = fields::name(field, bytes)?;
                Ok(slot.insert(name).clone())
            }
        }
    }
}

/// Texts that differ only in a number at their end, or in their length, have different slots.
fn slot(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(2).fold(0, |sum, &byte| sum * 10 + usize::from(byte));
    (bytes.len() + last) % SLOTS
}

const SLOTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_is_shared_and_what_is_new_is_checked() {
        let mut recent = Recent::default();
        let first = recent.topic("topic", b"quote").unwrap();
        let again = recent.topic("topic", b"quote").unwrap();
        assert_eq!(first, again);
        assert_eq!(first.as_bytes().as_ptr(), again.as_bytes().as_ptr());
        assert_eq!(recent.topic("topic", b"other").unwrap().as_str(), "other");
        assert!(recent.topic("topic", b"a\nb").is_err());
        assert!(recent.name("from", b"quote").is_err(), "a topic is no name");
    }

    #[test]
    fn texts_in_one_slot_are_told_apart() {
        let mut recent = Recent::default();
        let texts: Vec<String> = (0..1000).map(|n| format!("t{n}")).collect();
        for text in texts.iter().chain(&texts) {
            assert_eq!(recent.topic("topic", text.as_bytes()).unwrap().as_str(), text);
        }
    }
}
