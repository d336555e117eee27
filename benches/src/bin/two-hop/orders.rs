//! What the benchmark says to its clients and what they answer, one JSON line each.
//!
//! A client says `Ready` once, then answers every order. It ends when its input ends, so that no
//! client outlives the benchmark.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, stdin};

use crate::case::Work;
use crate::latencies::Latencies;

/// What a client is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Do the work of a case, and tell what was measured.
    Measure(Load),
    /// Tell what one-way messages have arrived in all, or how many clients are attached.
    Count,
    /// Send this file, and tell how long it took.
    SendFile(PathBuf),
}

/// One run of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) work: Work,
    /// How many clients get each one-way message.
    pub(crate) subscribers: u32,
    /// How long to run before the measured window.
    pub(crate) warm_up: Duration,
    /// How long the measured window is.
    pub(crate) window: Duration,
    /// The processes whose CPU time counts.
    pub(crate) processes: Vec<u32>,
}

/// What a process answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The client is linked, or the relay listens.
    Ready(Option<RelayAddrs>),
    /// The work went through.
    Measured(Measured),
    /// The file is on the disk of every receiver.
    FileSent(FileSent),
    /// What has arrived at all subscribers of a process, each message at most once and in order.
    Arrived(Arrived),
    /// So many clients are still attached.
    Count(u64),
    /// What went wrong.
    Failed(String),
}

/// One-way messages that have arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrived {
    pub(crate) count: u64,
    /// The longest time between one and the next at any one subscriber.
    pub(crate) longest_gap: Duration,
}

/// How long a file took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileSent {
    /// Until it was hashed and its receivers known.
    pub(crate) hashed_seconds: f64,
    /// From then on until the last receiver had it under its name and on its disk.
    pub(crate) seconds: f64,
    /// How many receivers have it.
    pub(crate) receivers: usize,
}

/// Where a relay listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RelayAddrs {
    /// For the party that is nearer to the publisher; none if the relay dials that.
    pub(crate) back: Option<SocketAddr>,
    /// For the party that is nearer to the subscriber.
    pub(crate) front: SocketAddr,
}

/// What one run of one case gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Within the window: one-way messages that reached a subscriber, requests that were answered,
    /// or clients that attached.
    pub(crate) done: u64,
    /// How long the window was.
    pub(crate) seconds: f64,
    /// The CPU time of each process within the window.
    pub(crate) cpu_us: Vec<f64>,
    /// How long answers or attaching took; one-way messages have none.
    pub(crate) latencies: Latencies,
    /// How long answers took while there was nothing beside them, if that was measured.
    pub(crate) alone: Option<Latencies>,
    /// The longest that any answer took, also before and after the window.
    pub(crate) longest: Duration,
    /// How many one-way messages should have come to subscribers since the processes started.
    pub(crate) expected: u64,
    /// How many of these have.
    pub(crate) arrived: u64,
}

impl Measured {
    /// Messages, answers or clients a second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// The CPU time of all processes for one message, or for one request with its answer.
    pub(crate) fn cpu_us_per_message(&self) -> f64 {
        self.cpu_us.iter().sum::<f64>() / self.done as f64
    }

    /// The part of the one-way messages that did not arrive, in percent.
    pub(crate) fn lost_percent(&self) -> f64 {
        let lost = self.expected.saturating_sub(self.arrived);
        100.0 * lost as f64 / self.expected.max(1) as f64
    }
}

/// Says `Ready`, then answers the benchmark's orders until there are no more.
///
/// # Errors
///
/// Fails when an order cannot be read. What goes wrong in `carry_out` is told to the benchmark.
pub(crate) async fn serve(mut carry_out: impl AsyncFnMut(Order) -> Result<Reply>) -> Result<()> {
    say(&Reply::Ready(None))?;
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(line) = orders.next_line().await.context("cannot read orders")? {
        let order = serde_json::from_str(&line).context("an order has an unknown form")?;
        let reply = carry_out(order).await;
        say(&reply.unwrap_or_else(|error| Reply::Failed(format!("{error:#}"))))?;
    }
    Ok(())
}

/// Waits until the input ends, for those who get no orders.
pub(crate) async fn benchmark_ended() {
    let mut input = Vec::new();
    // An error means that there is no input: then the benchmark is gone as well.
    let _ = stdin().read_to_end(&mut input).await;
}

/// Prints one reply.
///
/// # Errors
///
/// Fails when nobody reads it.
pub(crate) fn say(reply: &Reply) -> Result<()> {
    let line = serde_json::to_string(reply).expect("every reply can be JSON");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("nobody reads the replies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_replies_survive_the_way() {
        let load = Load {
            work: Work::Requests { in_flight: 64 },
            subscribers: 1,
            warm_up: Duration::from_millis(500),
            window: Duration::from_secs(3),
            processes: vec![1, 2],
        };
        for order in [Order::Measure(load), Order::Count] {
            let line = serde_json::to_string(&order).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Order>(&line).unwrap(), order);
        }
        let measured = measured();
        let front = SocketAddr::from(([127, 0, 0, 1], 7));
        for reply in [
            Reply::Ready(Some(RelayAddrs { back: None, front })),
            Reply::Ready(None),
            Reply::Measured(measured),
            Reply::Arrived(Arrived { count: 3, longest_gap: Duration::from_micros(7) }),
            Reply::Count(3),
            Reply::Failed("two\nlines".to_owned()),
        ] {
            let line = serde_json::to_string(&reply).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
        }
    }

    #[test]
    fn figures_are_of_all_processes_and_losses_of_all_messages() {
        let measured = measured();
        assert_eq!(measured.rate(), 4.0);
        assert_eq!(measured.cpu_us_per_message(), 1.25);
        assert_eq!(measured.lost_percent(), 5.0);
        assert_eq!(Measured { expected: 0, arrived: 0, ..measured }.lost_percent(), 0.0);
    }

    fn measured() -> Measured {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_micros(3));
        let cpu_us = vec![7.0, 3.0];
        Measured {
            done: 8,
            seconds: 2.0,
            cpu_us,
            latencies,
            alone: None,
            longest: Duration::from_micros(3),
            expected: 20,
            arrived: 19,
        }
    }
}
