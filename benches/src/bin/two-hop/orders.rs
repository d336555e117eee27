//! What the benchmark says to its clients and what they answer, one JSON line each.
//!
//! A client says `Ready` once, then answers every order. It ends when its input ends, so that no
//! client outlives the benchmark.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, stdin};

use crate::case::Case;

/// What a client is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Run a case, and tell what was measured.
    Measure(Load),
    /// Tell how many one-way messages have arrived since the last time.
    Count,
}

/// One run of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) case: Case,
    /// How long to run before the measured window.
    pub(crate) warm_up: Duration,
    /// How long the measured window is.
    pub(crate) window: Duration,
    /// The processes whose CPU time counts.
    pub(crate) processes: Vec<u32>,
}

/// What a client answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The client is linked, or the relay listens.
    Ready(Option<RelayAddrs>),
    /// A case went through and nothing was lost.
    Measured(Measured),
    /// So many one-way messages have arrived, each once and in order.
    Count(u64),
    /// What went wrong.
    Failed(String),
}

/// Where a relay listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RelayAddrs {
    pub(crate) client: SocketAddr,
    pub(crate) relay: SocketAddr,
}

/// What one run of one case gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Messages sent since the case began, warm-up and all: as many must have arrived.
    pub(crate) sent: u64,
    /// Messages that went all the way, or requests that were answered, within the window.
    pub(crate) done: u64,
    /// How long the window was.
    pub(crate) seconds: f64,
    /// The CPU time of all processes within the window.
    pub(crate) cpu_us: f64,
    /// How long answers took; one-way messages have none.
    pub(crate) latency: Option<Latency>,
}

impl Measured {
    /// Messages or answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// The CPU time of all processes for one message, or for one request with its answer.
    pub(crate) fn cpu_us_per_message(&self) -> f64 {
        self.cpu_us / self.done as f64
    }
}

/// How long answers took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
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
            case: Case::Requests { in_flight: 64 },
            warm_up: Duration::from_millis(500),
            window: Duration::from_secs(3),
            processes: vec![1, 2],
        };
        for order in [Order::Measure(load), Order::Count] {
            let line = serde_json::to_string(&order).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Order>(&line).unwrap(), order);
        }
        let latency = Some(Latency { p50_us: 107.5, p99_us: 300.0 });
        let measured = Measured { sent: 9, done: 8, seconds: 3.1, cpu_us: 7.0, latency };
        let addr = SocketAddr::from(([127, 0, 0, 1], 7));
        for reply in [
            Reply::Ready(Some(RelayAddrs { client: addr, relay: addr })),
            Reply::Ready(None),
            Reply::Measured(measured),
            Reply::Count(3),
            Reply::Failed("two\nlines".to_owned()),
        ] {
            let line = serde_json::to_string(&reply).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
        }
    }
}
