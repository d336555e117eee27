//! Messages without a pause, and the books: how each ended, and who handled it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use amop_sdk::{
    Answer, Bytes, Client, Message, Mode, MulticastReceipt, Publish, PublishError, Subscription,
};
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::within;

/// Who handled what, by payload: every payload is published once.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<Bytes, Vec<&'static str>>>>);

impl Ledger {
    /// Somebody handles a message.
    pub(crate) fn note(&self, payload: Bytes, by: &'static str) {
        self.0.lock().unwrap().entry(payload).or_default().push(by);
    }

    /// Who handled it.
    pub(crate) fn of(&self, payload: &Bytes) -> Vec<&'static str> {
        self.0.lock().unwrap().get(payload).cloned().unwrap_or_default()
    }
}

/// Notes all that comes and answers what wants an answer. Ends when it is dropped.
pub(crate) struct Service {
    task: JoinHandle<()>,
    /// How many messages it has handled.
    handled: watch::Receiver<usize>,
    answers: watch::Sender<bool>,
}

impl Service {
    pub(crate) fn start(mut subscription: Subscription, ledger: Ledger, by: &'static str) -> Self {
        let (count, handled) = watch::channel(0);
        let (answers, may_answer) = watch::channel(true);
        let task = tokio::spawn(async move {
            while let Some(message) = subscription.next().await {
                ledger.note(message.payload().clone(), by);
                count.send_modify(|count| *count += 1);
                if message.mode() == Mode::Unicast && *may_answer.borrow() {
                    // It may be too late for an answer; its publisher then says so.
                    let _ = message.reply(by);
                } else if message.mode() == Mode::Unicast {
                    tokio::spawn(answer_later(message, by, may_answer.clone()));
                }
            }
        });
        Self { task, handled, answers }
    }

    /// Keeps the answers back, or gives all of them.
    pub(crate) fn set_answering(&self, answers: bool) {
        self.answers.send_replace(answers);
    }

    /// Waits until it has handled so many more.
    pub(crate) async fn handles(&self, count: usize) {
        let mut handled = self.handled.clone();
        let all = *handled.borrow() + count;
        within("messages to handle", handled.wait_for(|handled| *handled >= all)).await.unwrap();
    }
}

async fn answer_later(message: Message, by: &'static str, mut may_answer: watch::Receiver<bool>) {
    // An error means that the service has ended, and with it the test.
    let _ = may_answer.wait_for(|may| *may).await;
    let _ = message.reply(by);
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Publishes to one topic so that a fixed number of messages is always under way.
pub(crate) struct Pump<T> {
    publish: Box<dyn Fn(Bytes) -> Publish<T>>,
    /// How many are kept under way.
    window: usize,
    prefix: &'static str,
    published: usize,
    under_way: FuturesUnordered<BoxFuture<'static, Ended<T>>>,
    ended: Vec<Ended<T>>,
}

/// How a message ended.
#[derive(Debug)]
pub(crate) struct Ended<T> {
    pub(crate) payload: Bytes,
    pub(crate) end: Result<T, PublishError>,
    pub(crate) took: Duration,
}

impl Pump<Answer> {
    /// Of unicasts; none of their payloads is that of another pump with another prefix.
    pub(crate) fn of_unicasts(
        client: &Client,
        prefix: &'static str,
        window: usize,
        deadline: Duration,
    ) -> Self {
        let client = client.clone();
        let publish = move |payload| client.request(TOPIC, payload).timeout(deadline);
        Self::new(Box::new(publish), prefix, window)
    }
}

impl Pump<MulticastReceipt> {
    /// Likewise, of multicasts.
    pub(crate) fn of_multicasts(
        client: &Client,
        prefix: &'static str,
        window: usize,
        deadline: Duration,
    ) -> Self {
        let client = client.clone();
        let publish = move |payload| client.multicast(TOPIC, payload).timeout(deadline);
        Self::new(Box::new(publish), prefix, window)
    }
}

impl<T: Send + 'static> Pump<T> {
    fn new(publish: Box<dyn Fn(Bytes) -> Publish<T>>, prefix: &'static str, window: usize) -> Self {
        let under_way = FuturesUnordered::new();
        Self { publish, window, prefix, published: 0, under_way, ended: Vec::new() }
    }

    /// Publishes until something else is done, and gives what that gives.
    pub(crate) async fn during<U>(&mut self, future: impl Future<Output = U>) -> U {
        let mut future = pin!(future);
        loop {
            self.fill();
            tokio::select! {
                biased;
                done = &mut future => return done,
                ended = self.under_way.next() => self.ended.extend(ended),
            }
        }
    }

    /// Publishes until so many more have ended.
    pub(crate) async fn ends(&mut self, count: usize) {
        let all = self.ended.len() + count;
        let ends = async {
            while self.ended.len() < all {
                self.fill();
                let ended = self.under_way.next().await;
                self.ended.extend(ended);
            }
        };
        within("the end of messages", ends).await;
    }

    /// Publishes no more, and waits for the ends of what is under way.
    pub(crate) async fn stop(mut self) -> Vec<Ended<T>> {
        let rest: Vec<_> = within("the end of the last messages", self.under_way.collect()).await;
        self.ended.extend(rest);
        assert_eq!(self.ended.len(), self.published);
        self.ended
    }

    fn fill(&mut self) {
        while self.under_way.len() < self.window {
            self.published += 1;
            let payload = Bytes::from(format!("{}{}", self.prefix, self.published));
            let publish = (self.publish)(payload.clone()).into_future();
            let begun = clock();
            let ended = publish.map(move |end| Ended { payload, end, took: begun.elapsed() });
            self.under_way.push(ended.boxed());
        }
    }
}

/// Waits until the publisher's node knows of so many subscribers of a topic.
pub(crate) async fn known(publisher: &Client, topic: &str, wanted: u32) {
    let known = async {
        while publisher.multicast(topic, "is anybody there?").await.unwrap().targets != wanted {}
    };
    within("the subscribers", known).await;
}

/// Every code tells the truth about its message, and nothing was handled twice.
pub(crate) fn assert_unicasts_true(ended: &[Ended<Answer>], ledger: &Ledger) {
    for Ended { payload, end, .. } in ended {
        let handled = ledger.of(payload);
        match end {
            Ok(answer) => {
                let by = std::str::from_utf8(&answer.payload).unwrap();
                assert_eq!(handled, [by], "{payload:?}");
            }
            Err(error) if error.may_have_been_handled() => {
                assert!(handled.len() <= 1, "{payload:?} by {handled:?}: {error}");
            }
            Err(error) => assert!(handled.is_empty(), "{payload:?} by {handled:?}: {error}"),
        }
    }
}

/// Every receipt counts what happened, and nobody got anything twice.
pub(crate) fn assert_multicasts_true(ended: &[Ended<MulticastReceipt>], ledger: &Ledger) {
    for Ended { payload, end, .. } in ended {
        let mut by = ledger.of(payload);
        let handled = by.len();
        by.sort_unstable();
        by.dedup();
        assert_eq!(by.len(), handled, "{payload:?} by {by:?}");
        let receipt = end.as_ref().unwrap();
        let count = |count: u32| usize::try_from(count).unwrap();
        let (acked, unknown) = (count(receipt.acked), count(receipt.unknown));
        assert!((acked..=acked + unknown).contains(&handled), "{payload:?}: {handled} {receipt:?}");
        assert_eq!(receipt.targets, receipt.acked + receipt.refused + receipt.unknown);
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a message takes is part of the contract")]
fn clock() -> Instant {
    Instant::now()
}

/// What nearly everything is published to.
pub(crate) const TOPIC: &str = "orders";
