//! The subscribers of one private topic, and who of them is let in.

use std::collections::{BTreeMap, BTreeSet};

use amop_wire::{Instance, Instant, MsgId, Topic};
use bytes::Bytes;

use super::effect::{Identity, Receivers};
use super::group::Group;
use super::receiver::{Desk, Receiver, Step};
use crate::limits::{SEALED_HEAD_BYTES, SUBSCRIBERS_PER_TOPIC_MAX};
use crate::message::{Handshake, Kind};
use crate::payload::{self, OpenError, SealError};
use crate::room::Room;
use crate::seal::{KeyId, SealedHead};
use crate::{Entropy, Exit, PublicKey};

/// One private topic of a publisher.
#[derive(Default)]
pub(crate) struct Audience {
    keys: BTreeSet<PublicKey>,
    receivers: BTreeMap<Instance, Receiver>,
    group: Option<Group>,
    /// When to look at the receivers: none has anything to do before.
    alarm: Option<Instant>,
}

/// What of a publisher all its topics share.
pub(crate) struct Office<'a> {
    pub(crate) now: Instant,
    pub(crate) identity: &'a Identity,
    pub(crate) topic: &'a Topic,
    pub(crate) entropy: &'a mut Entropy,
    pub(crate) room: &'a mut Room,
}

/// What is wanted done about which subscriber.
pub(crate) type Steps = Vec<(Instance, Step)>;

impl Audience {
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.alarm
    }

    /// Replaces the list of keys. Who was let in by a key that is not on it is shut out at once.
    pub(crate) fn allow(&mut self, office: &mut Office<'_>, keys: BTreeSet<PublicKey>) -> Steps {
        let has_more = !keys.is_subset(&self.keys);
        self.keys = keys;
        let mut steps = Steps::new();
        for (&subscriber, receiver) in &mut self.receivers {
            let withdrawn = receiver.restrict(office.now, &self.keys);
            steps.extend(withdrawn.map(|step| (subscriber, step)));
            if has_more {
                receiver.allow(office.now);
            }
        }
        steps.extend(self.handle_timeout(office));
        steps
    }

    /// Takes a key off the list.
    pub(crate) fn remove(&mut self, office: &mut Office<'_>, key: &PublicKey) -> Steps {
        let mut keys = self.keys.clone();
        keys.remove(key);
        self.allow(office, keys)
    }

    pub(crate) fn appeared(
        &mut self,
        office: &mut Office<'_>,
        subscriber: Instance,
        exit: Exit,
    ) -> Steps {
        if let Some(receiver) = self.receivers.get_mut(&subscriber) {
            receiver.appeared(office.now, exit);
        } else {
            if !self.has_room() {
                return vec![(subscriber, Step::Refused)];
            }
            let mut receiver = Receiver::new(office.now, exit);
            receiver.restrict(office.now, &self.keys);
            self.receivers.insert(subscriber, receiver);
        }
        self.run(office, subscriber, Receiver::handle_timeout)
    }

    pub(crate) fn gone(&mut self, office: &mut Office<'_>, subscriber: Instance) -> Steps {
        let now = office.now;
        self.run(office, subscriber, |receiver, _| {
            receiver.gone(now);
            Vec::new()
        })
    }

    pub(crate) fn message(
        &mut self,
        office: &mut Office<'_>,
        from: Instance,
        message: &[u8],
    ) -> Steps {
        match Handshake::read(message) {
            Some(Handshake::Proof(proof)) => {
                let act = |receiver: &mut Receiver, desk: &mut Desk<'_>| {
                    receiver.handle_proof(desk, &proof)
                };
                let steps = self.run(office, from, act);
                // Who needed another channel may not open what was wrapped for the one before.
                if self.group.as_ref().is_some_and(|group| group.is_due_to(from)) {
                    self.wrap_again(office.now, from);
                }
                steps
            }
            Some(Handshake::Lost(id)) => self.lost(office, from, id),
            Some(Handshake::Challenge(_) | Handshake::Confirmation { .. }) => Steps::new(),
            None => {
                self.holds(office.now, from, message);
                Steps::new()
            }
        }
    }

    /// Takes note that a subscriber has no key of this name, or none at all.
    pub(crate) fn lost(
        &mut self,
        office: &mut Office<'_>,
        subscriber: Instance,
        id: KeyId,
    ) -> Steps {
        self.wrap_again(office.now, subscriber);
        self.run(office, subscriber, |receiver, desk| {
            receiver.lost(desk.now, id);
            Vec::new()
        })
    }

    /// Does what is due of all receivers.
    pub(crate) fn handle_timeout(&mut self, office: &mut Office<'_>) -> Steps {
        self.alarm = None;
        self.receivers.retain(|_, receiver| !receiver.is_forgotten(office.now));
        let all: Vec<_> = self.receivers.keys().copied().collect();
        let run = |subscriber| self.run(office, subscriber, Receiver::handle_timeout);
        all.into_iter().flat_map(run).collect()
    }

    pub(crate) fn receivers(&self, now: Instant) -> Receivers {
        let ready: Vec<_> = self.ready(now).collect();
        if !ready.is_empty() {
            Receivers::Verified(ready)
        } else if self.is_verifying(now) {
            Receivers::Verifying
        } else {
            Receivers::Nobody
        }
    }

    /// Whether anybody is being verified.
    pub(crate) fn is_verifying(&self, now: Instant) -> bool {
        self.receivers.values().any(|receiver| receiver.is_being_verified(now))
    }

    /// Seals something for one subscriber.
    pub(crate) fn seal_for(
        &mut self,
        office: &mut Office<'_>,
        kind: Kind,
        to: Instance,
        id: MsgId,
        payload: &[&[u8]],
    ) -> Result<Bytes, SealError> {
        payload::check_length(payload)?;
        let receiver = self.receivers.get_mut(&to).ok_or(SealError::NotVerified)?;
        let channel = receiver.channel(office.now).ok_or(SealError::NotVerified)?;
        let context = payload::context(office.topic, id, Some(to));
        let room = |bytes| office.room.take(bytes);
        let sealed = channel.sealer.seal(room, kind, &[], &context, payload);
        self.alarm = self.alarm.into_iter().chain(receiver.poll_timeout()).min();
        sealed.map(Into::into).ok_or(SealError::NotVerified)
    }

    pub(crate) fn seal_multicast(
        &mut self,
        office: &mut Office<'_>,
        id: MsgId,
        payload: &[&[u8]],
    ) -> Result<(Bytes, Vec<Instance>), SealError> {
        payload::check_length(payload)?;
        let now = office.now;
        let members: Vec<_> = self.ready(now).collect();
        if members.is_empty() {
            return Err(SealError::NotVerified);
        }
        if !self.group.as_ref().is_some_and(|group| group.is_good_for(now, &members)) {
            let mut group = Group::new(now, members.clone(), office.entropy);
            for (member, receiver) in &mut self.receivers {
                if let Some(channel) = receiver.channel(now) {
                    group.wrap(*member, channel);
                }
                self.alarm = self.alarm.into_iter().chain(receiver.poll_timeout()).min();
            }
            self.group = Some(group);
        }
        let group = self.group.as_mut().expect("it was just made, if there was none");
        let sealed = group.seal(office.room, &payload::context(office.topic, id, None), payload);
        Ok((sealed.ok_or(SealError::NotVerified)?, members))
    }

    pub(crate) fn open_answer(
        &mut self,
        office: &mut Office<'_>,
        from: Instance,
        id: MsgId,
        sealed: &[u8],
    ) -> Result<Bytes, OpenError> {
        let head = payload::head_of(sealed, &[Kind::Answer])?;
        let receiver = self.receivers.get_mut(&from).ok_or(OpenError::UnknownKey)?;
        let channel = receiver.channel_of(office.now, head.key).ok_or(OpenError::UnknownKey)?;
        let context = payload::context(office.topic, id, Some(from));
        payload::open(&mut channel.opener, office.room, head, sealed, &context)
    }

    /// Whether there is room for another subscriber, if need be that of one that is away.
    fn has_room(&mut self) -> bool {
        if self.receivers.len() < SUBSCRIBERS_PER_TOPIC_MAX {
            return true;
        }
        let away = self.receivers.iter().find(|(_, receiver)| !receiver.is_attached());
        let away = away.map(|(subscriber, _)| *subscriber);
        away.is_some_and(|away| self.receivers.remove(&away).is_some())
    }

    /// Those that something may be sealed for.
    pub(crate) fn ready(&self, now: Instant) -> impl Iterator<Item = Instance> {
        let ready = self.receivers.iter().filter(move |(_, receiver)| receiver.is_ready(now));
        ready.map(|(subscriber, _)| *subscriber)
    }

    /// Gives the key of the group once more to a member that may not have it.
    fn wrap_again(&mut self, now: Instant, member: Instance) {
        let channel = self.receivers.get_mut(&member).and_then(|receiver| receiver.channel(now));
        if let (Some(group), Some(channel)) = (&mut self.group, channel) {
            group.wrap(member, channel);
        }
    }

    /// Takes note that a member has the key of the group, if it says so under its own.
    fn holds(&mut self, now: Instant, member: Instance, sealed: &[u8]) {
        let Some(head) = SealedHead::read(sealed).filter(|head| head.kind == Kind::Holds) else {
            return;
        };
        let channel =
            self.receivers.get_mut(&member).and_then(|receiver| receiver.channel_of(now, head.key));
        let (Some(channel), Some(group)) = (channel, &mut self.group) else { return };
        let opened =
            channel.opener.open(|bytes| vec![0; bytes], head, sealed, SEALED_HEAD_BYTES, &[]);
        if opened.is_ok_and(|held| held == group.id().0.to_be_bytes()) {
            group.is_held_by(member);
        }
    }

    /// Lets one receiver act.
    fn run(
        &mut self,
        office: &mut Office<'_>,
        subscriber: Instance,
        act: impl FnOnce(&mut Receiver, &mut Desk<'_>) -> Vec<Step>,
    ) -> Steps {
        let Some(receiver) = self.receivers.get_mut(&subscriber) else { return Steps::new() };
        let (now, identity, topic) = (office.now, office.identity, office.topic);
        let entropy = &mut *office.entropy;
        let mut desk = Desk { now, identity, topic, keys: &self.keys, subscriber, entropy };
        let steps = act(receiver, &mut desk);
        self.alarm = self.alarm.into_iter().chain(receiver.poll_timeout()).min();
        steps.into_iter().map(|step| (subscriber, step)).collect()
    }

    #[cfg(test)]
    pub(crate) fn keys(&self) -> &BTreeSet<PublicKey> {
        &self.keys
    }

    #[cfg(test)]
    pub(crate) fn wear_out(&mut self, now: Instant, subscriber: Instance, next: u64) {
        let receiver = self.receivers.get_mut(&subscriber);
        let channel = receiver.and_then(|receiver| receiver.channel(now));
        channel.expect("the subscriber is verified").sealer.skip_to(next);
    }

    #[cfg(test)]
    pub(crate) fn wear_group_out(&mut self, next: u64) {
        self.group.as_mut().expect("something was sealed").skip_to(next);
    }
}
