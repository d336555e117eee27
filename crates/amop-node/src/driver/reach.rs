//! Makes what people are shown who ask who would get a message on a topic now.

use std::collections::BTreeMap;

use amop_core::node::{Hop, HopWord, Input, Reach};
use amop_wire::{Name, Topic};
use tokio::sync::oneshot;

use super::look::millis;
use super::{Driver, State};
use crate::view::{HopView, ReachView, SubscriberView};

impl Driver {
    /// Has the node find out who would get a message; answers within some 2 s, with nothing to whom may not publish.
    pub(crate) fn begin_reach(
        &self,
        topic: Topic,
        whom: Option<Name>,
    ) -> oneshot::Receiver<Option<Reach>> {
        let (told, answer) = oneshot::channel();
        let (now, mut state) = self.begin_batch();
        state.last_trace += 1;
        let number = state.last_trace;
        state.reaching.insert(number, told);
        state.handle(now, Input::Reach { number, topic, whom });
        self.end_batch(now, state);
        answer
    }

    /// What was found out, for people.
    pub(crate) fn shown_reach(&self, reach: &Reach) -> ReachView {
        let state = self.lock();
        let own = self.name.as_dns();
        let clients = state.core.attached_clients();
        let names: BTreeMap<_, _> =
            clients.map(|client| (client.instance, client.name.as_dns())).collect();
        let here = reach.here.iter().map(|instance| SubscriberView {
            node: own.into(),
            client: names.get(instance).map(|&name| name.into()),
            instance: instance.to_string(),
        });
        ReachView {
            topic: reach.topic.as_str().into(),
            node: own.into(),
            count: reach.count,
            subscribers: here.collect(),
            hops: reach.hops.iter().map(|hop| state.shown_hop(hop)).collect(),
        }
    }
}

impl State {
    /// Tells who asked. Nobody may be there any more.
    pub(super) fn reached(&mut self, number: u64, reach: Option<Reach>) {
        if let Some(asker) = self.reaching.remove(&number) {
            drop(asker.send(reach));
        }
    }

    fn shown_hop(&self, hop: &Hop) -> HopView {
        let (word, count, subscribers) = match &hop.word {
            HopWord::Unasked => ("unasked", 0, &[][..]),
            HopWord::Silent => ("silent", 0, &[][..]),
            HopWord::Busy => ("busy", 0, &[][..]),
            HopWord::There { count, subscribers } => ("there", *count, &subscribers[..]),
        };
        HopView {
            way: hop.way.iter().map(|&node| self.shown(node)).collect(),
            announced: hop.announced,
            word: word.into(),
            round_trip_ms: millis(hop.round_trip),
            count,
            subscribers: subscribers.iter().map(ToString::to_string).collect(),
        }
    }
}
