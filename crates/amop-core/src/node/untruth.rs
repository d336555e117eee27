//! What others say that cannot be true, so that it is dropped and told: who is honest never says it.
//!
//! What comes too late is nothing of the kind. An answer may come after the deadline, of an attempt
//! before the present one, or of what a home node asked in an earlier life; then nobody is blamed,
//! even if that cannot be told from a lie. Blamed is the party at the other end of the link or, of
//! what came over others, the node that its path begins with.

use amop_wire::{Instance, MsgId, NodeId};

use super::links::Link;
use super::pending::Pending;
use super::{Effect, Event, LinkId, Node};

/// Something that was said and cannot be true. Nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untruth {
    /// An answer, a refusal or a report: the publisher has not got to that number.
    #[error("it replies to {0}, which was not published so far")]
    NotPublished(MsgId),
    /// An answer or a refusal: the attempt is that of another subscriber, or still to come. It was
    /// the subscriber who lied if its node is honest.
    #[error("it replies to {id} as {subscriber}, who was not asked")]
    NotAsked {
        /// The message that was replied to.
        id: MsgId,
        /// In whose name.
        subscriber: Instance,
    },
    /// A client acked more than was delivered to it.
    #[error("it acks what was not delivered")]
    NotDelivered,
    /// Something came over others, from another node than its path has before this one. The link is
    /// closed.
    #[error("what it passes on does not follow its path")]
    OffPath,
    /// What came over others cannot be read, or is none of what goes over others.
    #[error("what it sends over others cannot be sent that way")]
    NotRelayable,
}

impl Node {
    /// A reply came that nobody waits for: tells if nobody ever can have.
    pub(super) fn unasked(&mut self, node: NodeId, id: MsgId, attempt: u32, subscriber: Instance) {
        let is_untrue = |pending: &Pending| pending.is_untrue(attempt, subscriber);
        if !self.is_published(id) {
            self.blame_node(node, Some(subscriber), Untruth::NotPublished(id));
        } else if self.pending(id).is_some_and(is_untrue) {
            let what = Untruth::NotAsked { id, subscriber };
            self.blame_node(node, Some(subscriber), what);
        }
    }

    /// Whether a message was published here, as far as can be known: that of a publisher that is not
    /// here, or has published nothing since it came, may be of an earlier life.
    pub(super) fn is_published(&self, id: MsgId) -> bool {
        let newest = self.publishers.get(&id.publisher).and_then(|it| it.newest.of_all());
        newest.is_none_or(|newest| id.counter <= newest)
    }

    /// Tells of what a node said, or a client of this one.
    pub(super) fn blame_node(&mut self, node: NodeId, client: Option<Instance>, what: Untruth) {
        let by = if node == self.id {
            client.and_then(|client| self.sessions.get(&client)).map(|session| &session.name)
        } else {
            self.table.name_of(node).or_else(|| {
                let link = self.link_back(node)?;
                self.links.get(&link).map(Link::name)
            })
        };
        if let Some(by) = by.cloned() {
            self.effects.push_back(Effect::Event(Event::Untrue { by, what }));
        }
    }

    /// Tells of what came on a link.
    pub(super) fn blame(&mut self, link: LinkId, what: Untruth) {
        if let Some(by) = self.links.get(&link).map(Link::name).cloned() {
            self.effects.push_back(Effect::Event(Event::Untrue { by, what }));
        }
    }

    /// Tells of what came along a path and is nothing that a node may send so.
    pub(super) fn not_relayable(&mut self, source: NodeId) {
        self.blame_node(source, None, Untruth::NotRelayable);
    }
}
