//! Random worlds under random faults: the contract holds in all of them, and once nothing fails
//! any more, everybody knows and reaches everybody again.

use std::ops::Range;
use std::time::Duration;

use amop_sim::{Application, ClientId, End, NodeId, Reading, World};
use amop_wire::{AnswerStatus, Code, Mode, MsgId, Receipt, Topic};

use crate::scene::{SECOND, millis};

#[test]
fn the_contract_holds_whatever_fails_and_all_is_well_once_it_is_quiet() {
    for seed in SEEDS {
        let violations = Swarm::new(seed, false).run();
        if let Some(first) = violations.first() {
            let mut swarm = Swarm::new(seed, true);
            swarm.run();
            let story = story_of(first, swarm.world.record().story());
            let replay = format!("to replay it alone, set SEEDS to {seed}..{}", seed + 1);
            panic!("{story}\nseed {seed}: {violations:#?}\n{replay}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let mut swarm = Swarm::new(seed, seed == 2);
        swarm.run();
        swarm.world.trace_hash()
    };
    for seed in 0..3 {
        assert_eq!(trace(seed), trace(seed));
    }
    assert_ne!(trace(0), trace(1));
}

/// A world drawn by its seed.
struct Swarm {
    world: World,
    nodes: Vec<NodeId>,
    /// The pairs that are linked as a rule.
    edges: Vec<(NodeId, NodeId)>,
    clients: Vec<ClientId>,
}

impl Swarm {
    fn new(seed: u64, telling: bool) -> Self {
        let mut world = World::new(seed);
        if !telling {
            world.stop_telling();
        }
        world.set_latency(millis(1), millis(20));
        let batching = world.draw(4);
        world.set_batching(millis(batching));
        let node_count = 2 + world.draw(5);
        let nodes: Vec<NodeId> =
            (0..node_count).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
        let edges = edges(&nodes, world.draw(6));
        let mut swarm = Self { world, nodes, edges, clients: Vec::new() };
        swarm.link_nodes();
        for number in 0..1 + swarm.world.draw(8) {
            let client = swarm.client(number);
            swarm.clients.push(client);
        }
        swarm
    }

    /// Keeps most pairs linked: one of them dials, or the other, or both.
    fn link_nodes(&mut self) {
        for &(from, to) in &self.edges {
            let who = self.world.draw(8);
            if who < 5 {
                self.world.keep_linked(from, to);
            }
            if (2..7).contains(&who) {
                self.world.keep_linked(to, from);
            }
            if self.world.draw(4) == 0 {
                let detour = millis(self.world.draw(400));
                self.world.set_detour(from, to, detour);
            }
        }
    }

    fn client(&mut self, number: u64) -> ClientId {
        let first = self.pick(self.nodes.len());
        let mut homes = self.nodes.clone();
        homes.rotate_left(first);
        let client = self.world.client(&format!("c{number}.sdk.bank.amop"), &homes);
        self.redraw_application(client);
        client
    }

    fn redraw_application(&mut self, client: ClientId) {
        let delay = millis(self.world.draw(3000));
        let (status, reading) = (self.world.draw(4), self.world.draw(6));
        let application = Application {
            delay,
            status: match status {
                0 => AnswerStatus::Failed,
                1 => AnswerStatus::Dropped,
                _ => AnswerStatus::Answered,
            },
            reading: match reading {
                0 => Reading::Never,
                1 | 2 => Reading::OneByOne,
                _ => Reading::Always,
            },
            capacity: self.pick(8),
        };
        self.world.set_application(client, application);
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.world.draw(count as u64)).unwrap()
    }

    /// Lets everything fail for a while, then nothing. Answers what went wrong.
    fn run(&mut self) -> Vec<String> {
        let end = self.world.now() + CHAOS;
        while self.world.now() < end {
            let pause = millis(self.world.draw(240));
            self.world.run_for(pause);
            self.step();
        }
        self.heal();
        // Every end notices what happened, then two heartbeats and a second go by.
        self.world.run_for(NOTICE_MAX + 11 * SECOND);
        let mut wrong = self.world.wrong_views();
        wrong.extend(self.everybody_reaches_everybody());
        wrong.extend(self.world.record().violations(self.world.now()));
        wrong
    }

    /// One thing that an application or the world does.
    fn step(&mut self) {
        let (client, topic) = (self.pick(self.clients.len()), self.pick(TOPICS.len()));
        let (client, topic) = (self.clients[client], TOPICS[topic]);
        if !self.world.lives(client) {
            return self.world.start_client(client);
        }
        let timeout = millis(self.world.draw(4000));
        match self.world.draw(36) {
            0..=12 => self.publish(client, Mode::Unicast, topic, timeout),
            13..=18 => self.publish(client, Mode::Multicast, topic, timeout),
            19..=23 => self.world.subscribe(client, topic),
            24 | 25 => self.world.unsubscribe(client, topic),
            26 => self.redraw_application(client),
            27 | 28 => self.fail_client(client),
            _ => self.fail_nodes(),
        }
    }

    /// Publishes, sometimes so much at once that links and queues get full.
    fn publish(&mut self, client: ClientId, mode: Mode, topic: &str, timeout: Duration) {
        let is_flood = self.world.draw(8) == 0;
        for _ in 0..if is_flood { 8 } else { 1 } {
            self.world.publish(client, mode, topic, timeout);
        }
    }

    fn fail_client(&mut self, client: ClientId) {
        let (soon, notice) = (millis(self.world.draw(100)), self.draw_notice());
        let to = self.pick(self.nodes.len());
        let stall = millis(self.world.draw(1500));
        match self.world.draw(5) {
            0 | 1 => self.world.cut_client(client, soon, notice),
            2 => self.world.move_client(client, self.nodes[to], notice),
            3 => self.world.stall_client(client, stall),
            _ => self.world.kill(client, notice),
        }
    }

    fn fail_nodes(&mut self) {
        let (a, b) = (self.pick(self.nodes.len()), self.pick(self.nodes.len()));
        let (a, b) = (self.nodes[a], self.nodes[b]);
        let (notice, other) = (self.draw_notice(), self.draw_notice());
        let stall = millis(self.world.draw(1500));
        let bytes = self.pick(2000);
        match self.world.draw(9) {
            0 => self.world.cut_half_open(a, b, notice, other),
            1 => self.world.part(a, b, notice),
            2 => self.world.join(a, b),
            3 => self.world.stall(a, b, stall),
            4 if self.world.is_up(a) => self.world.crash(a, notice),
            4..=6 => self.nodes.clone().into_iter().for_each(|node| self.world.restart(node)),
            7 => self.world.set_link_bytes_max(200 + bytes),
            _ => self.world.set_control_bytes_max(if bytes < 300 { bytes } else { usize::MAX }),
        }
    }

    /// Mostly soon, sometimes only when the link has been silent for too long.
    fn draw_notice(&mut self) -> Duration {
        let most = [50, 500, 6000][self.pick(3)];
        millis(self.world.draw(most))
    }

    /// Ends every fault. What was cut is still noticed at its time.
    fn heal(&mut self) {
        self.world.set_link_bytes_max(1 << 20);
        self.world.set_control_bytes_max(usize::MAX);
        self.nodes.iter().for_each(|&node| self.world.restart(node));
        self.edges.iter().for_each(|&(a, b)| self.world.join(a, b));
        for &client in &self.clients {
            self.world.start_client(client);
            self.world.set_application(client, Application::default());
        }
    }

    /// Publishes from everywhere to every topic. Answers what did not arrive as it should.
    fn everybody_reaches_everybody(&mut self) -> Vec<String> {
        let mut expected = Vec::<(MsgId, u32)>::new();
        for client in self.clients.clone() {
            let home = self.world.home_of(client).expect("every client has a link by now");
            for topic in TOPICS {
                let spread =
                    self.world.node_core(home).table().spread(&topic.parse::<Topic>().unwrap());
                let targets = spread.iter().map(|(_, count)| count).sum();
                for mode in [Mode::Unicast, Mode::Multicast] {
                    expected.push((self.world.publish(client, mode, topic, 5 * SECOND), targets));
                }
            }
        }
        self.world.run_for(6 * SECOND);
        let all_is_well = |&&(id, targets): &&(MsgId, u32)| {
            let publication = self.world.record().publication(id);
            match publication.ends.first() {
                Some((_, End::Receipt(receipt))) => {
                    *receipt == Receipt { acked: targets, refused: 0, unknown: 0 }
                }
                Some((_, End::Outcome { code: Code::Ok, .. })) => targets > 0,
                Some((_, End::Outcome { code: Code::NoSubscriber, .. })) => targets == 0,
                Some((_, End::Outcome { .. })) | None => false,
            }
        };
        let failed = expected.iter().filter(|expected| !all_is_well(expected));
        failed
            .map(|(id, targets)| {
                let publication = self.world.record().publication(*id);
                format!("{id} to {targets} in a quiet world: {publication:?}")
            })
            .collect()
    }
}

/// A connected graph: everybody with everybody, a line, a ring, or a star.
fn edges(nodes: &[NodeId], shape: u64) -> Vec<(NodeId, NodeId)> {
    let line = || nodes.windows(2).map(|pair| (pair[0], pair[1]));
    match shape {
        0 => line().collect(),
        1 => line().chain([(nodes[nodes.len() - 1], nodes[0])]).collect(),
        2 => nodes[1..].iter().map(|&leaf| (nodes[0], leaf)).collect(),
        _ => {
            let later = |i: usize| nodes[i + 1..].iter().map(move |&to| (nodes[i], to));
            (0..nodes.len()).flat_map(later).collect()
        }
    }
}

/// The lines of a story without those about other messages than the one that a violation names.
fn story_of(violation: &str, story: &str) -> String {
    let is_id = |word: &str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = |text: &str| text.split([' ', ':']).map(str::to_owned).collect::<Vec<_>>();
    let named = words(violation).into_iter().find(|word| is_id(word));
    let is_told = |line: &&str| {
        let ids: Vec<String> = words(line).into_iter().filter(|word| is_id(word)).collect();
        ids.is_empty() || ids.iter().any(|id| Some(id) == named.as_ref())
    };
    story.lines().filter(is_told).collect::<Vec<_>>().join("\n")
}

const TOPICS: [&str; 3] = ["t", "u", "v"];
const SEEDS: Range<u64> = 0..300;
const CHAOS: Duration = Duration::from_secs(30);
const NOTICE_MAX: Duration = Duration::from_secs(6);
