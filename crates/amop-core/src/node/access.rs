//! As home node: what its clients may publish to, subscribe to and send files to.
//!
//! [`Rules`] take time with their number, so what they say of a client and a topic is kept with the client,
//! for as many topics as it may use at a time without forcing us to decide anew. What counts of other
//! nodes' announcements is decided by the topic table.

use std::collections::BTreeMap;

use amop_topic_table::{Permissions, Rules};
use amop_wire::{Code, FileBody, Instance, Name, NodeMessage, Reason, Topic};

use super::{LinkId, Node};

/// What was decided about one client.
#[derive(Debug, Default)]
pub(super) struct Permits {
    decided: BTreeMap<Topic, Permissions>,
}

impl Permits {
    /// What the client of this name may do with a topic.
    pub(super) fn of(&mut self, rules: &Rules, name: &Name, topic: &Topic) -> Permissions {
        if rules.is_empty() {
            return Permissions::ALL;
        }
        if let Some(permissions) = self.decided.get(topic) {
            return *permissions;
        }
        if self.decided.len() >= DECIDED_MAX {
            self.decided.clear();
        }
        let permissions = rules.permissions(name, topic);
        self.decided.insert(topic.clone(), permissions);
        permissions
    }

    /// For how many topics something was decided.
    pub(super) fn len(&self) -> usize {
        self.decided.len()
    }
}

impl Node {
    /// What an attached client may do with a topic.
    pub(super) fn permissions(&mut self, instance: Instance, topic: &Topic) -> Permissions {
        let Some(publisher) = self.publishers.get_mut(&instance) else {
            return Permissions::default();
        };
        publisher.permits.of(self.table.rules(), &publisher.name, topic)
    }

    /// Why a client may not say this about a file, if so. Once it was offered it goes on.
    pub(super) fn file_forbidden(&mut self, client: Instance, body: &FileBody) -> Option<FileBody> {
        let topic = match body {
            FileBody::Find(topic) => topic,
            offer => offer.offered()?.0,
        };
        let is_permitted = self.permissions(client, topic).file;
        (!is_permitted).then_some(FileBody::Refused(Code::NotPermitted, Reason::NotPermitted))
    }

    /// Goes by other rules from now on: sessions lose what they may not do any more, with a reason.
    pub(super) fn ruled(&mut self, rules: Rules) {
        self.table.set_rules(rules);
        for publisher in self.publishers.values_mut() {
            publisher.permits = Permits::default();
        }
        let sessions = self.sessions.iter();
        let mut held: Vec<(LinkId, Instance, Vec<Topic>)> = sessions
            .map(|(&instance, session)| {
                (session.link, instance, session.topics.iter().cloned().collect())
            })
            .collect();
        held.sort_unstable_by_key(|&(link, ..)| link);
        for (link, instance, topics) in held {
            for topic in topics {
                if !self.permissions(instance, &topic).subscribe {
                    self.unsubscribe(instance, &topic);
                    let (code, reason) = (Code::NotPermitted, Reason::NotPermitted);
                    self.tell_client(instance, NodeMessage::Subscribed { topic, code, reason });
                }
            }
            self.watch_again(link, instance);
        }
        // Subscribers elsewhere may count now for what waits for somebody to come.
        self.is_relinked = true;
        self.watches.touch_all();
    }
}

/// For how many topics of one client it is remembered what it may do; past that all is decided anew.
pub(super) const DECIDED_MAX: usize = 256;
