//! What the disk of a client does, and how long it takes.

use std::time::Duration;

use amop_core::transfer::{DiskSaid, DiskTask, InboxInput, SenderInput, Slot};
use amop_wire::{FileOffer, Instant};

use super::client::Arriving;
use super::disk::{FileStep, key_of};
use crate::due::Happening;
use crate::world::World;

/// What a disk does for a client.
#[derive(Debug)]
pub(crate) enum DiskJob {
    /// Bytes of a stream for a sender, by its number and round.
    Read {
        transfer: u64,
        round: u32,
        start: u64,
        bytes: usize,
    },
    Task {
        slot: Slot,
        offer: FileOffer,
        task: DiskTask,
    },
    Step {
        slot: Slot,
        offer: FileOffer,
        step: FileStep,
    },
    Release {
        offer: FileOffer,
    },
}

impl World {
    /// Gives a disk a task; says whether it was taken.
    pub(super) fn give_task(&mut self, client: usize, slot: Slot, task: DiskTask) -> bool {
        if matches!(task, DiskTask::Prepare) {
            let files = &self.clients[client].files;
            let Some(receiver) = files.inbox.receiver(slot) else { return false };
            let offer = receiver.offer().clone();
            if !files.intakes.contains(&offer.topic) {
                return false;
            }
            let most = self.any(&[100, 100, 4000, 40_000]);
            let write_time = Duration::from_micros(self.draw(most));
            let arriving = Arriving { offer, busy_until: self.now, write_time };
            self.clients[client].files.arriving.insert(slot, arriving);
        }
        let most = match task {
            DiskTask::Prepare => self.any(&[5, 5, 5, 5000]),
            DiskTask::Write { .. } => 0,
            DiskTask::Finish => 1,
        };
        let takes = Duration::from_millis(self.draw(most));
        let now = self.now;
        let Some(arriving) = self.clients[client].files.arriving.get_mut(&slot) else {
            return false;
        };
        arriving.busy_until = arriving.busy_until.max(now) + takes + arriving.write_time;
        let (at, offer) = (arriving.busy_until, arriving.offer.clone());
        self.disk_at(client, at, DiskJob::Task { slot, offer, task });
        true
    }

    pub(super) fn disk_at(&mut self, client: usize, at: Instant, job: DiskJob) {
        let life = self.clients[client].life;
        self.at(at, Happening::Disk { client, life, job });
    }

    /// A disk has done something.
    pub(crate) fn disk_did(&mut self, client: usize, job: DiskJob) {
        match job {
            DiskJob::Read { transfer, round, start, bytes } => {
                self.was_read(client, transfer, round, start, bytes);
            }
            DiskJob::Task { slot, offer, task } => self.do_task(client, slot, offer, &task),
            DiskJob::Step { slot, offer, step } => self.do_step(client, slot, offer, step),
            DiskJob::Release { offer } => self.clients[client].disk.release(&key_of(&offer)),
        }
        self.end_file_turn(client);
    }

    fn was_read(&mut self, client: usize, transfer: u64, round: u32, start: u64, bytes: usize) {
        let files = &mut self.clients[client].files;
        let Some(outgoing) = files.sends.get_mut(&transfer) else { return };
        outgoing.is_reading = false;
        let start = usize::try_from(start).expect("a stream is short");
        let data = outgoing.content.stream().slice(start..start + bytes);
        self.tell_sender(client, transfer, SenderInput::Read { round, data });
    }

    fn do_task(&mut self, client: usize, slot: Slot, offer: FileOffer, task: &DiskTask) {
        let disk = &mut self.clients[client].disk;
        let said = match task {
            DiskTask::Prepare => Some(disk.prepare(&offer)),
            DiskTask::Write { start, data } => disk.write(&key_of(&offer), *start, data),
            DiskTask::Finish => {
                let job = DiskJob::Step { slot, offer, step: FileStep::FIRST };
                return self.disk_at(client, self.now, job);
            }
        };
        if let Some(said) = said {
            self.disk_says(client, slot, said);
        }
    }

    fn do_step(&mut self, client: usize, slot: Slot, offer: FileOffer, step: FileStep) {
        let disk = &mut self.clients[client].disk;
        let said = disk.finish(step, &offer);
        if !matches!(said, Some(DiskSaid::Failed(_))) {
            disk.last_step = Some(step);
        }
        if step == FileStep::SyncData && said.is_some() {
            // What it has forgotten moves again, as after a power cut.
            self.file_record.losses.entry(client).or_default().power_cuts += 1;
        }
        self.finished_step(client, slot, &offer, step, said);
        if let Some(said) = said {
            self.disk_says(client, slot, said);
        } else if let Some(step) = step.next() {
            let most = self.any(&[10, 10, 10, 3000]);
            let at = self.now + Duration::from_millis(self.draw(most));
            if let Some(arriving) = self.clients[client].files.arriving.get_mut(&slot) {
                arriving.busy_until = arriving.busy_until.max(at);
            }
            self.disk_at(client, at, DiskJob::Step { slot, offer, step });
        }
    }

    fn disk_says(&mut self, client: usize, slot: Slot, said: DiskSaid) {
        self.coverage.disk(said);
        if matches!(said, DiskSaid::Corrupt { .. }) {
            self.file_record.losses.entry(client).or_default().wrong_parts += 1;
        }
        self.tell_inbox(client, InboxInput::Disk(slot, said));
    }
}
