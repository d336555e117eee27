//! Once nothing fails any more, everybody knows and reaches everybody.

use std::collections::{BTreeMap, BTreeSet};

use amop_core::client::Client;
use amop_wire::{Code, Mode, MsgId, Receipt, Topic};

use super::chaos::NOTICE_MAX;
use super::{SECOND, Swarm, millis};
use crate::world::{ClientSlot, World};
use crate::{End, NodeId};

impl Swarm {
    /// Notes what is not as it should be after the last fault.
    pub(super) fn check_quiet(&mut self) {
        // Every end notices what happened, then two heartbeats and a second go by.
        self.world.run_for(NOTICE_MAX + 11 * SECOND);
        self.violations.extend(self.world.wrong_views());
        self.change_subscriptions();
        self.reach_everybody();
        if self.has_rules {
            self.lift_rules();
        }
        if self.is_private {
            self.check_private();
        }
        if self.has_files {
            self.check_files();
        }
        if self.has_lists {
            self.check_lists();
        }
        self.check_traces();
        self.check_loose_ends();
    }

    /// TRACE-4: whoever asks is answered in time.
    fn check_traces(&mut self) {
        let ids: Vec<MsgId> = self.world.record().publications().map(|(&id, _)| id).collect();
        let ids: Vec<MsgId> = ids.into_iter().rev().take(3).collect();
        let nodes = self.nodes.clone();
        let pairs = nodes.iter().flat_map(|&node| ids.iter().map(move |&id| (node, id)));
        let asked: Vec<u64> = pairs.map(|(node, id)| self.world.trace(node, id)).collect();
        self.world.run_for(3 * SECOND);
        for number in asked.iter().filter(|&&number| self.world.traced(number).is_none()) {
            self.violations.push(format!("trace {number} has no end"));
        }
        self.check_reaches();
    }

    /// REACH-3: so is whoever asks who would get a message.
    fn check_reaches(&mut self) {
        let topics: Vec<String> = self.topics.iter().map(ToString::to_string).take(2).collect();
        let nodes = self.nodes.clone();
        let pairs = nodes.iter().flat_map(|&node| topics.iter().map(move |topic| (node, topic)));
        let asked: Vec<u64> =
            pairs.map(|(node, topic)| self.world.reach(node, topic, None)).collect();
        self.world.run_for(3 * SECOND);
        for number in asked.iter().filter(|&&number| self.world.reached(number).is_none()) {
            self.violations.push(format!("reach {number} has no end"));
        }
    }

    /// What has begun has ended: no count that went up stays so when nothing happens.
    fn check_loose_ends(&mut self) {
        // One that has announced its link and says nothing keeps others waiting to hear what it knows.
        self.world.cut_strangers();
        // Longer than what somebody has left who is gone may wait for him.
        self.world.run_for(70 * SECOND);
        self.find_calm(World::unfinished);
        // Who is not let in on a private topic is asked again and again, so only now is nothing on its way.
        for client in self.clients.clone() {
            self.world.kill(client, millis(10));
        }
        self.world.run_for(10 * SECOND);
        self.find_calm(World::loose_ends);
    }

    /// Notes what is left at each of some moments: at one of them somebody may just be saying something.
    fn find_calm(&mut self, left: fn(&mut World) -> Vec<String>) {
        let mut all = left(&mut self.world);
        for _ in 0..20 {
            if all.is_empty() {
                return;
            }
            self.world.run_for(millis(61));
            all = left(&mut self.world);
        }
        self.violations.extend(all);
    }

    /// SEQ-3: a change is known everywhere within a second, since nothing is lost any more.
    fn change_subscriptions(&mut self) {
        for client in self.clients.clone() {
            let topic = self.world.any(&self.topics);
            match self.world.draw(3) {
                0 => self.world.unsubscribe(client, &topic),
                _ => self.world.subscribe(client, &topic),
            }
        }
        // And as long as it takes to get there.
        let slowest = millis(21 + 4) + self.detour_max;
        self.world.run_for(SECOND + slowest * u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let wrong = self.world.wrong_views();
        self.violations.extend(wrong.into_iter().map(|what| format!("a second later {what}")));
    }

    /// Publishes from everywhere to every topic.
    fn reach_everybody(&mut self) {
        let mut expected = Vec::<(MsgId, Expected)>::new();
        let homes: Vec<Option<NodeId>> =
            self.clients.iter().map(|&client| self.world.home_of(client)).collect();
        let parts = self.parts();
        for client in self.clients.clone() {
            let Some(home) = self.world.home_of(client) else {
                self.violations.push(format!("{client:?} has found no node in a quiet world"));
                continue;
            };
            for topic in self.topics.clone() {
                let name = topic.parse::<Topic>().expect("a valid topic");
                let spread = self.world.node_core(home).table().spread(&name);
                let targets = spread.iter().map(|(_, count)| count).sum();
                let expected_of = match self.world.may_publish(client.0, &name) {
                    true => Expected::Targets(targets),
                    false => Expected::Forbidden,
                };
                for mode in [Mode::Unicast, Mode::Multicast] {
                    let id = self.world.publish(client, mode, &topic, 5 * SECOND);
                    expected.push((id, expected_of));
                }
            }
        }
        self.world.run_for(6 * SECOND);
        for (id, expected) in expected {
            if !self.is_well(id, expected) {
                let publication = self.world.record().publication(id);
                let violation = format!("{id} to {expected:?} in a quiet world: {publication:?}");
                self.violations.push(violation);
            } else if !self.has_rules {
                self.note_choice(id, &homes, &parts);
            }
        }
    }

    /// The nodes that each node reaches, itself included: not all edges of a plan are linked.
    fn parts(&self) -> Vec<BTreeSet<usize>> {
        (0..self.nodes.len()).map(|at| self.world.in_reach(at)).collect()
    }

    /// Notes whether a unicast went to the node with the most subscribers, of those in reach.
    fn note_choice(&mut self, id: MsgId, homes: &[Option<NodeId>], parts: &[BTreeSet<usize>]) {
        let publication = self.world.record().publication(id);
        let [call] = &publication.calls[..] else { return };
        if publication.mode == Mode::Multicast {
            return;
        }
        let instance = |client: &ClientSlot| client.core.as_ref().map(Client::instance);
        let clients = || self.world.clients.iter().zip(homes);
        let is_publisher =
            |(client, _): &(&ClientSlot, &Option<NodeId>)| instance(client) == Some(id.publisher);
        let Some((_, &Some(from))) = clients().find(is_publisher) else { return };
        let mut crowds = BTreeMap::<usize, usize>::new();
        let mut handled_at = None;
        for (client, home) in clients() {
            let is_in_reach = |home: &NodeId| parts[from.0].contains(&home.0);
            let Some(home) = home.filter(is_in_reach) else { continue };
            if !client.wanted.contains(&publication.topic) {
                continue;
            }
            *crowds.entry(home.0).or_default() += 1;
            if instance(client) == Some(call.instance) {
                handled_at = Some(home.0);
            }
        }
        let subscribers = crowds.values().sum();
        let crowded = crowds.iter().max_by_key(|&(_, crowd)| crowd);
        if let Some((&node, &crowd)) = crowded.filter(|_| crowds.len() > 1) {
            self.choices.note(crowd, subscribers, handled_at == Some(node));
        }
    }

    /// Whether a message got to all of its targets, or was said to have none, or to be forbidden.
    fn is_well(&self, id: MsgId, expected: Expected) -> bool {
        let end = self.world.record().publication(id).ends.first();
        let Expected::Targets(targets) = expected else {
            return matches!(end, Some((_, End::Outcome { code: Code::NotPermitted, .. })));
        };
        match end {
            Some((_, End::Receipt(receipt))) => {
                *receipt == Receipt { acked: targets, refused: 0, unknown: 0 }
            }
            Some((_, End::Outcome { code: Code::Ok, .. })) => targets > 0,
            Some((_, End::Outcome { code: Code::NoSubscriber, .. })) => targets == 0,
            Some((_, End::Outcome { .. })) | None => false,
        }
    }
}

/// What becomes of a publish in a quiet world.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// It is handled by so many, or by one of them.
    Targets(u32),
    /// It is refused by a rule.
    Forbidden,
}
