//! Files on private topics: sealed as they leave and opened as they come, as the SDK does it.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_auth::{FileOpener, FileSealer, PublicKey};
use amop_core::client::Effect as ClientEffect;
use amop_core::transfer::{End, InboxInput, SenderInput};
use amop_wire::limits::{FILE_PIECE_BYTES_MAX, FILE_SEAL_BYTES_MAX};
use amop_wire::{
    Code, FileBody, FileEnd, FileMessage, FileOffer, Instance, Instant, Reason, Topic,
};

use super::again::After;
use super::client::{Files, Find, Outgoing};
use super::judge::FileSend;
use super::{Content, FileSendId};
use crate::publishing::parse;
use crate::world::{ClientId, World};

/// What a file is sealed with, and by which key its receiver was let in.
#[derive(Debug)]
pub(crate) struct Seal {
    sealer: FileSealer,
    key: PublicKey,
}

/// A file that waits until somebody may receive it.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(super) offer: FileOffer,
    pub(super) patience: Duration,
    pub(super) until: Instant,
    pub(super) whom: Whom,
}

/// Whom a file waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    /// For the first who may receive it.
    Anybody,
    /// For everybody who is asked.
    All,
    /// For somebody in the place of one who could not open its offer.
    Next(After),
}

/// By which keys receivers were let in.
pub(super) type Keys = BTreeMap<Instance, PublicKey>;

impl World {
    /// Has a client receive the files of a topic that are sealed for the holder of a key.
    pub fn receive_private_files(&mut self, client: ClientId, topic: &str, number: u8) {
        self.clients[client.0].files.intakes.insert(parse(topic));
        self.subscribe_private(client, topic, number);
    }

    /// Whether what a client sends on a topic is sealed.
    pub(crate) fn seals_files(&self, client: ClientId, topic: &str) -> bool {
        self.seals(client.0, &parse(topic))
    }

    pub(super) fn seals(&self, client: usize, topic: &Topic) -> bool {
        self.clients[client].core.as_ref().is_some_and(|core| core.is_private(topic))
    }

    /// Sends a file once somebody may receive it, to one or to all of them.
    pub(super) fn wait_for_receivers(&mut self, client: usize, number: u64, wait: Wait) {
        self.clients[client].files.waits.insert(number, wait);
        self.look_for_receivers(client);
        self.end_file_turn(client);
    }

    /// Sends what has waited long enough.
    pub(crate) fn look_for_receivers(&mut self, client: usize) {
        let waits = self.clients[client].files.waits.iter();
        let is_over = |(number, wait): (&u64, &Wait)| {
            let core = self.clients[client].core.as_ref()?;
            let found = core.file_receivers(self.now, &wait.offer.topic);
            let is_enough = match wait.whom {
                Whom::Anybody => !found.verified.is_empty(),
                Whom::All => false,
                Whom::Next(after) => after.pick(&found, wait.offer.id).is_some(),
            };
            let is_over = is_enough || !found.is_open || self.now >= wait.until;
            is_over.then_some((*number, found))
        };
        let over: Vec<_> = waits.filter_map(is_over).collect();
        for (number, found) in over {
            let Some(wait) = self.clients[client].files.waits.remove(&number) else { continue };
            let Wait { offer, patience, whom, .. } = wait;
            let chosen = match whom {
                Whom::All => {
                    let keys = found.verified.iter().map(|(end, key)| (end.instance, *key));
                    let keys = Some(keys.collect());
                    let find = Find { offer, patience, ask_at: self.now, keys };
                    self.clients[client].files.finds.insert(number, find);
                    self.ask_who_receives(client);
                    continue;
                }
                Whom::Anybody => found.choose(offer.id),
                Whom::Next(after) => {
                    let is_in_time = after.is_in_time(self.now);
                    let picked = after.pick(&found, offer.id).filter(|_| is_in_time);
                    let id = FileSendId(self.instance(ClientId(client)), number);
                    self.follow(after, picked.map(|_| id));
                    if picked.is_none() {
                        continue; // It has ended already.
                    }
                    picked
                }
            };
            match chosen {
                Some((end, key)) => {
                    self.begin_send(client, number, offer, end, patience, None, Some(key));
                }
                None => self.nobody_may_receive(client, number, &offer, patience, None),
            }
        }
    }

    /// What to seal a file with; `None` if this receiver may not have it any more.
    pub(super) fn seal_for(
        &mut self,
        client: usize,
        transfer: u64,
        (topic, receiver, key): (&Topic, Instance, PublicKey),
    ) -> Option<Seal> {
        let now = self.now;
        let core = self.clients[client].core.as_mut()?;
        if !core.verified(now, topic).contains(&(receiver, key)) {
            return None;
        }
        let sealer = core.file_sealer(transfer, receiver)?;
        Some(Seal { sealer, key })
    }

    pub(super) fn nobody_may_receive(
        &mut self,
        client: usize,
        transfer: u64,
        offer: &FileOffer,
        patience: Duration,
        find: Option<u64>,
    ) {
        let id = FileSendId(self.instance(ClientId(client)), transfer);
        let mut send = FileSend::new(
            self.now,
            Content::of(offer),
            offer.topic.clone(),
            FileEnd::ANY,
            patience,
        );
        let end = End { code: Code::NoSubscriber, reason: Reason::NoVerifiedReceiver };
        self.coverage.file_end(end);
        send.end = Some((self.now, end));
        self.file_record.sends.insert(id, send.found_by(find));
    }

    /// Gives up what a client sends on a topic to whom it lets in no more.
    pub(crate) fn restrict_files(&mut self, client: usize, topic: &Topic) {
        let allowed = self.clients[client].allowed.get(topic).cloned().unwrap_or_default();
        let keys: Vec<PublicKey> =
            allowed.into_iter().map(|number| crate::private::key(number).public()).collect();
        let is_out = |send: &Outgoing| {
            let is_in = send.seal.as_ref().is_some_and(|seal| keys.contains(&seal.key));
            send.addressee.topic() == topic && !is_in
        };
        let sends = self.clients[client].files.sends.iter();
        let out: Vec<u64> =
            sends.filter(|(_, send)| is_out(send)).map(|(transfer, _)| *transfer).collect();
        for transfer in out {
            self.tell_sender(client, transfer, SenderInput::Cancel);
        }
        self.end_file_turn(client);
    }

    /// Seals an offer that leaves now; `None` if that cannot be done, so that it does not leave.
    pub(super) fn seal_offer(
        &mut self,
        client: usize,
        message: FileMessage,
    ) -> Option<FileMessage> {
        let FileBody::Offer(offer) = &message.body else { return Some(message) };
        if !self.seals(client, &offer.topic) {
            return Some(message);
        }
        let now = self.now;
        let slot = &mut self.clients[client];
        let seal = slot.files.sends.get(&message.route.transfer)?.seal.as_ref()?;
        let sealed = slot.core.as_mut()?.seal_offer(now, &seal.sealer, offer)?;
        self.note_sealed_offer(client, message.route.receiver.instance, offer);
        Some(FileMessage { body: FileBody::SealedOffer(Box::new(sealed)), ..message })
    }

    /// Opens what has reached a client; `None` if nothing of it is for its inbox.
    pub(super) fn open_file(&mut self, client: usize, message: FileMessage) -> Option<FileMessage> {
        let FileMessage { route, round, body } = &message;
        let (now, send) = (self.now, (route.sender.instance, route.transfer));
        let opened = match body {
            FileBody::SealedOffer(sealed) => {
                let core = self.clients[client].core.as_mut()?;
                let opened = core.open_offer(now, route.transfer, route.sender.instance, sealed);
                self.perform_client(client);
                opened
            }
            FileBody::Offer(offer) => {
                let core = self.clients[client].core.as_ref()?;
                if !core.wants_sealed(&offer.topic) {
                    let offer = offer.clone();
                    self.note_clear_offer(client, &offer);
                    return Some(message);
                }
                Err(Some(Reason::NotSealed))
            }
            FileBody::Piece { .. } => return self.clients[client].files.open_piece(message),
            _ => return Some(message),
        };
        match opened {
            Ok((opener, offer)) => {
                self.note_opened_offer(client, &offer);
                self.clients[client].files.keep_opener(send, opener);
                let body = FileBody::Offer(Box::new(offer));
                Some(FileMessage { route: *route, round: *round, body })
            }
            Err(Some(Reason::CannotOpen)) => {
                self.tell_inbox(client, InboxInput::Unopened(message));
                None
            }
            Err(Some(reason)) => {
                let body = FileBody::Refused(Code::SubscriberUnreachable, reason);
                let refused = FileMessage { body, ..message };
                self.clients[client].files.lane.push(now, (), refused);
                None
            }
            Err(None) => None, // If it is no copy, it is offered again.
        }
    }

    /// Performs what a core wants that was told something elsewhere.
    fn perform_client(&mut self, client: usize) {
        let Some(core) = self.clients[client].core.as_mut() else { return };
        let effects: Vec<ClientEffect> = std::iter::from_fn(|| core.poll_effect()).collect();
        let mut inputs = Vec::new();
        for effect in effects {
            self.check_nonces(client, &effect);
            inputs.extend(self.client_effect(client, effect));
        }
        self.client_batch(client, inputs);
    }
}

impl Outgoing {
    /// Whether it goes to a private topic.
    pub(super) fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// How much longer a piece of it becomes on its way.
    pub(super) fn seal_bytes(&self) -> usize {
        if self.seal.is_some() { FILE_SEAL_BYTES_MAX } else { 0 }
    }

    /// Seals a piece; its offer is sealed when it leaves. `None` if nothing more can be sealed.
    pub(super) fn sealed(&mut self, mut message: FileMessage) -> Option<FileMessage> {
        if let (Some(seal), FileBody::Piece { start, data }) = (&mut self.seal, &mut message.body) {
            *data = seal.sealer.seal(*start, data)?;
        }
        Some(message)
    }

    /// What its receiver says, with the hash that Done stands for; `None` if somebody on the way has made it up.
    pub(super) fn unveiled(&self, mut message: FileMessage) -> Option<FileMessage> {
        if let (Some(seal), FileBody::Done { sha256 }) = (&self.seal, &mut message.body) {
            let own = self.content.sha256();
            if !seal.sealer.is_done(sha256, &own) {
                return None;
            }
            *sha256 = own;
        }
        Some(message)
    }
}

impl Files {
    fn keep_opener(&mut self, send: (Instance, u64), opener: FileOpener) {
        let inbox = &self.inbox;
        self.openers.retain(|(sender, transfer), _| inbox.knows(*sender, *transfer));
        self.openers.insert(send, opener);
    }

    fn open_piece(&self, mut message: FileMessage) -> Option<FileMessage> {
        let send = (message.route.sender.instance, message.route.transfer);
        if let FileBody::Piece { start, data } = &mut message.body
            && let Some(opener) = self.openers.get(&send)
        {
            *data = opener.open(*start, data)?;
        }
        Some(message)
    }

    /// What is said to the sender of a file: of one that is sealed nobody else learns what it is.
    pub(super) fn veiled(&self, mut message: FileMessage) -> FileMessage {
        let send = (message.route.sender.instance, message.route.transfer);
        if let FileBody::Done { sha256 } = &mut message.body
            && let Some(opener) = self.openers.get(&send)
        {
            *sha256 = opener.done(sha256);
        }
        message
    }
}

/// How much of a file is sealed at a time.
pub(super) const SEALED_PIECE_BYTES: usize = FILE_PIECE_BYTES_MAX - FILE_SEAL_BYTES_MAX;

/// How soon somebody is looked for again: some waits end without a word.
pub(super) const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long a file for all waits for those who are asked.
pub(super) const VERIFIED_WITHIN: Duration = Duration::from_secs(6);
