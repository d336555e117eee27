//! Files in random worlds: sends to one and to all, disks that fail, power that is cut, and nodes that lose,
//! double and damage what they pass on.

use std::time::Duration;

use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{Code, Reason};

use super::chaos::Deed;
use super::private::KEYS;
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
        if self.is_private && self.world.draw(3) == 0 {
            return self.secret_file_step(client);
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

    /// What somebody does with files on private topics.
    fn secret_file_step(&mut self, client: ClientId) {
        let key = self.world.any(&KEYS);
        match self.world.draw(16) {
            0..=6 => {
                self.let_somebody_in(client);
                let content = self.any_secret();
                self.send_file(client, SECRET_TOPIC, content);
            }
            // In the clear, and in vain to who receives with a key.
            7 if !self.world.seals_files(client, SECRET_TOPIC) => {
                let content = self.any_content();
                self.world.send_file(client, SECRET_TOPIC, content, 5 * SECOND);
            }
            7..=11 => self.world.receive_private_files(client, SECRET_TOPIC, key),
            12 => self.world.receive_files(client, SECRET_TOPIC), // Without a key, and in vain.
            13 => self.world.stop_receiving(client, SECRET_TOPIC),
            _ => self.world.remove_key(client, SECRET_TOPIC, key),
        }
    }

    /// Nothing is sent on the private topic by who has no list for it; sometimes it gets another one.
    fn let_somebody_in(&mut self, client: ClientId) {
        if self.world.seals_files(client, SECRET_TOPIC) && self.world.draw(4) > 0 {
            return;
        }
        let keys: Vec<u8> = KEYS.into_iter().filter(|_| self.world.draw(3) > 0).collect();
        self.world.allow(client, SECRET_TOPIC, &keys);
    }

    fn send_some_file(&mut self, client: ClientId, topic: &str) {
        let content = self.any_content();
        self.send_file(client, topic, content);
    }

    /// Sends a file to one or to all. One that takes long is often cut off, by killing its sender or somebody
    /// who receives, and sent again.
    fn send_file(&mut self, client: ClientId, topic: &str, content: Content) {
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
        if self.world.draw(3) == 0 {
            // FILE-10: whoever takes its place says no, which is not the no of who may have all of it.
            for other in receivers.into_iter().filter(|other| *other != victim) {
                self.plan(after, Deed::FillDisk(other));
                self.plan(after + 6 * SECOND, Deed::EndDisk(other)); // Until its sender has asked for it in vain.
            }
        }
        self.plan(after + millis(300), Deed::Start(victim));
        self.plan(after + SECOND, Deed::SendAgain);
    }

    /// Sends what was sent last.
    pub(super) fn send_last_again(&mut self) {
        let Some((client, topic, content)) = self.last_file.clone() else { return };
        if !self.world.lives(client) || self.world.is_paused(client) {
            return;
        }
        if topic == SECRET_TOPIC && !self.world.seals_files(client, SECRET_TOPIC) {
            self.let_somebody_in(client); // It has begun another life.
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
        if self.has_files && self.is_private && self.world.draw(2) == 0 {
            let key = self.world.any(&KEYS);
            self.world.receive_private_files(client, SECRET_TOPIC, key);
        }
    }

    /// Once nothing fails any more, what was not received is when it is sent again, and so is what is new.
    pub(super) fn check_files(&mut self) {
        // Whoever is offered what he has, or waits for another send of it, has his answer by then.
        self.world.run_for(PATIENCE_MAX + 10 * SECOND);
        self.world.check_files();
        let (receiver, sender) = (self.world.any(&self.clients), self.world.any(&self.clients));
        let topic = self.any_file_topic();
        self.world.receive_files(receiver, &topic);
        self.world.run_for(2 * SECOND);
        let contents = [self.new_content(), self.new_content()];
        self.send_in_quiet(sender, &topic, contents);
        if self.is_private {
            let (receiver, sender) = (self.world.any(&self.clients), self.world.any(&self.clients));
            self.world.allow(sender, SECRET_TOPIC, &LISTED);
            self.world.receive_private_files(receiver, SECRET_TOPIC, LISTED[0]);
            // Who failed to prove anything for long is asked again within a minute.
            self.world.run_for(70 * SECOND);
            let contents = [self.new_secret(), self.new_secret()];
            self.send_in_quiet(sender, SECRET_TOPIC, contents);
        }
        self.world.check_files();
    }

    /// Sends one file to one receiver and one to all, and again what has not come to its end.
    fn send_in_quiet(&mut self, sender: ClientId, topic: &str, [to_one, to_all]: [Content; 2]) {
        let mut sends = vec![self.world.send_file(sender, topic, to_one, PATIENCE_MAX)];
        let all = self.world.send_file_to_all(sender, topic, to_all, PATIENCE_MAX);
        for content in self.world.unsent(sender, topic) {
            sends.push(self.world.send_file(sender, topic, content, PATIENCE_MAX));
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
        let reaches = self.world.receivers_in_reach(sender, topic);
        // FILE-16: who proved once to hold a key, and holds it no more, may be offered it, and says no.
        let all: Vec<_> = self.world.sends_to_all(all).collect();
        let told = all.iter().filter(|id| !self.could_not_open(**id)).count();
        if told != reaches {
            self.violations.push(format!("a file for all went to {told} of {reaches} in quiet"));
        }
        for id in sends {
            if !all.contains(&id) || !self.could_not_open(id) {
                self.check_quiet_send(id, reaches);
            }
        }
    }

    fn could_not_open(&self, id: FileSendId) -> bool {
        let end = self.world.file_send(id).and_then(|send| send.end);
        end.is_some_and(|(_, end)| end.reason == Reason::CannotOpen)
    }

    fn check_quiet_send(&mut self, id: FileSendId, reaches: usize) {
        let code = self.world.file_code(id);
        let is_well = match code {
            Some(Code::Ok) => reaches > 0,
            Some(Code::NoSubscriber) => reaches == 0,
            Some(Code::SubscriberUnreachable) => reaches == 0 && self.could_not_open(id),
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

    /// A secret one, mostly one that was sent before.
    fn any_secret(&mut self) -> Content {
        if self.secret_files == 0 || self.world.draw(3) == 0 {
            return self.new_secret();
        }
        let number = self.world.draw(self.secret_files.into());
        secret(1 + u16::try_from(number).expect("it is below"))
    }

    fn new_secret(&mut self) -> Content {
        self.secret_files = (self.secret_files + 1).min(Content::NUMBER_MAX);
        secret(self.secret_files)
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

fn secret(number: u16) -> Content {
    Content::secret(number, SIZES[usize::from(number) % SIZES.len()])
}

/// The topic of files that not everybody may read.
const SECRET_TOPIC: &str = "private files";

/// The keys that are listed once nothing fails any more.
const LISTED: [u8; 2] = [1, 2];

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
