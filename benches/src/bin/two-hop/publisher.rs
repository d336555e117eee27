//! The client that sends: does the work of every case, on whichever system.

use anyhow::{Result, bail};

use crate::case::Work;
use crate::flow::{Flow, Until};
use crate::orders::{Load, Measured, Order, Reply, serve};
use crate::window::{Requests, Window};

/// What a client that sends must be able to do, and nothing of what is measured.
pub(crate) trait Publisher {
    /// Sends one-way messages until the flow says that it is enough, as fast as the system takes
    /// them, and waits until they have arrived; answers how many copies did.
    ///
    /// # Errors
    ///
    /// Fails when the system does, or loses what it promised to deliver.
    async fn stream(&mut self, flow: &mut Flow) -> Result<u64>;

    /// Keeps so many requests in flight until the run is over, and waits for the last answers.
    ///
    /// # Errors
    ///
    /// Fails when a request has no answer, or a wrong one.
    async fn ask(&mut self, in_flight: u32, run: Requests) -> Result<Requests>;

    /// Does both at the same time, with one request in flight; answers how many copies arrived as well.
    ///
    /// # Errors
    ///
    /// Fails when either does, and where a system has no such client.
    async fn ask_beside(&mut self, _run: Requests, _flow: &mut Flow) -> Result<(Requests, u64)> {
        bail!("this client streams or asks, one at a time")
    }
}

/// Does what the benchmark orders until there is nothing more to do.
///
/// # Errors
///
/// Fails when an order cannot be read.
pub(crate) async fn serve_publisher(publisher: impl Publisher) -> Result<()> {
    let mut worker = Worker { publisher, sent: 0, arrived: 0 };
    serve(async |order| match order {
        Order::Measure(load) => worker.measure(&load).await.map(Reply::Measured),
        Order::Count => bail!("this client receives no one-way messages"),
        Order::SendFile(_) => bail!("this client sends messages"),
    })
    .await
}

struct Worker<P> {
    publisher: P,
    /// One-way messages that were sent in all.
    sent: u64,
    /// How many copies of them have arrived.
    arrived: u64,
}

impl<P: Publisher> Worker<P> {
    async fn measure(&mut self, load: &Load) -> Result<Measured> {
        let (payload_bytes, messages) = match load.work {
            Work::OneWay { payload_bytes } => (payload_bytes, None),
            Work::Bulk { payload_bytes, messages } => (payload_bytes, Some(messages)),
            Work::Requests { in_flight } => {
                return self.publisher.ask(in_flight, Requests::begin(load)).await?.finish();
            }
            Work::Beside { payload_bytes } => {
                return self.measure_beside(load, payload_bytes).await;
            }
            Work::Attach { .. } => bail!("this client is attached already"),
        };
        self.stream(Flow::lasting(self.sent, payload_bytes, load.warm_up)).await?;
        let window = Window::open(load)?;
        let flow = match messages {
            Some(count) => Flow::new(self.sent, payload_bytes, Until::Count(count)),
            None => Flow::lasting(self.sent, payload_bytes, load.window),
        };
        let measured = window.close(self.stream(flow).await?)?;
        let expected = self.sent * u64::from(load.subscribers);
        Ok(Measured { expected, arrived: self.arrived, ..measured })
    }

    async fn measure_beside(&mut self, load: &Load, payload_bytes: usize) -> Result<Measured> {
        let alone = self.publisher.ask(1, Requests::begin(load)).await?.finish()?;
        let mut flow = Flow::lasting(self.sent, payload_bytes, load.warm_up + load.window);
        let beside = self.publisher.ask_beside(Requests::begin(load), &mut flow).await;
        let (run, arrived) = beside?;
        self.sent += flow.sent();
        self.arrived += arrived;
        let expected = self.sent * u64::from(load.subscribers);
        let (beside, arrived) = (run.finish()?, self.arrived);
        let longest = beside.longest.max(alone.longest);
        Ok(Measured { alone: Some(alone.latencies), longest, expected, arrived, ..beside })
    }

    async fn stream(&mut self, mut flow: Flow) -> Result<u64> {
        let arrived = self.publisher.stream(&mut flow).await?;
        self.sent += flow.sent();
        self.arrived += arrived;
        Ok(arrived)
    }
}
