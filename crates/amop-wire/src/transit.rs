//! How long messages were on their way, without clocks that agree.
//!
//! Before the messages of a batch travels a stamp with the time on the sender's clock. The least
//! difference to our own clock that a link has shown stands for a message that was not held up; by
//! how much a stamp is over it, so long was it held up: in a queue, in a network that stood still,
//! or in the buffers of a process that did. Clocks that run at different speeds make this wrong by
//! at most what [`DRIFT`] allows them.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use crate::{Frame, Instant, Lane};

/// The stamps of one link, as its receiver sees them.
#[derive(Debug, Default)]
pub struct Transit {
    /// The least difference between the clocks in microseconds, and when it was seen.
    floor: Option<(i64, Instant)>,
    /// The last stamp of each lane, in milliseconds.
    stamps: [Option<i64>; Lane::COUNT],
}

impl Transit {
    /// Takes a frame that is a stamp; gives back any other.
    pub fn stamp(&mut self, now: Instant, lane: Lane, frame: Frame) -> Option<Frame> {
        let Some(word) = stamp_of(&frame) else { return Some(frame) };
        let near = self.stamps.iter().flatten().max().copied().unwrap_or_default();
        let stamp = unwrap_near(near, word);
        self.stamps[usize::from(lane.number())] = Some(stamp);
        let offset = offset(now, stamp);
        let floor = self.floor(now).map_or(offset, |floor| floor.min(offset));
        self.floor = Some((floor, now));
        None
    }

    /// By how long the messages of a lane that are read at `now` were held up. Zero if it is too
    /// short to matter, or if their sender puts no stamps.
    #[must_use]
    pub fn held_up(&self, now: Instant, lane: Lane) -> Duration {
        let stamp = self.stamps[usize::from(lane.number())];
        let (Some(stamp), Some(floor)) = (stamp, self.floor(now)) else { return Duration::ZERO };
        let micros = u64::try_from(offset(now, stamp).saturating_sub(floor)).unwrap_or_default();
        let held_up = Duration::from_micros(micros);
        if held_up < NOTICED { Duration::ZERO } else { held_up - STAMP_AGE_MAX }
    }

    /// The least difference, raised by how far the clocks may have drifted apart since.
    fn floor(&self, now: Instant) -> Option<i64> {
        let (floor, seen_at) = self.floor?;
        let drift = now.saturating_since(seen_at).as_micros() / DRIFT;
        Some(floor.saturating_add(i64::try_from(drift).unwrap_or(i64::MAX)))
    }
}

/// Appends a stamp: a frame without a header, whose payload is the time in milliseconds on any clock
/// that the sender of a link keeps to.
pub fn put_stamp(buf: &mut BytesMut, now: Instant) {
    buf.put_slice(&STAMP_HEAD);
    #[expect(clippy::cast_possible_truncation, reason = "receivers know which 49 days it is")]
    buf.put_u32(now.since_start().as_millis() as u32);
}

/// The length of a stamp.
pub const STAMP_BYTES: usize = STAMP_HEAD.len() + 4;

fn stamp_of(frame: &Frame) -> Option<u32> {
    let word = <[u8; 4]>::try_from(&frame.payload[..]).ok()?;
    frame.header.is_empty().then(|| u32::from_be_bytes(word))
}

/// The number near another one of which only the low half is known.
fn unwrap_near(near: i64, low: u32) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is compared")]
    #[expect(clippy::cast_sign_loss, reason = "the low half is what is compared")]
    let apart = low.wrapping_sub(near as u32).cast_signed();
    near.saturating_add(apart.into())
}

/// The difference between the clocks in microseconds, if the stamp was made just now.
fn offset(now: Instant, stamp: i64) -> i64 {
    let micros = i64::try_from(now.since_start().as_micros()).unwrap_or(i64::MAX);
    micros.saturating_sub(stamp.saturating_mul(1000))
}

/// The lengths of the frame, and of a header of no bytes.
const STAMP_HEAD: [u8; 6] = [0, 0, 0, 6, 0, 0];

/// Clocks may drift apart by one part in so many, as far as a clock is ever slewed.
const DRIFT: u128 = 2000;

/// A sender puts no stamp if the one before is younger than this.
pub const STAMP_EVERY: Duration = Duration::from_millis(10);

/// By how much a message may be younger than the stamp that it follows, which counts whole milliseconds.
/// Nobody is to lose time that was not lost.
const STAMP_AGE_MAX: Duration = Duration::from_millis(11);

/// What jitter, a busy machine or a batch takes is left alone.
const NOTICED: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameDecoder;

    fn at(millis: u64) -> Instant {
        Instant::after_start(Duration::from_millis(millis))
    }

    fn stamp(transit: &mut Transit, now: u64, lane: Lane, sent_at: u64) {
        let mut bytes = BytesMut::new();
        put_stamp(&mut bytes, at(sent_at));
        assert_eq!(bytes.len(), STAMP_BYTES);
        let mut decoder = FrameDecoder::default();
        decoder.feed(bytes.freeze());
        let frame = decoder.next_frame().unwrap().unwrap();
        assert_eq!(transit.stamp(at(now), lane, frame), None);
    }

    fn held_up(transit: &Transit, now: u64, lane: Lane) -> u128 {
        transit.held_up(at(now), lane).as_millis()
    }

    #[test]
    fn what_was_held_up_is_known_whatever_the_clocks_say() {
        for behind in [0, 1 << 32, 7_777_777] {
            let mut transit = Transit::default();
            assert_eq!(held_up(&transit, 900, Lane::Unicasts), 0, "no stamp");
            stamp(&mut transit, 1000, Lane::Control, behind + 990);
            stamp(&mut transit, 2000, Lane::Unicasts, behind + 1995);
            assert_eq!(held_up(&transit, 2000, Lane::Unicasts), 0);
            assert_eq!(held_up(&transit, 2030, Lane::Unicasts), 0, "that is nothing");
            stamp(&mut transit, 9005, Lane::Unicasts, behind + 3000);
            assert_eq!(held_up(&transit, 9005, Lane::Unicasts), 5985, "less drift and age");
            assert_eq!(held_up(&transit, 9005, Lane::Replies), 0, "lanes are held up apart");
        }
    }

    #[test]
    fn a_batch_behind_its_stamp_may_be_held_up_too() {
        let mut transit = Transit::default();
        stamp(&mut transit, 1000, Lane::Unicasts, 1000);
        assert_eq!(held_up(&transit, 4000, Lane::Unicasts), 2987);
    }

    /// FRAME-6: who ends a message by what is left of its time must not do so before its time is up.
    #[test]
    fn a_message_never_counts_as_held_up_for_longer_than_it_was() {
        let mut transit = Transit::default();
        stamp(&mut transit, 1000, Lane::Unicasts, 1000);
        // A stamp of this moment, and a message that follows it as late as one may.
        let (stamped, sent) = (2000, 2000 + STAMP_EVERY.as_millis());
        for came in [2060, 2100, 3000, 10_000] {
            stamp(&mut transit, came, Lane::Unicasts, stamped);
            let (counted, was) = (held_up(&transit, came, Lane::Unicasts), u128::from(came) - sent);
            assert!(counted <= was && counted + 20 > was, "{counted} ms instead of {was}");
        }
    }

    #[test]
    fn a_clock_that_is_slower_does_not_make_everything_old() {
        let mut transit = Transit::default();
        for second in 0..100_000_u64 {
            let now = second * 1000;
            stamp(&mut transit, now, Lane::Unicasts, now - now / 2500);
            assert_eq!(held_up(&transit, now, Lane::Unicasts), 0, "after {second} s");
        }
    }

    #[test]
    fn stamps_go_on_after_49_days() {
        let mut transit = Transit::default();
        let days_49 = 1 << 32;
        stamp(&mut transit, days_49 - 10, Lane::Unicasts, days_49 - 10);
        stamp(&mut transit, days_49 + 10, Lane::Unicasts, days_49 + 10);
        assert_eq!(held_up(&transit, days_49 + 10, Lane::Unicasts), 0);
        stamp(&mut transit, days_49 + 5000, Lane::Unicasts, days_49 + 1000);
        assert_eq!(held_up(&transit, days_49 + 5000, Lane::Unicasts), 3986);
    }

    #[test]
    fn whatever_a_sender_claims_is_harmless() {
        let mut transit =
            Transit { stamps: [Some(i64::MAX), None, Some(i64::MIN), None, None], floor: None };
        stamp(&mut transit, 5, Lane::Unicasts, (1 << 31) - 1);
        let _ = transit.held_up(at(u64::MAX), Lane::Unicasts);
        let _ = transit.held_up(at(0), Lane::Control);
    }

    #[test]
    fn other_frames_are_given_back() {
        let frames = [("", "12345"), ("", ""), ("h", "1234")];
        for (header, payload) in frames {
            let frame = Frame { header: header.into(), payload: payload.into() };
            let mut transit = Transit::default();
            assert_eq!(transit.stamp(at(1), Lane::Control, frame.clone()), Some(frame));
        }
    }
}
