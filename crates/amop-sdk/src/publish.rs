//! From the call to the end of a publish, as futures.
//!
//! ```text
//! request(..) ──▶ Publish ──.await──▶ Publishing = Submit, then Pending ──▶ Answer
//!                    └──.submit()──▶ Submit ──▶ Pending ──────────────────▶ Answer
//! ```
//!
//! [`Submit`] waits for room, which is all the back-pressure there is; [`Pending`] waits for the
//! end. None of them allocates, unless it must wait for room.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use amop_core::client::Input;
use amop_wire::limits::{PAYLOAD_BYTES_MAX, TTL_MAX};
use amop_wire::{Instant, Key, Mode, MsgId, Terms, Topic};
use bytes::Bytes;
use tokio::task::coop;
use tokio::time::{Sleep, sleep_until};

use crate::lease::Lease;
use crate::outcome::{Answer, PublishError};
use crate::publishes::{Ended, SlotKey, Ticket, Waiting};
use crate::topic::IntoTopic;

/// A message that is about to be published. Await it for its end, or [`submit`](Self::submit) it.
///
/// It gets its id, and its time begins to run, when it is polled first.
#[must_use = "nothing is published before this is awaited or submitted"]
pub struct Publish<T> {
    lease: Arc<Lease>,
    draft: Result<Draft, PublishError>,
    timeout: Duration,
    finish: Finish<T>,
}

/// Makes the result out of the end.
pub(crate) type Finish<T> = fn(MsgId, Ended) -> Result<T, PublishError>;

impl<T> Publish<T> {
    pub(crate) fn new(
        lease: Arc<Lease>,
        mode: Mode,
        topic: impl IntoTopic,
        payload: Bytes,
        timeout: Duration,
        finish: Finish<T>,
    ) -> Self {
        let draft = match topic.into_topic() {
            Ok(_) if payload.len() > PAYLOAD_BYTES_MAX => {
                Err(PublishError::payload_too_long(payload.len()))
            }
            Ok(topic) => Ok(Draft { mode, terms: Terms::default(), topic, payload }),
            Err(error) => Err(PublishError::bad_topic(error)),
        };
        Self { lease, draft, timeout, finish }
    }

    /// Sets how long it may take until the end, waiting for room and for a connection included;
    /// at most an hour. That of the client, 5 s unless it was set, if this is not called.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Queues the message to the link and hands out its end as another future: so one task can
    /// have thousands under way.
    ///
    /// Waits while the client has 8,192 unicasts or 4 MiB of their payload under way, or as much of multicasts, of
    /// which each counts for half a second at most, or while the link does not keep up; those who wait are served in turn. A message
    /// that has waited for half of its time is not sent any more: [`Reason::TooManyRequests`](crate::Reason).
    /// Nor is one whose future was woken in time and is not polled before a quarter is left: until then, its room is kept for it.
    /// Dropping the future before it is done means that the message was not published.
    pub fn submit(self) -> Submit<T> {
        Submit {
            lease: self.lease,
            draft: Some(self.draft),
            timeout: self.timeout.min(TTL_MAX),
            deadline: None,
            ticket: None,
            alarm: None,
            finish: self.finish,
        }
    }
}

impl Publish<Answer> {
    /// Lets another subscriber be asked if the chosen one is gone or gives no word for half of the
    /// time: the request may be handled by several, each of them once. Those that are asked later see
    /// it as [`is_redelivered`](crate::Message::is_redelivered).
    pub fn at_least_once(mut self) -> Self {
        self.set_terms(|terms| terms.at_least_once = true);
        self
    }

    /// Names what is asked, so that asking again is the same request: also after a restart, and also if
    /// nobody knows what became of it before. Its subscriber handles it once, and answers all of them alike.
    ///
    /// A subscriber remembers the answer to a key of one client for ten minutes. It is asked again as long as
    /// it stays; another subscriber does not know the key. The same key with another payload or topic ends with 205.
    pub fn idempotency_key(mut self, name: impl AsRef<[u8]>) -> Self {
        self.set_terms(|terms| terms.key = Some(Key::of(name.as_ref())));
        self
    }

    fn set_terms(&mut self, set: impl FnOnce(&mut Terms)) {
        if let Ok(draft) = &mut self.draft {
            set(&mut draft.terms);
        }
    }
}

impl<T> IntoFuture for Publish<T> {
    type Output = Result<T, PublishError>;
    type IntoFuture = Publishing<T>;

    fn into_future(self) -> Publishing<T> {
        Publishing(Stage::Submit(self.submit()))
    }
}

/// Publishes a message and waits for its end. Made by awaiting a [`Publish`].
///
/// Dropping it after it was polled does not take the message back: its end is ignored.
#[must_use = "futures do nothing unless polled"]
pub struct Publishing<T>(Stage<T>);

enum Stage<T> {
    Submit(Submit<T>),
    Pending(Pending<T>),
}

impl<T> Future for Publishing<T> {
    type Output = Result<T, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Stage::Submit(submit) => {
                // Whoever submits it waits for the end as well, under the same lock.
                let submitted = ready!(submit.poll_submit(cx, Some(cx.waker().clone())));
                self.0 = Stage::Pending(submitted?);
                Poll::Pending
            }
            Stage::Pending(pending) => Pin::new(pending).poll(cx),
        }
    }
}

/// Queues a message to the link. Made by [`Publish::submit`].
#[must_use = "futures do nothing unless polled"]
pub struct Submit<T> {
    lease: Arc<Lease>,
    /// `None` once it has left.
    draft: Option<Result<Draft, PublishError>>,
    timeout: Duration,
    /// Set by the first poll.
    deadline: Option<Instant>,
    /// The place in the line, while it waits for room.
    ticket: Option<Ticket>,
    alarm: Option<Pin<Box<Sleep>>>,
    finish: Finish<T>,
}

struct Draft {
    mode: Mode,
    terms: Terms,
    topic: Topic,
    payload: Bytes,
}

/// What came of an attempt to submit.
enum Step {
    Submitted {
        key: SlotKey,
        counter: u64,
    },
    /// Not yet. The waker is to be dropped without the lock, since nobody knows what that runs.
    NoRoom {
        draft: Draft,
        replaced: Option<Waker>,
    },
    Failed(PublishError),
}

impl<T> Future for Submit<T> {
    type Output = Result<Pending<T>, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_submit(cx, None)
    }
}

impl<T> Submit<T> {
    /// Submits the message if there is room. `watch` is woken at its end.
    fn poll_submit(
        &mut self,
        cx: &mut Context<'_>,
        watch: Option<Waker>,
    ) -> Poll<Result<Pending<T>, PublishError>> {
        // A task that publishes without a pause lets others run now and then, its own link first.
        let budget = ready!(coop::poll_proceed(cx));
        budget.made_progress();
        let draft = self.draft.take().expect("it is not polled after it was ready")?;
        match self.attempt(draft, cx.waker(), watch) {
            Step::Failed(error) => Poll::Ready(Err(error)),
            Step::Submitted { key, counter } => {
                let lease = Arc::clone(&self.lease);
                let id = MsgId { publisher: lease.instance(), counter };
                Poll::Ready(Ok(Pending { lease, key: Some(key), id, finish: self.finish }))
            }
            Step::NoRoom { draft, replaced } => {
                drop(replaced);
                self.draft = Some(Ok(draft));
                self.poll_alarm(cx)
            }
        }
    }

    fn attempt(&mut self, draft: Draft, waker: &Waker, watch: Option<Waker>) -> Step {
        let Self { lease, ticket, timeout, deadline, .. } = self;
        lease.turn(|state, now| {
            let deadline = *deadline.get_or_insert(now + *timeout);
            if !state.is_open() {
                state.leave_line(ticket);
                return Step::Failed(PublishError::closed());
            }
            let is_let_in = ticket.is_some_and(|ticket| state.publishes.is_let_in(ticket));
            let until = if is_let_in { come_until } else { wait_until }(deadline, *timeout);
            if ticket.is_some() && until <= now {
                state.leave_line(ticket);
                return Step::Failed(PublishError::no_room(state.core.is_connected()));
            }
            let (mode, payload_bytes) = (draft.mode, draft.payload.len());
            let may_pass = match *ticket {
                None => state.may_pass(now, mode, payload_bytes),
                Some(ticket) => state.may_come(ticket, payload_bytes),
            };
            if !may_pass {
                let until = wait_until(deadline, *timeout);
                let waiting = Waiting { payload_bytes, until, waker: waker.clone() };
                let replaced = state.publishes.wait(ticket, mode, waiting);
                return Step::NoRoom { draft, replaced };
            }
            *ticket = None;
            let counter = state.core.draw_counter();
            let Draft { terms, topic, payload, .. } = draft;
            let key = state.publishes.begin(mode, payload_bytes, now, watch);
            let timeout = deadline.saturating_since(now);
            let input = Input::Publish { counter, key, mode, terms, topic, payload, timeout };
            state.handle(now, input);
            Step::Submitted { key, counter }
        })
    }

    /// Waits for room as long as it may.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Result<Pending<T>, PublishError>> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let at = self.lease.at(wait_until(deadline, self.timeout));
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        ready!(alarm.as_mut().poll(cx));
        self.draft = None;
        let ticket = &mut self.ticket;
        let is_connected = self.lease.turn(|state, _| {
            state.leave_line(ticket);
            state.core.is_connected()
        });
        Poll::Ready(Err(PublishError::no_room(is_connected)))
    }
}

/// How long a message waits for room: half of its time. One that left later would end in doubt, since nothing is left
/// for its answer; and where more comes than can be taken, the first in line have always waited for longest.
fn wait_until(deadline: Instant, timeout: Duration) -> Instant {
    deadline - timeout / 2
}

/// How late one may come that was let in: what is left is a quarter of its time.
fn come_until(deadline: Instant, timeout: Duration) -> Instant {
    deadline - timeout / 4
}

impl<T> Drop for Submit<T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // The turn's end wakes the next in line.
            drop(self.lease.turn(|state, _| state.publishes.leave(ticket)));
        }
    }
}

/// A message that was queued to the link: the future of its end.
///
/// Dropping it does not take the message back: its end is ignored.
#[must_use = "whether the message was handled is known only at its end"]
pub struct Pending<T> {
    lease: Arc<Lease>,
    /// `None` once the end was taken.
    key: Option<SlotKey>,
    id: MsgId,
    finish: Finish<T>,
}

impl<T> Pending<T> {
    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> MsgId {
        self.id
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let key = self.key.expect("it is not polled after it was ready");
        let (ended, replaced) = self.lease.look(|state| state.publishes.take_end(key, cx.waker()));
        drop(replaced);
        let Some(ended) = ended else { return Poll::Pending };
        self.key = None;
        Poll::Ready((self.finish)(self.id, ended))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            drop(self.lease.look(|state| state.publishes.abandon(key)));
        }
    }
}

impl<T> fmt::Debug for Publish<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Publishing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishing").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Submit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use amop_core::client::Client;
    use amop_wire::Instance;

    use super::*;
    use crate::driver::Driver;
    use crate::outcome::{Answer, answer};

    fn request(lease: &Arc<Lease>) -> Publish<Answer> {
        let timeout = Duration::from_secs(1);
        Publish::new(Arc::clone(lease), Mode::Unicast, "quote", Bytes::new(), timeout, answer)
    }

    /// Polls a future once.
    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_publish_that_nobody_waits_for_leaves_nothing() {
        let driver = Arc::new(Driver::new(Client::new(Instance(1))));
        let lease = Lease::new(Arc::clone(&driver));
        let submit = |lease| match poll(&mut request(lease).submit()) {
            Poll::Ready(Ok(pending)) => pending,
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => panic!("there is room"),
        };
        let mut awaited = request(&lease).into_future();
        assert!(poll(&mut awaited).is_pending());
        let (dropped_before, dropped_after) = (submit(&lease), submit(&lease));
        drop(dropped_before);
        driver.finish();
        drop(dropped_after);
        assert!(!driver.look(|state| state.publishes.is_empty()), "one end was not taken");
        assert!(poll(&mut awaited).is_ready());
        assert!(driver.look(|state| state.publishes.is_empty()));
    }
}
