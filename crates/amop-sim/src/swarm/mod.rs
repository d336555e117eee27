//! Random worlds under random faults.
//!
//! One number draws everything: the graph, the clients, what they do, and what fails. In the first
//! phase everything may fail, and nothing that applications are told may be a lie. Then all heals,
//! and everybody must know and reach everybody again.
//!
//! Another version of this generator draws another world from the same seed: a seed that is kept
//! stays a good one, but its story may change.

mod chaos;
mod choice;
mod files;
mod liar;
mod lists;
mod plan;
mod private;
mod quiet;
mod rules;
mod steps;

use std::collections::BTreeMap;
use std::time::Duration;

use amop_wire::{Epoch, Instant};

pub use chaos::Trouble;
pub use choice::Choices;
pub use plan::{Plan, Shape};

use chaos::Deed;
use liar::Liar;

use crate::{ClientId, Content, Coverage, NodeId, World};

/// What became of one seed.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// Everything that broke the contract, one sentence each.
    pub violations: Vec<String>,
    /// How much time passed in the world.
    pub simulated: Duration,
    /// Tells two traces apart: the same seed has the same.
    pub trace_hash: u64,
    /// How often each kind of thing happened.
    pub coverage: Coverage,
    /// How many messages were published.
    pub publishes: usize,
    /// Whom the last of them went to, if there was a choice.
    pub choices: Choices,
}

/// Runs the world of a seed.
#[must_use]
pub fn run_seed(seed: u64) -> Verdict {
    let mut swarm = Swarm::new(&Plan::draw(seed));
    swarm.stop_telling();
    swarm.run();
    swarm.verdict()
}

/// Every seed that is kept because it once broke the contract, and why.
pub fn kept_seeds() -> impl Iterator<Item = (u64, &'static str)> {
    let lines = include_str!("../../regression-seeds.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(|line| {
        let (seed, why) = line.split_once(' ').expect("a seed and why it is kept");
        (seed.parse().expect("a seed is a number"), why)
    })
}

/// A world that was drawn, and those who live in it.
#[derive(Debug)]
pub struct Swarm {
    seed: u64,
    world: World,
    nodes: Vec<NodeId>,
    /// The pairs that are linked as a rule.
    edges: Vec<(NodeId, NodeId)>,
    clients: Vec<ClientId>,
    topics: Vec<String>,
    chaos: Duration,
    detour_max: Duration,
    troubles: Vec<Trouble>,
    harshness: usize,
    is_private: bool,
    has_forger: bool,
    drains: bool,
    has_files: bool,
    has_rules: bool,
    has_lists: bool,
    /// How many files are new so far.
    files: u16,
    /// How many of the secret ones.
    secret_files: u16,
    /// What was sent last, by whom, and to what.
    last_file: Option<(ClientId, String, Content)>,
    /// What is going to be done, and when.
    agenda: BTreeMap<(Instant, usize), Deed>,
    liar: Liar,
    choices: Choices,
    violations: Vec<String>,
}

impl Swarm {
    /// Arranges a world, which notes what is [told](Self::story) of it.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut world = World::new(plan.seed);
        world.set_latency(millis(1), millis(20));
        world.set_tight(plan.is_tight);
        world.set_throttled(plan.is_throttled);
        world.set_narrow(plan.is_narrow);
        let batching = world.draw(4);
        world.set_batching(millis(batching));
        let nodes: Vec<NodeId> =
            (0..plan.nodes).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
        if plan.troubles.contains(&Trouble::LostEpoch) {
            // So that there are many earlier ones: epochs are milliseconds, no two starts share one.
            world.crash(nodes[0], Duration::ZERO);
            world.restart_with(nodes[0], Epoch(1 << 40));
        }
        let edges = plan.edges.iter().map(|&(a, b)| (nodes[a], nodes[b])).collect();
        let mut swarm = Self {
            seed: plan.seed,
            world,
            nodes,
            edges,
            clients: Vec::new(),
            topics: (0..plan.topics).map(|n| format!("t{n}")).collect(),
            chaos: plan.chaos,
            detour_max: plan.detour_max,
            troubles: plan.troubles.clone(),
            harshness: plan.harshness,
            is_private: plan.is_private,
            has_forger: plan.has_forger,
            drains: plan.drains,
            has_files: plan.has_files,
            has_rules: plan.has_rules,
            has_lists: plan.has_lists,
            files: 0,
            secret_files: 0,
            last_file: None,
            agenda: BTreeMap::new(),
            liar: Liar::default(),
            choices: Choices::default(),
            violations: Vec::new(),
        };
        swarm.link_nodes(plan.detour_max);
        for number in 0..plan.clients {
            let client = swarm.client(number);
            swarm.clients.push(client);
        }
        if swarm.has_rules {
            swarm.begin_with_rules();
        }
        swarm
    }

    /// Notes no story, which makes it many times faster.
    pub fn stop_telling(&mut self) {
        self.world.stop_telling();
    }

    /// Lets everything fail for a while, then nothing.
    pub fn run(&mut self) {
        let end = self.world.now() + self.chaos;
        while self.world.now() < end {
            // Mostly in a hurry, sometimes long enough for timers to come.
            let most = [240, 240, 240, 2000][self.pick(4)];
            let next = self.world.now() + millis(self.world.draw(most));
            while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= next)
            {
                let ((at, _), deed) = entry.remove_entry();
                self.world.run_for(at.saturating_since(self.world.now()));
                self.perform(deed);
            }
            self.world.run_for(next.saturating_since(self.world.now()));
            self.step();
            if self.has_files {
                self.file_step();
            }
            if self.has_rules {
                self.rules_step();
            }
            if self.has_lists {
                self.lists_step();
            }
        }
        self.heal();
        self.check_quiet();
    }

    /// What became of it so far.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let world = &self.world;
        Verdict {
            seed: self.seed,
            violations: self.violations(),
            simulated: world.now().saturating_since(Instant::default()),
            trace_hash: world.trace_hash(),
            coverage: world.coverage().clone(),
            publishes: world.record().publications().count(),
            choices: self.choices,
        }
    }

    /// The story so far as a ladder: of the message that a text names, such as a violation, or all
    /// of it if it names none.
    #[must_use]
    pub fn story(&self, text: &str) -> String {
        self.world.record().story(text)
    }

    fn violations(&self) -> Vec<String> {
        let mut violations = self.violations.clone();
        violations.extend(self.world.record().violations(self.world.now()));
        violations
    }

    /// Keeps most pairs linked: one of them dials, or the other, or both.
    fn link_nodes(&mut self, detour_max: Duration) {
        for (from, to) in self.edges.clone() {
            let who = self.world.draw(8);
            if who < 5 {
                self.world.keep_linked(from, to);
            }
            if (2..7).contains(&who) {
                self.world.keep_linked(to, from);
            }
            if self.world.draw(4) == 0 {
                let detour = detour_max.mul_f64(self.world.draw(100) as f64 / 100.0);
                self.world.set_detour(from, to, detour);
            }
        }
    }

    fn client(&mut self, number: usize) -> ClientId {
        let first = self.pick(self.nodes.len());
        let mut homes = self.nodes.clone();
        homes.rotate_left(first);
        if self.drains && self.world.draw(3) == 0 {
            homes.truncate(1); // It cannot leave a node that drains.
        }
        let client = self.world.client(&format!("c{number}.sdk.bank.amop"), &homes);
        self.redraw_application(client);
        self.receive_some_files(client);
        client
    }

    /// Draws a number below `count`.
    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.world.draw(count as u64)).expect("it is below a count")
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const SECOND: Duration = Duration::from_secs(1);
