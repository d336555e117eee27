//! Datagrams that mean nothing, at the address of a node.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::Result;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Sends so many a second until it is aborted: half of them bytes at random, half of them first packets of
/// handshakes, each of another connection, in which only the head is right. Those cost a node the most: it
/// makes keys for each before it can know.
///
/// # Errors
///
/// Fails if the system gives no socket.
pub(crate) fn start(to: SocketAddr, per_second: u32, seed: u64) -> Result<JoinHandle<()>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(to)?;
    socket.set_nonblocking(true)?;
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    Ok(tokio::spawn(async move {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut datagram = [0; DATAGRAM_BYTES];
        loop {
            ticks.tick().await;
            for number in 0..per_second / TICKS_PER_SECOND {
                random.fill_bytes(&mut datagram);
                if number % 2 == 0 {
                    datagram[..HEAD.len()].copy_from_slice(&HEAD);
                }
                // What the system does not take is not sent.
                let _ = socket.send(&datagram);
            }
        }
    }))
}

/// A first packet of QUIC version 1 whose connection id has 8 bytes.
const HEAD: [u8; 6] = [0xc0, 0, 0, 0, 1, 8];

/// As long as a first packet must be.
const DATAGRAM_BYTES: usize = 1200;

const TICK: Duration = Duration::from_millis(5);
const TICKS_PER_SECOND: u32 = 200;
