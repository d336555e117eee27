//! Who may publish now, who waits in line for it, and who is let in: by the room of the client and that of its link.

use amop_wire::{Instant, Mode};

use crate::publishes::Ticket;
use crate::state::State;

impl State {
    /// Whether a publish may go now that has come just now.
    pub(crate) fn may_pass(&mut self, now: Instant, mode: Mode, payload_bytes: usize) -> bool {
        !self.publishes.has_line(mode)
            && self.publishes.make_room(now, mode, payload_bytes)
            && self.link_has_room(payload_bytes)
    }

    /// Whether one may go now that holds a ticket. Its room, if some was kept for it, is to be taken at once.
    pub(crate) fn may_come(&mut self, ticket: Ticket, payload_bytes: usize) -> bool {
        self.publishes.come(ticket) && self.outgoing.has_room(payload_bytes)
    }

    /// A publish does not wait any more, if it did.
    pub(crate) fn leave_line(&mut self, ticket: &mut Option<Ticket>) {
        // Its task may be woken in vain, but nobody knows what dropping its waker runs.
        let waker = ticket.take().and_then(|ticket| self.publishes.leave(ticket));
        self.woken.extend(waker);
    }

    /// Lets in as many as there is room for now.
    pub(crate) fn let_in(&mut self, now: Instant) {
        for mode in [Mode::Unicast, Mode::Multicast] {
            while let Some(payload_bytes) = self.publishes.next_payload_bytes(mode)
                && self.publishes.make_room(now, mode, payload_bytes)
                && self.link_has_room(payload_bytes)
            {
                self.woken.extend(self.publishes.let_next_in(now, mode));
            }
        }
    }

    /// Whether something waits for nothing but room on the link, which tells nobody when it has
    /// some.
    pub(crate) fn waits_for_link(&self) -> bool {
        let waits = |mode| {
            self.publishes.next_payload_bytes(mode).is_some_and(|bytes| {
                self.publishes.has_room(mode, bytes) && !self.link_has_room(bytes)
            })
        };
        self.outgoing.holds() || waits(Mode::Unicast) || waits(Mode::Multicast)
    }

    /// Whether the link takes such a payload beside what was let in.
    fn link_has_room(&self, payload_bytes: usize) -> bool {
        self.outgoing.has_room_beside(self.publishes.let_in_bytes(), payload_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::Duration;

    use amop_core::client::{Client, PublishEnd};
    use amop_wire::{InFlight, Instance, Receipt};
    use bytes::Bytes;

    use super::*;
    use crate::driver::Driver;
    use crate::lease::Lease;
    use crate::outcome::{Answer, answer};
    use crate::publish::{Publish, Submit};

    /// A task that is never run, and how often it was woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn submit(lease: &Arc<Lease>) -> Submit<Answer> {
        let (lease, time) = (Arc::clone(lease), Duration::from_secs(3600));
        Publish::new(lease, Mode::Unicast, "quote", Bytes::new(), time, answer).submit()
    }

    fn poll(task: &Arc<Task>, submit: &mut Submit<Answer>) -> bool {
        let waker = Waker::from(Arc::clone(task));
        match Pin::new(submit).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(_)) => true, // Whose end nobody waits for; it takes room until then.
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => false,
        }
    }

    /// SES-7: a client with thousands of tasks that are to be run is not through with one of them, and
    /// another one, before it has sent what the next may send.
    #[tokio::test]
    async fn a_turn_that_frees_room_for_three_wakes_three_and_each_of_them_goes_when_it_likes() {
        let driver = Arc::new(Driver::new(Client::new(Instance(1))));
        let lease = Lease::new(Arc::clone(&driver));
        driver.look(|state| state.publishes.set_room(InFlight { messages: 4, bytes: 0 }));
        let tasks: Vec<Arc<Task>> = (0..10).map(|_| Arc::default()).collect();
        let mut submits: Vec<_> = (0..10).map(|_| submit(&lease)).collect();
        for (number, (task, submit)) in tasks.iter().zip(&mut submits).enumerate() {
            assert_eq!(poll(task, submit), number < 4, "of {number}");
        }
        driver.turn(|state, now| {
            for key in 0..3 {
                state.publishes.end(now, key, PublishEnd::Receipt(Receipt::default()));
            }
        });
        let woken: Vec<_> = tasks.iter().map(|task| task.0.load(Ordering::Relaxed)).collect();
        assert_eq!(woken, [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]);
        assert!(!poll(&tasks[7], &mut submits[7]), "the room is not its own");
        for number in [6, 4, 5] {
            assert!(poll(&tasks[number], &mut submits[number]), "{number} was let in");
        }
        let counted =
            driver.look(|state| (state.publishes.under_way(), state.publishes.let_in_bytes()));
        assert_eq!(counted, (4, 0));
        drop(submits);
        let has_line = driver.look(|state| state.publishes.has_line(Mode::Unicast));
        assert!(!has_line, "those who gave up have left it");
    }
}
