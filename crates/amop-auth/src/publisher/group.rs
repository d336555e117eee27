//! The key that multicasts are sealed under: one for the members that there are, and for no others.
//!
//! The key travels with the messages. Each carries it once for each member that has not yet said to
//! hold it, sealed for that member alone; soon nobody is left, and a message carries nothing. So there
//! is no message whose key is still on its way.
//!
//! ```text
//! multicast   head (18) │ members u16 │ (instance u64 │ wrapped key (66)) ... │ ciphertext │ tag (16)
//! ```

use std::collections::BTreeMap;

use amop_wire::{Instance, Instant};
use bytes::Bytes;

use crate::Entropy;
use crate::channel::Channel;
use crate::limits::{RENEW_AFTER, WRAP_BYTES};
use crate::message::Kind;
use crate::room::Room;
use crate::seal::{KeyId, Sealer};
use zeroize::Zeroizing;

/// The key of one set of members.
pub(crate) struct Group {
    key: Zeroizing<[u8; 32]>,
    sealer: Sealer,
    made_at: Instant,
    /// In order.
    members: Vec<Instance>,
    /// The key for each member that has not said to hold it.
    wraps: BTreeMap<Instance, Vec<u8>>,
}

impl Group {
    /// A new key, which no member has; the members stand in order.
    pub(crate) fn new(now: Instant, members: Vec<Instance>, entropy: &mut Entropy) -> Self {
        let id = KeyId(u64::from_be_bytes(*entropy.draw()));
        let key = entropy.draw();
        let sealer = Sealer::new(id, &key);
        Self { key, sealer, made_at: now, members, wraps: BTreeMap::new() }
    }

    /// The name of the key.
    pub(crate) fn id(&self) -> KeyId {
        self.sealer.id()
    }

    /// Whether the key is that of these members, and still fresh.
    pub(crate) fn is_good_for(&self, now: Instant, members: &[Instance]) -> bool {
        let is_old = now.saturating_since(self.made_at) >= RENEW_AFTER;
        self.members == members && !is_old && !self.sealer.is_worn()
    }

    /// Gives the key to a member, with the next message. Without room on its channel it gets none, and
    /// who came after the key was made gets the next one.
    pub(crate) fn wrap(&mut self, member: Instance, channel: &mut Channel) {
        if self.members.binary_search(&member).is_err() {
            return;
        }
        let context = self.id().0.to_be_bytes();
        match channel.sealer.seal(Vec::with_capacity, Kind::Wrap, &[], &context, &[&*self.key]) {
            Some(wrap) => self.wraps.insert(member, wrap),
            None => self.wraps.remove(&member),
        };
    }

    /// Whether the key is on its way to a member.
    pub(crate) fn is_due_to(&self, member: Instance) -> bool {
        self.wraps.contains_key(&member)
    }

    /// Takes note that a member has the key.
    pub(crate) fn is_held_by(&mut self, member: Instance) {
        self.wraps.remove(&member);
    }

    /// Seals a payload for all members. `None` once the key is spent.
    pub(crate) fn seal(
        &mut self,
        room: &mut Room,
        context: &[u8],
        payload: &[&[u8]],
    ) -> Option<Bytes> {
        let mut more = Vec::with_capacity(2 + self.wraps.len() * WRAP_BYTES);
        let count = u16::try_from(self.wraps.len()).expect("a group has at most 1,024 members");
        more.extend_from_slice(&count.to_be_bytes());
        for (member, wrap) in &self.wraps {
            more.extend_from_slice(&member.0.to_be_bytes());
            more.extend_from_slice(wrap);
        }
        let room = |bytes| room.take(bytes);
        self.sealer.seal(room, Kind::Multicast, &more, context, payload).map(Into::into)
    }

    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, next: u64) {
        self.sealer.skip_to(next);
    }
}
