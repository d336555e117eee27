//! What the application subscribes to, and what it was told about that.
//!
//! A node answers every subscribe, in their order. So an answer is about the last subscribe of a
//! topic only if no other is on its way: one that was given up and made again is not taken for
//! held, or for known to every node, because the first was.

use std::collections::{BTreeMap, BTreeSet};

use amop_wire::limits::SUBSCRIPTIONS_PER_CLIENT_MAX;
use amop_wire::{ClientMessage, CloseCode, CloseReason, Code, Epoch, Instant, Reason, Topic};

use super::{Client, Effect, State};

/// The subscriptions of one client.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// What the application wants, and whether it was told that the node holds it.
    wanted: BTreeMap<Topic, Told>,
    /// Those of which the application waits to hear that every node knows of them.
    unpropagated: BTreeSet<Topic>,
    /// How many subscribes of each topic the link has carried without an answer so far.
    unanswered: BTreeMap<Topic, u32>,
}

/// Whether the application knows how its subscribe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Waits,
    Knows,
}

impl Subscriptions {
    pub(super) fn contains(&self, topic: &Topic) -> bool {
        self.wanted.contains_key(topic)
    }

    /// How many topics have a subscribe on its way.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// The link has ended.
    pub(super) fn link_down(&mut self) {
        self.unanswered.clear();
    }

    fn remove(&mut self, topic: &Topic) {
        self.wanted.remove(topic);
        self.unpropagated.remove(topic);
    }

    /// A subscribe was answered; says whether that was the last one of the topic.
    fn answered(&mut self, topic: &Topic) -> bool {
        match self.unanswered.get_mut(topic) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            Some(_) | None => {
                self.unanswered.remove(topic);
                true
            }
        }
    }
}

impl Client {
    pub(super) fn attached(&mut self, now: Instant, epoch: Epoch) {
        if !matches!(self.state, State::Attaching) {
            let text = "attached without a request";
            return self
                .effects
                .push_back(Effect::Close(CloseReason::new(CloseCode::Protocol, text)));
        }
        let open: BTreeSet<Topic> = self.subscriptions.wanted.keys().cloned().collect();
        for topic in &open {
            self.send_subscribe(topic.clone());
            if self.subscriptions.unpropagated.contains(topic) {
                self.send(ClientMessage::Propagate(topic.clone()));
            }
        }
        self.state = State::Subscribing { open };
        self.attached_to(now, epoch);
        self.watch_all();
        self.connected_if_complete(now);
    }

    pub(super) fn subscribe(&mut self, now: Instant, topic: Topic) {
        let Subscriptions { wanted, unpropagated, .. } = &mut self.subscriptions;
        if !wanted.contains_key(&topic) && wanted.len() >= SUBSCRIPTIONS_PER_CLIENT_MAX {
            self.drop_key(now, &topic);
            let (code, reason) = (Code::Overloaded, Reason::TooManySubscriptions);
            return self.effects.push_back(Effect::Subscribed { topic, code, reason });
        }
        unpropagated.remove(&topic);
        wanted.insert(topic.clone(), Told::Waits);
        match &mut self.state {
            State::Offline | State::Attaching => {} // Sent once the node has taken us in.
            State::Subscribing { open } => {
                open.insert(topic.clone());
                self.send_subscribe(topic);
            }
            State::Connected => self.send_subscribe(topic),
        }
    }

    /// The application waits until every node knows of one of its subscriptions.
    pub(super) fn propagate(&mut self, topic: Topic) {
        if !self.subscriptions.contains(&topic) {
            return; // The node has refused it.
        }
        self.subscriptions.unpropagated.insert(topic.clone());
        if matches!(self.state, State::Subscribing { .. } | State::Connected) {
            self.send(ClientMessage::Propagate(topic));
        }
    }

    pub(super) fn unsubscribe(&mut self, now: Instant, topic: Topic) {
        self.subscriptions.remove(&topic);
        self.refuse_waiting(&topic);
        self.drop_key(now, &topic);
        match &mut self.state {
            State::Offline | State::Attaching => {}
            State::Subscribing { open } => {
                open.remove(&topic);
                self.send(ClientMessage::Unsubscribe(topic));
                self.connected_if_complete(now);
            }
            State::Connected => self.send(ClientMessage::Unsubscribe(topic)),
        }
    }

    pub(super) fn subscribed(&mut self, now: Instant, topic: Topic, code: Code, reason: Reason) {
        if !self.subscriptions.answered(&topic) {
            return;
        }
        if let State::Subscribing { open } = &mut self.state {
            open.remove(&topic);
        }
        if code != Code::Ok {
            self.subscriptions.remove(&topic);
            self.drop_key(now, &topic);
            self.effects.push_back(Effect::Subscribed { topic, code, reason });
        } else if let Some(told @ Told::Waits) = self.subscriptions.wanted.get_mut(&topic) {
            *told = Told::Knows;
            self.effects.push_back(Effect::Subscribed { topic, code, reason });
        }
        self.connected_if_complete(now);
    }

    /// Every node knows of a subscription; of an earlier one, if the last has no answer so far.
    pub(super) fn propagated(&mut self, topic: Topic) {
        let Subscriptions { unpropagated, unanswered, .. } = &mut self.subscriptions;
        if !unanswered.contains_key(&topic) && unpropagated.remove(&topic) {
            self.effects.push_back(Effect::Propagated { topic });
        }
    }

    fn send_subscribe(&mut self, topic: Topic) {
        *self.subscriptions.unanswered.entry(topic.clone()).or_default() += 1;
        self.send(ClientMessage::Subscribe(topic));
    }
}

#[cfg(test)]
mod tests {
    use amop_wire::{Instance, NodeId, NodeMessage};

    use super::super::Input;
    use super::*;

    /// PROP-4: both answers to the first subscribe come when the second is on its way already.
    #[test]
    fn what_is_said_of_a_subscribe_that_was_given_up_is_not_taken_for_the_next() {
        let topic: Topic = "quote".parse().unwrap();
        let mut client = Client::new(Instance(1));
        let mut told = |input| {
            client.handle(Instant::default(), input);
            let effects: Vec<Effect> = std::iter::from_fn(|| client.poll_effect()).collect();
            let is_told = |effect: &Effect| {
                matches!(effect, Effect::Subscribed { .. } | Effect::Propagated { .. })
            };
            effects.into_iter().filter(is_told).collect::<Vec<Effect>>()
        };
        let nothing: [Effect; 0] = [];
        let (code, reason) = (Code::Ok, Reason::Unspecified);
        let subscribed = NodeMessage::Subscribed { topic: topic.clone(), code, reason };
        let propagated = NodeMessage::Propagated { topic: topic.clone() };

        told(Input::LinkUp { node: NodeId::from_bytes([1; 32]) });
        told(Input::Message(NodeMessage::Attached {
            epoch: Epoch(1),
            in_flight: amop_wire::InFlight::default(),
        }));
        for _ in 0..2 {
            told(Input::Unsubscribe(topic.clone()));
            told(Input::Subscribe(topic.clone()));
            told(Input::Propagate(topic.clone()));
        }
        assert_eq!(told(Input::Message(subscribed.clone())), nothing);
        assert_eq!(told(Input::Message(propagated.clone())), nothing);
        let second = Effect::Subscribed { topic: topic.clone(), code, reason };
        assert_eq!(told(Input::Message(subscribed)), [second]);
        assert_eq!(told(Input::Message(propagated.clone())), [Effect::Propagated { topic }]);
        assert_eq!(told(Input::Message(propagated)), nothing, "told once");
    }
}
