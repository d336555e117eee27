//! Tells publishers who subscribes to the topics that they watch: those of their private topics.
//!
//! Each topic that anybody watches has the list that all who watch it were told. At the end of a batch
//! in which something happened to its subscribers it is compared with the table, and who watches is told
//! the difference. Topics that nobody watches cost nothing.

use std::collections::{BTreeMap, BTreeSet};

use amop_topic_table::{Candidate, Place};
use amop_wire::limits::{WATCHED_SUBSCRIBERS_MAX, WATCHES_PER_CLIENT_MAX};
use amop_wire::{CloseCode, Epoch, Instance, NodeId, NodeMessage, Seated, Topic, Watched};

use super::{LinkId, Node};

/// Who watches which topics, and what they were told.
#[derive(Debug, Default)]
pub(super) struct Watches {
    topics: BTreeMap<Topic, Told>,
    /// What each client watches.
    watched: BTreeMap<Instance, BTreeSet<Topic>>,
    /// The topics whose subscribers may be others than was told.
    touched: BTreeSet<Topic>,
    /// Any of them may be.
    is_all_touched: bool,
}

#[derive(Debug, Default)]
struct Told {
    by: BTreeSet<Instance>,
    present: BTreeMap<Instance, (NodeId, Epoch)>,
}

impl Watches {
    /// Notes that somebody came to a topic, left it or moved.
    pub(super) fn touch(&mut self, topic: &Topic) {
        if self.topics.contains_key(topic) {
            self.touched.insert(topic.clone());
        }
    }

    /// Notes that many did.
    pub(super) fn touch_all(&mut self) {
        self.is_all_touched = true;
    }

    /// Forgets what a session watches.
    pub(super) fn forget(&mut self, instance: Instance) {
        for topic in self.watched.remove(&instance).unwrap_or_default() {
            self.blind(&topic, instance);
        }
    }

    /// Tells a client nothing more of a topic.
    fn blind(&mut self, topic: &Topic, instance: Instance) {
        let Some(told) = self.topics.get_mut(topic) else { return };
        told.by.remove(&instance);
        if told.by.is_empty() {
            self.topics.remove(topic);
        }
    }

    /// Whether a client watches a topic.
    pub(super) fn is_watched_by(&self, topic: &Topic, instance: Instance) -> bool {
        self.topics.get(topic).is_some_and(|told| told.by.contains(&instance))
    }

    /// How many topics the client watches that watches most.
    pub(super) fn most(&self) -> usize {
        self.watched.values().map(BTreeSet::len).max().unwrap_or_default()
    }

    fn take_touched(&mut self) -> Vec<Topic> {
        let touched = std::mem::take(&mut self.touched);
        if std::mem::take(&mut self.is_all_touched) {
            return self.topics.keys().cloned().collect();
        }
        touched.into_iter().filter(|topic| self.topics.contains_key(topic)).collect()
    }
}

impl Node {
    /// A client wants to know who subscribes to a topic.
    pub(super) fn watch(&mut self, link: LinkId, instance: Instance, topic: Topic) {
        let watched = self.watches.watched.entry(instance).or_default();
        if watched.len() >= WATCHES_PER_CLIENT_MAX && !watched.contains(&topic) {
            let text = format!("a client watches no more than {WATCHES_PER_CLIENT_MAX} topics");
            return self.close(link, CloseCode::Protocol, text);
        }
        watched.insert(topic.clone());
        if !self.permissions(instance, &topic).publish {
            return self.tell_nobody_is_there(instance, topic);
        }
        if !self.watches.topics.contains_key(&topic) {
            let present = self.seated(&topic);
            let told = Told { by: BTreeSet::new(), present };
            self.watches.topics.insert(topic.clone(), told);
        }
        let Some(told) = self.watches.topics.get_mut(&topic) else { return };
        told.by.insert(instance);
        let present = told.present.iter().map(seated).collect();
        let watched = Watched { is_all: true, topic, present, gone: Vec::new() };
        self.tell_client(instance, NodeMessage::Watched(watched));
    }

    /// Other rules count: who may not publish to a topic any more sees nobody there, and who may now is
    /// told.
    pub(super) fn watch_again(&mut self, link: LinkId, instance: Instance) {
        let topics = self.watches.watched.get(&instance).cloned().unwrap_or_default();
        for topic in topics {
            let is_told = self.watches.is_watched_by(&topic, instance);
            match (is_told, self.permissions(instance, &topic).publish) {
                (true, true) | (false, false) => {}
                (false, true) => self.watch(link, instance, topic),
                (true, false) => {
                    self.watches.blind(&topic, instance);
                    self.tell_nobody_is_there(instance, topic);
                }
            }
        }
    }

    fn tell_nobody_is_there(&mut self, instance: Instance, topic: Topic) {
        let watched = Watched { is_all: true, topic, present: Vec::new(), gone: Vec::new() };
        self.tell_client(instance, NodeMessage::Watched(watched));
    }

    /// Tells those who watch what has changed in this batch.
    pub(super) fn tell_watchers(&mut self) {
        for topic in self.watches.take_touched() {
            let present = self.seated(&topic);
            let Some(told) = self.watches.topics.get_mut(&topic) else { continue };
            let before = std::mem::replace(&mut told.present, present);
            let is_news = |(who, at): &(&Instance, &(NodeId, Epoch))| before.get(who) != Some(at);
            let came: Vec<Seated> = told.present.iter().filter(is_news).map(seated).collect();
            let is_gone = |who: &&Instance| !told.present.contains_key(who);
            let gone: Vec<Instance> = before.keys().filter(is_gone).copied().collect();
            let by: Vec<Instance> = told.by.iter().copied().collect();
            // Both together might not fit one header; who went is told first, for its room.
            for (present, gone) in [(Vec::new(), gone), (came, Vec::new())] {
                if present.is_empty() && gone.is_empty() {
                    continue;
                }
                let watched = Watched { is_all: false, topic: topic.clone(), present, gone };
                for &instance in &by {
                    self.tell_client(instance, NodeMessage::Watched(watched.clone()));
                }
            }
        }
    }

    /// Who subscribes to a topic, and where.
    fn seated(&self, topic: &Topic) -> BTreeMap<Instance, (NodeId, Epoch)> {
        let seat = |candidate: Candidate| {
            let epoch = match candidate.place {
                Place::Here => self.epoch,
                Place::Node(node) => self.table.version_of(node).unwrap_or_default().epoch,
            };
            (candidate.instance, (self.node_at(candidate.place), epoch))
        };
        self.table.subscribers(topic).map(seat).take(WATCHED_SUBSCRIBERS_MAX).collect()
    }
}

fn seated((&instance, &(node, epoch)): (&Instance, &(NodeId, Epoch))) -> Seated {
    Seated { instance, node, epoch }
}
