//! How fast clients publish, and whether a node takes more than it may.
//!
//! Each life of a node is measured by itself, by nothing but a sum: what it has taken since it was given
//! its rates must never be more than the rates times the time, and one burst.

use amop_core::node::{Effect as NodeEffect, Input as NodeInput, Pace, Rate, Rates};
use amop_wire::{ClientMessage, Code, Instant, NodeMessage, Outcome};

use crate::fault::Fault;
use crate::world::World;

/// What a node has taken from its clients.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    since: Instant,
    messages: u64,
    bytes: u64,
    /// The largest message, if that is above the burst.
    largest: u64,
}

impl World {
    /// Has all nodes take only so much a second from now on, or as much as comes.
    pub fn set_throttled(&mut self, is_throttled: bool) {
        if is_throttled {
            self.coverage.fault(Fault::Throttle);
        }
        self.set_rates(if is_throttled { throttled() } else { Rates::default() });
    }

    /// Has all nodes pass on only so much a second from now on, and send only so much of files, or as much as comes.
    pub fn set_narrow(&mut self, is_narrow: bool) {
        if is_narrow {
            self.coverage.fault(Fault::Narrow);
        }
        let rate = |per_second, burst| is_narrow.then_some(Rate { per_second, burst });
        self.limits.node.transit = rate(TRANSIT_PER_SECOND, TRANSIT_BURST);
        self.limits.node.files = rate(FILES_PER_SECOND, FILES_BURST);
        self.set_node_limits();
    }

    /// Has all nodes take what comes at these rates from now on.
    pub fn set_rates(&mut self, rates: Rates) {
        self.limits.node.rates = rates;
        let taken = Taken { since: self.now, ..Taken::default() };
        for slot in &mut self.nodes {
            slot.taken = taken;
            if let Some(core) = slot.core.as_mut() {
                core.set_limits(self.limits.node);
            }
        }
    }

    /// A node begins a life in which it has taken nothing.
    pub(crate) fn begin_taking(&mut self, node: usize) {
        self.nodes[node].taken = Taken { since: self.now, ..Taken::default() };
    }

    /// The size of a publish that comes to a node, if it is to be measured.
    pub(crate) fn publish_bytes(&self, input: &NodeInput) -> Option<(u64, u64)> {
        let NodeInput::Client { link, message: ClientMessage::Publish(publish) } = input else {
            return None;
        };
        // What is behind the end of a link is dropped.
        self.network.links.get(link)?.ends[1]?;
        Some((publish.counter, publish.payload.len() as u64))
    }

    /// Notes a violation if a node has taken a publish that is more than it may.
    pub(crate) fn check_rates(
        &mut self,
        node: usize,
        (counter, bytes): (u64, u64),
        effects: &[NodeEffect],
    ) {
        let is_refused = |effect: &NodeEffect| match effect {
            NodeEffect::ToClient { message: NodeMessage::Outcome(outcome), .. } => {
                let Outcome { counter: ended, code, .. } = outcome;
                let codes = [Code::Limited, Code::NotPermitted, Code::Overloaded, Code::Draining];
                *ended == counter && codes.contains(code)
            }
            NodeEffect::Close { .. } => true,
            NodeEffect::ToClient { .. }
            | NodeEffect::ToClients { .. }
            | NodeEffect::ToPeer { .. }
            | NodeEffect::Sign { .. }
            | NodeEffect::JudgeRevocations { .. }
            | NodeEffect::Traced { .. }
            | NodeEffect::Reached { .. }
            | NodeEffect::Event(_) => false,
        };
        if effects.iter().any(is_refused) {
            return;
        }
        let taken = &mut self.nodes[node].taken;
        taken.messages += 1;
        taken.bytes += bytes;
        taken.largest = taken.largest.max(bytes);
        let (taken, now) = (*taken, self.now);
        let Rates { session: _, agency, node: of_node } = self.limits.node.rates;
        // All clients of a world are of one agency.
        for Pace { bytes, messages } in [agency, of_node] {
            let is_over = bytes.is_some_and(|rate| taken.bytes > taken.most(now, rate))
                || messages.is_some_and(|rate| taken.messages > taken.most(now, rate));
            if is_over {
                self.record.broken.push(format!("node {node} takes more than it may: {taken:?}"));
            }
        }
    }
}

impl Taken {
    fn most(&self, now: Instant, rate: Rate) -> u64 {
        let nanos = now.saturating_since(self.since).as_nanos();
        let ran_out = nanos * u128::from(rate.per_second) / 1_000_000_000;
        rate.burst.max(self.largest) + u64::try_from(ran_out).expect("worlds are short")
    }
}

/// So little that clients are refused for the sake of each limit.
fn throttled() -> Rates {
    let messages = |per_second, burst| Some(Rate { per_second, burst });
    Rates {
        session: Pace { bytes: None, messages: messages(4, 5) },
        agency: Pace { bytes: None, messages: messages(5, 6) },
        node: Pace { bytes: Some(Rate { per_second: 200, burst: 250 }), messages: None },
    }
}

/// So few bytes of payload, 32 in each message, that some that are passed on come too early.
const TRANSIT_PER_SECOND: u64 = 200;
const TRANSIT_BURST: u64 = 100;

/// So few bytes that the files of a world wait for each other, and still arrive.
const FILES_PER_SECOND: u64 = 1 << 20;
const FILES_BURST: u64 = 1 << 16;
