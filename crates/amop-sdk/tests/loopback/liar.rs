//! A node that lies to the ends of private topics: it stands before a real node, with its certificate.
//!
//! Clients attach to it as to their node. It reads every frame, and passes it on over a link of its own to the
//! real node, or back, unless it lies: then it does with challenges, proofs and deliveries what a node can.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use amop_p2p::{Batch, Endpoint, Identity, Link, LinkKind, Outbox, Trust};
use amop_sdk::Settings;
use amop_wire::{
    ClientHandshake, ClientMessage, CloseReason, Delivery, Instance, Message, NodeHandshake,
    NodeMessage, Sealing,
};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::{ANY, within};

/// What a lying node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// It keeps to the protocol.
    Nothing,
    /// Puts to each of two clients what the other one was asked, and hands in their proofs as the other's.
    Relay,
    /// Asks nobody, and answers with the last true proof: as it was, and with the nonce that is asked for.
    Replay,
    /// Says that somebody else asks: by another name.
    OtherName,
    /// Says that somebody else asks: another process of the same name.
    OtherInstance,
    /// Hands each unicast to both clients, as if it were sealed for each.
    Copy,
}

/// A node that lies.
pub(crate) struct Liar {
    addr: SocketAddr,
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

/// What it knows, and whom.
struct State {
    lie: Lie,
    /// The ways to each client and, in its name, to the node.
    ways: Vec<(Outbox, Outbox)>,
    /// The nonces of all challenges since the lie began, in order, and which client was asked.
    asked: Vec<(usize, Bytes)>,
    /// The nonces for which a proof was handed in.
    proved: BTreeSet<Bytes>,
    /// The last true proof.
    proof: Option<Bytes>,
    /// Who each client is.
    instances: [Instance; 2],
    /// How many unicasts each client has refused.
    refused: [usize; 2],
    /// What was in the unicasts.
    payloads: Vec<Bytes>,
}

impl Liar {
    /// Stands before the node at `to`, whose identity it has, and that of the clients to come.
    pub(crate) fn before(
        to: SocketAddr,
        node: &Identity,
        clients: &Identity,
        trust: &Trust,
    ) -> Self {
        let settings = Settings::default;
        let door = Endpoint::listen(ANY, LinkKind::Sdk, node, trust, settings()).unwrap();
        let back = Endpoint::dial_only(LinkKind::Sdk, clients, trust, settings()).unwrap();
        let addr = door.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State::new()));
        let task = tokio::spawn(stand(door, back, to, Arc::clone(&state)));
        Self { addr, state, task }
    }

    /// Where it is found.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Has it lie in this way, or no longer.
    pub(crate) fn tell(&self, lie: Lie) {
        self.state.send_modify(|state| {
            state.lie = lie;
            (state.asked, state.proved) = (Vec::new(), BTreeSet::new());
        });
    }

    /// Waits until a proof of this client was judged and did not help: it is asked again, with another nonce. The
    /// first that was asked may have been asked before the lie began, and does not count.
    pub(crate) async fn until_refused(&self, client: usize) {
        let mut state = self.state.subscribe();
        let is_refused = |state: &State| {
            let nonces = state.asked.iter().filter(|(asked, _)| *asked == client);
            let nonces: Vec<&Bytes> = nonces.map(|(_, nonce)| nonce).collect();
            nonces.len() > 2
                && nonces[1..nonces.len() - 1].iter().any(|&nonce| state.proved.contains(nonce))
        };
        within(state.wait_for(is_refused)).await.unwrap();
    }

    /// Waits until this client has refused so many unicasts.
    pub(crate) async fn until_unread(&self, client: usize, count: usize) {
        let mut state = self.state.subscribe();
        within(state.wait_for(|state| state.refused[client] >= count)).await.unwrap();
    }

    /// Whether these words were in one of the unicasts; there were some.
    pub(crate) fn has_read(&self, words: &[u8]) -> bool {
        let payloads = &self.state.borrow().payloads;
        assert!(!payloads.is_empty());
        payloads.iter().any(|payload| payload.windows(words.len()).any(|window| window == words))
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn new() -> Self {
        Self {
            lie: Lie::Nothing,
            ways: Vec::new(),
            asked: Vec::new(),
            proved: BTreeSet::new(),
            proof: None,
            instances: [Instance(0); 2],
            refused: [0; 2],
            payloads: Vec::new(),
        }
    }

    /// The node says something to a client.
    fn node_says(&mut self, client: usize, message: NodeMessage) {
        match message {
            NodeMessage::Handshake(said) if is_of_kind(&said.payload, CHALLENGE) => {
                self.challenge(client, said);
            }
            NodeMessage::Delivery(delivery) => self.deliver(client, delivery),
            message => send(&self.ways[client].0, &message),
        }
    }

    /// A client says something to the node.
    fn client_says(&mut self, client: usize, message: ClientMessage) {
        match message {
            ClientMessage::Handshake(said) if is_of_kind(&said.payload, PROOF) => {
                self.prove(client, said);
            }
            message => {
                match message {
                    ClientMessage::Attach { instance, .. } => self.instances[client] = instance,
                    ClientMessage::Refuse(_) => self.refused[client] += 1,
                    _ => {}
                }
                send(&self.ways[client].1, &message);
            }
        }
    }

    fn challenge(&mut self, client: usize, mut said: NodeHandshake) {
        let asked = (client, nonce(&said.payload));
        if !self.asked.contains(&asked) {
            self.asked.push(asked);
        }
        let mut put_to = client;
        match self.lie {
            Lie::Nothing | Lie::Copy => {}
            Lie::Relay => put_to = 1 - client,
            Lie::Replay => return self.replay(client, &said),
            Lie::OtherName => said.name = "mallory.sdk.bank-a.amop".parse().unwrap(),
            Lie::OtherInstance => said.from = Instance(!said.from.0),
        }
        send(&self.ways[put_to].0, &NodeMessage::Handshake(said));
    }

    fn deliver(&mut self, client: usize, mut delivery: Delivery) {
        self.payloads.push(delivery.payload.clone());
        for (other, (to_client, _)) in self.ways.iter().enumerate() {
            if other == client || self.lie == Lie::Copy {
                delivery.terms.sealing = Sealing::For(self.instances[other]);
                send(to_client, &NodeMessage::Delivery(delivery.clone()));
            }
        }
    }

    fn replay(&mut self, client: usize, said: &NodeHandshake) {
        let old = self.proof.clone().expect("it has seen a true one");
        let asked = nonce(&said.payload);
        let forged = Bytes::from([&old[..2], &asked, &old[NONCE_END..]].concat());
        let (to, home, topic) = (said.from, said.home, &said.topic);
        for payload in [old, forged] {
            let proof = ClientHandshake { to, home, topic: topic.clone(), payload };
            send(&self.ways[client].1, &ClientMessage::Handshake(proof));
        }
        self.proved.insert(asked);
    }

    fn prove(&mut self, client: usize, mut said: ClientHandshake) {
        let nonce = nonce(&said.payload);
        let mut in_name_of = client;
        match self.lie {
            Lie::Nothing if client == 0 => self.proof = Some(said.payload.clone()),
            Lie::Nothing | Lie::Replay | Lie::OtherName | Lie::Copy => {}
            Lie::Relay => {
                let asked = self.asked.iter().find(|(_, asked)| *asked == nonce);
                in_name_of = asked.map_or(client, |(asked, _)| *asked);
            }
            Lie::OtherInstance => said.to = Instance(!said.to.0),
        }
        self.proved.insert(nonce);
        send(&self.ways[in_name_of].1, &ClientMessage::Handshake(said));
    }
}

/// Takes in clients, one after another, and passes on what they and the node say to each other.
async fn stand(door: Endpoint, back: Endpoint, to: SocketAddr, state: Arc<watch::Sender<State>>) {
    while let Some(handshake) = door.accept().await {
        let near = handshake.complete().await.unwrap();
        let far = back.dial(to, None).await.unwrap();
        let ways = (near.outbox(), far.outbox());
        state.send_modify(|state| state.ways.push(ways));
        let client = state.borrow().ways.len() - 1;
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            tokio::select! {
                () = read(near, &state, |state, message| state.client_says(client, message)) => {}
                () = read(far, &state, |state, message| state.node_says(client, message)) => {}
            }
        });
    }
}

async fn read<M: Message>(
    link: Link,
    state: &watch::Sender<State>,
    mut handle: impl FnMut(&mut State, M),
) {
    let end = link.run(|_, frames| {
        state.send_modify(|state| {
            // A frame without a header is a stamp, which is between the two ends of one link.
            for frame in frames.drain(..).filter(|frame| !frame.header.is_empty()) {
                handle(state, M::from_frame(frame).unwrap());
            }
        });
        Ok::<(), CloseReason>(())
    });
    end.await;
}

fn send(to: &Outbox, message: &impl Message) {
    let mut batch = Batch::default();
    batch.push(message).unwrap();
    to.send(&mut batch);
}

fn is_of_kind(payload: &Bytes, kind: u8) -> bool {
    payload.get(1) == Some(&kind)
}

/// The publisher's nonce of a challenge or proof (PRIV-3).
fn nonce(payload: &Bytes) -> Bytes {
    payload.slice(2..NONCE_END)
}

const CHALLENGE: u8 = 1;

const PROOF: u8 = 2;

const NONCE_END: usize = 34;
