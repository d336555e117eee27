//! A node takes whatever its clients, its peers and its driver hand in, in any order, and what it sends
//! fits the wire.

use std::collections::BTreeMap;

use amop_core::node::{Effect, Input, Judge, LinkId, Node};
use amop_wire::{
    AuthorityId, Chain, ClientMessage, Epoch, FileMessage, Instant, Name, PeerMessage,
};
use bytes::Bytes;

use crate::frames::{messages, survives};
use crate::reader::Reader;

/// Any inputs. Each begins with a byte that says what happens and one that says on which link.
pub(crate) fn inputs(data: &[u8]) {
    let mut reader = Reader(data);
    let mut bench = Bench::new();
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
}

impl Bench {
    fn new() -> Self {
        let name = "n1.node.bank-a.amop".parse().expect("a certified name");
        let mut node = Node::new(name, Epoch(5), [0; 32]);
        let authority = AuthorityId::of(b"authority", b"key");
        node.handle(Instant::default(), Input::Revocations(vec![(authority, None)]));
        Self { node, now: Instant::default(), links: BTreeMap::new(), last_link: 0 }
    }

    /// Reads what happens next. `None` if there is nothing more.
    fn step(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (what, slot) = (reader.byte()? % 10, reader.byte()? % SLOTS);
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
            _ => self.handle(Input::Shutdown),
        }
        Some(())
    }

    /// A link comes up in a slot; the one before it ends.
    fn up(&mut self, slot: u8, is_peer: bool) {
        self.down(slot);
        self.last_link += 1;
        let link = LinkId(self.last_link);
        self.links.insert(slot, (link, is_peer));
        let name = |role: &str| -> Name {
            format!("p{slot}.{role}.bank-b.amop").parse().expect("a certified name")
        };
        if is_peer {
            let dialed = slot.is_multiple_of(2);
            self.handle(Input::PeerUp { link, name: name("node"), dialed });
            self.handle(Input::Peer { link, message: PeerMessage::Greeting(Epoch(1)) });
        } else {
            self.handle(Input::ClientUp { link, name: name("sdk") });
        }
    }

    fn down(&mut self, slot: u8) {
        if let Some((link, _)) = self.links.remove(&slot) {
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

    fn handle(&mut self, input: Input) {
        self.node.handle(self.now, input);
        let (mut is_signing, mut judged, mut closed) = (false, Vec::new(), Vec::new());
        while let Some(effect) = self.node.poll_effect() {
            match effect {
                Effect::ToClient { message, .. } | Effect::ToClients { message, .. } => {
                    survives(&message);
                }
                Effect::ToPeer { message, .. } => survives(&message),
                Effect::Sign { .. } => is_signing = true,
                Effect::JudgeRevocations { peer, list } => {
                    judged.push(Input::RevocationsJudged { peer, list, verdict: Ok(()) });
                }
                Effect::Close { link, .. } => closed.push(link),
                Effect::Event(_) | Effect::Traced { .. } | Effect::Reached { .. } => {}
            }
        }
        if is_signing {
            let chain = Chain::new(vec![Bytes::from_static(b"certificate")]);
            let chain = chain.expect("one short certificate is a chain");
            let signature = Bytes::from_static(b"signature");
            self.handle(Input::Signed { signature, chain });
        }
        judged.into_iter().for_each(|judged| self.handle(judged));
        for link in closed {
            self.links.retain(|_, (open, _)| *open != link);
            self.handle(Input::LinkDown { link });
        }
    }

    /// Whatever came, the node can still be asked what it has for every link, and time goes on.
    fn end(&mut self) {
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

/// How many links there may be at a time.
const SLOTS: u8 = 6;

/// How many times the clock goes on at the end.
const TIMEOUTS: u32 = 8;
