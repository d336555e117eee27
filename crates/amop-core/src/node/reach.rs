//! Looks forward: who would get a message on a topic now, and over which nodes.
//!
//! ```text
//!  Reach ──▶ may it be published to? ──▶ ask each subscriber's node, and each relay on the way to it ...
//!                                             └─ 2 s after the beginning, whoever has not answered is silent ──▶ Reached
//! ```
//!
//! Each question goes the way that a message would go, so that its time is that of the way. Nothing is delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_topic_table::Place;
use amop_wire::limits::SUBSCRIBERS_PER_ANSWER_MAX;
use amop_wire::{
    Instance, Instant, Name, NodeId, Path, PeerMessage, ReachAnswer, ReachMessage, Topic,
};

use super::{Effect, Node, Timer};

/// Who would get a message on a topic, and over which nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Which topic.
    pub topic: Topic,
    /// How many attached clients of this node would get it.
    pub count: u32,
    /// Some of them, at most [`SUBSCRIBERS_PER_ANSWER_MAX`].
    pub here: Vec<Instance>,
    /// The other nodes on the ways, each after those that lead to it.
    pub hops: Vec<Hop>,
}

/// A node on the way to subscribers, or the one that they are attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The nodes from the asker to this one, both included.
    pub way: Vec<NodeId>,
    /// How many subscribers it announces; of none it is but a relay.
    pub announced: u32,
    /// What it answered.
    pub word: HopWord,
    /// How long question and answer took.
    pub round_trip: Duration,
}

/// What a node on a way answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopWord {
    /// It was not asked: there are too many of them, or too many ask.
    Unasked,
    /// No answer has come: it is gone, cut off, or of an earlier version.
    Silent,
    /// It was asked too often.
    Busy,
    /// It is there.
    There {
        /// How many of its clients would get a message.
        count: u32,
        /// Some of them.
        subscribers: Vec<Instance>,
    },
}

/// Who is being looked for.
#[derive(Debug, Default)]
pub(super) struct Reaches {
    open: BTreeMap<u64, Open>,
    last_question: u64,
}

#[derive(Debug)]
struct Open {
    reach: Reach,
    /// When it began.
    asked: Instant,
    until: Instant,
    /// Questions without an answer, and the hops that they went to.
    awaited: BTreeMap<u64, usize>,
}

impl Node {
    /// Looks who would get a message on a topic, for whoever asks by that number.
    ///
    /// The answer to whom may not publish to it is `None`, whether anybody knows the topic or not.
    pub(super) fn reach(&mut self, now: Instant, number: u64, topic: Topic, whom: Option<&Name>) {
        let rules = self.table.rules();
        let is_permitted = match whom {
            Some(name) => rules.permissions(name, &topic).publish,
            None => rules.may_publish(&self.name, &topic),
        };
        if !is_permitted {
            return self.effects.push_back(Effect::Reached { number, reach: None });
        }
        let (count, here) = self.subscribers_here(&topic);
        let reach = Reach { hops: self.hops_to(&topic), topic, count, here };
        if self.reaches.open.len() >= REACHES_MAX || self.reaches.open.contains_key(&number) {
            return self.effects.push_back(Effect::Reached { number, reach: Some(reach) });
        }
        let until = now + PATIENCE;
        self.timers.set(until, Timer::Reach(number));
        let open = Open { reach, asked: now, until, awaited: BTreeMap::new() };
        self.reaches.open.insert(number, open);
        self.ask_hops(number);
    }

    /// The nodes on the ways to all subscribers elsewhere, each after those that lead to it.
    fn hops_to(&mut self, topic: &Topic) -> Vec<Hop> {
        let mut ways: BTreeMap<Vec<NodeId>, u32> = BTreeMap::new();
        for (place, count) in self.table.spread(topic).to_vec() {
            let Place::Node(node) = place else { continue };
            let Some(way) = self.way_to(node) else { continue };
            for hops in 2..way.len() {
                ways.entry(way[..hops].to_vec()).or_default();
            }
            ways.insert(way, count);
        }
        let hop = |(way, announced)| {
            let (word, round_trip) = (HopWord::Unasked, Duration::ZERO);
            Hop { way, announced, word, round_trip }
        };
        ways.into_iter().map(hop).collect()
    }

    /// The way that a message to a node would go first.
    fn way_to(&mut self, node: NodeId) -> Option<Vec<NodeId>> {
        if self.link_back(node).is_some() {
            return Some(vec![self.id, node]);
        }
        self.table.way(node, &[]).map(|path| path.nodes().to_vec())
    }

    fn ask_hops(&mut self, number: u64) {
        let Some(open) = self.reaches.open.get(&number) else { return };
        let topic = open.reach.topic.clone();
        let hops = open.reach.hops.iter().take(QUESTIONS_MAX);
        let ways: Vec<_> = hops.map(|hop| (hop.way.clone(), hop.announced > 0)).collect();
        for (position, (way, is_exit)) in ways.into_iter().enumerate() {
            self.reaches.last_question += 1;
            let question = self.reaches.last_question;
            let topic = is_exit.then(|| topic.clone());
            let message = PeerMessage::Reach(ReachMessage::Question { number: question, topic });
            let is_sent = match (&way[..], Path::new(&way)) {
                (&[_, neighbour], _) => self.tell_peer(neighbour, message),
                (_, Some(path)) => self.send_along(path, &message),
                (_, None) => false,
            };
            let Some(open) = self.reaches.open.get_mut(&number) else { return };
            open.reach.hops[position].word = HopWord::Silent;
            if is_sent {
                open.awaited.insert(question, position);
            }
        }
        self.end_if_complete(number);
    }

    /// Another node asks, or answers.
    pub(super) fn heard_of_reach(&mut self, now: Instant, node: NodeId, message: ReachMessage) {
        match message {
            ReachMessage::Question { number, topic } => {
                let is_busy = self.traces.is_too_often(now);
                let topic = topic.filter(|_| !is_busy);
                let (count, subscribers) =
                    topic.map(|topic| self.subscribers_here(&topic)).unwrap_or_default();
                let answer = ReachAnswer { number, is_busy, count, subscribers };
                self.reply_to(node, PeerMessage::Reach(ReachMessage::Answer(answer)));
            }
            ReachMessage::Answer(answer) => self.hop_answered(now, node, answer),
        }
    }

    fn hop_answered(&mut self, now: Instant, node: NodeId, answer: ReachAnswer) {
        let waits = |open: &Open| open.awaited.contains_key(&answer.number);
        let Some((&number, open)) = self.reaches.open.iter_mut().find(|(_, open)| waits(open))
        else {
            return; // It comes too late.
        };
        let Some(&position) = open.awaited.get(&answer.number) else { return };
        let hop = &mut open.reach.hops[position];
        if hop.way.last() != Some(&node) {
            return; // Somebody else was asked.
        }
        open.awaited.remove(&answer.number);
        hop.round_trip = now.saturating_since(open.asked);
        let ReachAnswer { is_busy, count, subscribers, .. } = answer;
        hop.word = if is_busy { HopWord::Busy } else { HopWord::There { count, subscribers } };
        self.end_if_complete(number);
    }

    fn end_if_complete(&mut self, number: u64) {
        if self.reaches.open.get(&number).is_some_and(|open| open.awaited.is_empty()) {
            self.reach_over(number);
        }
    }

    /// Time is up, or all have answered.
    pub(super) fn reach_over(&mut self, number: u64) {
        let Some(Open { reach, until, .. }) = self.reaches.open.remove(&number) else { return };
        self.timers.cancel(until, Timer::Reach(number));
        self.effects.push_back(Effect::Reached { number, reach: Some(reach) });
    }

    /// Attached clients that would get a message, counted, and some of them.
    fn subscribers_here(&self, topic: &Topic) -> (u32, Vec<Instance>) {
        let own = self.table.subscribers(topic).filter(|one| one.place == Place::Here);
        let mut all: Vec<Instance> = own.map(|one| one.instance).collect();
        all.sort_unstable();
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.truncate(SUBSCRIBERS_PER_ANSWER_MAX);
        (count, all)
    }
}

impl Reaches {
    /// How many have no end yet.
    pub(super) fn under_way(&self) -> usize {
        self.open.len()
    }
}

/// How long it takes at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most questions for one topic.
const QUESTIONS_MAX: usize = 32;

/// Most topics at a time.
const REACHES_MAX: usize = 16;
