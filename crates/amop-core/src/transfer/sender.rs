//! The end that has the file: offers it, and sends what is granted.
//!
//! It holds no byte of the file: it wants one piece read at a time and passes it on. So the driver sets
//! the pace, by reading only when there is room on the link and the rate allows it.

use std::collections::VecDeque;
use std::time::Duration;

use amop_wire::limits::{FILE_IN_FLIGHT_BYTES_MAX, FILE_PIECE_BYTES_MAX};
use amop_wire::{
    Code, FileBody, FileEnd, FileMessage, FileOffer, FileRoute, Instance, Instant, Reason,
};
use bytes::Bytes;

use super::holders::Holders;
use super::sender_effect::{SenderEffect, SenderInput};
use super::{ASK_AFTER, ASKS_MAX, End, OFFER_AGAIN};

/// One file on its way to one receiver.
#[derive(Debug)]
pub struct Sender {
    route: FileRoute,
    offer: FileOffer,
    round: u32,
    state: State,
    /// How long the receiver may be silent.
    patience: Duration,
    give_up_at: Instant,
    piece_bytes_max: u64,
    /// How many offers left, whoever they were for.
    offers_to_all: u32,
    /// How many of them left for this receiver: each may have reached it, whatever became of the others.
    offers: u32,
    /// Whether the receiver was ever known to lack something.
    was_granted: bool,
    /// The offset behind the last byte that was ever sent.
    furthest: u64,
    /// Whom it went to before and who may have all of it.
    holders: Holders,
    moved_bytes: u64,
    effects: VecDeque<SenderEffect>,
}

#[derive(Debug)]
enum State {
    Offline,
    Offering { again_at: Instant },
    Sending(Flow),
    Ended,
}

/// How far one round is.
#[derive(Debug)]
struct Flow {
    sent: u64,
    received: u64,
    granted: u64,
    is_reading: bool,
    ask_at: Instant,
    /// Questions without an answer.
    asked: u32,
}

impl Sender {
    /// A transfer that waits for its link. After `patience` without a word of the receiver it ends.
    #[must_use]
    pub fn new(now: Instant, route: FileRoute, offer: FileOffer, patience: Duration) -> Self {
        Self {
            route,
            offer,
            round: 0,
            state: State::Offline,
            patience,
            give_up_at: now + patience,
            piece_bytes_max: FILE_PIECE_BYTES_MAX as u64,
            offers_to_all: 0,
            offers: 0,
            was_granted: false,
            furthest: 0,
            holders: Holders::default(),
            moved_bytes: 0,
            effects: VecDeque::new(),
        }
    }

    /// Reads no more than so many bytes at a time: for pieces that become longer on their way.
    #[must_use]
    pub fn with_pieces_of(mut self, bytes: usize) -> Self {
        self.piece_bytes_max = u64::try_from(bytes).expect("a length fits 64 bits");
        self
    }

    /// Applies one input; what it causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// The caller drains every effect before the next input.
    pub fn handle(&mut self, now: Instant, input: SenderInput) {
        debug_assert!(self.effects.is_empty(), "drain every effect before the next input");
        if matches!(self.state, State::Ended) {
            return;
        }
        match input {
            SenderInput::LinkUp(home) => {
                self.route.sender.node = home;
                self.begin_round(now);
            }
            SenderInput::LinkDown => self.state = State::Offline,
            SenderInput::Redirect(receiver) => {
                let before = self.route.receiver;
                if before != FileEnd::ANY && self.may_be_complete() {
                    self.holders.add(before.instance);
                }
                if before != FileEnd::ANY && before.instance != receiver.instance {
                    (self.offers, self.was_granted) = (0, false); // Of this one nothing is known.
                }
                self.route.receiver = receiver;
                if !matches!(self.state, State::Offline) {
                    self.begin_round(now);
                }
            }
            SenderInput::Message(message) => self.handle_message(now, &message),
            SenderInput::NoPlace => self.handle_no_place(now),
            SenderInput::Read { round, data } => self.handle_read(round, data),
            SenderInput::ReadFailed(reason) => self.give_up(reason),
            SenderInput::Cancel => self.give_up(Reason::Cancelled),
            SenderInput::Timeout => self.handle_timeout(now),
        }
    }

    /// Takes the next effect, in the order in which they must be performed.
    pub fn poll_effect(&mut self) -> Option<SenderEffect> {
        self.effects.pop_front()
    }

    /// Says when to hand in [`SenderInput::Timeout`]; coming early is harmless, coming late only slow.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Ended => None,
            State::Offline => Some(self.give_up_at),
            State::Offering { again_at: at } | State::Sending(Flow { ask_at: at, .. }) => {
                Some(self.give_up_at.min(*at))
            }
        }
    }

    /// Between whom it goes.
    #[must_use]
    pub fn route(&self) -> FileRoute {
        self.route
    }

    /// The present round, 0 before the first.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.round
    }

    /// How many bytes of the stream the receiver has, of how many: for a progress bar.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let received = match &self.state {
            State::Sending(flow) => flow.received,
            State::Offline | State::Offering { .. } | State::Ended => 0,
        };
        (received, self.offer.layout.stream_bytes())
    }

    /// How many bytes are sent, or being read, that the receiver has not told of; at most
    /// [`FILE_IN_FLIGHT_BYTES_MAX`].
    #[must_use]
    pub fn in_flight_bytes(&self) -> u64 {
        match &self.state {
            State::Sending(flow) => {
                let read = if flow.is_reading { self.next_piece(flow) } else { 0 };
                flow.sent + read - flow.received
            }
            State::Offline | State::Offering { .. } | State::Ended => 0,
        }
    }

    /// How many bytes of the stream were sent in all rounds together.
    #[must_use]
    pub fn moved_bytes(&self) -> u64 {
        self.moved_bytes
    }

    fn begin_round(&mut self, now: Instant) {
        self.round += 1;
        self.state = State::Offering { again_at: now + OFFER_AGAIN };
        self.send_offer();
    }

    fn send_offer(&mut self) {
        self.offers_to_all = self.offers_to_all.saturating_add(1);
        self.offers = self.offers.saturating_add(1);
        self.send(FileBody::Offer(Box::new(self.offer.clone())));
    }

    fn handle_no_place(&mut self, now: Instant) {
        let State::Offering { again_at } = &mut self.state else { return };
        *again_at = now + OFFER_AGAIN.min(self.patience / 2);
        self.give_up_at = now + self.patience;
        self.offers_to_all = self.offers_to_all.saturating_sub(1);
        self.offers = self.offers.saturating_sub(1);
    }

    fn handle_message(&mut self, now: Instant, message: &FileMessage) {
        let parties = |route: &FileRoute| (route.transfer, route.sender.instance);
        if parties(&message.route) != parties(&self.route) {
            return;
        }
        match message.body {
            FileBody::Done { sha256 } if sha256 == self.offer.sha256 => self.end(End::DONE),
            _ if message.round != self.round || matches!(self.state, State::Offline) => {}
            FileBody::Credit { received, granted } => self.handle_credit(now, received, granted),
            FileBody::Wait => {
                self.give_up_at = now + self.patience;
                if let State::Offering { again_at } = &mut self.state {
                    *again_at = now + OFFER_AGAIN;
                }
            }
            FileBody::Again if matches!(self.state, State::Sending(_)) => {
                self.give_up_at = now + self.patience;
                self.begin_round(now);
            }
            FileBody::Refused(code, reason) => {
                self.handle_refused(message.route.receiver.instance, code, reason);
            }
            FileBody::Again
            | FileBody::Done { .. } // Of another file: that cannot be true.
            | FileBody::Window { .. }
            | FileBody::Offer(_)
            | FileBody::SealedOffer(_)
            | FileBody::Piece { .. }
            | FileBody::Ask { .. }
            | FileBody::Cancel(_)
            | FileBody::Find(_)
            | FileBody::Found(_) => {}
        }
    }

    fn handle_credit(&mut self, now: Instant, received: u64, granted: u64) {
        let sent = match &self.state {
            State::Sending(flow) => flow.sent,
            State::Offering { .. } => self.offer.layout.stream_bytes(),
            State::Offline | State::Ended => return,
        };
        if received > sent {
            return; // That cannot be true.
        }
        self.give_up_at = now + self.patience;
        self.was_granted |= received < self.offer.layout.stream_bytes();
        let (ask_at, asked) = (now + ASK_AFTER, 0);
        let mut flow = match std::mem::replace(&mut self.state, State::Ended) {
            State::Sending(flow) => Flow { ask_at, asked, ..flow },
            State::Offering { .. } | State::Offline | State::Ended => {
                Flow { sent: received, received, granted, is_reading: false, ask_at, asked }
            }
        };
        flow.received = flow.received.max(received);
        flow.granted = flow
            .granted
            .max(granted)
            .min(flow.received + FILE_IN_FLIGHT_BYTES_MAX)
            .min(self.offer.layout.stream_bytes());
        self.furthest = self.furthest.max(flow.sent);
        self.state = State::Sending(flow);
        self.read_on();
    }

    fn handle_read(&mut self, round: u32, data: Bytes) {
        let State::Sending(flow) = &mut self.state else { return };
        if round != self.round || !flow.is_reading {
            return; // It was wanted before the present round.
        }
        let start = flow.sent;
        let bytes = u64::try_from(data.len()).expect("a length fits 64 bits");
        flow.is_reading = false;
        flow.sent += bytes;
        self.furthest = self.furthest.max(flow.sent);
        self.moved_bytes += bytes;
        self.send(FileBody::Piece { start, data });
        self.read_on();
    }

    fn read_on(&mut self) {
        let State::Sending(flow) = &self.state else { return };
        let bytes = self.next_piece(flow);
        if flow.is_reading || bytes == 0 {
            return;
        }
        let (round, start) = (self.round, flow.sent);
        let bytes = usize::try_from(bytes).expect("a piece is short");
        self.effects.push_back(SenderEffect::Read { round, start, bytes });
        if let State::Sending(flow) = &mut self.state {
            flow.is_reading = true;
        }
    }

    /// How many bytes may be sent next, in one piece of one part.
    fn next_piece(&self, flow: &Flow) -> u64 {
        let part_end = self.offer.layout.part_at(flow.sent).end;
        self.piece_bytes_max.min(flow.granted.saturating_sub(flow.sent)).min(part_end - flow.sent)
    }

    fn handle_refused(&mut self, by: Instance, code: Code, reason: Reason) {
        let is_by_receiver =
            matches!(code, Code::IdReused | Code::FileRefused) || reason == Reason::CannotOpen;
        if is_by_receiver {
            self.holders.remove(by);
        }
        // A node knows nothing of what its client did before it left, nor of an offer that came another way; a
        // receiver nothing of another one.
        let may_be_here = if self.was_granted { self.may_be_complete() } else { self.offers > 1 };
        let is_of_present = !is_by_receiver && may_be_here;
        let is_in_doubt = is_of_present || !self.holders.is_empty();
        let code = if is_in_doubt { Code::TimedOut } else { code };
        self.end(End { code, reason });
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.give_up_at <= now {
            let (code, reason) = match (self.was_offered(), self.may_be_complete()) {
                (false, _) => (Code::NotSent, Reason::NotConnected),
                (true, true) => (Code::TimedOut, Reason::Deadline),
                (true, false) => (Code::SubscriberUnreachable, Reason::SubscriberGone),
            };
            return self.end(End { code, reason });
        }
        match &mut self.state {
            State::Offering { again_at } if *again_at <= now => {
                *again_at = now + OFFER_AGAIN;
                self.send_offer();
            }
            State::Sending(flow) if flow.ask_at <= now && flow.asked == ASKS_MAX => {
                self.begin_round(now);
            }
            State::Sending(flow) if flow.ask_at <= now => {
                flow.asked += 1;
                flow.ask_at = now + ASK_AFTER;
                let sent = flow.sent;
                self.send(FileBody::Ask { sent });
            }
            State::Offering { .. } | State::Sending(_) | State::Offline | State::Ended => {}
        }
    }

    fn give_up(&mut self, reason: Reason) {
        if self.was_offered() && !matches!(self.state, State::Offline) {
            self.send(FileBody::Cancel(reason));
        }
        let is_in_doubt = self.was_offered() && self.may_be_complete();
        let code = if is_in_doubt { Code::TimedOut } else { Code::FileRefused };
        self.end(End { code, reason });
    }

    fn was_offered(&self) -> bool {
        self.offers_to_all > 0
    }

    /// Whether the receiver, or one before it, may have all of it, of this send or an earlier one (FILE-10).
    fn may_be_complete(&self) -> bool {
        let all = self.offer.layout.stream_bytes();
        !self.was_granted || self.furthest == all || !self.holders.is_empty()
    }

    fn end(&mut self, end: End) {
        self.state = State::Ended;
        self.effects.push_back(SenderEffect::Ended(end));
    }

    fn send(&mut self, body: FileBody) {
        let (route, round) = (self.route, self.round);
        self.effects.push_back(SenderEffect::Send(FileMessage { route, round, body }));
    }
}
