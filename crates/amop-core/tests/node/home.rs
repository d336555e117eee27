//! A node with an attached client and two linked peers: where most tests begin.

use std::time::Duration;

use amop_core::node::{Effect, Input, LinkId, Node};
use amop_topic_table::set_digest;
use amop_wire::{
    Announcement, AnnouncementHead, Chain, ClientMessage, Epoch, Gen, Instance, Instant, Mode,
    MsgId, Name, NodeId, PeerMessage, Publish, Request, Seq, SetDigest, SignedHead, Subscriber,
    Terms, Topic, Version,
};
use bytes::Bytes;

/// A node with an attached client and two linked peers, of which the first has a subscriber.
pub(crate) struct Home {
    pub(crate) node: Node,
    pub(crate) now: Instant,
}

pub(crate) const CLIENT: LinkId = LinkId(1);
pub(crate) const PEER: LinkId = LinkId(2);
pub(crate) const OTHER_PEER: LinkId = LinkId(3);
pub(crate) const PUBLISHER: Instance = Instance(1);
pub(crate) const SUBSCRIBER: Instance = Instance(7);
pub(crate) const EPOCH: Epoch = Epoch(5);
pub(crate) const ID: MsgId = MsgId { publisher: PUBLISHER, counter: 1 };

impl Home {
    pub(crate) fn new() -> Self {
        let node = Node::new("n1.node.bank-a.amop".parse().unwrap(), EPOCH, [0; 32]);
        let mut home = Self { node, now: Instant::default() };
        let name = "app.sdk.bank-a.amop".parse().unwrap();
        home.handle(Input::ClientUp { link: CLIENT, name });
        let attach = ClientMessage::Attach { instance: PUBLISHER, generation: Gen(1) };
        home.handle(Input::Client { link: CLIENT, message: attach });
        for (link, name) in [(PEER, "n1.node.bank-b.amop"), (OTHER_PEER, "n1.node.bank-c.amop")] {
            home.handle(Input::PeerUp { link, name: name.parse().unwrap(), dialed: true });
            home.peer(link, PeerMessage::Greeting(EPOCH));
        }
        home.announced(1);
        let announcement = home.subscriber_at(peer_name(), 1, "t", SUBSCRIBER);
        home.peer(PEER, PeerMessage::Snapshot(announcement));
        home.handle(Input::EndOfBatch);
        home
    }

    /// The peer says which version of its own announcement it has.
    pub(crate) fn announced(&mut self, seq: u64) {
        let summary = vec![(NodeId::of(&peer_name()), version(seq))];
        self.peer(PEER, PeerMessage::Summary(summary));
    }

    pub(crate) fn second_peer_has_a_subscriber(&mut self) {
        let name: Name = "n1.node.bank-c.amop".parse().unwrap();
        let summary = vec![(NodeId::of(&name), version(1))];
        self.peer(OTHER_PEER, PeerMessage::Summary(summary));
        let announcement = self.subscriber_at(name, 1, "t", Instance(8));
        self.peer(OTHER_PEER, PeerMessage::Snapshot(announcement));
        self.handle(Input::EndOfBatch);
    }

    /// What a neighbour with one subscriber announces.
    pub(crate) fn subscriber_at(
        &self,
        name: Name,
        seq: u64,
        topic: &str,
        instance: Instance,
    ) -> Announcement {
        let subscriber = Subscriber { instance, generation: Gen(1) };
        let topics = vec![(topic.parse().unwrap(), vec![subscriber])];
        announcement(version(seq), name, vec![self.node.id()], topics)
    }

    pub(crate) fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.node.handle(self.now, input);
        let mut effects = Vec::new();
        while let Some(effect) = self.node.poll_effect() {
            if let Effect::Sign { .. } = effect {
                let signed = Input::Signed { signature: SIGNATURE, chain: chain() };
                effects.extend(self.handle(signed));
            } else {
                effects.push(effect);
            }
        }
        effects
    }

    pub(crate) fn peer(&mut self, link: LinkId, message: PeerMessage) -> Vec<Effect> {
        self.handle(Input::Peer { link, message })
    }

    pub(crate) fn client(&mut self, message: ClientMessage) -> Vec<Effect> {
        self.handle(Input::Client { link: CLIENT, message })
    }

    /// Publishes a unicast, which goes to the subscriber at the peer.
    pub(crate) fn publish(&mut self) -> Request {
        let effects = self.publish_to("t", ID.counter);
        let [Effect::ToPeer { link: PEER, message: PeerMessage::Request(request) }] = &effects[..]
        else {
            panic!("{effects:?}")
        };
        request.clone()
    }

    pub(crate) fn publish_to(&mut self, topic: &str, counter: u64) -> Vec<Effect> {
        self.publish_as(Mode::Unicast, topic, counter)
    }

    pub(crate) fn publish_as(&mut self, mode: Mode, topic: &str, counter: u64) -> Vec<Effect> {
        self.publish_on(Terms::default(), mode, topic, counter)
    }

    pub(crate) fn publish_on(
        &mut self,
        terms: Terms,
        mode: Mode,
        topic: &str,
        counter: u64,
    ) -> Vec<Effect> {
        let publish = Publish {
            terms,
            counter,
            ttl: Duration::from_secs(1),
            mode,
            sequence: 0,
            topic: topic.parse().unwrap(),
            payload: Bytes::from_static(b"question"),
        };
        self.client(ClientMessage::Publish(publish))
    }
}

/// What a node announces; the signature is for a border to judge.
pub(crate) fn announcement(
    version: Version,
    name: Name,
    neighbours: Vec<NodeId>,
    topics: Vec<(Topic, Vec<Subscriber>)>,
) -> Announcement {
    let digest = set_digest(&neighbours, &topics).unwrap();
    Announcement::new(signed(version, name, digest), chain(), neighbours, topics)
}

pub(crate) fn signed(version: Version, name: Name, digest: SetDigest) -> SignedHead {
    SignedHead::new(AnnouncementHead { name, version, digest }, SIGNATURE)
}

pub(crate) fn chain() -> Chain {
    Chain::new(vec!["certificate".into()]).unwrap()
}

pub(crate) const SIGNATURE: Bytes = Bytes::from_static(b"signature");

pub(crate) fn version(seq: u64) -> Version {
    Version { epoch: Epoch(1), seq: Seq(seq) }
}

/// The peer that has the subscriber.
pub(crate) fn peer_name() -> Name {
    "n1.node.bank-b.amop".parse().unwrap()
}
