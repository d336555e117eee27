//! Files in a world: senders and receivers run the machines of amop-core beside the cores of their clients,
//! and each client has a disk that outlives it.
//!
//! The streams are long, so a world moves them without copies, and a link has room for so much of them at a
//! time; what waits for it waits in the lanes of the cores, as it does in a driver.

mod again;
mod client;
mod content;
mod disk;
mod jobs;
mod judge;
mod nodes;
mod private;
mod secrets;

use std::fmt;
use std::time::Duration;

use amop_auth::PublicKey;
use amop_core::transfer::{Addressee, Sender, SenderInput};
use amop_wire::{Code, FileEnd, FileFound, FileOffer, FileRoute, FoundReceiver, Instance, NodeId};

use crate::fault::Fault;
use crate::network::Party;
use crate::publishing::parse;
use crate::story::{About, What};
use crate::world::{ClientId, ClientSlot, World};

pub(crate) use client::Files;
pub use content::Content;
pub(crate) use disk::Disk;
pub use disk::{DiskTrouble, FileStep};
pub(crate) use jobs::DiskJob;
pub(crate) use judge::FileRecord;
pub use judge::FileSend;

/// One call to send a file, or what became of one for all at one of its receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileSendId(pub(crate) Instance, pub(crate) u64);

impl fmt::Display for FileSendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.1, self.0)
    }
}

impl World {
    /// Has a client receive the files of a topic.
    pub fn receive_files(&mut self, client: ClientId, topic: &str) {
        self.clients[client.0].files.intakes.insert(parse(topic));
        self.subscribe(client, topic);
    }

    /// Has a client receive no more files of a topic; what is under way is given up.
    pub fn stop_receiving(&mut self, client: ClientId, topic: &str) {
        self.unsubscribe(client, topic);
        self.give_up_files(client.0, &parse(topic));
    }

    /// Sends a file to one subscriber. It ends once nothing was heard for as long as `patience`.
    ///
    /// # Panics
    ///
    /// If the client is down.
    pub fn send_file(
        &mut self,
        client: ClientId,
        topic: &str,
        content: Content,
        patience: Duration,
    ) -> FileSendId {
        let offer = self.offer_of(client, topic, content);
        let transfer = self.next_transfer(client.0);
        if self.seals(client.0, &offer.topic) {
            let until = self.now + patience;
            let wait = private::Wait { offer, patience, until, whom: private::Whom::Anybody };
            self.wait_for_receivers(client.0, transfer, wait);
        } else {
            self.begin_send(client.0, transfer, offer, FileEnd::ANY, patience, None, None);
        }
        FileSendId(self.instance(client), transfer)
    }

    /// Sends a file to all who subscribe once the client's node has said who that is. The sends can be asked
    /// for with what this answers.
    ///
    /// # Panics
    ///
    /// If the client is down.
    pub fn send_file_to_all(
        &mut self,
        client: ClientId,
        topic: &str,
        content: Content,
        patience: Duration,
    ) -> FileSendId {
        let offer = self.offer_of(client, topic, content);
        let line = format_args!("asks for receivers of {content:?} on {topic}");
        self.tell(What::Did(Party::Client(client.0)), About::Nothing, line);
        let number = self.next_transfer(client.0);
        if self.seals(client.0, &offer.topic) {
            let until = self.now + patience.min(private::VERIFIED_WITHIN);
            let wait = private::Wait { offer, patience, until, whom: private::Whom::All };
            self.wait_for_receivers(client.0, number, wait);
        } else {
            let find = client::Find { offer, patience, ask_at: self.now, keys: None };
            self.clients[client.0].files.finds.insert(number, find);
            self.ask_who_receives(client.0);
            self.end_file_turn(client.0);
        }
        FileSendId(self.instance(client), number)
    }

    /// Gives up all that a client sends.
    pub fn cancel_files(&mut self, client: ClientId) {
        let transfers: Vec<u64> = self.clients[client.0].files.sends.keys().copied().collect();
        for transfer in transfers {
            self.tell_sender(client.0, transfer, SenderInput::Cancel);
        }
        self.stop_looking(client.0);
        self.end_file_turn(client.0);
    }

    /// Kills a client by cutting its power: its disk may lose what was not synced. Its node notices after
    /// `notice`.
    pub fn cut_power(&mut self, client: ClientId, notice: Duration) {
        self.coverage.fault(Fault::PowerCut);
        self.kill(client, notice);
        let mut disk = std::mem::take(&mut self.clients[client.0].disk);
        disk.cut_power(|| self.draw(2) == 0);
        self.clients[client.0].disk = disk;
        self.file_record.losses.entry(client.0).or_default().power_cuts += 1;
        self.check_disk(client.0);
    }

    /// Has the disk of a client fail, or work again.
    pub fn set_disk(&mut self, client: ClientId, trouble: DiskTrouble) {
        if trouble != DiskTrouble::None {
            self.coverage.fault(Fault::Disk);
        }
        self.clients[client.0].disk.trouble = trouble;
    }

    /// The last step that the disk of a client has done to give a file its name.
    #[must_use]
    pub fn file_step(&self, client: ClientId) -> Option<FileStep> {
        self.clients[client.0].disk.last_step
    }

    /// How many files a client is receiving.
    #[must_use]
    pub fn files_arriving(&self, client: ClientId) -> usize {
        self.clients[client.0].files.inbox.under_way()
    }

    /// What became of one send so far: of its last attempt. `None` while it looks for its next receiver.
    #[must_use]
    pub fn file_send(&self, id: FileSendId) -> Option<&FileSend> {
        self.file_record.sends.get(&self.last_attempt(id)?)
    }

    /// The code that a send ended with, if it has ended.
    #[must_use]
    pub fn file_code(&self, id: FileSendId) -> Option<Code> {
        let (_, end) = self.file_send(id)?.end?;
        Some(end.code)
    }

    /// Whom a send of a file for all is for.
    ///
    /// # Panics
    ///
    /// If there is no such send.
    #[must_use]
    pub fn file_receiver(&self, id: FileSendId) -> Instance {
        self.file_record.sends[&id].receiver.instance
    }

    /// The sends that a file for all has become.
    pub fn sends_to_all(&self, id: FileSendId) -> impl Iterator<Item = FileSendId> {
        let is_its =
            move |send: &FileSendId, of: &FileSend| send.0 == id.0 && of.find == Some(id.1);
        self.file_record.sends.iter().filter(move |(id, of)| is_its(id, of)).map(|(id, _)| *id)
    }

    /// Whether a file lies under its name at a client, whatever happens now.
    #[must_use]
    pub fn has_file(&self, client: ClientId, content: Content) -> bool {
        self.clients[client.0].disk.is_safe(content)
    }

    fn offer_of(&self, client: ClientId, topic: &str, content: Content) -> FileOffer {
        content.offer(self.clients[client.0].name.clone(), parse(topic))
    }

    fn next_transfer(&mut self, client: usize) -> u64 {
        let files = &mut self.clients[client].files;
        files.last += 1;
        files.last
    }

    /// The client's node has said who receives.
    pub(crate) fn found_receivers(&mut self, client: usize, number: u64, found: &FileFound) {
        let Some(find) = self.clients[client].files.finds.remove(&number) else { return };
        let client::Find { offer, patience, keys, .. } = find;
        for receiver in found.receivers().iter().map(FoundReceiver::end) {
            let key = keys.as_ref().map(|keys| keys.get(&receiver.instance).copied());
            if key == Some(None) {
                continue; // It has proved to hold no key.
            }
            let (transfer, key) = (self.next_transfer(client), key.flatten());
            let find = Some(number);
            self.begin_send(client, transfer, offer.clone(), receiver, patience, find, key);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "it is what a send is")]
    fn begin_send(
        &mut self,
        client: usize,
        transfer: u64,
        offer: FileOffer,
        receiver: FileEnd,
        patience: Duration,
        find: Option<u64>,
        key: Option<PublicKey>,
    ) {
        let seal = key.and_then(|key| {
            self.seal_for(client, transfer, (&offer.topic, receiver.instance, key))
        });
        if seal.is_none() && (key.is_some() || self.seals(client, &offer.topic)) {
            return self.nobody_may_receive(client, transfer, &offer, patience, find);
        }
        let (now, instance) = (self.now, self.instance(ClientId(client)));
        let (id, content) = (FileSendId(instance, transfer), Content::of(&offer));
        let line = format_args!("sends file {id}: {content:?} to {}, {patience:?}", offer.topic);
        self.tell(What::Did(Party::Client(client)), About::Nothing, line);
        let topic = offer.topic.clone();
        let send = FileSend::new(now, content, topic.clone(), receiver, patience);
        self.file_record.sends.insert(id, send.found_by(find));
        let home = self.clients[client].files.home;
        let node = home.unwrap_or(NodeId::from_bytes([0; 32]));
        let route = FileRoute { transfer, sender: FileEnd { instance, node }, receiver };
        let addressee = Addressee::new(topic, &route);
        let sender = Sender::new(now, route, offer, patience);
        let outgoing = client::Outgoing::new(sender, addressee, content, seal);
        self.clients[client].files.sends.insert(transfer, outgoing);
        if let Some(home) = home {
            self.tell_sender(client, transfer, SenderInput::LinkUp(home));
        }
        self.end_file_turn(client);
    }

    /// Who receives the files of a topic.
    pub(crate) fn receivers(&self, topic: &str) -> Vec<ClientId> {
        let topic = parse(topic);
        let all = self.clients.iter().enumerate();
        let receiving = all.filter(|(_, slot)| slot.files.intakes.contains(&topic));
        receiving.map(|(client, _)| ClientId(client)).collect()
    }

    /// How many receive the files of a topic that a client's node can reach: of a private one those whom the
    /// client lets in.
    pub(crate) fn receivers_in_reach(&self, client: ClientId, topic: &str) -> usize {
        let Some(home) = self.home_of(client) else { return 0 };
        let (reach, topic) = (self.in_reach(home.0), parse(topic));
        let allowed = self.clients[client.0].allowed.get(&topic);
        let is_there = |slot: &&ClientSlot| {
            let is_near = self.home(slot).is_some_and(|home| reach.contains(&home.0));
            let key = slot.keys.get(&topic);
            let is_let_in = allowed.is_none_or(|all| key.is_some_and(|key| all.contains(key)));
            is_near
                && is_let_in
                && slot.files.intakes.contains(&topic)
                && slot.wanted.contains(&topic)
        };
        self.clients.iter().filter(is_there).count()
    }
}
