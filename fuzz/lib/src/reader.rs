//! Reads choices out of bytes: what a fuzzer decides, in the order in which it is asked.

use std::time::Duration;

use amop_wire::Message;
use bytes::Bytes;

use crate::frames;

/// Bytes that decide.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next byte, if there is one.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A span of up to 11 s, mostly short.
    pub(crate) fn span(&mut self) -> Option<Duration> {
        let exponent = self.byte()? % 12;
        Some(Duration::from_millis(u64::from(self.byte()?) << exponent) / 46)
    }

    /// A number of bytes of up to 500 KiB, mostly small.
    pub(crate) fn size(&mut self) -> Option<usize> {
        let exponent = self.byte()? % 12;
        Some(usize::from(self.byte()?) << exponent)
    }

    /// What follows its own length: two bytes.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.0 = rest;
        Some(bytes)
    }

    /// The next frame, if it is a message. It begins with its length, so that nothing precedes it here.
    pub(crate) fn message<M: Message>(&mut self) -> Option<M> {
        let (length, _) = self.0.split_first_chunk()?;
        let end = usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(LENGTH_BYTES)?;
        let (frame, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        frames::messages(frame).next()
    }

    /// The rest as a payload.
    pub(crate) fn payload(&mut self) -> Option<Bytes> {
        self.bytes().map(Bytes::copy_from_slice)
    }
}

const LENGTH_BYTES: usize = 4;
