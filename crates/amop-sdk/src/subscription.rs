//! The application's side of a subscription: a stream of messages.
//!
//! It takes everything that waits under one lock, into a buffer of its own, and hands it out
//! message by message without another lock. The last message of the buffer, one that has expired,
//! and every so manieth make a turn of the driver: there, acks go out and room comes back.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use amop_core::client::{Delivered, Gap, Input, Order, Turn, Wanted};
use amop_wire::{Instant, Reason, Topic};
use futures_core::Stream;
use tokio::task::coop;

use crate::lease::Lease;
use crate::message::Message;
use crate::queue::{Queue, Status, Taken};
use crate::state::State;
use crate::subscribe::{SubscribeError, Until};

/// The messages of one topic, in a stream that survives reconnects. Dropping it unsubscribes: what
/// was not taken is refused, so that it can be tried elsewhere.
///
/// A message that expires before the application takes it is refused as well: it is never handed
/// out late. The stream ends when the client is closed, or when a node refuses the subscription.
pub struct Subscription {
    lease: Arc<Lease>,
    topic: Topic,
    /// Taken from the driver and not handed out yet.
    buffer: VecDeque<Delivered>,
    order: Order,
    /// How many were handed out or refused, ever.
    count: u64,
    /// What `count` was when the driver was told last.
    told: u64,
    tell_every: u64,
    taken: Taken,
}

impl Subscription {
    /// The application's side of a queue that the driver has.
    pub(crate) fn new(lease: Arc<Lease>, topic: Topic, taken: Taken, capacity: usize) -> Self {
        let tell_every = (capacity as u64 / 8).clamp(1, TELL_EVERY_MAX);
        let (buffer, order) = (VecDeque::new(), Order::default());
        Self { lease, topic, buffer, order, count: 0, told: 0, tell_every, taken }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Waits for the next message; `None` once the subscription has ended.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Whether the node had taken the subscription when somebody looked last.
    pub(crate) fn is_open(&self) -> bool {
        self.lease.look(|state| {
            let status = state.queues.get(&self.topic).map(Queue::status);
            matches!(status, Some(Status::Open | Status::Propagated))
        })
    }

    /// Why the stream has ended, or `None` while it has not: the client was closed, or a node
    /// refused the subscription after a reconnect.
    #[must_use]
    pub fn why_ended(&self) -> Option<SubscribeError> {
        self.lease.look(|state| {
            let queue = state.queues.get(&self.topic)?;
            SubscribeError::of(&self.topic, queue.status())
        })
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        // A task that takes without a pause lets others run now and then, its own link first.
        let budget = ready!(coop::poll_proceed(cx));
        let taken = match self.take_from_buffer() {
            Some(taken) => Some(taken),
            None => ready!(self.take_in_turn(cx)),
        };
        budget.made_progress();
        Poll::Ready(
            taken.map(|(delivered, gap)| Message::new(Arc::clone(&self.lease), delivered, gap)),
        )
    }

    /// Takes a message that needs nothing of the driver.
    fn take_from_buffer(&mut self) -> Option<(Delivered, Option<Gap>)> {
        if self.buffer.len() < 2 || self.count - self.told >= self.tell_every {
            return None;
        }
        let next = self.buffer.front()?;
        if next.expires <= self.lease.now() {
            return None;
        }
        let gap = gap_before(&mut self.order, next).ok()?;
        self.count += 1;
        self.taken.set(self.count);
        Some((self.buffer.pop_front()?, gap))
    }

    /// Takes a message in a turn, and lets the driver settle what was taken so far.
    fn take_in_turn(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Delivered, Option<Gap>)>> {
        let Self { lease, topic, buffer, order, count, told, taken, .. } = self;
        let (taken, replaced) = lease.turn(|state, now| {
            loop {
                if buffer.is_empty() && !hand_over(state, topic, buffer) {
                    let Some(queue) = state.queues.get_mut(topic) else {
                        return (Poll::Ready(None), None);
                    };
                    return match queue.status() {
                        Status::Opening | Status::Open | Status::Propagated => {
                            (Poll::Pending, queue.watch(cx.waker()))
                        }
                        Status::Refused(..) | Status::Closed => (Poll::Ready(None), None),
                    };
                }
                let Some(delivered) = buffer.pop_front() else { continue };
                *count += 1;
                let gap = match delivered.expires <= now {
                    true => Err(Late),
                    false => gap_before(order, &delivered),
                };
                if gap.is_err() {
                    refuse(state, now, topic, &delivered);
                }
                taken.set(*count);
                *told = *count;
                state.settle(now, topic);
                if let Ok(gap) = gap {
                    return (Poll::Ready(Some((delivered, gap))), None);
                }
            }
        });
        drop(replaced); // Without the lock, since nobody knows what the drop of a waker runs.
        taken
    }

    /// Waits until the subscription is so far, or has ended.
    pub(crate) fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
        until: Until,
    ) -> Poll<Result<(), SubscribeError>> {
        let topic = &self.topic;
        let (opened, replaced) = self.lease.look(|state| {
            let Some(queue) = state.queues.get_mut(topic) else {
                return (Poll::Ready(Err(SubscribeError::Closed)), None);
            };
            match (queue.status(), until) {
                (Status::Opening, _) | (Status::Open, Until::Propagated) => {
                    (Poll::Pending, queue.watch(cx.waker()))
                }
                (Status::Open, Until::Open) | (Status::Propagated, _) => {
                    (Poll::Ready(Ok(())), None)
                }
                (status @ (Status::Refused(..) | Status::Closed), _) => {
                    (Poll::Ready(SubscribeError::of(topic, status).map_or(Ok(()), Err)), None)
                }
            }
        });
        drop(replaced);
        opened
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Self { lease, topic, buffer, .. } = self;
        let queue = lease.turn(|state, now| {
            state.settle(now, topic);
            let mut queue = state.queues.remove(topic)?;
            state.handle(now, Input::Unsubscribe(topic.clone()));
            if state.is_open() {
                for delivered in buffer.drain(..).chain(queue.drain()) {
                    state.handle(now, delivered.refusal(Reason::NotSubscribed));
                }
            }
            Some(queue)
        });
        drop(queue); // Its waker, without the lock.
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// The application must not get a message any more.
struct Late;

/// What is missing before a message.
fn gap_before(order: &mut Order, delivered: &Delivered) -> Result<Option<Gap>, Late> {
    match delivered.wanted {
        Wanted::Answer(_) => Ok(None),
        Wanted::Ack(_) => match order.turn(delivered.id.publisher, delivered.sequence) {
            Turn::Next => Ok(None),
            Turn::After(gap) => Ok(Some(gap)),
            Turn::Late => Err(Late),
        },
    }
}

/// Takes all that waits in the driver. Says whether that was anything.
fn hand_over(state: &mut State, topic: &Topic, buffer: &mut VecDeque<Delivered>) -> bool {
    state.queues.get_mut(topic).is_some_and(|queue| queue.hand_over(buffer))
}

/// Refuses a message of the buffer, the next one after those that were taken.
fn refuse(state: &mut State, now: Instant, topic: &Topic, delivered: &Delivered) {
    state.settle(now, topic);
    if let Some(queue) = state.queues.get_mut(topic) {
        queue.settle_refused();
    }
    state.handle(now, delivered.refusal(Reason::Deadline));
}

/// After how many messages the driver is told at the latest what was taken. Small queues are told
/// sooner, since room comes back only then.
const TELL_EVERY_MAX: u64 = 256;
