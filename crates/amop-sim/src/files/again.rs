//! Files that go on after a receiver that could not open their offer, as the SDK has it: to whoever else may have
//! them, or to the same one once it was verified anew. Each attempt is a send of its own to those who judge.

use std::collections::BTreeMap;

use amop_auth::PublicKey;
use amop_core::client::{FILE_NEXT_WITHIN, FileReceivers, Input as ClientInput};
use amop_core::transfer::End;
use amop_wire::{Code, FileEnd, FileId, Instance, Instant, Reason};

use super::FileSendId;
use super::client::Outgoing;
use super::private::{Wait, Whom};
use crate::world::{ClientId, World};

/// Which attempt follows which.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// What follows an attempt; nothing yet if its sender looks for somebody.
    next: BTreeMap<FileSendId, Option<FileSendId>>,
    /// What binds an attempt that is not the first.
    bounds: BTreeMap<FileSendId, Bounds>,
}

/// To whom a file may go on, and how long somebody is looked for.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    until: Instant,
    only: Option<Instance>,
}

/// A send that looks for somebody in the place of one who could not open its offer.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    before: FileSendId,
    bounds: Bounds,
}

impl After {
    /// Whether a file that could not be brought may be offered once more.
    pub(super) fn is_in_time(self, now: Instant) -> bool {
        now < self.bounds.until
    }

    /// Who is next, if anybody is.
    pub(super) fn pick(self, found: &FileReceivers, file: FileId) -> Option<(FileEnd, PublicKey)> {
        match self.bounds.only {
            None => found.choose(file),
            Some(one) => found.find(one),
        }
    }
}

impl World {
    /// An attempt has ended. If its receiver could not open the offer, somebody is looked for.
    pub(super) fn go_on_after(&mut self, client: usize, transfer: u64, sent: &Outgoing, end: End) {
        let (receiver, topic) = (sent.sender.route().receiver, sent.addressee.topic().clone());
        let id = FileSendId(self.instance(ClientId(client)), transfer);
        let could_not_open = (Code::SubscriberUnreachable, Reason::CannotOpen);
        if (end.code, end.reason) != could_not_open || !sent.is_sealed() {
            return;
        }
        let Some(send) = self.file_record.sends.get(&id) else { return };
        let (patience, is_for_one) = (send.patience, send.find.is_some());
        let has_moved = sent.sender.moved_bytes() > 0;
        let known = self.file_record.attempts.bounds.get(&id).copied();
        let Bounds { until, only } =
            known.unwrap_or(Bounds { until: self.now + patience, only: None });
        let only = only.or((is_for_one || has_moved).then_some(receiver.instance));
        let offer = self.offer_of(ClientId(client), topic.as_str(), sent.content);
        self.client_batch(
            client,
            [ClientInput::CannotOpen { topic, subscriber: receiver.instance }],
        );
        self.coverage.file("goes to the next");
        self.file_record.attempts.next.insert(id, None);
        let whom = Whom::Next(After { before: id, bounds: Bounds { until, only } });
        let until = until.min(self.now + FILE_NEXT_WITHIN);
        let number = self.next_transfer(client);
        let wait = Wait { offer, patience, until, whom };
        self.clients[client].files.waits.insert(number, wait);
        self.wake_files_at(client, self.now);
    }

    /// The send before is followed by this one, or by none.
    pub(super) fn follow(&mut self, After { before, bounds }: After, next: Option<FileSendId>) {
        let attempts = &mut self.file_record.attempts;
        match next {
            Some(next) => {
                attempts.next.insert(before, Some(next));
                attempts.bounds.insert(next, bounds);
            }
            None => _ = attempts.next.remove(&before),
        }
    }

    /// The last attempt of a send; `None` while its sender looks for somebody.
    pub(super) fn last_attempt(&self, id: FileSendId) -> Option<FileSendId> {
        match self.file_record.attempts.next.get(&id) {
            None => Some(id),
            Some(next) => self.last_attempt((*next)?),
        }
    }

    /// The application gives up what looks for somebody.
    pub(super) fn stop_looking(&mut self, client: usize) {
        let waits = &mut self.clients[client].files.waits;
        let after = |wait: &Wait| match wait.whom {
            Whom::Next(after) => Some(after.before),
            Whom::Anybody | Whom::All => None,
        };
        let stopped: Vec<FileSendId> = waits.values().filter_map(after).collect();
        waits.retain(|_, wait| after(wait).is_none());
        for before in stopped {
            self.file_record.attempts.next.remove(&before);
        }
    }
}
