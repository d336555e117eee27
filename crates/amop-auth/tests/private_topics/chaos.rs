//! Random worlds: whatever is lost, doubled, late and changed, nothing is opened that should not be; and
//! once the network is well, everybody who may receive does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_auth::Receivers;
use amop_wire::{Instance, MsgId};
use proptest::prelude::*;

use crate::world::{Told, World, key};

#[derive(Clone, Debug)]
enum Step {
    /// A publisher allows the keys of these bits.
    Allow(usize, u8),
    Remove(usize, u8),
    Attach(usize, u8),
    Detach(usize),
    /// The process of a subscriber ends, and another one starts with its key.
    Restart(usize),
    Unicast(usize, usize),
    Multicast(usize),
    Run(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (one_of_2, one_of_4) = (0_usize..2, 0_usize..4);
    prop_oneof![
        1 => (one_of_2.clone(), 0_u8..16).prop_map(|(by, keys)| Step::Allow(by, keys)),
        1 => (one_of_2.clone(), 0_u8..4).prop_map(|(by, key)| Step::Remove(by, key)),
        2 => (one_of_4.clone(), 0_u8..3).prop_map(|(who, node)| Step::Attach(who, node)),
        1 => one_of_4.clone().prop_map(Step::Detach),
        1 => one_of_4.clone().prop_map(Step::Restart),
        4 => (one_of_2.clone(), one_of_4).prop_map(|(by, to)| Step::Unicast(by, to)),
        4 => one_of_2.prop_map(Step::Multicast),
        4 => (1_u64..3_000).prop_map(Step::Run),
    ]
}

/// A world with what a test must know of it.
struct Chaos {
    world: World,
    publishers: [Instance; 2],
    /// The living process with each key.
    subscribers: [Instance; 4],
    next_instance: u64,
    /// Who may open what.
    meant_for: BTreeMap<MsgId, Vec<Instance>>,
}

impl Chaos {
    fn new(seed: u64, loss_percent: u64) -> Self {
        let mut world = World::new(seed);
        world.lose(loss_percent);
        let [a, b] = [key(0), key(1)];
        let publishers = [world.add_publisher(1, &[&a, &b]), world.add_publisher(2, &[&b])];
        let subscribers =
            [0, 1, 2, 3].map(|at: u8| world.add_subscriber(10 + u64::from(at), key(at)));
        Self { world, publishers, subscribers, next_instance: 20, meant_for: BTreeMap::new() }
    }

    fn allow(&mut self, publisher: usize, bits: u8) {
        let keys: Vec<_> = (0..4).filter(|at| bits & (1 << at) != 0).map(key).collect();
        self.world.allow(self.publishers[publisher], &keys.iter().collect::<Vec<_>>());
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Allow(by, bits) => self.allow(by, bits),
            Step::Remove(by, number) => self.world.remove(self.publishers[by], &key(number)),
            Step::Attach(who, node) => self.world.attach(self.subscribers[who], node),
            Step::Detach(who) => self.world.detach(self.subscribers[who]),
            Step::Restart(who) => {
                self.world.detach(self.subscribers[who]);
                self.world.subscribers.remove(&self.subscribers[who]);
                self.next_instance += 1;
                let with = key(u8::try_from(who).unwrap());
                self.subscribers[who] = self.world.add_subscriber(self.next_instance, with);
            }
            Step::Unicast(by, to) => self.unicast(by, to),
            Step::Multicast(by) => self.multicast(by),
            Step::Run(ms) => self.world.run_for(Duration::from_millis(ms)),
        }
    }

    fn unicast(&mut self, by: usize, to: usize) {
        let to = self.subscribers[to];
        if let Ok(id) = self.world.unicast(self.publishers[by], to, "payload") {
            self.meant_for.insert(id, vec![to]);
        }
    }

    fn multicast(&mut self, by: usize) {
        if let Ok((id, receivers)) = self.world.multicast(self.publishers[by], "payload") {
            self.meant_for.insert(id, receivers);
        }
    }

    /// What every living subscriber has opened was meant for it, and was opened once.
    fn check(&self) {
        for (who, opened) in &self.world.opened {
            let ids: BTreeSet<_> = opened.iter().map(|(id, _)| *id).collect();
            assert_eq!(ids.len(), opened.len(), "opened twice");
            for (id, payload) in opened {
                assert!(self.meant_for[id].contains(who), "{who} opened {id}");
                assert_eq!(payload, "payload");
            }
        }
        let answered: BTreeSet<_> = self.world.answers.iter().map(|(id, _)| *id).collect();
        assert_eq!(answered.len(), self.world.answers.len(), "answered twice");
    }

    fn opened_by(&self, who: Instance) -> usize {
        self.world.opened.get(&who).map_or(0, Vec::len)
    }

    /// How often a publisher has said anything about anybody.
    fn verdicts(&self) -> usize {
        let is_verdict = |told: &&(Instance, Told)| !matches!(told.1, Told::Channel(_));
        self.world.told.iter().filter(is_verdict).count()
    }

    /// Everybody is on both lists and attached, nothing is lost any more, and time passes.
    fn heal(&mut self) {
        self.world.lose(0);
        for publisher in 0..2 {
            self.allow(publisher, 0b1111);
        }
        for subscriber in self.subscribers {
            self.world.attach(subscriber, 1);
        }
        self.world.run_for(Duration::from_secs(66)); // The longest back-off, and a time-out.
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// PRIV-2, PRIV-8, PRIV-11, PRIV-12 and PRIV-13, over all that can happen on the way.
    #[test]
    fn nothing_is_opened_by_the_wrong_or_twice_and_all_is_well_once_the_network_is(
        seed: u64,
        loss_percent in 0_u64..50,
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut chaos = Chaos::new(seed, loss_percent);
        for step in &steps {
            chaos.apply(step);
            chaos.check();
        }
        chaos.heal();
        let mut everybody = chaos.subscribers.to_vec();
        everybody.sort();
        for publisher in chaos.publishers {
            prop_assert_eq!(chaos.world.receivers(publisher), Receivers::Verified(everybody.clone()));
        }
        let before: usize = everybody.iter().map(|who| chaos.opened_by(*who)).sum();
        let answers = chaos.world.answers.len();
        for publisher in 0..2 {
            chaos.multicast(publisher);
            (0..4).for_each(|to| chaos.unicast(publisher, to));
        }
        chaos.world.run_for(Duration::from_secs(1));
        chaos.check();
        let after: usize = everybody.iter().map(|who| chaos.opened_by(*who)).sum();
        prop_assert_eq!(after - before, 2 * (4 + 4), "of each publisher a multicast and 4 unicasts");
        prop_assert_eq!(chaos.world.answers.len() - answers, 8);

        // All that was ever sent, once more. What was lost may come now, and nothing else.
        let verdicts = chaos.verdicts();
        for parcel in chaos.world.sent.clone() {
            chaos.world.deliver(parcel);
        }
        chaos.world.run_for(Duration::from_secs(1));
        chaos.check();
        prop_assert_eq!(chaos.verdicts(), verdicts);
    }

    /// A failure can be told and repeated by its seed.
    #[test]
    fn the_same_seed_gives_the_same_bytes(
        seed: u64,
        steps in prop::collection::vec(step(), 1..10),
    ) {
        let run = || {
            let mut chaos = Chaos::new(seed, 30);
            steps.iter().for_each(|step| chaos.apply(step));
            let sent = chaos.world.sent.iter().map(|parcel| format!("{parcel:?}"));
            sent.collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
