//! A wire between two nodes, or between a client and a node: a proxy on the way of every datagram.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::clock::now;
use crate::weather::{Way, Weather};

/// A wire: whoever sends to its address reaches the node behind it, as well as the weather is. It is gone when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    /// From where to where, for people.
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
    /// From the dialer to the node behind, and back.
    weather: Arc<Mutex<[Weather; 2]>>,
    /// What passes datagrams.
    _passing: JoinSet<()>,
}

impl Wire {
    /// Puts a wire before an address.
    ///
    /// # Errors
    ///
    /// Fails when the system gives no sockets.
    pub(crate) async fn before(addr: SocketAddr, name: String, seed: u64) -> Result<Self> {
        let (front, back) = (bind().await?, bind().await?);
        back.connect(addr).await.context("cannot reach the node behind the wire")?;
        let weather = Arc::new(Mutex::new([Weather::default(); 2]));
        let (addr, mut passing) = (front.local_addr()?, JoinSet::new());
        passing.spawn(pass(front, back, seed, Arc::clone(&weather)));
        Ok(Self { name, addr, weather, _passing: passing })
    }

    /// Changes the weather, on both ways.
    pub(crate) fn set(&self, weather: Weather) {
        self.set_ways([weather; 2]);
    }

    /// Changes the weather from the dialer, and back to it.
    pub(crate) fn set_ways(&self, ways: [Weather; 2]) {
        *self.weather.lock().expect("nothing panics with it") = ways;
    }
}

async fn bind() -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    socket.context("cannot open a socket on the loopback interface")
}

/// Passes datagrams for ever.
async fn pass(front: UdpSocket, back: UdpSocket, seed: u64, weather: Arc<Mutex<[Weather; 2]>>) {
    let mut ways = [Way::new(seed), Way::new(seed + 1)];
    let (mut there, mut here) = (vec![0; DATAGRAM_BYTES_MAX], vec![0; DATAGRAM_BYTES_MAX]);
    let mut dialer = None;
    let weather = || *weather.lock().expect("nothing panics with it");
    loop {
        let due = ways.iter().filter_map(Way::due).min();
        tokio::select! {
            Ok((length, from)) = front.recv_from(&mut there) => {
                dialer = Some(from);
                ways[0].take(&weather()[0], now(), &there[..length]);
            }
            received = back.recv(&mut here) => {
                // An error tells that nobody listens behind at the moment.
                if let Ok(length) = received {
                    ways[1].take(&weather()[1], now(), &here[..length]);
                }
            }
            () = sleep_until(due.unwrap_or_else(now)), if due.is_some() => {}
        }
        // A datagram that the system does not take is lost, as any other may be.
        while let Some(datagram) = ways[0].give(now()) {
            let _ = back.try_send(&datagram);
        }
        while let Some(datagram) = ways[1].give(now()) {
            if let Some(dialer) = dialer {
                let _ = front.try_send_to(&datagram, dialer);
            }
        }
    }
}

/// The longest that the loopback interface carries.
const DATAGRAM_BYTES_MAX: usize = 65_535;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_wire_passes_both_ways_until_it_is_dropped_and_leaves_no_socket() {
        let (dialer, node) = (bind().await.unwrap(), bind().await.unwrap());
        let to = node.local_addr().unwrap();
        let wire = Wire::before(to, "here to there".to_owned(), 7).await.unwrap();
        let mut datagram = [0; 9];
        dialer.send_to(b"there", wire.addr).await.unwrap();
        let (length, back) = node.recv_from(&mut datagram).await.unwrap();
        assert_eq!(&datagram[..length], b"there");
        node.send_to(b"back", back).await.unwrap();
        let (length, from) = dialer.recv_from(&mut datagram).await.unwrap();
        assert_eq!((&datagram[..length], from), (&b"back"[..], wire.addr));
        drop(wire);
        let is_gone = async {
            while UdpSocket::bind(from).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, is_gone).await.expect("nothing passes datagrams any more");
    }
}
