//! More threads for links, beside the node's own.

use std::io;
use std::thread::{self, JoinHandle};

use amop_p2p::Workers;
use amop_wire::Name;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads that run tasks of links until they are dropped, which waits for their end.
#[derive(Debug)]
pub(crate) struct Threads {
    /// Dropping one ends its thread.
    running: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
    handles: Vec<Handle>,
}

impl Threads {
    /// Starts all threads but the first, which is the caller's with this runtime.
    pub(crate) fn start(count: usize, node: &Name, first: &Handle) -> io::Result<Self> {
        let mut threads = Self { running: Vec::new(), handles: vec![first.clone()] };
        for number in 2..=count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            threads.handles.push(runtime.handle().clone());
            let (stop, stopped) = oneshot::channel::<()>();
            let thread = thread::Builder::new().name(format!("amop {node} {number}"));
            // That the sender is dropped is the signal.
            let thread = thread.spawn(move || _ = runtime.block_on(stopped))?;
            threads.running.push((stop, thread));
        }
        Ok(threads)
    }

    /// Spreads links over all of them, if there are several.
    pub(crate) fn workers(&self) -> Workers {
        match &self.handles[..] {
            [_only] => Workers::default(),
            several => Workers::new(several.to_vec()),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for (stop, thread) in self.running.drain(..) {
            drop(stop);
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }
}
