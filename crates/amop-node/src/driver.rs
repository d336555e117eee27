//! Drives the core: hands in what arrives, sends what comes out.
//!
//! There is one core under one lock, which is taken once for a batch of frames: every frame of the batch goes
//! through the core, what the core wants sent is staged for each destination, and each destination is woken at
//! most once at the end. On the node's one thread nobody ever waits for the lock; with more `workers` links are
//! spread over their threads and take turns here, while packets are sealed, opened and sent side by side. What
//! peers announce passes the [`Border`] first.

mod access;
mod counts;
mod events;
mod files;
mod look;
mod orders;
mod reach;
mod staging;
mod trace;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use amop_core::node::{Effect, Input, LinkId, Node, Reach, Trace};
use amop_p2p::{Batch, Link, Waiting};
use amop_wire::{
    ClientMessage, CloseCode, CloseReason, Epoch, Frame, Instant, Lane, Message, MessageError,
    Name, PeerMessage, Recent, Transit,
};
use tokio::sync::{Notify, oneshot, watch};
use tracing::error;

use crate::border::Border;
use crate::complaints::Complaints;
use crate::gate::Gate;
use crate::limits::Limits;
use crate::node::Status;
use crate::trust::LiveTrust;
use counts::Counts;
pub(crate) use look::unix;
use staging::{Alike, LinkOut};

/// The one owner of a node's core.
#[derive(Debug)]
pub(crate) struct Driver {
    name: Name,
    state: Mutex<State>,
    started: std::time::Instant,
    /// What waits on all links.
    waiting: Waiting,
    /// The core wants to be woken earlier than the timer is set to.
    rearm: Notify,
    status: watch::Sender<Status>,
}

#[derive(Debug)]
struct State {
    core: Node,
    border: Border,
    trust: LiveTrust,
    complaints: Complaints,
    counts: Counts,
    /// Peers to dial, and why that failed the last time.
    wanted: BTreeMap<Name, Option<String>>,
    links: BTreeMap<LinkId, LinkOut>,
    last_link: u64,
    /// Links with something staged.
    staged: Vec<LinkId>,
    alike: Alike,
    gate: Gate,
    /// What follows at once from an effect, on its way back into the core.
    follow_ups: Vec<Input>,
    timer_at: Option<Instant>,
    changed: bool,
    is_superseded: bool,
    is_drained: bool,
    /// Who waits to be told what became of a message, by the numbers of their questions.
    tracing: BTreeMap<u64, oneshot::Sender<Trace>>,
    /// Who waits to be told who would get a message, likewise.
    reaching: BTreeMap<u64, oneshot::Sender<Option<Reach>>>,
    last_trace: u64,
}

impl Driver {
    pub(crate) fn new(
        name: Name,
        epoch: Epoch,
        (border, trust): (Border, LiveTrust),
        (limits, waiting): (Limits, Waiting),
    ) -> Arc<Self> {
        let mut state = State {
            core: Node::new(name.clone(), epoch, seed()),
            border,
            trust,
            complaints: Complaints::default(),
            counts: Counts::default(),
            wanted: BTreeMap::new(),
            links: BTreeMap::new(),
            last_link: 0,
            staged: Vec::new(),
            alike: Alike::default(),
            gate: Gate::new(limits),
            follow_ups: Vec::new(),
            timer_at: None,
            changed: false,
            is_superseded: false,
            is_drained: false,
            tracing: BTreeMap::new(),
            reaching: BTreeMap::new(),
            last_trace: 0,
        };
        state.core.set_limits(limits.of_core());
        Arc::new(Self {
            name,
            state: Mutex::new(state),
            started: clock(),
            waiting,
            rearm: Notify::new(),
            status: watch::Sender::new(Status::default()),
        })
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Takes in a link; `up` makes the input that tells the core.
    pub(crate) fn link_up(
        &self,
        link: &Link,
        up: impl FnOnce(LinkId) -> Input,
    ) -> Result<LinkId, CloseReason> {
        let (now, mut state) = self.begin_batch();
        let name = link.peer().name.clone();
        state.gate.enter(&name)?;
        state.last_link += 1;
        let id = LinkId(state.last_link);
        let (outbox, batch) = (link.outbox(), Batch::default());
        let out = LinkOut { name, gauge: link.gauge(), outbox, batch, is_staged: false };
        state.links.insert(id, out);
        state.handle(now, up(id));
        self.end_batch(now, state);
        Ok(id)
    }

    pub(crate) fn link_down(&self, link: LinkId) {
        let (now, mut state) = self.begin_batch();
        if let Some(out) = state.links.remove(&link) {
            state.gate.leave(&out.name);
        }
        state.handle(now, Input::LinkDown { link });
        self.end_batch(now, state);
    }

    /// Handles everything that arrived on one lane of a client's link.
    ///
    /// # Errors
    ///
    /// The reason to close the link, if a frame is no message; what came before it was handled.
    pub(crate) fn client_frames(
        &self,
        link: LinkId,
        lane: Lane,
        frames: &mut Vec<Frame>,
        reading: (&mut Recent, &mut Transit),
    ) -> Result<(), CloseReason> {
        self.frames((link, lane), frames, reading, |state, now, message: ClientMessage| {
            state.handle(now, Input::Client { link, message });
        })
    }

    /// Handles everything that arrived on one lane of the link of a peer of this name.
    ///
    /// # Errors
    ///
    /// The reason to close the link, if a frame is no message; what came before it was handled. A
    /// message that is not believed is no reason.
    pub(crate) fn peer_frames(
        &self,
        link: LinkId,
        peer: &Name,
        lane: Lane,
        frames: &mut Vec<Frame>,
        reading: (&mut Recent, &mut Transit),
    ) -> Result<(), CloseReason> {
        self.frames((link, lane), frames, reading, |state, now, message: PeerMessage| {
            match state.core.admit(message, &state.border) {
                Ok(Some(message)) => state.handle(now, Input::Peer { link, message }),
                Ok(None) => {}
                Err(what) => {
                    state.complaints.refused(now, peer, &what);
                    state.changed = true;
                }
            }
        })
    }

    fn frames<M: Message>(
        &self,
        (link, lane): (LinkId, Lane),
        frames: &mut Vec<Frame>,
        (recent, transit): (&mut Recent, &mut Transit),
        mut handle: impl FnMut(&mut State, Instant, M),
    ) -> Result<(), CloseReason> {
        let (now, mut state) = self.begin_batch();
        let mut result = Ok(());
        let is_peer = state.links.get(&link).is_some_and(LinkOut::is_peer);
        state.counts.flow(is_peer).came(frames);
        let mut held_up = transit.held_up(now, lane);
        for frame in frames.drain(..) {
            let Some(frame) = transit.stamp(now, lane, frame) else {
                held_up = transit.held_up(now, lane);
                continue;
            };
            match M::read(frame, recent) {
                Ok(mut message) => {
                    message.deduct(held_up);
                    handle(&mut state, now, message);
                }
                Err(MessageError::UnknownKind) => state.skip_unknown(now, link),
                Err(error) => {
                    result = Err(malformed(&error));
                    break;
                }
            }
        }
        self.end_batch(now, state);
        result
    }

    /// Hands in timeouts, for ever.
    pub(crate) async fn run_timers(self: Arc<Self>) {
        loop {
            let at = self.lock().timer_at;
            let due = async {
                match at {
                    Some(at) => {
                        let at = self.started + at.since_start();
                        tokio::time::sleep_until(at.into()).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased; // A due timer must not wait behind a flood of earlier ones.
                () = due => {
                    let (now, mut state) = self.begin_batch();
                    state.timer_at = None;
                    state.handle(now, Input::Timeout);
                    self.end_batch(now, state);
                }
                () = self.rearm.notified() => {}
            }
        }
    }

    /// Begins a batch of inputs: tells the core how much waits.
    fn begin_batch(&self) -> (Instant, MutexGuard<'_, State>) {
        let now = self.now();
        let mut state = self.lock();
        state.tell_waiting(now, self.waiting.bytes());
        (now, state)
    }

    /// Ends a batch of inputs: lets the core let go of what it held, wakes every destination once,
    /// and sets the timer.
    fn end_batch(&self, now: Instant, mut state: MutexGuard<'_, State>) {
        state.stage_alike(now);
        state.follow_up(now);
        state.handle(now, Input::EndOfBatch);
        state.stage_files(now);
        state.send_staged(now);
        let wanted = state.core.poll_timeout();
        let earlier = match (wanted, state.timer_at) {
            (Some(wanted), Some(set)) => wanted < set,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if earlier {
            state.timer_at = wanted;
            self.rearm.notify_one();
        }
        if std::mem::take(&mut state.changed) {
            let status = state.status();
            drop(state);
            self.status.send_replace(status);
        }
    }

    fn now(&self) -> Instant {
        Instant::after_start(clock().saturating_duration_since(self.started))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

impl State {
    /// Applies an input and performs what it causes.
    fn handle(&mut self, now: Instant, input: Input) {
        self.core.handle(now, input);
        self.perform(now);
        self.follow_up(now);
    }

    /// Tells the core what had no room.
    fn follow_up(&mut self, now: Instant) {
        while let Some(follow_up) = self.follow_ups.pop() {
            self.core.handle(now, follow_up);
            self.perform(now);
        }
    }

    fn perform(&mut self, now: Instant) {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::ToClient { link, message } => {
                    self.counts.told(&message);
                    let unsent = |message| Input::UnsentToClient { link, message };
                    self.stage(now, link, message, unsent);
                }
                Effect::ToClients { links, message } => self.stage_for_all(now, links, message),
                Effect::ToPeer { link, message } => {
                    let unsent = |message| Input::UnsentToPeer { link, message };
                    self.stage(now, link, message, unsent);
                }
                Effect::Sign { message } => match self.border.sign(&message) {
                    Ok(signed) => self.follow_ups.push(signed),
                    Err(error) => error!(%error, "an announcement cannot be signed"),
                },
                Effect::Close { link, reason } => self.close(now, link, reason),
                Effect::JudgeRevocations { peer, list } => {
                    let verdict = self.trust.learn(&list).map_err(|error| error.to_string());
                    self.counts.learned_lists += u64::from(verdict.is_ok());
                    self.follow_ups.push(Input::RevocationsJudged { peer, list, verdict });
                }
                Effect::Traced { number, trace } => self.traced(number, trace),
                Effect::Reached { number, reach } => self.reached(number, reach),
                Effect::Event(event) => {
                    self.changed = true;
                    self.tell(now, &event);
                }
            }
        }
    }
}

fn malformed(error: &MessageError) -> CloseReason {
    let source = std::error::Error::source(error);
    let text = match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    CloseReason::new(CloseCode::Protocol, text)
}

/// What makes the numbers of attempts secret.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).expect("the system has randomness");
    seed
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a node reads the monotonic clock"
)]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}
