//! Files on private topics: what leaves is sealed, and what comes is opened.
//!
//! Offers are sealed with what the client's core knows of their receivers, at the last moment; pieces under
//! the key of their file, before they wait for the link, so that all who count bytes count the same.

use std::time::Duration;

use amop_auth::{FileOpener, PublicKey};
use amop_core::client::FileReceivers;
use amop_core::transfer::InboxInput;
use amop_wire::{Code, FileBody, FileMessage, Instance, Instant, Reason, Topic};
use tokio::time::{Instant as Moment, sleep, sleep_until};

use super::Files;
use super::outbound::Outbound;
use crate::lease::Lease;
use crate::state::State;

impl State {
    /// Something came on the lane for files.
    pub(crate) fn handle_file(&mut self, now: Instant, message: FileMessage) {
        let own = self.core.instance();
        let FileMessage { route, round, body } = &message;
        let opened = match body {
            FileBody::SealedOffer(sealed) => {
                let opened =
                    self.core.open_offer(now, route.transfer, route.sender.instance, sealed);
                self.perform(now);
                opened
            }
            FileBody::Offer(offer) if self.core.wants_sealed(&offer.topic) => {
                Err(Some(Reason::NotSealed))
            }
            _ => return self.files.handle_message(now, own, message),
        };
        match opened {
            Ok((opener, offer)) => {
                let body = FileBody::Offer(Box::new(offer));
                let message = FileMessage { route: *route, round: *round, body };
                self.files.keep_opener(route.sender.instance, route.transfer, opener);
                self.files.handle_message(now, own, message);
            }
            Err(Some(Reason::CannotOpen)) => {
                self.files.tell_inbox(now, InboxInput::Unopened(message));
            }
            Err(Some(reason)) => {
                let body = FileBody::Refused(Code::SubscriberUnreachable, reason);
                self.files.lane.push(now, (), FileMessage { body, ..message });
            }
            Err(None) => {} // If it is no copy, it is offered again.
        }
    }

    /// Seals what must not leave in the clear; `None` if that cannot be done now, so that it does not leave.
    pub(crate) fn seal_file(&mut self, now: Instant, message: FileMessage) -> Option<FileMessage> {
        match &message.body {
            FileBody::Offer(offer) if self.core.is_private(&offer.topic) => {
                let outbound = self.files.outbound.get(&message.route.transfer)?;
                let sealed = self.core.seal_offer(now, &outbound.seal()?.sealer, offer)?;
                Some(FileMessage { body: FileBody::SealedOffer(Box::new(sealed)), ..message })
            }
            _ => Some(message),
        }
    }
}

impl Files {
    /// Gives up what is sent on a topic to others than the holders of these keys.
    pub(crate) fn restrict(
        &mut self,
        now: Instant,
        topic: &Topic,
        is_allowed: impl Fn(&PublicKey) -> bool,
    ) {
        let is_out = |outbound: &Outbound| {
            let is_in = outbound.seal().is_some_and(|seal| is_allowed(&seal.key));
            outbound.topic() == topic && !is_in
        };
        let all = self.outbound.iter().filter(|(_, outbound)| is_out(outbound));
        for transfer in all.map(|(transfer, _)| *transfer).collect::<Vec<_>>() {
            self.act_on(now, transfer, Outbound::cancel);
        }
    }

    fn keep_opener(&mut self, sender: Instance, transfer: u64, opener: FileOpener) {
        let inbox = &self.inbox;
        self.openers.retain(|(sender, transfer), _| inbox.knows(*sender, *transfer));
        self.openers.insert((sender, transfer), opener);
    }

    /// Opens a piece if its file is sealed; `None` if it is not what its sender has sealed.
    pub(super) fn open_piece(&self, mut message: FileMessage) -> Option<FileMessage> {
        let send = (message.route.sender.instance, message.route.transfer);
        if let FileBody::Piece { start, data } = &mut message.body
            && let Some(opener) = self.openers.get(&send)
        {
            *data = opener.open(*start, data)?;
        }
        Some(message)
    }

    /// What is said to the sender of a file: of one that is sealed nobody else learns what it is.
    pub(super) fn veil(&self, mut message: FileMessage) -> FileMessage {
        let send = (message.route.sender.instance, message.route.transfer);
        if let FileBody::Done { sha256 } = &mut message.body
            && let Some(opener) = self.openers.get(&send)
        {
            *sha256 = opener.done(sha256);
        }
        message
    }
}

/// Finds out who may receive a file on a private topic: waits until that is `enough`, nobody can come any
/// more, or the time is over.
pub(super) async fn receivers(
    lease: &Lease,
    topic: &Topic,
    patience: Duration,
    is_enough: impl Fn(&FileReceivers) -> bool,
) -> FileReceivers {
    let mut changes = lease.receivers();
    let until: Moment = lease.at(lease.now() + patience);
    loop {
        changes.mark_unchanged();
        let now = lease.now();
        let found = lease.look(|state| state.core.file_receivers(now, topic));
        if is_enough(&found) || !found.is_open {
            return found;
        }
        tokio::select! {
            () = sleep_until(until) => return found,
            _ = changes.changed() => {}
            () = sleep(LOOK_AGAIN_AFTER) => {} // Some waits end without a word.
        }
    }
}

/// How long it takes at most to notice that nobody is waited for any more.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc;

    use amop_auth::Identity;
    use amop_core::client::{Client, Input};
    use amop_core::transfer::Sender;
    use amop_wire::limits::{FILE_PIECE_BYTES_MAX, FILE_SEAL_BYTES_MAX};
    use amop_wire::{FileEnd, FileId, FileLayout, FileOffer, FileRoute, Message, NodeId};
    use bytes::{Bytes, BytesMut};
    use tokio::sync::{oneshot, watch};

    use super::super::Progress;
    use super::super::outbound::{Seal, Ways};
    use super::*;

    const NODE: NodeId = NodeId::from_bytes([1; 32]);
    const OWN: FileEnd = FileEnd { instance: Instance(1), node: NODE };
    const OTHER: FileEnd = FileEnd { instance: Instance(2), node: NODE };
    const SHA256: [u8; 32] = *b"this is the hash of all content.";

    /// A client that has made the topic `salary` private.
    fn state() -> State {
        let name = "app.sdk.bank-a.amop".parse().unwrap();
        let identity = Identity { name, instance: OWN.instance, certificate: [0; 32] };
        let core = Client::new(OWN.instance).with_identity(identity, [[1; 32], [2; 32]]);
        let mut state = State::new(core);
        let allow = Input::Allow { topic: "salary".parse().unwrap(), keys: BTreeSet::new() };
        state.handle(Instant::default(), allow);
        state
    }

    fn offer(topic: &str) -> FileOffer {
        FileOffer {
            id: FileId(7),
            layout: FileLayout::new(3 << 20).unwrap(),
            modified_ms: 0,
            sha256: SHA256,
            list_sha256: SHA256,
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: topic.parse().unwrap(),
            label: "secret-label.csv".parse().unwrap(),
        }
    }

    fn message(body: FileBody) -> FileMessage {
        let route = FileRoute { transfer: 1, sender: OWN, receiver: OTHER };
        FileMessage { route, round: 1, body }
    }

    /// PRIV-1: also if its transfer has ended meanwhile, so that nobody knows any more how to seal it.
    #[test]
    fn an_offer_on_a_private_topic_that_cannot_be_sealed_does_not_leave() {
        let (now, mut state) = (Instant::default(), state());
        let leaves = |state: &mut State, topic| {
            state.seal_file(now, message(FileBody::Offer(Box::new(offer(topic))))).is_some()
        };
        assert!(!leaves(&mut state, "salary"));
        assert!(leaves(&mut state, "quotes"));
    }

    /// FILE-14: whatever a transfer on a private topic hands out, but for offers, which are sealed when they
    /// leave.
    #[test]
    fn pieces_leave_sealed_and_fit_and_only_the_receiver_says_done() {
        let (now, mut state) = (Instant::default(), state());
        let sealer = state.core.file_sealer(1, OTHER.instance).unwrap();
        let key = crate::generate_key().public();
        let (reads, wanted) = mpsc::channel();
        let (ended, mut end) = oneshot::channel();
        let offer = offer("salary");
        let most = FILE_PIECE_BYTES_MAX - FILE_SEAL_BYTES_MAX;
        let route = message(FileBody::Wait).route;
        let sender = Sender::new(now, route, offer.clone(), Duration::from_secs(60));
        let ways = Ways {
            topic: offer.topic.clone(),
            sha256: SHA256,
            seal: Some(Seal { sealer, key }),
            layout: offer.layout,
            pace: None,
            reads,
            progress: watch::Sender::new(Progress::default()),
            ended,
        };
        let mut outbound = Outbound::new(sender.with_pieces_of(most), ways);
        outbound.link_up(now, NODE);
        let credit = FileBody::Credit { received: 64, granted: 2 << 20 };
        outbound.hear(now, message(credit));
        assert!(!outbound.go_on(now, FILE_PIECE_BYTES_MAX), "it is to be read");
        let super::super::outbound::Wanted { start, bytes, .. } = wanted.recv().unwrap();
        assert_eq!((start, bytes), (64, 2 << 20), "all that is left of a part");
        let plain: Bytes = b"known text ".iter().copied().cycle().take(bytes).collect();
        outbound.was_read(now, start, Ok(plain));
        // The node takes short ones once messages go over it.
        let rooms = [FILE_PIECE_BYTES_MAX, 16 << 10];
        assert!(rooms.iter().all(|room| outbound.go_on(now, *room)));
        let mut pieces = Vec::new();
        while let Some(message) = outbound.next_message() {
            if matches!(message.body, FileBody::Offer(_)) {
                continue;
            }
            if matches!(message.body, FileBody::Piece { .. }) {
                pieces.push(message.payload().len());
            }
            let mut header = BytesMut::new();
            message.put_header(&mut header);
            let sent = [&header[..], message.payload()].concat();
            for secret in [&b"known text"[..], b"secret-label", &SHA256] {
                assert!(!sent.windows(secret.len()).any(|window| window == secret));
            }
        }
        assert_eq!(pieces.len(), rooms.len());
        assert!(pieces.iter().zip(rooms).all(|(piece, room)| *piece <= room), "{pieces:?}");

        outbound.hear(now, message(FileBody::Done { sha256: SHA256 }));
        assert!(end.try_recv().is_err(), "a node on the way has made it up");
        state.files.restrict(now, &offer.topic, |_| true);
    }
}
