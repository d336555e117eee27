//! Whether a unicast that failed should have been handled.
//!
//! While its subscribers live and a path of live nodes leads to them, a unicast gets code 0,
//! whatever fails elsewhere. So everything that can stand in the way notes since when nothing has
//! disturbed it. A unicast that ends in vain is judged by that alone: for the last half of its time,
//! 3 s at least, its publisher, every subscriber of its topic that may have been chosen and some path
//! between them were well.
//!
//! The check errs on the side of the nodes. A node whose link to the subscriber's own node is dead
//! without its knowing sends nothing another way until it notices (LINK-6) or the other end dials
//! again (LINK-3): that is an excuse, as it is none on the way to a relay (ROUTE-6). And where the
//! answer hangs on who was chosen, or the network is so slow that the time may be short, nothing is
//! demanded.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_core::client::Client;
use amop_wire::limits::HOPS_MAX;
use amop_wire::{Code, Instance, Instant, Mode, MsgId};

use crate::application::{Application, Reading};
use crate::contract::Publication;
use crate::network::Party;
use crate::world::{ClientSlot, NodeSlot, World};

/// Since when nothing has disturbed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calm(Option<Instant>);

impl Calm {
    /// It will be disturbed until then, or is calm since then.
    pub(crate) fn since(at: Instant) -> Self {
        Self(Some(at))
    }

    /// It is disturbed, and nobody knows how long.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    pub(crate) fn is_since(self, at: Instant) -> bool {
        self.0.is_some_and(|since| since <= at)
    }

    /// It will be disturbed until then, if not longer.
    pub(crate) fn disturb(&mut self, until: Instant) {
        self.0 = self.0.map(|since| since.max(until));
    }
}

impl World {
    /// Notes a violation if a unicast of this client failed with nothing in its way.
    pub(crate) fn judge_failure(&mut self, client: usize, id: MsgId, code: Code) {
        let is_excuse = !matches!(
            code,
            Code::NotSent | Code::NoSubscriber | Code::SubscriberUnreachable | Code::TimedOut
        );
        let Some(publication) = self.record.publications.get(&id) else { return };
        // Of a private topic it hangs on keys too.
        let is_excuse = is_excuse || self.has_keys(&publication.topic);
        if is_excuse || publication.mode != Mode::Unicast || publication.terms.key.is_some() {
            return;
        }
        let timeout = publication.deadline.saturating_since(publication.at);
        let window = (timeout / 2).max(WINDOW_MIN);
        let Some(start) = before_by(self.now, window) else { return };
        if self.is_well(client, publication, start) {
            let line = format!("{id}: ends with {code} although nothing was in its way");
            self.record.broken.push(line);
        }
    }

    /// Whether a client's unicast had a way to every subscriber since `start`; what concerns the
    /// choice among them must not have changed since it was published either.
    fn is_well(&self, client: usize, publication: &Publication, start: Instant) -> bool {
        let (slot, topic) = (&self.clients[client], &publication.topic);
        let timeout = publication.deadline.saturating_since(publication.at);
        let before = start.min(publication.at);
        let changed = self.topics_changed.get(topic).copied().unwrap_or_default();
        // Ways are numbered anew when a relay loses preference, so that the next copy may go where
        // the last one got lost.
        let is_swallowed = |slot: &NodeSlot| slot.swallows || slot.swallowed_until > before;
        if self.nodes.iter().any(is_swallowed)
            || !slot.connected.is_since(before)
            || !slot.calm.is_since(start)
            || !self.room.is_since(before)
            || changed > before
            || self.ruled_at > before
        {
            return false;
        }
        let Some(home) = self.home(slot).filter(|home| self.nodes[home.0].calm.is_since(start))
        else {
            return false;
        };
        if self.nodes[home.0].is_draining {
            return false; // Nothing is published there any more.
        }
        let link_is_calm = |slot: &ClientSlot| {
            let link = slot.link.and_then(|link| self.network.links.get(&link));
            link.is_some_and(|link| link.is_calm_since(start))
        };
        // A node that was asking others about its new neighbour when they linked takes no answer,
        // and asks the neighbour itself only after the last repetition.
        let Some(linked) = before_by(start, PULLS) else { return false };
        // Whoever keeps a link that is dead, and does not know it, sends on it.
        let is_half_open = |node: usize| {
            !self.is_led_by_calm_link(home.0, node, linked)
                && self.is_half_open_since(home.0, node, start)
        };
        let distances = self.distances(home.0, start, linked);
        // Once an application has got it, nobody else counts; but at least once it may have got it late,
        // since others were asked before.
        let nobody = BTreeSet::new();
        let is_final = !publication.terms.at_least_once;
        let chosen = if is_final { &publication.delivered_to } else { &nobody };
        let instance = |slot: &ClientSlot| slot.core.as_ref().map(Client::instance);
        let is_chosen = |slot: &&ClientSlot| {
            chosen.is_empty() || instance(slot).is_some_and(|instance| chosen.contains(&instance))
        };
        let is_believed = |slot: &&ClientSlot| {
            self.home(slot).is_none_or(|node| self.believes(home.0, node.0, topic))
        };
        let wants = |slot: &&ClientSlot| slot.wanted.contains(topic);
        let mut subscribers =
            self.clients.iter().filter(wants).filter(is_believed).filter(is_chosen);
        let mut is_any = false;
        let mut known = if chosen.is_empty() { publication.known.clone() } else { BTreeSet::new() };
        let all_are_well = subscribers.all(|slot| {
            let is_its = |of: &Instance| instance(slot) == Some(*of);
            known.retain(|known| !is_its(known));
            // Once one has refused, it is another one's turn, if that is not too late.
            let mut refusals = publication.refusals.iter();
            let has_refused = refusals.any(|(by, at)| is_its(by) && *at <= start);
            is_any |= !has_refused;
            let node = self.home(slot).filter(|node| !is_half_open(node.0));
            let hops = node.and_then(|node| distances[node.0]);
            slot.core.is_some()
                && slot.calm.is_since(start)
                && slot.connected.is_since(start)
                && (has_refused || slot.willing.is_since(before))
                && link_is_calm(slot)
                && hops.is_some_and(|hops| self.is_time_enough(timeout, hops))
        });
        // Somebody else may have been chosen: whom its node took for a subscriber.
        is_any && all_are_well && known.is_empty() && link_is_calm(slot)
    }

    /// LINK-3: whether a node sends to another on a link that has been well since `linked`. Others that
    /// are dead, and not known to be, are of no account then.
    fn is_led_by_calm_link(&self, from: usize, to: usize, linked: Instant) -> bool {
        let core = self.nodes[from].core.as_ref();
        let link = core.and_then(|core| core.link_to(self.nodes[to].id));
        let link = link.and_then(|link| self.network.links.get(&link));
        link.is_some_and(|link| link.is_calm_since(linked))
    }

    /// Whether a node took a link to another for alive after `start` that was dead.
    fn is_half_open_since(&self, from: usize, to: usize, start: Instant) -> bool {
        let noticed = self.network.noticed.get(&(from, to));
        let (from, to) = (Party::Node(from), Party::Node(to));
        let mut links = self.network.links.values();
        let is_dead = links.any(|link| {
            let end = link.parties.iter().position(|&party| party == from);
            let is_between = end.is_some_and(|end| link.parties[1 - end] == to);
            is_between && link.passes != [true; 2]
        });
        is_dead || noticed.is_some_and(|&at| at > start)
    }

    /// How many links lie between a node and each other one, if all of them and the nodes between
    /// have been well since `start`, the links since `linked`.
    fn distances(&self, from: usize, start: Instant, linked: Instant) -> Vec<Option<usize>> {
        let mut edges = BTreeSet::new();
        for link in self.network.links.values().filter(|link| link.is_calm_since(linked)) {
            if let [Party::Node(a), Party::Node(b)] = link.parties {
                edges.extend([(a, b), (b, a)]);
            }
        }
        let mut distances = vec![None; self.nodes.len()];
        distances[from] = Some(0);
        for hops in 1..=HOPS_MAX {
            let reached: Vec<usize> =
                (0..distances.len()).filter(|&node| distances[node] == Some(hops - 1)).collect();
            for &(_, b) in edges.iter().filter(|(a, _)| reached.contains(a)) {
                if distances[b].is_none() && self.nodes[b].calm.is_since(start) {
                    distances[b] = Some(hops);
                }
            }
        }
        distances
    }

    /// Whether a message gets there and back in half of its time, with a copy lost meanwhile.
    pub(crate) fn is_time_enough(&self, timeout: Duration, hops: usize) -> bool {
        let hop = self.latency + self.jitter + self.batching + self.network.slowest_detour();
        // A way may be longer than the best by some hops, if that was bad lately.
        let hops = u32::try_from(hops + 4).unwrap_or(u32::MAX);
        let trip = hop * 2 * hops + 2 * self.tail.1 + DELAY_MAX;
        trip <= WINDOW_MIN / 2 && timeout >= 2 * trip
    }
}

impl Application {
    /// Whether it handles whatever comes, soon.
    pub(crate) fn is_willing(&self) -> bool {
        self.reading == Reading::Always && self.capacity > 0 && self.delay <= DELAY_MAX
    }
}

/// The moment so long before another, if the world had begun by then.
fn before_by(at: Instant, span: Duration) -> Option<Instant> {
    let since_start = at.since_start().checked_sub(span)?;
    Some(Instant::default() + since_start)
}

/// All must be well for so long at least.
const WINDOW_MIN: Duration = Duration::from_secs(3);

/// How long a node asks in vain for what a new neighbour announces.
const PULLS: Duration = Duration::from_secs(4);

/// An application that takes longer for a message may miss its deadline.
const DELAY_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;

    /// A publisher and a subscriber at the ends of a line of three nodes.
    fn line() -> (World, [NodeId; 3], usize, MsgId) {
        let mut world = World::new(1);
        let nodes = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        world.link(nodes[0], nodes[1]);
        world.link(nodes[1], nodes[2]);
        let publisher = world.client("app.sdk.bank.amop", &[nodes[0]]);
        let subscriber = world.client("sub.sdk.bank.amop", &[nodes[2]]);
        world.subscribe(subscriber, "t");
        world.run_for(Duration::from_secs(5));
        let id = world.publish(publisher, Mode::Unicast, "t", Duration::from_secs(5));
        world.run_for(Duration::from_secs(4));
        (world, nodes, publisher.0, id)
    }

    fn blames(world: &mut World, publisher: usize, id: MsgId) -> bool {
        world.judge_failure(publisher, id, Code::TimedOut);
        !world.record.broken.is_empty()
    }

    #[test]
    fn a_unicast_that_fails_while_all_is_well_breaks_the_contract() {
        let (mut world, _, publisher, id) = line();
        assert!(blames(&mut world, publisher, id));
    }

    #[test]
    fn whatever_was_in_its_way_is_an_excuse() {
        let disturbances: [fn(&mut World, [NodeId; 3]); 7] = [
            |world, [a, b, _]| world.cut(a, b, Duration::ZERO),
            |world, [_, b, c]| world.stall(b, c, Duration::from_millis(1)),
            |world, [a, ..]| world.pause(a, Duration::from_millis(1)),
            |world, [_, b, _]| world.set_swallowing(b, true),
            |world, [.., c]| world.crash(c, Duration::ZERO),
            |world, _| world.set_link_bytes_max(100),
            |world, _| {
                world.clients[1].connected = Calm::since(world.now);
            },
        ];
        for disturb in disturbances {
            let (mut world, nodes, publisher, id) = line();
            disturb(&mut world, nodes);
            assert!(!blames(&mut world, publisher, id));
        }
    }

    #[test]
    fn who_was_asked_late_is_blamed_for_nothing_at_least_once() {
        for at_least_once in [false, true] {
            let (mut world, [_, b, _], publisher, id) = line();
            let publication = world.record.publications.get_mut(&id).unwrap();
            publication.terms.at_least_once = at_least_once;
            let near = world.clients[publisher].core.as_ref().unwrap().instance();
            world.clients[publisher].wanted.insert("t".parse().unwrap());
            world.record.publications.get_mut(&id).unwrap().delivered_to = [near].into();
            world.pause(b, Duration::from_millis(1));
            assert_eq!(blames(&mut world, publisher, id), !at_least_once);
        }
    }

    #[test]
    fn what_is_refused_for_another_reason_is_no_failure() {
        let (mut world, _, publisher, id) = line();
        world.judge_failure(publisher, id, Code::Draining);
        assert!(world.record.broken.is_empty());
    }
}
