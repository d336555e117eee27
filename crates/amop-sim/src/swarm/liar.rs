//! A node that keeps no rule: it says of itself what is not true, tells too much, replies to what
//! others were asked, and repeats what it said before. Honest nodes must not notice.
//!
//! It only says what a member can say on its own link, in its own name.

use amop_topic_table::set_digest;
use amop_wire::{
    Announcement, AnnouncementChanges, AnnouncementHead, AnswerStatus, Epoch, Frame, Gen, Instance,
    Message, MsgId, Name, NodeId, Path, PeerAnswer, PeerMessage, PeerReceiptRun, PeerRefusal,
    Reason, Receipt, Relay, RevocationList, RevocationMessage, Seq, SignedHead, Subscriber, Topic,
    TopicChange, Version,
};

use bytes::BytesMut;

use super::{Swarm, millis};
use crate::StrangerId;
use crate::revocations::authority_of;

/// The liar of a world.
#[derive(Debug, Default)]
pub(super) struct Liar {
    /// Its present link, if it has one, and the node that it leads to.
    stranger: Option<(StrangerId, crate::NodeId)>,
    /// All links that it had.
    strangers: Vec<StrangerId>,
    seq: u64,
    said: Vec<PeerMessage>,
}

impl Swarm {
    /// The liar links anew if its link was closed, and says something.
    pub(super) fn lie(&mut self) {
        let at = self.world.any(&self.nodes);
        let open = self.liar.stranger.filter(|&(who, _)| self.world.hears(who));
        let (who, at) = match open {
            Some(open) => open,
            None if !self.world.is_up(at) => return,
            None => {
                let who = self.world.stranger(NAME, at);
                self.liar.stranger = Some((who, at));
                self.liar.strangers.push(who);
                let epoch = Epoch(self.world.draw(1000));
                self.world.say(who, &PeerMessage::Greeting(epoch));
                self.world.run_for(millis(50));
                self.press(at, who);
                (who, at)
            }
        };
        let lie = self.draw_lie(at, who);
        self.world.say(who, &lie);
        self.liar.said.push(lie);
        if self.world.draw(2) == 0 {
            // Who was told of a version asks for it.
            self.world.run_for(millis(100));
            let snapshot = PeerMessage::Snapshot(self.false_announcement(who));
            self.world.say(who, &snapshot);
            self.liar.said.push(snapshot);
        }
    }

    /// SEQ-5: tells a node what it has not asked for, and notes a violation if it is taken.
    fn press(&mut self, at: crate::NodeId, who: StrangerId) {
        let id = NodeId::of(&name());
        // If one knows of it, others ask that one.
        let knows = |swarm: &Self| {
            let mut up = swarm.nodes.iter().filter(|&&node| swarm.world.is_up(node));
            up.any(|&node| swarm.world.node_core(node).table().version_of(id).is_some())
        };
        if self.world.draw(2) == 0 || knows(self) {
            return;
        }
        let snapshot = PeerMessage::Snapshot(self.false_announcement(who));
        self.world.say(who, &snapshot);
        self.world.run_for(millis(100));
        // A node that stood still may only now take what it asked for on an earlier link.
        let told = self.liar.strangers.iter().flat_map(|&who| self.world.told_peer(who));
        let is_asked = told.filter(|told| matches!(told, PeerMessage::Pull(_))).count() > 0;
        if knows(self) && !is_asked {
            let violation = format!("{at:?} took what it had not asked for");
            self.violations.push(violation);
        }
    }

    fn draw_lie(&mut self, at: crate::NodeId, who: StrangerId) -> PeerMessage {
        let id = NodeId::of(&name());
        self.liar.seq += 1;
        let seq = self.liar.seq;
        if self.has_lists && self.world.draw(6) == 0 {
            return self.false_list();
        }
        match self.world.draw(9) {
            0 if !self.liar.said.is_empty() => self.world.any(&self.liar.said),
            0 | 1 => PeerMessage::Summary(vec![(id, self.false_version())]),
            2 => {
                let (from, to) = (self.world.draw(seq + 2), self.world.draw(seq + 2));
                PeerMessage::Changes(self.false_changes(who, from, to))
            }
            3 => PeerMessage::Changes(self.false_changes(who, seq.saturating_sub(1), seq)),
            4 => PeerMessage::Heartbeat(self.world.draw(u64::MAX)),
            5..=7 => self.false_reply(at),
            _ => {
                let about = self.world.any(&self.nodes);
                PeerMessage::Pull(self.world.id_of(about))
            }
        }
    }

    /// Offers a list that nobody made, or gives it.
    fn false_list(&mut self) -> PeerMessage {
        let (authority, number) = (authority_of(1), 1_000_000 + self.liar.seq);
        PeerMessage::Revocation(match self.world.draw(2) {
            0 => RevocationMessage::Held(vec![(authority, number)]),
            _ => {
                let der = "a lie".into();
                RevocationMessage::List(RevocationList { authority, number, der })
            }
        })
    }

    /// What somebody says who was asked, of a message that others have been asked to handle.
    fn false_reply(&mut self, at: crate::NodeId) -> PeerMessage {
        let open = self.world.record().publications().filter(|(_, of)| of.ends.is_empty());
        let open: Vec<(MsgId, Vec<Instance>)> =
            open.map(|(id, of)| (*id, of.known.iter().copied().collect())).collect();
        if open.is_empty() {
            return PeerMessage::Heartbeat(0);
        }
        let (id, known) = self.world.any(&open);
        let subscriber = if known.is_empty() { Instance(0) } else { self.world.any(&known) };
        match self.world.draw(3) {
            0 => {
                let (attempt, reason, fenced) = (1, Reason::NotSubscribed, true);
                let refusal = PeerRefusal { id, attempt, reason, subscriber, fenced };
                self.in_anothers_name(at, PeerMessage::Refusal(refusal))
            }
            1 => {
                let (attempt, status) = (1, AnswerStatus::Answered);
                let payload = "a lie".into();
                let answer = PeerAnswer { id, attempt, status, subscriber, payload };
                self.in_anothers_name(at, PeerMessage::Answer(answer))
            }
            _ => {
                let receipt = Receipt { acked: 1, refused: 0, unknown: 0 };
                PeerMessage::Receipts(vec![PeerReceiptRun { first: id, count: 1, receipt }])
            }
        }
    }

    /// Half of the time, what it says as if it came from a node behind it to the one it is linked with.
    fn in_anothers_name(&mut self, at: crate::NodeId, message: PeerMessage) -> PeerMessage {
        let behind = self.world.any(&self.nodes);
        if behind == at || self.world.draw(2) == 0 {
            return message;
        }
        let ids = [self.world.id_of(behind), NodeId::of(&name()), self.world.id_of(at)];
        let path = Path::new(&ids).expect("three different nodes");
        let mut header = BytesMut::new();
        message.put_header(&mut header);
        let frame = Frame { header: header.freeze(), payload: message.payload().clone() };
        let (lane, spent) = (message.lane(), millis(0));
        PeerMessage::Relay(Relay { path, position: 2, lane, spent, frame })
    }

    fn false_version(&mut self) -> Version {
        Version { epoch: Epoch(self.world.draw(1000)), seq: Seq(self.liar.seq) }
    }

    /// Signs in its own name, sometimes what is not what it says.
    fn sign(
        &mut self,
        who: StrangerId,
        version: Version,
        neighbours: &[NodeId],
        topics: &[(Topic, Vec<Subscriber>)],
    ) -> SignedHead {
        let topics = if self.world.draw(4) == 0 { &[] } else { topics };
        let digest = set_digest(neighbours, topics).expect("it is not too much");
        self.world.sign(who, AnnouncementHead { name: name(), version, digest })
    }

    /// Neighbours that it does not have, and perhaps many topics that nobody wants.
    fn false_announcement(&mut self, who: StrangerId) -> Announcement {
        let topics = [1, 10, 300][self.pick(3)];
        let topic = |n: u64| format!("lies/{n}").parse().expect("a valid topic");
        let subscribers = |n: u64| vec![subscriber(n), subscriber(n + 1)];
        let topics: Vec<_> = (0..topics).map(|n| (topic(n), subscribers(n))).collect();
        let neighbours: Vec<_> = self.nodes.iter().map(|&node| self.world.id_of(node)).collect();
        let version = self.false_version();
        let signed = self.sign(who, version, &neighbours, &topics);
        Announcement::new(signed, self.world.certificate(NAME), neighbours, topics)
    }

    /// Somebody leaves who never was there.
    fn false_changes(&mut self, who: StrangerId, from: u64, to: u64) -> AnnouncementChanges {
        let change = TopicChange {
            topic: "lies/0".parse().expect("a valid topic"),
            subscriber: subscriber(self.world.draw(9)),
            removed: self.world.draw(2) == 0,
        };
        let version = Version { epoch: self.false_version().epoch, seq: Seq(to) };
        let signed = self.sign(who, version, &[], &[]);
        AnnouncementChanges::new(Seq(from), signed, None, vec![change])
    }
}

fn subscriber(n: u64) -> Subscriber {
    Subscriber { instance: Instance(n), generation: Gen(1) }
}

fn name() -> Name {
    NAME.parse().expect("a certified name")
}

const NAME: &str = "liar.node.bank-x.amop";
