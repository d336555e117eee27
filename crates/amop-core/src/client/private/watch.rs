//! Who subscribes to the private topics that this client publishes to, and who of them is verified.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_auth::{Exit, PublicKey, Receivers, publisher};
use amop_wire::limits::WATCHES_PER_CLIENT_MAX;
use amop_wire::{
    ClientMessage, Epoch, Instance, Instant, NodeHandshake, NodeId, Publish, Seated, Topic, Watched,
};
use bytes::Bytes;

use super::super::{Client, Effect, State};
use super::{Draft, FILE_NEXT_WITHIN};

/// A topic that this client publishes to in private.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    /// Whether the node at the other end of the link has said who subscribes.
    is_told: bool,
    present: BTreeMap<Instance, (NodeId, Epoch)>,
    /// When one that was there went last.
    left_at: Option<Instant>,
    /// By which key each was verified.
    keys: BTreeMap<Instance, PublicKey>,
    /// Who could not open the offer of a file and was not verified since, and when that was heard last.
    locked_out: BTreeMap<Instance, Instant>,
}

impl Outlet {
    pub(super) fn link_down(&mut self) {
        self.is_told = false;
    }

    /// Where a subscriber is.
    pub(super) fn seat(&self, subscriber: Instance) -> Option<(NodeId, Epoch)> {
        self.present.get(&subscriber).copied()
    }

    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// Whether somebody may come back any moment.
    pub(super) fn is_missed(&self, now: Instant) -> bool {
        self.left_at.is_some_and(|left| now < left + MISSED)
    }

    /// Takes note of who could not open the offer of a file.
    pub(super) fn lock_out(&mut self, now: Instant, subscriber: Instance) {
        let Self { locked_out, present, .. } = self;
        locked_out.retain(|one, _| present.contains_key(one));
        if present.contains_key(&subscriber) {
            locked_out.insert(subscriber, now);
        }
    }

    /// Whether a subscriber, for all that is known, can open the offer of a file.
    pub(super) fn can_open(&self, subscriber: Instance) -> bool {
        !self.locked_out.contains_key(&subscriber)
    }

    /// Whether somebody who could not open one may have new keys any moment.
    pub(super) fn is_renewing(&self, now: Instant) -> bool {
        self.locked_out.values().any(|at| now < *at + FILE_NEXT_WITHIN)
    }
}

impl Client {
    /// The application says who may receive on a topic.
    pub(in super::super) fn allow(
        &mut self,
        now: Instant,
        topic: Topic,
        keys: BTreeSet<PublicKey>,
    ) {
        let Some(private) = &mut self.private else { return };
        let is_new = !private.outlets.contains_key(&topic);
        if is_new && private.outlets.len() >= WATCHES_PER_CLIENT_MAX {
            return;
        }
        private.outlets.entry(topic.clone()).or_default();
        self.tell_publisher(now, publisher::Input::Allow { topic: topic.clone(), keys });
        if !is_new {
            return;
        }
        // What has not left yet is sealed as well.
        for (counter, key, deadline, publish) in self.take_waiting(&topic) {
            let Publish { mode, terms, payload, .. } = publish;
            let draft = Draft::new(key, (mode, terms), topic.clone(), payload, deadline);
            self.publish_private(now, counter, draft);
        }
        if matches!(self.state, State::Subscribing { .. } | State::Connected) {
            self.send(ClientMessage::Watch(topic));
        }
    }

    /// The application takes a key off a list.
    pub(in super::super) fn remove_key(&mut self, now: Instant, topic: Topic, key: PublicKey) {
        self.tell_publisher(now, publisher::Input::Remove { topic, key });
    }

    /// The node has taken us in: asks who subscribes.
    pub(in super::super) fn watch_all(&mut self) {
        let Some(private) = &self.private else { return };
        let topics: Vec<Topic> = private.outlets.keys().cloned().collect();
        for topic in topics {
            self.send(ClientMessage::Watch(topic));
        }
    }

    /// Says who of the subscribers of a private topic would get a message now, and by which key, in the
    /// order of their instances.
    #[must_use]
    pub fn verified(&self, now: Instant, topic: &Topic) -> Vec<(Instance, PublicKey)> {
        let Some(private) = &self.private else { return Vec::new() };
        let Some(outlet) = private.outlets.get(topic) else { return Vec::new() };
        match private.publisher.receivers(now, topic) {
            Receivers::Verified(all) => {
                let keyed = |instance| Some((instance, *outlet.keys.get(&instance)?));
                all.into_iter().filter_map(keyed).collect()
            }
            Receivers::Verifying | Receivers::Nobody => Vec::new(),
        }
    }

    /// How many topics this client has given a list of keys.
    #[must_use]
    pub fn private_topics(&self) -> usize {
        self.private.as_ref().map_or(0, |private| private.outlets.len())
    }

    /// Whether this client has given the topic a list of keys.
    #[must_use]
    pub fn is_private(&self, topic: &Topic) -> bool {
        self.private.as_ref().is_some_and(|private| private.publishes_to(topic))
    }

    /// The node says who subscribes.
    pub(in super::super) fn watched(&mut self, now: Instant, watched: Watched) {
        let Watched { is_all, topic, present, gone } = watched;
        let Some(outlet) = self.private.as_mut().and_then(|it| it.outlets.get_mut(&topic)) else {
            return;
        };
        let mut gone: BTreeSet<Instance> = gone.into_iter().collect();
        if is_all {
            let here: BTreeSet<Instance> = present.iter().map(|seated| seated.instance).collect();
            gone = outlet.present.keys().copied().filter(|one| !here.contains(one)).collect();
            outlet.is_told = true;
        }
        for instance in &gone {
            if outlet.present.remove(instance).is_some() {
                outlet.left_at = Some(now);
            }
        }
        let seat = |seated: &Seated| (seated.instance, (seated.node, seated.epoch));
        outlet.present.extend(present.iter().map(seat));
        for &subscriber in &gone {
            self.tell_publisher(now, publisher::Input::Gone { topic: topic.clone(), subscriber });
        }
        let mut back = BTreeSet::new();
        for Seated { instance: subscriber, node, epoch } in present {
            if !is_all {
                self.renewed(&topic, subscriber);
            }
            let exit = Exit { node, epoch };
            let appeared = publisher::Input::Appeared { topic: topic.clone(), subscriber, exit };
            self.tell_publisher(now, appeared);
            if !is_all && self.is_locked_out(&topic, subscriber) {
                self.cannot_open(now, topic.clone(), subscriber); // It may have its key again.
            }
            back.insert(subscriber);
        }
        if self.generation.0 > 1 {
            self.tell_where_we_are(now, &topic, &back);
        }
        self.fail_over_from(now, &topic, &gone);
        self.look_again(now, &topic);
        self.effects.push_back(Effect::Receivers { topic });
    }

    /// Tells those of them who have a channel with us at which node we are now: their words for us go
    /// there. Who was away when we came here has not heard of it.
    fn tell_where_we_are(&mut self, now: Instant, topic: &Topic, present: &BTreeSet<Instance>) {
        for (subscriber, _) in self.verified(now, topic) {
            if present.contains(&subscriber) {
                self.send_handshake(topic.clone(), subscriber, None, Bytes::new());
            }
        }
    }

    /// Notes by which key a subscriber was verified, or that it is no longer.
    pub(super) fn proved(&mut self, topic: &Topic, subscriber: Instance, key: Option<PublicKey>) {
        let Some(outlet) = self.private.as_mut().and_then(|it| it.outlets.get_mut(topic)) else {
            return;
        };
        match key {
            Some(key) => _ = outlet.keys.insert(subscriber, key),
            None => _ = outlet.keys.remove(&subscriber),
        }
        outlet.locked_out.remove(&subscriber);
        self.effects.push_back(Effect::Receivers { topic: topic.clone() });
    }

    /// A subscriber cannot open the offer of a file (FILE-16).
    pub(in super::super) fn cannot_open(
        &mut self,
        now: Instant,
        topic: Topic,
        subscriber: Instance,
    ) {
        let Some(outlet) = self.private.as_mut().and_then(|it| it.outlets.get_mut(&topic)) else {
            return;
        };
        outlet.lock_out(now, subscriber);
        self.tell_publisher(now, publisher::Input::CannotOpen { topic, subscriber });
    }

    fn is_locked_out(&self, topic: &Topic, subscriber: Instance) -> bool {
        let outlet = self.private.as_ref().and_then(|it| it.outlets.get(topic));
        outlet.is_some_and(|outlet| !outlet.can_open(subscriber))
    }

    /// A subscriber has other keys: what it could not open may go to it again.
    pub(super) fn let_in_again(&mut self, topic: &Topic, subscriber: Instance) {
        let outlet = self.private.as_mut().and_then(|it| it.outlets.get_mut(topic));
        if outlet.is_some_and(|outlet| outlet.locked_out.remove(&subscriber).is_some()) {
            self.effects.push_back(Effect::Receivers { topic: topic.clone() });
        }
    }

    /// The other end of a private topic says something.
    pub(in super::super) fn handshake(&mut self, now: Instant, handshake: NodeHandshake) {
        let NodeHandshake { from, home, name, topic, payload: message } = handshake;
        let Some(home) = home else {
            return self.tell_publisher(now, publisher::Input::Message { topic, from, message });
        };
        let Some(private) = &mut self.private else { return };
        private.homes.note(from, home); // Also where we have no key yet: nobody says it again.
        if !private.subscriber.is_private(&topic) {
            return;
        }
        let input = amop_auth::subscriber::Input::Message { topic, from, name, message };
        private.subscriber.handle(now, input);
        self.drain_subscriber();
    }
}

/// For how long a subscriber that went may come back any moment: as at nodes (UNI-4).
const MISSED: Duration = Duration::from_secs(30);
