//! A node takes whatever its clients, its peers and its driver hand in, in any order, and what it sends
//! fits the wire.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use amop_core::node::{
    Effect, Input, Judge, Limits, LinkId, Node, Pace, Permissions, Rate, Rates, Rule, Rules,
};
use amop_wire::{
    AuthorityId, Chain, ClientMessage, Epoch, FileMessage, Instance, Instant, Lane, Message, MsgId,
    Name, PeerMessage, Topic,
};
use bytes::Bytes;

use crate::frames::{messages, survives};
use crate::reader::Reader;

/// Any inputs, at a node that holds little if the first byte is odd. Each begins with a byte that says what
/// happens and one that says on which link.
pub(crate) fn inputs(data: &[u8]) {
    let mut reader = Reader(data);
    let mut bench = Bench::new();
    if reader.byte().is_some_and(|byte| byte % 2 == 1) {
        bench.node.set_limits(tight());
    }
    while let Some(()) = bench.step(&mut reader) {}
    bench.end();
}

/// Whatever a peer says in a row, on a link of its own: announcements above all.
pub(crate) fn announcements(data: &[u8]) {
    let mut bench = Bench::new();
    bench.up(0, true);
    for message in messages::<PeerMessage>(data) {
        bench.say(0, message);
    }
    bench.end();
}

/// A node, and the links that it has.
struct Bench {
    node: Node,
    now: Instant,
    links: BTreeMap<u8, (LinkId, bool)>,
    last_link: u64,
    /// Links on which nothing has room, but control messages.
    full: BTreeSet<LinkId>,
    last_question: u64,
}

impl Bench {
    fn new() -> Self {
        let name = "n1.node.bank-a.amop".parse().expect("a certified name");
        let mut node = Node::new(name, Epoch(5), [0; 32]);
        let authority = AuthorityId::of(b"authority", b"key");
        node.handle(Instant::default(), Input::Revocations(vec![(authority, None)]));
        Self {
            node,
            now: Instant::default(),
            links: BTreeMap::new(),
            last_link: 0,
            full: BTreeSet::new(),
            last_question: 0,
        }
    }

    /// Reads what happens next. `None` if there is nothing more.
    fn step(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (what, slot) = (reader.byte()? % KINDS, reader.byte()? % SLOTS);
        let link = self.links.get(&slot).map(|(link, _)| *link);
        match what {
            0 => self.now = self.now + reader.span()?,
            1 => self.up(slot, false),
            2 => self.up(slot, true),
            3 => self.down(slot),
            4 => {
                let (message, link) = (reader.message::<ClientMessage>()?, link?);
                self.handle(Input::Client { link, message });
            }
            5 => {
                let message = reader.message::<PeerMessage>()?;
                self.say(slot, message);
            }
            6 => {
                let (message, link) = (reader.message::<FileMessage>()?, link?);
                self.handle(Input::File { link, message });
            }
            7 => self.handle(Input::EndOfBatch),
            8 => self.handle(Input::Timeout),
            9 => self.handle(Input::Shutdown),
            10 => self.wait(reader)?,
            11 => _ = link.map(|link| self.full.insert(link)),
            12 => _ = link.map(|link| self.full.remove(&link)),
            13 => {
                let (publisher, counter) = (Instance(reader.byte()?.into()), reader.byte()?.into());
                let id = MsgId { publisher, counter };
                let number = self.next_question();
                self.handle(Input::Trace { number, id });
            }
            14 => {
                let (topic, number) = (topic(reader)?, self.next_question());
                let whom = slot.is_multiple_of(2).then(|| name(slot, "sdk"));
                self.handle(Input::Reach { number, topic, whom });
            }
            15 => {
                let rules = (0..slot).map(|_| rule(reader)).collect::<Option<_>>()?;
                self.handle(Input::Rules(Rules::new(rules)));
            }
            16 => self.handle(Input::Recertified),
            _ => self.handle(Input::Drain),
        }
        Some(())
    }

    /// So much waits on links.
    fn wait(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let links: Vec<LinkId> = self.node.transit_links().collect();
        let transit = links.into_iter().map(|link| Some((link, reader.size()?)));
        let transit = transit.collect::<Option<Box<[_]>>>()?;
        let bytes = transit.iter().map(|(_, bytes)| bytes).sum::<usize>() + reader.size()?;
        self.handle(Input::Waiting { bytes, transit });
        Some(())
    }

    fn next_question(&mut self) -> u64 {
        self.last_question += 1;
        self.last_question
    }

    /// A link comes up in a slot; the one before it ends.
    fn up(&mut self, slot: u8, is_peer: bool) {
        self.down(slot);
        self.last_link += 1;
        let link = LinkId(self.last_link);
        self.links.insert(slot, (link, is_peer));
        if is_peer {
            let dialed = slot.is_multiple_of(2);
            self.handle(Input::PeerUp { link, name: name(slot, "node"), dialed });
            self.handle(Input::Peer { link, message: PeerMessage::Greeting(Epoch(1)) });
        } else {
            self.handle(Input::ClientUp { link, name: name(slot, "sdk") });
        }
    }

    fn down(&mut self, slot: u8) {
        if let Some((link, _)) = self.links.remove(&slot) {
            self.full.remove(&link);
            self.handle(Input::LinkDown { link });
        }
    }

    /// A peer says something, as far as the border lets it in.
    fn say(&mut self, slot: u8, message: PeerMessage) {
        let Some(&(link, true)) = self.links.get(&slot) else { return };
        if let Ok(Some(message)) = self.node.admit(message, &Believer) {
            self.handle(Input::Peer { link, message });
        }
    }

    /// Hands in an input, and whatever a driver hands in because of its effects.
    fn handle(&mut self, input: Input) {
        let (mut inputs, mut closed) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            self.node.handle(self.now, input);
            while let Some(effect) = self.node.poll_effect() {
                self.perform(effect, &mut inputs, &mut closed);
            }
        }
        for link in closed {
            self.links.retain(|_, (open, _)| *open != link);
            self.handle(Input::LinkDown { link });
        }
    }

    fn perform(&mut self, effect: Effect, inputs: &mut VecDeque<Input>, closed: &mut Vec<LinkId>) {
        let has_room = |link: &LinkId, lane| lane == Lane::Control || !self.full.contains(link);
        match effect {
            Effect::ToClient { link, message } => {
                survives(&message);
                if !has_room(&link, message.lane()) {
                    inputs.push_back(Input::UnsentToClient { link, message });
                }
            }
            Effect::ToClients { links, message } => {
                survives(&message);
                let unsent = links.into_iter().filter(|link| !has_room(link, message.lane()));
                let unsent =
                    unsent.map(|link| Input::UnsentToClient { link, message: message.clone() });
                inputs.extend(unsent);
            }
            Effect::ToPeer { link, message } => {
                survives(&message);
                if !has_room(&link, message.lane()) {
                    inputs.push_back(Input::UnsentToPeer { link, message });
                }
            }
            Effect::Sign { .. } => {
                let chain = Chain::new(vec![Bytes::from_static(b"certificate")]);
                let chain = chain.expect("one short certificate is a chain");
                let signature = Bytes::from_static(b"signature");
                inputs.push_back(Input::Signed { signature, chain });
            }
            Effect::JudgeRevocations { peer, list } => {
                inputs.push_back(Input::RevocationsJudged { peer, list, verdict: Ok(()) });
            }
            Effect::Close { link, .. } => closed.push(link),
            Effect::Event(_) | Effect::Traced { .. } | Effect::Reached { .. } => {}
        }
    }

    /// Whatever came, the node holds no more than it may, can still be asked what it has for every link, and time
    /// goes on.
    fn end(&mut self) {
        // How much waits on links was drawn, so that the bytes that are held may be any number.
        let bounded = self.node.occupancy().filter(|occupancy| occupancy.what != "bytes held");
        bounded.for_each(|occupancy| assert!(occupancy.is_within(), "{occupancy:?}"));
        self.handle(Input::EndOfBatch);
        for link in self.node.file_links().collect::<Vec<_>>() {
            while let Some(message) = self.node.poll_file(self.now, link) {
                survives(&message);
            }
        }
        for _ in 0..TIMEOUTS {
            let Some(due) = self.node.poll_timeout() else { break };
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
            self.handle(Input::EndOfBatch);
        }
    }
}

/// Believes every signature: what is signed by somebody can still be anything.
struct Believer;

impl Judge for Believer {
    fn certify(&self, _: &Chain, _: &Name) -> Result<(), String> {
        Ok(())
    }

    fn is_signed(&self, _: &[u8], _: &[u8], _: &[u8]) -> bool {
        true
    }
}

/// Who is at the other end of the link in a slot.
fn name(slot: u8, role: &str) -> Name {
    format!("p{slot}.{role}.bank-b.amop").parse().expect("a certified name")
}

/// One of the few topics that the seeds are about.
fn topic(reader: &mut Reader<'_>) -> Option<Topic> {
    Some(format!("t{}", reader.byte()? % 4).parse().expect("a valid topic"))
}

fn rule(reader: &mut Reader<'_>) -> Option<Rule> {
    let (who, topics, allow) = (reader.byte()?, reader.byte()?, reader.byte()?);
    let who = match who % 3 {
        0 => "*".to_owned(),
        1 => "agency:bank-b".to_owned(),
        _ => name(who % SLOTS, "sdk").as_dns().to_owned(),
    };
    let topics = if topics % 2 == 0 { "*".to_owned() } else { format!("t{}", topics % 4) };
    let bit = |number: u8| allow >> number & 1 == 1;
    Some(Rule {
        who: vec![who.parse().expect("a pattern of names")],
        topics: vec![topics.parse().expect("a pattern of topics")],
        allow: Permissions { publish: bit(0), subscribe: bit(1), file: bit(2) },
    })
}

/// So little that a handful of inputs reaches each limit.
fn tight() -> Limits {
    let rate = |per_second, burst| Some(Rate { per_second, burst });
    let pace = Pace { bytes: rate(100, 200), messages: rate(4, 6) };
    let mut table = Limits::default().table;
    (table.own_topics, table.missed_topics, table.watched_edges) = (2, 1, 2);
    Limits {
        subscriptions_per_client: 2,
        requests_per_client: 3,
        request_bytes_per_client: 64,
        requests_per_node: 4,
        memory_bytes: 8192,
        link_bytes: 2048,
        unacked_per_client: 2,
        ways_back: 1,
        records: 8,
        failures: 2,
        rates: Rates { session: pace, agency: pace, node: pace },
        transit: rate(100, 64),
        files: rate(1024, 4096),
        table,
    }
}

/// How many kinds of things happen.
const KINDS: u8 = 18;

/// How many links there may be at a time.
const SLOTS: u8 = 6;

/// How many times the clock goes on at the end.
const TIMEOUTS: u32 = 8;
