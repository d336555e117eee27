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
    /// What the end that dials sends is swallowed.
    is_mute: AtomicBool,
    /// What it would get is.
    is_deaf: AtomicBool,
    bytes: AtomicU64,
}

impl Wire {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let near = Arc::new(UdpSocket::bind(ANY).await.unwrap());
        let far = Arc::new(UdpSocket::bind(ANY).await.unwrap());
        let addr = near.local_addr().unwrap();
        let line = Arc::new(Line::default());
        let (heard, dialer) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(carry_there(near.clone(), far.clone(), target, heard, line.clone()));
        tasks.spawn(carry_back(far, near, dialer, line.clone()));
        Self { addr, line, _tasks: tasks }
    }

    /// From now on, nothing comes through, in either direction.
    pub(crate) fn cut(&self) {
        self.line.is_deaf.store(true, Ordering::Relaxed);
        self.mute();
    }

    /// From now on, nothing comes through from the end that dials.
    pub(crate) fn mute(&self) {
        self.line.is_mute.store(true, Ordering::Relaxed);
    }

    /// From now on, what is sent comes through again.
    pub(crate) fn mend(&self) {
        self.line.is_deaf.store(false, Ordering::Relaxed);
        self.line.is_mute.store(false, Ordering::Relaxed);
    }

    /// How many bytes it has carried so far, in both directions.
    pub(crate) fn bytes(&self) -> u64 {
        self.line.bytes.load(Ordering::Relaxed)
    }
}

impl Line {
    /// Passes a datagram on, unless it is swallowed.
    async fn pass(&self, is_cut: &AtomicBool, by: &UdpSocket, datagram: &[u8], to: SocketAddr) {
        if !is_cut.load(Ordering::Relaxed) {
            self.bytes.fetch_add(datagram.len() as u64, Ordering::Relaxed);
            // What finds no room is lost, as on any line.
            let _ = by.send_to(datagram, to).await;
        }
    }
}

/// Carries what the end that dials sends, and notes where it is.
async fn carry_there(
    near: Arc<UdpSocket>,
    far: Arc<UdpSocket>,
    target: SocketAddr,
    dialer: watch::Sender<Option<SocketAddr>>,
    line: Arc<Line>,
) {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (bytes, source) = near.recv_from(&mut datagram).await.unwrap();
        dialer.send_replace(Some(source));
        line.pass(&line.is_mute, &far, &datagram[..bytes], target).await;
    }
}

/// Carries what it gets.
async fn carry_back(
    far: Arc<UdpSocket>,
    near: Arc<UdpSocket>,
    dialer: watch::Receiver<Option<SocketAddr>>,
    line: Arc<Line>,
) {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (bytes, _) = far.recv_from(&mut datagram).await.unwrap();
        let dialer = *dialer.borrow();
        if let Some(dialer) = dialer {
            line.pass(&line.is_deaf, &near, &datagram[..bytes], dialer).await;
        }
    }
}

const DATAGRAM_BYTES_MAX: usize = 1 << 16;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
