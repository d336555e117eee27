//! Messages that several destinations get alike.

use amop_wire::{FrameError, Lane, Message};
use bytes::Bytes;

use super::LaneBuffer;

/// Messages of one lane in the form in which they travel, encoded once for any number of destinations.
///
/// Keep one and fill it again after a [`clear`](Self::clear): it keeps its room.
#[derive(Debug, Default)]
pub struct Encoded {
    lane: Option<Lane>,
    buffer: LaneBuffer,
}

impl Encoded {
    /// Adds a message behind those that are there, which must be of the same lane.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if the message is over a limit; nothing was added.
    pub fn push<M: Message>(&mut self, message: &M) -> Result<(), FrameError> {
        debug_assert!(self.lane.is_none_or(|lane| lane == message.lane()), "they are of one lane");
        self.buffer.push_frame(message.payload(), |head| message.put_header(head))?;
        self.buffer.messages += 1;
        self.lane = Some(message.lane());
        Ok(())
    }

    /// The bytes that all of them take on a link.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.bytes()
    }

    /// How many they are.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.buffer.messages()
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.lane = None;
        self.buffer.clear();
    }

    /// The lane that they are of and how many they are, if there are any.
    pub(super) fn lane_and_messages(&self) -> Option<(Lane, usize)> {
        Some((self.lane?, self.messages()))
    }

    pub(super) fn segments(&mut self) -> &[Bytes] {
        self.buffer.segments()
    }
}
