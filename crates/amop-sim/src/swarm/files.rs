//! Files in random worlds: sends to one and to all, disks that fail, power that is cut, and nodes that lose,
//! double and damage what they pass on.

use std::time::Duration;

use amop_wire::Code;
use amop_wire::limits::FILE_CHUNK_BYTES;

use super::chaos::Deed;
use super::{SECOND, Swarm, millis};
use crate::{ClientId, Content, DiskTrouble, FileSendId};

impl Swarm {
    /// What somebody does with files, or what happens to them, now and then.
    pub(super) fn file_step(&mut self) {
        if self.world.draw(10) > 0 {
            return;
        }
        let client = self.world.any(&self.clients);
        if !self.world.lives(client) || self.world.is_paused(client) {
            return;
        }
        let topic = self.any_file_topic();
        let (notice, mended_after) = (self.draw_notice(), self.draw_span());
        match self.world.draw(16) {
            0..=7 => self.send_some_file(client, &topic),
            8 | 9 => self.world.receive_files(client, &topic),
            10 => self.world.stop_receiving(client, &topic),
            11 => self.world.cancel_files(client),
            12 | 13 => {
                self.world.cut_power(client, notice);
                self.plan(mended_after / 4, Deed::Start(client));
            }
            14 => {
                let trouble = self.world.any(&[DiskTrouble::Full, DiskTrouble::Sync]);
                self.world.set_disk(client, trouble);
                self.plan(mended_after, Deed::EndDisk(client));
            }
            _ => {
                let node = self.world.any(&self.nodes);
                self.world.set_muddling(node, true);
                self.plan(mended_after, Deed::EndMuddle(node));
            }
        }
    }

    /// Sends a file to one or to all. One that takes long is often cut off, by killing its sender or somebody
    /// who receives, and sent again.
    fn send_some_file(&mut self, client: ClientId, topic: &str) {
        let content = self.any_content();
        self.last_file = Some((client, topic.to_owned(), content));
        self.send_last_again();
        if content.size < FILE_CHUNK_BYTES || self.world.draw(3) == 0 {
            return;
        }
        let receivers = self.world.receivers(topic);
        let victim = match self.world.draw(3) {
            0 => client,
            _ if receivers.is_empty() => client,
            _ => self.world.any(&receivers),
        };
        let after = millis(self.world.draw(1000));
        let deed = match self.world.draw(3) {
            0 => Deed::CutPower(victim),
            _ => Deed::Kill(victim),
        };
        self.plan(after, deed);
        self.plan(after + millis(300), Deed::Start(victim));
        self.plan(after + SECOND, Deed::SendAgain);
    }

    /// Sends what was sent last.
    pub(super) fn send_last_again(&mut self) {
        let Some((client, topic, content)) = self.last_file.clone() else { return };
        if !self.world.lives(client) || self.world.is_paused(client) {
            return;
        }
        let patience = self.draw_patience();
        if self.world.draw(4) == 0 {
            self.world.send_file_to_all(client, &topic, content, patience);
        } else {
            self.world.send_file(client, &topic, content, patience);
        }
    }

    /// A client that starts mostly receives files, if there are any.
    pub(super) fn receive_some_files(&mut self, client: ClientId) {
        for topic in FILE_TOPICS {
            if self.has_files && self.world.draw(2) == 0 {
                self.world.receive_files(client, topic);
            }
        }
    }

    /// Once nothing fails any more, what was not received is when it is sent again, and so is what is new.
    pub(super) fn check_files(&mut self) {
        // Whoever is offered what he has, or waits for another send of it, has his answer by then.
        self.world.run_for(PATIENCE_MAX + 10 * SECOND);
        self.world.check_files();
        let receiver = self.world.any(&self.clients);
        let sender = self.world.any(&self.clients);
        let topic = self.any_file_topic();
        self.world.receive_files(receiver, &topic);
        self.world.run_for(2 * SECOND);
        let (to_one, to_all) = (self.new_content(), self.new_content());
        let mut sends = vec![self.world.send_file(sender, &topic, to_one, PATIENCE_MAX)];
        let all = self.world.send_file_to_all(sender, &topic, to_all, PATIENCE_MAX);
        for content in self.world.unsent(sender, &topic) {
            sends.push(self.world.send_file(sender, &topic, content, PATIENCE_MAX));
        }
        self.world.run_for(PATIENCE_MAX + 10 * SECOND);
        sends.extend(self.world.sends_to_all(all));
        // Many that share links take as long as they are.
        for _ in 0..30 {
            if sends.iter().all(|id| self.world.file_code(*id).is_some()) {
                break;
            }
            self.world.run_for(10 * SECOND);
        }
        let reaches = self.world.receivers_in_reach(sender, &topic);
        for id in sends {
            self.check_quiet_send(id, reaches);
        }
        let told = self.world.sends_to_all(all).count();
        if told != reaches {
            self.violations.push(format!("a file for all went to {told} of {reaches} in quiet"));
        }
        self.world.check_files();
    }

    fn check_quiet_send(&mut self, id: FileSendId, reaches: usize) {
        let code = self.world.file_code(id);
        let is_well = match code {
            Some(Code::Ok) => reaches > 0,
            Some(Code::NoSubscriber) => reaches == 0,
            // Another file has its id, or its name.
            Some(Code::IdReused | Code::FileRefused) => self.world.has_rival(id),
            Some(_) | None => false,
        };
        if !is_well {
            let send = self.world.file_send(id);
            let violation = format!("file {id} to {reaches} in a quiet world: {send:?}");
            self.violations.push(violation);
        }
    }

    /// Mostly one that was sent before, so that it goes on; sometimes another of the same number.
    fn any_content(&mut self) -> Content {
        if self.files == 0 || self.world.draw(3) == 0 {
            return self.new_content();
        }
        let number = 1 + u16::try_from(self.world.draw(self.files.into())).expect("it is below");
        let size = match self.world.draw(12) {
            0 => self.draw_size(),
            _ => SIZES[usize::from(number) % SIZES.len()],
        };
        Content { number, size }
    }

    /// One that nobody has seen.
    fn new_content(&mut self) -> Content {
        self.files += 1;
        let number = self.files.min(Content::NUMBER_MAX);
        Content { number, size: SIZES[usize::from(number) % SIZES.len()] }
    }

    fn draw_size(&mut self) -> u64 {
        self.world.any(&SIZES)
    }

    fn draw_patience(&mut self) -> Duration {
        let most = self.world.any(&[5, 15, 30]);
        SECOND + millis(self.world.draw(1000 * most))
    }

    fn any_file_topic(&mut self) -> String {
        self.world.any(&FILE_TOPICS).to_owned()
    }
}

const FILE_TOPICS: [&str; 2] = ["files 0", "files 1"];

/// What is ordinary, and what lies at the ends of chunks.
const SIZES: [u64; 10] = [
    0,
    1,
    300,
    FILE_CHUNK_BYTES,
    FILE_CHUNK_BYTES + 1,
    70_000,
    2 * FILE_CHUNK_BYTES - 1,
    4096,
    4 * FILE_CHUNK_BYTES + 1,
    FILE_CHUNK_BYTES - 1,
];

const PATIENCE_MAX: Duration = Duration::from_secs(31);
