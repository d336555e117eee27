//! How links end, and what is kept and what is lost then.

use std::time::Duration;

use amop_p2p::{HandshakeError, LinkEnd, Settings};
use amop_wire::{CloseCode, CloseReason, Lane};
use tokio::time::timeout;

use crate::support::{Note, Running, batch, identity, link, listen_at, node};

const KIB: usize = 1 << 10;

fn reason(code: CloseCode, text: &str) -> CloseReason {
    CloseReason::new(code, text)
}

/// A node of its own in a runtime of its own, which can be killed.
struct Mortal {
    runtime: tokio::runtime::Runtime,
}

#[tokio::test]
async fn closing_delivers_everything_queued_before_and_drops_what_comes_after() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let (to_b, mut at_b) = (dialed.outbox(), Running::start(accepted));
    let notes: Vec<_> = (0..60_u8)
        .map(|i| Note::new(Lane::ALL[usize::from(i) % Lane::COUNT], [i], vec![i; 100 * KIB]))
        .collect();

    to_b.send(&mut batch(&notes));
    to_b.close(reason(CloseCode::Shutdown, "going down for repair"));
    to_b.send(&mut batch(&[Note::new(Lane::Control, "late", "")]));
    to_b.close(reason(CloseCode::Done, "too late to count"));
    let end = dialed.run(|_, _| Ok(())).await;

    assert_eq!(end, LinkEnd::ClosedByUs(reason(CloseCode::Shutdown, "going down for repair")));
    let mut got = Vec::new();
    while let Some(note) = at_b.frames.recv().await {
        got.push(note);
    }
    got.sort_by(|a, b| a.header.cmp(&b.header));
    assert!(got == notes);
    let theirs = reason(CloseCode::Shutdown, "going down for repair");
    assert_eq!(at_b.end().await, LinkEnd::ClosedByPeer(theirs));
    assert_eq!(to_b.queued_bytes(), 0);
}

#[tokio::test]
async fn frames_that_arrive_while_a_link_is_closing_are_handed_over() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let (to_b, to_a) = (dialed.outbox(), accepted.outbox());
    let done = reason(CloseCode::Done, "all sent");

    // More than the peer's QUIC takes in before the peer reads.
    to_b.send(&mut batch(&vec![Note::new(Lane::Unicasts, "", vec![0; 1 << 20]); 4]));
    to_b.close(done.clone());
    let mut at_a = Running::start(dialed);
    let last = Note::new(Lane::Replies, "last answer", "");
    let answer = last.clone();
    let at_b = tokio::spawn(accepted.run(move |_, _| {
        to_a.send(&mut batch(std::slice::from_ref(&answer)));
        Ok(())
    }));

    assert_eq!(at_a.next().await, last);
    assert_eq!(at_a.end().await, LinkEnd::ClosedByUs(done.clone()));
    assert_eq!(at_b.await.unwrap(), LinkEnd::ClosedByPeer(done));
}

#[tokio::test]
async fn aborting_ends_a_link_at_once_even_while_it_is_closing() {
    let settings = Settings { flush_timeout: Duration::from_secs(600), ..Settings::default() };
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await; // The accepted end never runs, so nothing is read.
    let to_b = dialed.outbox();

    to_b.send(&mut batch(&vec![Note::new(Lane::Unicasts, "", vec![0; 1 << 20]); 4]));
    to_b.close(reason(CloseCode::Done, "orderly"));
    let at_a = Running::start(dialed);
    tokio::task::yield_now().await;
    to_b.abort(reason(CloseCode::Refused, "at once"));

    assert_eq!(at_a.end().await, LinkEnd::ClosedByUs(reason(CloseCode::Refused, "at once")));
    assert_eq!(to_b.queued_bytes(), 0);
    let end = accepted.run(|_, _| Ok(())).await;
    assert_eq!(end, LinkEnd::ClosedByPeer(reason(CloseCode::Refused, "at once")));
}

#[tokio::test]
async fn a_peer_that_never_reads_cannot_hold_up_the_close() {
    let settings = Settings { flush_timeout: Duration::from_millis(50), ..Settings::default() };
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, _accepted) = link(&a, &b).await;
    let to_b = dialed.outbox();

    to_b.send(&mut batch(&vec![Note::new(Lane::Unicasts, "", vec![0; 1 << 20]); 4]));
    to_b.close(reason(CloseCode::Done, "bye"));
    let end = dialed.run(|_, _| Ok(())).await;
    assert_eq!(end, LinkEnd::ClosedByUs(reason(CloseCode::Done, "bye")));
}

#[tokio::test]
async fn an_error_of_the_callback_closes_the_link_after_what_was_queued() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let (to_b, to_a) = (dialed.outbox(), accepted.outbox());
    let mut at_a = Running::start(dialed);
    let farewell = Note::new(Lane::Control, "farewell", "");
    let broken = reason(CloseCode::Protocol, "unknown message kind");

    let (queued, why) = (farewell.clone(), broken.clone());
    let mut calls = 0;
    let at_b = tokio::spawn(accepted.run(move |_, _| {
        calls += 1;
        assert_eq!(calls, 1, "nothing is read after the error");
        to_a.send(&mut batch(std::slice::from_ref(&queued)));
        Err(why.clone())
    }));
    to_b.send(&mut batch(&[Note::new(Lane::Control, "nonsense", "")]));
    to_b.send(&mut batch(&[Note::new(Lane::Unicasts, "more", "")]));

    assert_eq!(at_a.next().await, farewell);
    assert_eq!(at_a.end().await, LinkEnd::ClosedByPeer(broken.clone()));
    assert_eq!(at_b.await.unwrap(), LinkEnd::ClosedByUs(broken));
}

#[tokio::test]
async fn a_link_that_is_dropped_is_closed_and_its_outbox_drops_in_silence() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let to_b = dialed.outbox();
    drop(dialed);

    let mut staged = batch(&[Note::new(Lane::Control, "too late", "")]);
    to_b.send(&mut staged);
    assert!(staged.is_empty());
    assert_eq!(to_b.queued_bytes(), 0);
    let end = accepted.run(|_, _| Ok(())).await;
    assert!(matches!(end, LinkEnd::ClosedByPeer(r) if r.code == CloseCode::Shutdown));
}

#[tokio::test]
async fn a_peer_that_never_reads_is_closed_as_slow_while_another_link_goes_on() {
    let settings = Settings {
        stall_timeout: Duration::from_millis(200),
        outbox_bytes_max: 4 << 20,
        ..Settings::default()
    };
    let hub = node("hub.node.bank-a.amop", &settings);
    let (idle, busy) =
        (node("n1.node.bank-b.amop", &settings), node("n2.node.bank-b.amop", &settings));
    let (never_run, slow) = link(&idle, &hub).await;
    let (reading, good) = link(&busy, &hub).await;
    let (to_slow, to_good) = (slow.outbox(), good.outbox());
    let slow = Running::start(slow);
    let (_good, mut reading) = (Running::start(good), Running::start(reading));

    let note = Note::new(Lane::Unicasts, "", vec![0; 64 * KIB]);
    let mut sent = 0;
    while !slow.end.is_finished() {
        while to_slow.has_room(note.payload.len() + 10) {
            to_slow.send(&mut batch(std::slice::from_ref(&note)));
            sent += 1;
        }
        assert!(to_slow.queued_bytes() <= settings.outbox_bytes_max);
        to_good.send(&mut batch(&[Note::new(Lane::Unicasts, "", "")]));
        reading.next().await;
    }

    assert!(sent >= 64, "the outbox took what it has room for, not {sent}");
    let slow = slow.end().await;
    let too_slow = reason(CloseCode::SlowReader, "did not read for 200ms");
    assert_eq!(slow, LinkEnd::ClosedByUs(too_slow.clone()));
    let end = never_run.run(|_, _| Ok(())).await;
    assert_eq!(end, LinkEnd::ClosedByPeer(too_slow));
    to_good.send(&mut batch(&[Note::new(Lane::Unicasts, "still", "")]));
    assert_eq!(reading.next().await.header, "still");
}

#[tokio::test]
async fn an_outbox_filled_past_all_measure_closes_its_link() {
    let settings = Settings { outbox_bytes_max: 1000, ..Settings::default() };
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, _accepted) = link(&a, &b).await;
    let to_b = dialed.outbox();

    let thousand = Note::new(Lane::Unicasts, "1234", vec![0; 1000 - 4 - 6]);
    to_b.send(&mut batch(std::slice::from_ref(&thousand)));
    assert_eq!(to_b.queued_bytes(), 1000);
    assert!(to_b.has_room(0) && !to_b.has_room(1));
    to_b.send(&mut batch(std::slice::from_ref(&thousand)));
    to_b.send(&mut batch(std::slice::from_ref(&thousand)));

    let end = dialed.run(|_, _| Ok(())).await;
    let why = reason(CloseCode::SlowReader, "did not read while 3000 bytes waited");
    assert_eq!(end, LinkEnd::ClosedByUs(why));
}

#[tokio::test]
async fn a_killed_peer_is_noticed_by_its_silence() {
    let settings = Settings {
        idle_timeout: Duration::from_millis(200),
        keep_alive: Duration::from_millis(50),
        ..Settings::default()
    };
    let a = node("n1.node.bank-a.amop", &settings);
    let mortal = Mortal::new();
    let b = mortal.run(async { node("n1.node.bank-b.amop", &Settings::default()) });
    let addr = b.local_addr().unwrap();
    let accepting = mortal.runtime.spawn(async move {
        let link = b.accept().await.unwrap().complete().await.unwrap();
        link.run(|_, _| Ok(())).await
    });
    let dialed = a.dial(addr, None).await.unwrap();
    let at_a = Running::start(dialed);

    mortal.kill();

    assert!(accepting.await.is_err(), "a killed process says nothing");
    assert_eq!(at_a.end().await, LinkEnd::Lost("heard nothing for 200ms".into()));
}

#[tokio::test]
async fn a_restarted_peer_resets_its_old_links_at_once() {
    let settings = Settings { idle_timeout: Duration::from_secs(600), ..Settings::default() };
    let a = node("n1.node.bank-a.amop", &settings);
    let identity = identity("n1.node.bank-b.amop");
    let mortal = Mortal::new();
    let b = mortal.run(async { listen_at(crate::support::ANY_PORT, &identity, &settings) });
    let addr = b.local_addr().unwrap();
    mortal.runtime.spawn(async move {
        let link = b.accept().await.unwrap().complete().await.unwrap();
        link.run(|_, _| Ok(())).await
    });
    let dialed = a.dial(addr, None).await.unwrap();
    let to_b = dialed.outbox();
    let at_a = Running::start(dialed);
    mortal.kill();

    let _restarted = listen_at(addr, &identity, &settings);
    to_b.send(&mut batch(&[Note::new(Lane::Control, "are you there?", vec![0; 1000])]));

    let end = timeout(Duration::from_secs(2), at_a.end()).await.expect("it does not take 600 s");
    assert_eq!(end, LinkEnd::Lost("the peer no longer knows this link".into()));
}

#[tokio::test]
async fn an_endpoint_that_shuts_down_accepts_nothing_and_closes_what_is_left() {
    let settings = Settings { flush_timeout: Duration::from_millis(50), ..Settings::default() };
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let at_a = Running::start(dialed);
    let at_b = Running::start(accepted);

    let waiting = {
        let b = b.clone();
        tokio::spawn(async move { b.accept().await.is_none() })
    };
    b.shutdown().await;

    assert!(waiting.await.unwrap(), "accept says that there is nothing more");
    assert!(b.accept().await.is_none());
    let why = reason(CloseCode::Shutdown, "the endpoint shut down");
    assert_eq!(at_b.end().await, LinkEnd::ClosedByUs(why.clone()));
    assert_eq!(at_a.end().await, LinkEnd::ClosedByPeer(why));
    let error = b.dial(a.local_addr().unwrap(), None).await.unwrap_err();
    assert_eq!(error, HandshakeError::ShutDown);
}

impl Mortal {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self { runtime }
    }

    fn run<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        std::thread::scope(|scope| scope.spawn(|| self.runtime.block_on(future)).join().unwrap())
    }

    /// Ends it without a word to anybody, as `kill -9` does, and gives its port free.
    fn kill(self) {
        // A runtime waits for its threads when it is dropped, which no async task may do.
        std::thread::spawn(move || drop(self.runtime)).join().unwrap();
    }
}
