//! Drives a client's core: one lock, taken once for a batch of inputs.
//!
//! Applications publish, answer and take messages from any thread; the link's task brings what
//! arrives. Each of them makes a *turn*: it takes the lock, does what it came for, and at the end
//! everything that was staged is handed to the link in one piece. Wakers are called and events
//! told after the lock is let go, each at most once a turn.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use amop_core::client::{Client, Input};
use amop_wire::{
    CloseCode, CloseReason, FileMessage, Frame, Instance, Instant, Lane, Message, MessageError,
    NodeMessage, Recent, Transit,
};
use tokio::sync::{Notify, broadcast, watch};

use crate::event::{Event, Events};
use crate::outgoing::Role;
use crate::state::{Phase, State};

/// The one owner of a client's core.
pub(crate) struct Driver {
    state: Mutex<State>,
    instance: Instance,
    started: std::time::Instant,
    /// The core wants to be woken earlier than the timer is set to.
    rearm: Notify,
    /// Follows the phase in the state, for those who wait for a change.
    phase: watch::Sender<Phase>,
    /// The client is to be linked with another node.
    leave: Notify,
    /// Counts how often there were others who may receive on private topics.
    receivers: watch::Sender<u64>,
}

impl Driver {
    pub(crate) fn new(core: Client) -> Self {
        Self {
            instance: core.instance(),
            state: Mutex::new(State::new(core)),
            started: clock(),
            rearm: Notify::new(),
            phase: watch::Sender::new(Phase::Connecting),
            leave: Notify::new(),
            receivers: watch::Sender::new(0),
        }
    }

    pub(crate) fn instance(&self) -> Instance {
        self.instance
    }

    /// Follows the client's life.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Changes when others may receive on private topics.
    pub(crate) fn receivers(&self) -> watch::Receiver<u64> {
        self.receivers.subscribe()
    }

    /// Waits until the client is to be linked with another node.
    pub(crate) async fn leaves(&self) {
        self.leave.notified().await;
    }

    pub(crate) fn events(&self) -> Events {
        let received = match &self.lock().events {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1,
        };
        Events::new(received)
    }

    /// Makes a turn, with the moment at which it began.
    pub(crate) fn turn<R>(&self, act: impl FnOnce(&mut State, Instant) -> R) -> R {
        let now = self.now();
        let mut state = self.lock();
        let result = act(&mut state, now);
        self.end_turn(now, state);
        result
    }

    /// Looks at the state, or changes what concerns neither core nor link.
    pub(crate) fn look<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.lock())
    }

    /// Handles everything that arrived on one lane of the link with this number.
    ///
    /// # Errors
    ///
    /// The reason to close the link, if a frame is no message; what came before it was handled.
    pub(crate) fn frames(
        &self,
        (link, lane): (u64, Lane),
        frames: &mut Vec<Frame>,
        (recent, transit): (&mut Recent, &mut Transit),
    ) -> Result<(), CloseReason> {
        self.turn(|state, now| {
            let Some(role) = state.outgoing.role(link) else { return Ok(()) };
            state.arrived = frames.len();
            let mut held_up = transit.held_up(now, lane);
            for frame in frames.drain(..) {
                let Some(frame) = transit.stamp(now, lane, frame) else {
                    held_up = transit.held_up(now, lane);
                    continue;
                };
                if lane == Lane::Files && role == Role::Old {
                    continue; // Transfers have gone on with another round.
                }
                if lane == Lane::Files {
                    if let Some(message) = known(state, FileMessage::from_frame(frame))? {
                        state.handle_file(now, message);
                    }
                    continue;
                }
                let Some(mut message) = known(state, NodeMessage::read(frame, recent))? else {
                    continue;
                };
                message.deduct(held_up);
                if let (NodeMessage::Attached { in_flight, .. }, Role::Current) = (&message, role) {
                    state.publishes.set_room(*in_flight);
                }
                state.handle(
                    now,
                    match role {
                        Role::Current => Input::Message(message),
                        Role::Old => Input::OldMessage(message),
                    },
                );
            }
            Ok(())
        })
    }

    /// Asks for the client's end; [`phase`](Self::phase) tells when it has come.
    pub(crate) fn close(&self) {
        self.turn(State::close);
    }

    /// Ends everything: the client's tasks are done.
    pub(crate) fn finish(&self) {
        self.turn(|state, _| state.finish());
        self.look(|state| state.events = None);
    }

    /// Hands in timeouts until the client is closed.
    pub(crate) async fn run_timers(&self) {
        let mut phase = self.phase();
        loop {
            let at = self.look(|state| state.timer_at);
            let due = async {
                match at {
                    Some(at) => tokio::time::sleep_until(self.at(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased; // A due timer must not wait behind a flood of earlier ones.
                () = due => self.turn(|state, now| {
                    state.timer_at = None;
                    state.handle_timeout(now);
                }),
                () = self.rearm.notified() => {}
                _ = phase.wait_for(|phase| *phase == Phase::Closed) => return,
            }
        }
    }

    /// The moment on tokio's clock.
    pub(crate) fn at(&self, moment: Instant) -> tokio::time::Instant {
        (self.started + moment.since_start()).into()
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::after_start(clock().saturating_duration_since(self.started))
    }

    fn end_turn(&self, now: Instant, mut state: MutexGuard<'_, State>) {
        state.end_turn(now);
        let wanted = state.poll_timeout(now);
        let is_earlier = match (wanted, state.timer_at) {
            (Some(wanted), Some(set)) => wanted < set,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_earlier {
            state.timer_at = wanted;
        }
        let phase = state.take_phase_change();
        let woken = std::mem::take(&mut state.woken);
        let told = std::mem::take(&mut state.told);
        let has_other_receivers = std::mem::take(&mut state.has_other_receivers);
        let leaves = std::mem::take(&mut state.leaves);
        let events = if told.is_empty() { None } else { state.events.clone() };
        drop(state);

        if is_earlier {
            self.rearm.notify_one();
        }
        if leaves {
            self.leave.notify_one();
        }
        if has_other_receivers {
            self.receivers.send_modify(|count| *count += 1);
        }
        for waker in woken {
            waker.wake();
        }
        if let Some(events) = events {
            tell(&events, told);
        }
        if let Some(phase) = phase {
            // Another turn may have told a later one already.
            self.phase.send_if_modified(|told| {
                let is_later = phase > *told;
                *told = phase.max(*told);
                is_later
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock would be a broken invariant of the core. It was reported where it
        // happened; those who clean up after it must not panic once more.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("instance", &self.instance).finish_non_exhaustive()
    }
}

fn tell(events: &broadcast::Sender<Event>, told: Vec<Event>) {
    for event in told {
        // It fails only if nobody listens.
        let _ = events.send(event);
    }
}

/// What was read; `None` of what only a newer version understands.
fn known<M>(state: &mut State, read: Result<M, MessageError>) -> Result<Option<M>, CloseReason> {
    match read {
        Ok(message) => Ok(Some(message)),
        Err(MessageError::UnknownKind) => {
            state.unknown += 1;
            Ok(None)
        }
        Err(error) => Err(malformed(&error)),
    }
}

fn malformed(error: &MessageError) -> CloseReason {
    let text = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    CloseReason::new(CloseCode::Protocol, text)
}

#[expect(clippy::disallowed_methods, reason = "the one place where a client reads a clock")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}
