//! Whom a transfer goes to, while its receiver comes and goes.
//!
//! A transfer first names nobody, and goes to whom its home node chose. If that one is gone, it names
//! nobody again: the same client may be back in another life, or another one takes its place. One that is
//! pinned is for one receiver and nobody else: if that is gone, its node is looked for. In both cases the
//! sender goes on offering until its patience is over, so that a receiver that was found once ends no
//! transfer by being away.

use amop_wire::{
    Code, FileBody, FileEnd, FileFound, FileMessage, FileRoute, FoundReceiver, Reason, Topic,
};

use super::Sender;

/// Whom one transfer goes to. It hears what comes before its [`Sender`] does.
#[derive(Debug)]
pub struct Addressee {
    topic: Topic,
    is_pinned: bool,
    /// Whether anybody was ever found who receives it.
    was_found: bool,
}

/// What is to be done with a message of the other end, or of a node on the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The sender is to hear it.
    ForSender,
    /// The sender is to go on with this end.
    Redirect(FileEnd),
    /// The client's node is to be asked where the receiver is.
    Find(FileMessage),
    /// Nothing follows.
    Nothing,
}

impl Addressee {
    /// Of a transfer on this topic: for whoever is chosen, or pinned to the receiver that its route names.
    #[must_use]
    pub fn new(topic: Topic, route: &FileRoute) -> Self {
        Self { topic, is_pinned: route.receiver != FileEnd::ANY, was_found: false }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Judges a message that came for a sender.
    #[must_use = "the sender does not hear it by itself"]
    pub fn hear(&mut self, sender: &Sender, message: &FileMessage) -> Heard {
        let is_of_round = message.round == sender.round();
        let (known, from) = (sender.route().receiver, message.route.receiver);
        match &message.body {
            // It is there, and will never take this send.
            FileBody::Refused(_, Reason::CannotOpen) => Heard::ForSender,
            FileBody::Refused(Code::NoSubscriber | Code::SubscriberUnreachable, _)
                if self.was_found =>
            {
                if self.is_pinned {
                    self.find(sender)
                } else if is_of_round && known != FileEnd::ANY {
                    Heard::Redirect(FileEnd::ANY)
                } else {
                    Heard::Nothing
                }
            }
            FileBody::Found(found) => {
                place_of(found, known).map_or(Heard::Nothing, Heard::Redirect)
            }
            FileBody::Credit { .. } | FileBody::Wait | FileBody::Again
                if is_of_round && from != FileEnd::ANY =>
            {
                self.was_found = true;
                if known == FileEnd::ANY { Heard::Redirect(from) } else { Heard::ForSender }
            }
            _ => Heard::ForSender,
        }
    }

    fn find(&self, sender: &Sender) -> Heard {
        let route = FileRoute { receiver: FileEnd::ANY, ..sender.route() };
        let body = FileBody::Find(self.topic.clone());
        Heard::Find(FileMessage { route, round: sender.round(), body })
    }
}

/// What a client says to the receiver of a transfer that it knows no more: it was given up before its sender knew who
/// receives, so that nobody could be told (FILE-17). `None` if that is over, or a node speaks for nobody.
#[must_use]
pub fn farewell(message: &FileMessage) -> Option<FileMessage> {
    let is_under_way =
        matches!(message.body, FileBody::Credit { .. } | FileBody::Wait | FileBody::Again);
    let FileMessage { route, round, .. } = *message;
    let body = FileBody::Cancel(Reason::Cancelled);
    (is_under_way && route.receiver != FileEnd::ANY).then_some(FileMessage { route, round, body })
}

/// Where a receiver is, if it is not where it was.
fn place_of(found: &FileFound, known: FileEnd) -> Option<FileEnd> {
    let is_it = |end: &FileEnd| end.instance == known.instance && end.node != known.node;
    found.receivers().iter().map(FoundReceiver::end).find(is_it)
}
