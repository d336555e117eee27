//! What a link looks like from outside: how fast, how much, how long its certificate counts.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::identity::end_of;
use crate::link::Link;
use crate::open::chain_of;
use crate::party::Party;

/// Reads a link from elsewhere, at no cost to it. It may have ended.
#[derive(Clone, Debug)]
pub struct Gauge {
    peer: Party,
    connection: quinn::Connection,
}

/// What a [`Gauge`] shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Who is at the other end.
    pub peer: Party,
    /// Where the other end is now.
    pub remote_addr: SocketAddr,
    /// How long a packet and its acknowledgement take, by the latest of them.
    pub round_trip: Duration,
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// Bytes of UDP payload received.
    pub received_bytes: u64,
    /// Packets that were lost on their way to the peer.
    pub lost_packets: u64,
    /// The largest UDP payload that was found to get to the peer so far, in bytes.
    pub udp_payload_max: u16,
    /// The last second in which every certificate of the peer's chain counts.
    pub certified_until: Option<SystemTime>,
}

impl Gauge {
    /// What the link looks like now.
    #[must_use]
    pub fn read(&self) -> Reading {
        let stats = self.connection.stats();
        Reading {
            peer: self.peer.clone(),
            remote_addr: self.connection.remote_address(),
            round_trip: stats.path.rtt,
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            lost_packets: stats.path.lost_packets,
            udp_payload_max: stats.path.current_mtu,
            certified_until: end_of(&chain_of(&self.connection)),
        }
    }
}

impl Link {
    /// A view of this link, for whoever looks at it from elsewhere.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge { peer: self.peer.clone(), connection: self.guard.connection.clone() }
    }
}
