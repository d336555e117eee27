//! Many clients of one process that attach to one node and then do nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::task::JoinSet;

use crate::case::Work;
use crate::clock::now;
use crate::latencies::Latencies;
use crate::orders::{Load, Measured, Order, Reply, serve};
use crate::window::Window;

/// How clients of one system attach.
pub(crate) trait Attach: Clone + Send + 'static {
    /// A client, which stays attached until it is dropped.
    type Client: Send + 'static;

    /// Attaches one more client.
    ///
    /// # Errors
    ///
    /// Fails when the node does not take it.
    fn attach(&self) -> impl Future<Output = Result<Self::Client>> + Send;

    /// Whether a client is still attached.
    fn is_attached(client: &Self::Client) -> bool;
}

/// Attaches clients when the benchmark orders it, and tells later how many still are.
///
/// # Errors
///
/// Fails when an order cannot be read.
pub(crate) async fn serve_crowd<A: Attach>(door: A) -> Result<()> {
    let mut clients = Vec::new();
    serve(async |order| match order {
        Order::Measure(load) => attach_all(&door, &load, &mut clients).await.map(Reply::Measured),
        Order::SendFile(_) => bail!("these clients are idle"),
        Order::Count => {
            let attached = clients.iter().filter(|client| A::is_attached(client));
            Ok(Reply::Count(attached.count() as u64))
        }
    })
    .await
}

async fn attach_all<A: Attach>(
    door: &A,
    load: &Load,
    clients: &mut Vec<A::Client>,
) -> Result<Measured> {
    let Work::Attach { clients: wanted } = load.work else { bail!("a crowd only attaches") };
    let window = Window::open(load)?;
    let left = Arc::new(Mutex::new(wanted));
    let mut queues = JoinSet::new();
    for _ in 0..AT_A_TIME {
        queues.spawn(attach_one_by_one(door.clone(), left.clone()));
    }
    let mut latencies = Latencies::new();
    while let Some(ended) = queues.join_next().await {
        for (client, took) in ended.context("a task panicked")?? {
            clients.push(client);
            latencies.record(took);
        }
    }
    Ok(Measured { latencies, ..window.close(clients.len() as u64)? })
}

async fn attach_one_by_one<A: Attach>(
    door: A,
    left: Arc<Mutex<u32>>,
) -> Result<Vec<(A::Client, Duration)>> {
    let mut attached = Vec::new();
    while take_one(&left) {
        let began = now();
        let client = door.attach().await?;
        attached.push((client, now().duration_since(began)));
    }
    Ok(attached)
}

fn take_one(left: &Mutex<u32>) -> bool {
    let mut left = left.lock().expect("nothing panics while it holds the lock");
    let one_is_left = *left > 0;
    *left = left.saturating_sub(1);
    one_is_left
}

/// How many clients attach at the same time.
const AT_A_TIME: u32 = 16;
