//! What a subscriber has in common with one publisher on one topic.
//!
//! A channel is there from the proof on, since what is sealed for it may come before the confirmation.
//! It is *confirmed* by that, or by the first thing that it opens. Challenges may come late, twice, or
//! out of an old recording; so what was confirmed gives way only to what is confirmed.

use std::collections::VecDeque;

use amop_wire::{Instance, Instant};
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::channel::Channel;
use crate::limits::{
    CHANNELS_PER_PUBLISHER_MAX, GROUPS_PER_PUBLISHER_MAX, SEALED_HEAD_BYTES, TAG_BYTES, WRAP_BYTES,
};
use crate::message::{Challenge, Kind};
use crate::payload::OpenError;
use crate::room::Room;
use crate::seal::{KeyId, Opener, SealedHead};

/// Channels and groups with one publisher.
#[derive(Default)]
pub(crate) struct Peer {
    /// In the order in which they were made.
    channels: Vec<Held>,
    /// In the order in which their keys came.
    groups: VecDeque<(KeyId, Opener)>,
}

/// A channel, with the challenge and the proof that made it.
pub(crate) struct Held {
    pub(crate) challenge: Challenge,
    pub(crate) proof: Bytes,
    pub(crate) channel: Channel,
    pub(crate) until: Instant,
    pub(crate) is_confirmed: bool,
}

/// What is to be opened.
#[derive(Clone, Copy)]
pub(crate) struct Sealed<'a> {
    pub(crate) head: SealedHead,
    /// All of it, with the head.
    pub(crate) bytes: &'a [u8],
    /// What both ends know beside it.
    pub(crate) context: &'a [u8],
}

/// What came with something that was opened, or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// A channel was confirmed by it.
    pub(crate) is_confirmed: bool,
    /// The publisher does not know yet that we have the key of a group, which it sent on a channel.
    pub(crate) holds: Option<Holds>,
    /// We do not have this key.
    pub(crate) lost: Option<KeyId>,
}

/// The key of a group that came, and the channel that it came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) group: KeyId,
    pub(crate) channel: KeyId,
}

impl Peer {
    /// The channel that this challenge has made already.
    pub(crate) fn made_by(&self, nonce: &[u8; 32]) -> Option<&Held> {
        self.channels.iter().find(|held| held.challenge.nonce == *nonce)
    }

    /// Keeps a channel. One that was never confirmed makes room, if there is any.
    pub(crate) fn keep(&mut self, held: Held) {
        if self.channels.len() >= CHANNELS_PER_PUBLISHER_MAX {
            let idle = self.channels.iter().position(|held| !held.is_confirmed);
            self.channels.remove(idle.unwrap_or_default());
        }
        self.channels.push(held);
    }

    /// Confirms the channel of this challenge, if that is what its publisher says. Tells whether it was
    /// not confirmed before.
    pub(crate) fn confirm(&mut self, nonce: &[u8; 32], confirmation: &[u8; 32]) -> bool {
        let of_nonce = |held: &Held| held.challenge.nonce == *nonce;
        let Some(at) = self.channels.iter().position(of_nonce) else { return false };
        self.channels[at].channel.is_confirmed_by(confirmation) && self.confirm_at(at)
    }

    /// Whether any channel is confirmed.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.channels.iter().any(|held| held.is_confirmed)
    }

    /// The channel of this name.
    pub(crate) fn channel(&mut self, now: Instant, id: KeyId) -> Option<&mut Channel> {
        let at = self.position(now, id)?;
        Some(&mut self.channels[at].channel)
    }

    /// Forgets what is over. Tells whether anything is left.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        self.channels.retain(|held| held.until > now);
        !self.channels.is_empty()
    }

    /// When something is over.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.channels.iter().map(|held| held.until).min()
    }

    /// Opens a unicast.
    pub(crate) fn open_unicast<B: AsMut<[u8]>>(
        &mut self,
        now: Instant,
        zeros: impl FnOnce(usize) -> B,
        sealed: Sealed<'_>,
        learned: &mut Learned,
    ) -> Result<B, OpenError> {
        let Sealed { head, bytes, context } = sealed;
        let Some(at) = self.position(now, head.key) else {
            learned.lost = Some(head.key);
            return Err(OpenError::UnknownKey);
        };
        let opener = &mut self.channels[at].channel.opener;
        let payload =
            opener.open(zeros, head, bytes, SEALED_HEAD_BYTES, context).map_err(OpenError::of)?;
        learned.is_confirmed |= self.confirm_at(at);
        Ok(payload)
    }

    /// Opens a multicast, with the key that it brings if need be.
    pub(crate) fn open_multicast(
        &mut self,
        now: Instant,
        room: &mut Room,
        we: Instance,
        sealed: Sealed<'_>,
        learned: &mut Learned,
    ) -> Result<Bytes, OpenError> {
        let Sealed { head, bytes, context } = sealed;
        let (wraps, head_bytes) = wraps(bytes).ok_or(OpenError::NotSealed)?;
        let wrap = wraps.chunks_exact(WRAP_BYTES).find_map(|wrap| {
            let (member, wrap) = wrap.split_first_chunk()?;
            (u64::from_be_bytes(*member) == we.0).then_some(wrap)
        });
        if !self.groups.iter().any(|(id, _)| *id == head.key) {
            let Some(wrap) = wrap else {
                let has_channel = self.channels.iter().any(|held| held.until > now);
                learned.lost = Some(if has_channel { head.key } else { KeyId::ALL });
                return Err(OpenError::UnknownKey);
            };
            self.unwrap(now, head.key, wrap, learned)?;
        }
        let group = self.groups.iter_mut().find(|(id, _)| *id == head.key);
        let (_, opener) = group.expect("it was there, or just came");
        let zeros = |bytes| room.zeros(bytes);
        let payload = opener.open(zeros, head, bytes, head_bytes, context);
        let payload = payload.map_err(OpenError::of)?;
        let wrap = wrap.and_then(SealedHead::read);
        learned.holds = wrap.map(|wrap| Holds { group: head.key, channel: wrap.key });
        Ok(payload.into())
    }

    /// Takes the key of a group out of its wrapping.
    fn unwrap(
        &mut self,
        now: Instant,
        group: KeyId,
        wrap: &[u8],
        learned: &mut Learned,
    ) -> Result<(), OpenError> {
        let head = SealedHead::read(wrap).filter(|head| head.kind == Kind::Wrap);
        let head = head.ok_or(OpenError::NotSealed)?;
        let Some(at) = self.position(now, head.key) else {
            learned.lost = Some(head.key);
            return Err(OpenError::UnknownKey);
        };
        let opener = &mut self.channels[at].channel.opener;
        let zeros = |bytes| Zeroizing::new(vec![0; bytes]);
        let key = opener.open(zeros, head, wrap, SEALED_HEAD_BYTES, &group.0.to_be_bytes());
        let key = key.map_err(OpenError::of)?;
        let key = key.first_chunk().ok_or(OpenError::NotSealed)?;
        learned.is_confirmed |= self.confirm_at(at);
        if self.groups.len() >= GROUPS_PER_PUBLISHER_MAX {
            self.groups.pop_front();
        }
        self.groups.push_back((group, Opener::new(key)));
        Ok(())
    }

    fn position(&self, now: Instant, id: KeyId) -> Option<usize> {
        self.channels.iter().position(|held| held.channel.id() == id && held.until > now)
    }

    /// Confirms a channel, and forgets what it replaces: older ones that came to nothing, and those
    /// before the last that was confirmed. Tells whether it was not confirmed before.
    fn confirm_at(&mut self, at: usize) -> bool {
        if std::mem::replace(&mut self.channels[at].is_confirmed, true) {
            return false;
        }
        let newer = self.channels.split_off(at);
        let before = self.channels.drain(..).rfind(|held| held.is_confirmed);
        self.channels.extend(before.into_iter().chain(newer));
        true
    }
}

/// The wrapped keys of a multicast, and how long it is in the clear.
fn wraps(sealed: &[u8]) -> Option<(&[u8], usize)> {
    let (count, rest) = sealed.get(SEALED_HEAD_BYTES..)?.split_first_chunk()?;
    let bytes = usize::from(u16::from_be_bytes(*count)) * WRAP_BYTES;
    (rest.len() >= bytes + TAG_BYTES).then(|| (&rest[..bytes], SEALED_HEAD_BYTES + 2 + bytes))
}
