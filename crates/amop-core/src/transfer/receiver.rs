//! The end that gets the file: says what it has, and takes what follows.

use std::collections::VecDeque;
use std::time::Duration;

use amop_wire::{Code, FileBody, FileMessage, FileOffer, FileRoute, Instance, Instant, Reason};
use bytes::Bytes;

use super::receiver_effect::{ReceiverEffect, ReceiverInput};
use super::{CREDIT_STEP_BYTES, DiskSaid, DiskTask, End, NEXT_AFTER, TELL_AFTER, WRONG_MAX};

/// One file on its way in.
#[derive(Debug)]
pub struct Receiver {
    route: FileRoute,
    offer: FileOffer,
    round: u32,
    state: State,
    /// How long the sender may be silent.
    patience: Duration,
    /// When the sender said something last.
    heard_at: Instant,
    /// Another send of the same file, that goes on if the present one falls silent.
    next: Option<(FileRoute, u32)>,
    effects: VecDeque<ReceiverEffect>,
}

#[derive(Debug)]
enum State {
    Preparing,
    Receiving(Flow),
    Finishing,
    Over(End),
}

/// How far the stream is. `checked <= kept <= received <= granted`.
#[derive(Debug, Default)]
struct Flow {
    received: u64,
    kept: u64,
    checked: u64,
    /// As the sender was told.
    granted: u64,
    /// Whether the sender was told of a gap in this round.
    was_told_again: bool,
    /// When to tell of what was received.
    tell_at: Option<Instant>,
    /// How many times in a row a part was wrong.
    wrong: u32,
}

impl Receiver {
    /// Takes up an offer. After `patience` without a word of the sender it ends; what is there stays.
    #[must_use]
    pub fn new(
        now: Instant,
        route: FileRoute,
        round: u32,
        offer: FileOffer,
        patience: Duration,
    ) -> Self {
        let mut receiver = Self {
            route,
            offer,
            round,
            state: State::Preparing,
            patience,
            heard_at: now,
            next: None,
            effects: VecDeque::new(),
        };
        receiver.answer();
        receiver.effects.push_back(ReceiverEffect::Disk(DiskTask::Prepare));
        receiver
    }

    /// Applies one input; what it causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// The caller drains every effect before the next input.
    pub fn handle(&mut self, now: Instant, input: ReceiverInput) {
        debug_assert!(self.effects.is_empty(), "drain every effect before the next input");
        match input {
            ReceiverInput::Message(message) => self.handle_message(now, message),
            ReceiverInput::Unopened(route, round) => self.handle_unopened(now, route, round),
            ReceiverInput::Disk(said) => self.handle_disk(said),
            ReceiverInput::Cancel => self.cancel(Reason::Cancelled),
            ReceiverInput::Timeout => self.handle_timeout(now),
        }
    }

    /// Takes the next effect, in the order in which they must be performed.
    pub fn poll_effect(&mut self) -> Option<ReceiverEffect> {
        self.effects.pop_front()
    }

    /// Says when to hand in [`ReceiverInput::Timeout`]; coming early is harmless, coming late only slow.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let tell_at = match &self.state {
            State::Over(_) | State::Finishing => return None,
            State::Preparing => None,
            State::Receiving(flow) => flow.tell_at,
        };
        let next_at = self.next.map(|_| self.heard_at + NEXT_AFTER);
        [tell_at, next_at, Some(self.give_up_at())].into_iter().flatten().min()
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match self.state {
            State::Over(end) => Some(end),
            State::Preparing | State::Receiving(_) | State::Finishing => None,
        }
    }

    /// Until when the sender may be silent, from its last word on.
    pub(super) fn give_up_at(&self) -> Instant {
        self.heard_at + self.patience
    }

    /// The file that it takes.
    #[must_use]
    pub fn offer(&self) -> &FileOffer {
        &self.offer
    }

    /// Whose it is now.
    #[must_use]
    pub fn route(&self) -> FileRoute {
        self.route
    }

    /// How many bytes of the stream are there, of how many: for a progress bar.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let all = self.offer.layout.stream_bytes();
        match &self.state {
            State::Receiving(flow) => (flow.kept, all),
            State::Finishing | State::Over(End::DONE) => (all, all),
            State::Preparing | State::Over(_) => (0, all),
        }
    }

    /// How many bytes were received and wait for the disk; at most
    /// [`FILE_IN_FLIGHT_BYTES_MAX`](amop_wire::limits::FILE_IN_FLIGHT_BYTES_MAX).
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        match &self.state {
            State::Receiving(flow) => flow.received - flow.kept,
            State::Preparing | State::Finishing | State::Over(_) => 0,
        }
    }

    fn handle_message(&mut self, now: Instant, message: FileMessage) {
        let FileMessage { route, round, body } = message;
        if let FileBody::Offer(offer) = body {
            return self.handle_offer(now, route, round, &offer);
        }
        let is_cancel = matches!(body, FileBody::Cancel(_)) && is_same_send(&route, &self.route);
        if is_cancel && round > self.round {
            self.begin_round(route, round); // Its offer was overtaken.
        }
        if route != self.route || round != self.round {
            return;
        }
        self.heard_at = now;
        match body {
            FileBody::Piece { start, data } => self.handle_piece(now, start, data),
            FileBody::Ask { sent } => self.handle_ask(sent),
            FileBody::Cancel(reason) => self.cancel(reason),
            FileBody::Offer(_)
            | FileBody::SealedOffer(_)
            | FileBody::Credit { .. }
            | FileBody::Wait
            | FileBody::Again
            | FileBody::Done { .. }
            | FileBody::Refused(..)
            | FileBody::Window { .. }
            | FileBody::Find(_)
            | FileBody::Found(_) => {}
        }
    }

    fn handle_offer(&mut self, now: Instant, route: FileRoute, round: u32, offer: &FileOffer) {
        if !is_same_file(offer, &self.offer) {
            let refusal = End::refusal(Reason::FileIdReused);
            return self.send_to(route, round, FileBody::Refused(refusal.code, refusal.reason));
        }
        // A late offer of a send that is over must not end the present one, so the other waits.
        if !self.may_go_on(now, &route) {
            self.next = Some((route, round));
            return self.send_to(route, round, FileBody::Wait);
        }
        if is_same_send(&route, &self.route) && round < self.round {
            return; // It was overtaken by a later one.
        }
        if (route, round) != (self.route, self.round) {
            self.begin_round(route, round);
        }
        self.heard_at = now;
        self.answer();
    }

    /// Gives up what is under way: its sender cannot begin a round with us any more, and says more under another
    /// number (FILE-16). What is over stays as it is.
    fn handle_unopened(&mut self, now: Instant, route: FileRoute, round: u32) {
        self.heard_at = now;
        if (route, round) != (self.route, self.round) && round >= self.round {
            self.begin_round(route, round);
        }
        match self.state {
            State::Preparing | State::Receiving(_) => self.refuse(Reason::CannotOpen),
            State::Finishing => {} // It may have its name at any moment, and then it is said.
            State::Over(_) => self.answer(),
        }
    }

    /// A send that waits for the present one was refused.
    pub(super) fn drop_next(&mut self, send: (Instance, u64)) {
        self.next.take_if(|(route, _)| (route.sender.instance, route.transfer) == send);
    }

    /// Whether this send is the present one, or may take its place.
    fn may_go_on(&self, now: Instant, route: &FileRoute) -> bool {
        let (present, other) = (&self.route, route);
        let is_later_of_same_client =
            present.sender.instance == other.sender.instance && present.transfer <= other.transfer;
        is_later_of_same_client || self.end().is_some() || self.heard_at + NEXT_AFTER <= now
    }

    fn begin_round(&mut self, route: FileRoute, round: u32) {
        let is_same = is_same_send(&route, &self.route);
        (self.route, self.round, self.next) = (route, round, None);
        if let State::Receiving(flow) = &mut self.state {
            flow.was_told_again = false;
            flow.wrong *= u32::from(is_same); // The damage of another send is not to end this one.
        }
    }

    fn handle_piece(&mut self, now: Instant, start: u64, data: Bytes) {
        let State::Receiving(flow) = &mut self.state else {
            if self.end().is_some() {
                self.answer();
            }
            return;
        };
        let end = start.saturating_add(u64::try_from(data.len()).expect("a length fits 64 bits"));
        if start > flow.received {
            if !std::mem::replace(&mut flow.was_told_again, true) {
                self.send(FileBody::Again);
            }
            return;
        }
        if start < flow.received || end > flow.granted {
            return; // A copy, or more than may come.
        }
        flow.received = end;
        flow.tell_at.get_or_insert(now + TELL_AFTER);
        self.effects.push_back(ReceiverEffect::Disk(DiskTask::Write { start, data }));
    }

    fn handle_ask(&mut self, sent: u64) {
        match &mut self.state {
            State::Receiving(flow) if flow.received < sent => {
                flow.was_told_again = true;
                self.send(FileBody::Again);
            }
            State::Receiving(_) | State::Preparing | State::Finishing | State::Over(_) => {
                self.answer();
            }
        }
    }

    fn handle_disk(&mut self, said: DiskSaid) {
        match (&mut self.state, said) {
            (State::Preparing, DiskSaid::Prepared { checked, kept }) => {
                let flow = Flow { received: kept, kept, checked, ..Flow::default() };
                self.state = State::Receiving(flow);
                self.answer();
                self.finish_if_complete();
            }
            (State::Preparing, DiskSaid::AlreadyThere) | (State::Finishing, DiskSaid::Finished) => {
                self.state = State::Over(End::DONE);
                self.answer();
                self.effects.push_back(ReceiverEffect::Ended(End::DONE));
            }
            (State::Receiving(flow), DiskSaid::Wrote { checked, kept }) => {
                let granted = self.offer.layout.granted_past(kept);
                let is_news = checked > flow.checked || granted >= flow.granted + CREDIT_STEP_BYTES;
                flow.wrong *= u32::from(checked == flow.checked);
                (flow.checked, flow.kept) = (checked, kept);
                if is_news {
                    self.answer();
                    self.finish_if_complete();
                }
            }
            (State::Receiving(flow), DiskSaid::Corrupt { checked }) => {
                (flow.received, flow.kept, flow.checked) = (checked, checked, checked);
                flow.granted = self.offer.layout.granted_past(checked);
                flow.wrong += 1;
                if flow.wrong == WRONG_MAX {
                    return self.refuse(Reason::ChecksumMismatch);
                }
                flow.was_told_again = true;
                self.send(FileBody::Again);
            }
            (State::Over(_), _) => {}
            (_, DiskSaid::Failed(reason)) => self.refuse(reason),
            (
                State::Preparing | State::Receiving(_) | State::Finishing,
                DiskSaid::Prepared { .. }
                | DiskSaid::AlreadyThere
                | DiskSaid::Wrote { .. }
                | DiskSaid::Corrupt { .. }
                | DiskSaid::Finished,
            ) => debug_assert!(false, "{said:?} answers no task"),
        }
    }

    fn finish_if_complete(&mut self) {
        let State::Receiving(flow) = &self.state else { return };
        if flow.checked == self.offer.layout.stream_bytes() {
            self.state = State::Finishing;
            self.effects.push_back(ReceiverEffect::Disk(DiskTask::Finish));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Preparing | State::Receiving(_)
                if self.next.is_some() && self.heard_at + NEXT_AFTER <= now =>
            {
                let (route, round) = self.next.expect("it was just seen");
                self.begin_round(route, round);
                self.heard_at = now;
                self.answer();
            }
            State::Preparing | State::Receiving(_) if self.heard_at + self.patience <= now => {
                let end = End { code: Code::TimedOut, reason: Reason::Deadline };
                self.state = State::Over(end);
                self.effects.push_back(ReceiverEffect::Ended(end));
            }
            State::Receiving(flow) if flow.tell_at.is_some_and(|at| at <= now) => self.answer(),
            State::Preparing | State::Receiving(_) | State::Finishing | State::Over(_) => {}
        }
    }

    /// Says how far it is.
    fn answer(&mut self) {
        let all = self.offer.layout.stream_bytes();
        let body = match &mut self.state {
            State::Preparing => FileBody::Wait,
            State::Receiving(flow) => {
                flow.tell_at = None;
                flow.granted = self.offer.layout.granted_past(flow.kept);
                FileBody::Credit { received: flow.received, granted: flow.granted }
            }
            State::Finishing => FileBody::Credit { received: all, granted: all },
            State::Over(End::DONE) => FileBody::Done { sha256: self.offer.sha256 },
            State::Over(End { code, reason }) => FileBody::Refused(*code, *reason),
        };
        self.send(body);
    }

    fn cancel(&mut self, reason: Reason) {
        match self.state {
            State::Preparing | State::Receiving(_) => self.refuse(reason),
            State::Finishing | State::Over(_) => {} // It may have its name at any moment.
        }
    }

    fn refuse(&mut self, reason: Reason) {
        let end = End::refusal(reason);
        self.state = State::Over(end);
        self.answer();
        self.effects.push_back(ReceiverEffect::Ended(end));
    }

    fn send(&mut self, body: FileBody) {
        self.send_to(self.route, self.round, body);
    }

    fn send_to(&mut self, route: FileRoute, round: u32, body: FileBody) {
        self.effects.push_back(ReceiverEffect::Send(FileMessage { route, round, body }));
    }
}

/// Whether two routes are of one call to send.
fn is_same_send(one: &FileRoute, other: &FileRoute) -> bool {
    (one.sender.instance, one.transfer) == (other.sender.instance, other.transfer)
}

/// Whether two offers under one id are of one file (FILE-3).
pub(super) fn is_same_file(one: &FileOffer, other: &FileOffer) -> bool {
    let what = |offer: &FileOffer| (offer.layout, offer.sha256, offer.list_sha256);
    what(one) == what(other) && one.label == other.label
}
