//! The clients that receive: what they have got, on whichever system.

use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Result, bail};

use crate::message::Tally;
use crate::orders::{Arrived, Order, Reply, serve};

/// What one subscriber has got, for the one that receives and for the one that is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    /// Looks at it or changes it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

/// Tells the benchmark what the subscribers of this process have got, until it has no more orders.
///
/// # Errors
///
/// Fails when an order cannot be read.
pub(crate) async fn serve_subscribers(tallies: &[SharedTally]) -> Result<()> {
    serve(async |order| match order {
        Order::Count => {
            let mut all = Arrived::default();
            for tally in tallies {
                let tally = *tally.lock();
                all.count += tally.arrived()?;
                all.longest_gap = all.longest_gap.max(tally.longest_gap());
            }
            Ok(Reply::Arrived(all))
        }
        Order::Measure(_) | Order::SendFile(_) => bail!("this client sends nothing"),
    })
    .await
}
