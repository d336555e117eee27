//! Where the work of links is done: on the thread of their endpoint, or spread over several.
//!
//! What costs most of a link is sealing and opening its packets and talking to the kernel. QUIC does that in
//! a task for each connection, and here it is decided which runtime gets that task. The endpoint
//! itself, which only sorts what arrives, stays on the runtime that it was made in.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use tokio::runtime::Handle;

/// The runtimes on which links are worked on, in turn. Cheap to clone; clones take turns together.
///
/// By default there are none, and everything runs where it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    shared: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
}

impl Workers {
    /// Spreads links over these runtimes, which need I/O and time and must run as long as the links.
    /// An empty list is the default.
    #[must_use]
    pub fn new(runtimes: Vec<Handle>) -> Self {
        if runtimes.is_empty() {
            return Self::default();
        }
        Self { shared: Some(Arc::new(Shared { runtimes, next: AtomicUsize::new(0) })) }
    }

    /// Runs a task of a link on the runtime whose turn it is.
    ///
    /// # Panics
    ///
    /// Without workers, if called outside of a tokio runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.shared {
            None => _ = tokio::spawn(task),
            Some(shared) => {
                let turn = shared.next.fetch_add(1, Ordering::Relaxed);
                _ = shared.runtimes[turn % shared.runtimes.len()].spawn(task);
            }
        }
    }

    /// What an endpoint runs on.
    pub(crate) fn runtime(&self) -> Arc<dyn Runtime> {
        match self.shared {
            None => Arc::new(TokioRuntime),
            Some(_) => {
                Arc::new(Spread { workers: self.clone(), has_endpoint: AtomicBool::new(false) })
            }
        }
    }
}

/// Gives every task of an endpoint but the first to the workers.
struct Spread {
    workers: Workers,
    /// Whether the endpoint's own task, which is the first, was given out.
    has_endpoint: AtomicBool,
}

impl Runtime for Spread {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        if self.has_endpoint.swap(true, Ordering::Relaxed) {
            self.workers.spawn(task);
        } else {
            TokioRuntime.spawn(task);
        }
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spread").field("workers", &self.workers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{self, JoinHandle, ThreadId};

    use tokio::runtime::Builder;
    use tokio::sync::oneshot;

    use super::*;

    /// A thread with a runtime that ends when the sender is dropped.
    fn worker() -> (Handle, oneshot::Sender<()>, JoinHandle<()>) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel::<()>());
        (handle, stop, thread::spawn(move || _ = runtime.block_on(stopped)))
    }

    /// On which thread a task runs that is given out so.
    async fn thread_of(spawn: impl FnOnce(Pin<Box<dyn Future<Output = ()> + Send>>)) -> ThreadId {
        let (tell, told) = oneshot::channel();
        spawn(Box::pin(async move { tell.send(thread::current().id()).unwrap() }));
        told.await.unwrap()
    }

    #[tokio::test]
    async fn the_endpoint_stays_and_its_links_take_turns() {
        let (one, other) = (worker(), worker());
        let ids = [one.2.thread().id(), other.2.thread().id()];
        let workers = Workers::new(vec![one.0, other.0]);
        let runtime = workers.runtime();
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(thread_of(|task| runtime.spawn(task)).await);
        }
        assert_eq!(seen, [thread::current().id(), ids[0], ids[1]]);
        assert_eq!(
            thread_of(|task| workers.spawn(task)).await,
            ids[0],
            "links take turns with them"
        );
        drop((one.1, other.1));
        one.2.join().unwrap();
        other.2.join().unwrap();
    }

    #[tokio::test]
    async fn without_workers_everything_runs_where_it_is_asked_for() {
        let workers = Workers::new(Vec::new());
        let here = thread::current().id();
        assert_eq!(thread_of(|task| workers.spawn(task)).await, here);
        assert_eq!(thread_of(|task| workers.runtime().spawn(task)).await, here);
    }
}
