//! What lies between two ends of a link: passes on UDP datagrams, counts them, and can be cut.
//!
//! The end that dials knows the wire's address instead of the other's. A cut wire swallows what
//! comes, as a broken line does: nobody is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A line to one node, for one end that dials it. Ends when it is dropped.
pub(crate) struct Wire {
    /// What to dial.
    pub(crate) addr: SocketAddr,
    line: Arc<Line>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Line {
    is_cut: AtomicBool,
    bytes: AtomicU64,
}

impl Wire {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let near = Arc::new(UdpSocket::bind(ANY).await.unwrap());
        let far = Arc::new(UdpSocket::bind(ANY).await.unwrap());
        let addr = near.local_addr().unwrap();
        let line = Arc::new(Line::default());
        let (dialer, dialed_by) = watch::channel(None);
        let (_, target) = watch::channel(Some(target));
        let mut tasks = JoinSet::new();
        tasks.spawn(carry(near.clone(), far.clone(), target, dialer, line.clone()));
        let (nobody, _) = watch::channel(None);
        tasks.spawn(carry(far, near, dialed_by, nobody, line.clone()));
        Self { addr, line, _tasks: tasks }
    }

    /// From now on, nothing comes through, in either direction.
    pub(crate) fn cut(&self) {
        self.line.is_cut.store(true, Ordering::Relaxed);
    }

    /// From now on, what is sent comes through again.
    pub(crate) fn mend(&self) {
        self.line.is_cut.store(false, Ordering::Relaxed);
    }

    /// How many bytes it has carried so far, in both directions.
    pub(crate) fn bytes(&self) -> u64 {
        self.line.bytes.load(Ordering::Relaxed)
    }
}

/// Carries datagrams in one direction, and notes who sends them.
async fn carry(
    from: Arc<UdpSocket>,
    by: Arc<UdpSocket>,
    to: watch::Receiver<Option<SocketAddr>>,
    sender: watch::Sender<Option<SocketAddr>>,
    line: Arc<Line>,
) {
    let mut datagram = vec![0; 1 << 16];
    loop {
        let (bytes, source) = from.recv_from(&mut datagram).await.unwrap();
        sender.send_replace(Some(source));
        let to = *to.borrow();
        if let Some(to) = to.filter(|_| !line.is_cut.load(Ordering::Relaxed)) {
            line.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            // What finds no room is lost, as on any line.
            let _ = by.send_to(&datagram[..bytes], to).await;
        }
    }
}

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
