//! As home node: who publishes here, and which of it has no outcome yet.
//!
//! A publisher numbers its publishes upwards, so what is open of it is found by its number. All of
//! it shares one timer, set to the earliest deadline: most publishes end long before theirs, and
//! then no timer was touched for them.

use std::time::Duration;

use amop_wire::{
    CloseCode, Code, Instance, Instant, Mode, MsgId, Name, NodeMessage, Outcome, Publish, Reason,
    ReceiptRun,
};

use super::access::Permits;
use super::multicast::Spread;
use super::pending::Pending;
use super::rates::{Meter, TooFast};
use super::record::Party;
use super::recording::accepted;
use super::unicast::success;
use super::{LinkId, Node, Timer};
use crate::by_counter::ByCounter;
use crate::timers::Timers;

/// A client that is attached here, or was and has publishes without an outcome.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) name: Name,
    /// The agency of it, for records.
    pub(super) party: Party,
    pub(super) unicasts: ByCounter<Pending>,
    pub(super) multicasts: ByCounter<Spread>,
    /// What it may do with which topic.
    pub(super) permits: Permits,
    /// Outcomes of multicasts that wait for the end of the batch.
    pub(super) receipts: Vec<ReceiptRun>,
    /// The payload of its unicasts without an outcome.
    pub(super) open_bytes: usize,
    pub(super) newest: Newest,
    /// What it took of its pace.
    meter: Meter,
    /// What the timer is set to: no deadline is earlier.
    alarm: Option<Instant>,
}

/// The number of the latest publish of each mode: unicasts and multicasts come on lanes of their own, so that
/// one may overtake the other.
#[derive(Debug, Default)]
pub(super) struct Newest {
    unicast: Option<u64>,
    multicast: Option<u64>,
}

impl Newest {
    /// Takes the number of a publish; says whether it is above that of the one before it.
    fn take(&mut self, mode: Mode, counter: u64) -> bool {
        let newest = match mode {
            Mode::Unicast => &mut self.unicast,
            Mode::Multicast => &mut self.multicast,
        };
        let is_next = newest.is_none_or(|newest| counter > newest);
        if is_next {
            *newest = Some(counter);
        }
        is_next
    }

    /// The highest number of all.
    pub(super) fn of_all(&self) -> Option<u64> {
        self.unicast.max(self.multicast)
    }
}

impl Publisher {
    pub(super) fn new(name: Name, party: Party) -> Self {
        Self {
            name,
            party,
            unicasts: ByCounter::default(),
            multicasts: ByCounter::default(),
            permits: Permits::default(),
            receipts: Vec::new(),
            open_bytes: 0,
            newest: Newest::default(),
            meter: Meter::default(),
            alarm: None,
        }
    }

    /// How many publishes have no outcome.
    pub(super) fn under_way(&self) -> usize {
        self.unicasts.len() + self.multicasts.len()
    }

    /// Has this publisher looked after at that moment, if not earlier.
    pub(super) fn wake_by(&mut self, at: Instant, instance: Instance, timers: &mut Timers<Timer>) {
        if self.alarm.is_some_and(|alarm| alarm <= at) {
            return;
        }
        if let Some(alarm) = self.alarm.replace(at) {
            timers.cancel(alarm, Timer::Publisher(instance));
        }
        timers.set(at, Timer::Publisher(instance));
    }
}

impl Node {
    pub(super) fn publish(
        &mut self,
        now: Instant,
        link: LinkId,
        instance: Instance,
        publish: Publish,
    ) {
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        let counter = publish.counter;
        if !publisher.newest.take(publish.mode, counter) {
            let text = format!("publish {counter} does not come after the one before it");
            return self.close(link, CloseCode::Protocol, text);
        }
        if let Some((code, reason, retry_after)) = self.refusal(now, instance, &publish) {
            let outcome = Outcome { code, reason, retry_after, ..success(counter) };
            self.note_not_accepted(instance, &outcome, &publish);
            return self.tell_client(instance, NodeMessage::Outcome(outcome));
        }
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        self.under_way += 1;
        let held = held_bytes(&publish);
        publisher.open_bytes += held;
        self.memory.hold(held);
        let id = MsgId { publisher: instance, counter };
        self.recorder.note(now, id, accepted(publisher.party, &publish));
        match publish.mode {
            Mode::Multicast => self.spread(now, instance, publish),
            Mode::Unicast => self.request(now, instance, publish),
        }
    }

    /// Why a publish is not taken, and when it may be if that is a matter of time. What is taken counts
    /// from now on.
    fn refusal(
        &mut self,
        now: Instant,
        instance: Instance,
        publish: &Publish,
    ) -> Option<(Code, Reason, Option<Duration>)> {
        let publisher = self.publishers.get_mut(&instance)?;
        if self.shutting_down || self.drain.refuses(now) {
            return Some((Code::Draining, Reason::ShuttingDown, None));
        }
        let rules = self.table.rules();
        if !publisher.permits.of(rules, &publisher.name, &publish.topic).publish {
            return Some((Code::NotPermitted, Reason::NotPermitted, None));
        }
        if publisher.under_way() >= self.limits.requests_per_client
            || self.under_way >= self.limits.requests_per_node
        {
            return Some((Code::Overloaded, Reason::TooManyRequests, None));
        }
        let held = held_bytes(publish);
        if held > 0
            && publisher.open_bytes > 0
            && publisher.open_bytes + held > self.limits.request_bytes_per_client
        {
            return Some((Code::Overloaded, Reason::TooManyRequests, None));
        }
        if !self.memory.has_room_for_publish(self.limits.memory_bytes, held) {
            return Some((Code::Overloaded, Reason::MemoryFull, None));
        }
        let rates = &self.limits.rates;
        if !rates.is_any() {
            return None;
        }
        let from = (&mut publisher.meter, &publisher.name);
        let taken = self.throttle.take(now, rates, from, publish.payload.len() as u64);
        let TooFast { reason, retry_after } = taken.err()?;
        Some((Code::Limited, reason, Some(retry_after)))
    }

    /// Ends what is due of one publisher.
    pub(super) fn publisher_due(&mut self, now: Instant, instance: Instance) {
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        publisher.alarm = None;
        let is_due = |&(_, at): &(u64, Instant)| at <= now;
        let counter = |(counter, _)| counter;
        let unicasts: Vec<u64> =
            publisher.unicast_deadlines().filter(is_due).map(counter).collect();
        let multicasts: Vec<u64> =
            publisher.multicast_deadlines().filter(is_due).map(counter).collect();
        for counter in unicasts {
            self.unicast_expired(now, MsgId { publisher: instance, counter });
        }
        self.multicasts_expired(now, instance, &multicasts);
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        let left = publisher.unicast_deadlines().chain(publisher.multicast_deadlines());
        if let Some(next) = left.map(|(_, at)| at).min() {
            publisher.wake_by(next.max(now + LOOK_EVERY), instance, &mut self.timers);
        }
    }

    /// Some publishes of a client have their outcome, with so much payload together.
    pub(super) fn ended(&mut self, instance: Instance, count: usize, bytes: usize) {
        self.under_way -= count;
        self.memory.release(count, bytes);
        if let Some(publisher) = self.publishers.get_mut(&instance) {
            publisher.open_bytes -= bytes;
        }
        self.forget_idle(instance);
    }

    /// Forgets a publisher that is not attached, once all it published has an outcome.
    pub(super) fn forget_idle(&mut self, instance: Instance) {
        if self.sessions.contains_key(&instance) {
            return;
        }
        let idle = |publisher: &Publisher| publisher.under_way() == 0;
        if self.publishers.get(&instance).is_some_and(idle)
            && let Some(Publisher { alarm: Some(alarm), .. }) = self.publishers.remove(&instance)
        {
            self.timers.cancel(alarm, Timer::Publisher(instance));
        }
    }
}

/// How much payload is kept of a publish until its outcome.
fn held_bytes(publish: &Publish) -> usize {
    match publish.mode {
        Mode::Unicast => publish.payload.len(),
        Mode::Multicast => 0, // It goes out at once.
    }
}

impl Publisher {
    fn unicast_deadlines(&self) -> impl Iterator<Item = (u64, Instant)> {
        self.unicasts.iter().map(|(counter, pending)| (counter, pending.due()))
    }

    fn multicast_deadlines(&self) -> impl Iterator<Item = (u64, Instant)> {
        self.multicasts.iter().map(|(counter, spread)| (counter, spread.deadline()))
    }
}

/// However many deadlines follow each other, a publisher's open messages are walked only so often.
const LOOK_EVERY: Duration = Duration::from_millis(1);
