//! Bad weather between the nodes: a proxy on the way of every datagram between one node and the one
//! that dials it, which loses, delays and reorders them by a seed.
//!
//! Only nodes have weather between them; clients are as near to theirs as ever. Nobody knows of
//! the proxy: what passes is encrypted, and it looks at lengths alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

use crate::clock::now;

/// What happens to datagrams between nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weather {
    /// Nothing: there is no proxy.
    #[default]
    Clear,
    /// One in a hundred is lost.
    Loss,
    /// One in twenty of all moments everything is lost, for 5 to 15 ms at a time.
    Bursts,
    /// Each takes 50 to 150 ms, more or less for all of them as time goes by.
    Delay,
    /// Each takes 5 ms, and one in fifty up to 10 ms more, so that others overtake it.
    Reorder,
}

impl Weather {
    pub(crate) const ALL: [Self; 5] =
        [Self::Clear, Self::Loss, Self::Bursts, Self::Delay, Self::Reorder];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Loss => "loss",
            Self::Bursts => "bursts",
            Self::Delay => "delay",
            Self::Reorder => "reorder",
        }
    }

    /// Puts this weather before an address: what is sent to the address that is returned gets
    /// there, and answers come back, as well as they can.
    ///
    /// # Errors
    ///
    /// Fails when the system gives no sockets.
    pub(crate) async fn before(self, addr: SocketAddr) -> Result<SocketAddr> {
        if self == Self::Clear {
            return Ok(addr);
        }
        let front = bind().await?;
        let back = bind().await?;
        back.connect(addr).await.context("cannot reach the node behind the weather")?;
        let door = front.local_addr()?;
        tokio::spawn(pass(self, front, back));
        Ok(door)
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Weather {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|weather| weather.name() == text);
        found.ok_or_else(|| format!("there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

async fn bind() -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    socket.context("cannot open a socket on the loopback interface")
}

/// Passes datagrams between one dialer in front and the node behind, until the benchmark ends.
async fn pass(weather: Weather, front: UdpSocket, back: UdpSocket) {
    let mut ways = [Way::new(weather, 1), Way::new(weather, 2)];
    let (mut there, mut here) = (vec![0; DATAGRAM_BYTES_MAX], vec![0; DATAGRAM_BYTES_MAX]);
    let mut dialer = None;
    loop {
        let due = ways.iter().filter_map(Way::due).min();
        tokio::select! {
            Ok((length, from)) = front.recv_from(&mut there) => {
                dialer = Some(from);
                ways[0].take(now(), &there[..length]);
            }
            Ok(length) = back.recv(&mut here) => ways[1].take(now(), &here[..length]),
            () = sleep_until(due.unwrap_or_else(now).into()), if due.is_some() => {}
            else => return,
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

/// One direction.
struct Way {
    weather: Weather,
    random: ChaCha12Rng,
    began: Instant,
    /// When the next burst begins, or the present one began, and when it ends.
    burst: [Instant; 2],
    /// What is under way, the first to arrive on top; the number keeps those of one moment in order.
    under_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    taken: u64,
}

impl Way {
    fn new(weather: Weather, seed: u64) -> Self {
        let began = now();
        Self {
            weather,
            random: ChaCha12Rng::seed_from_u64(seed),
            began,
            burst: [began; 2],
            under_way: BinaryHeap::new(),
            taken: 0,
        }
    }

    fn take(&mut self, at: Instant, datagram: &[u8]) {
        if let Some(delay) = self.delay(at) {
            self.taken += 1;
            self.under_way.push(Reverse((at + delay, self.taken, datagram.to_vec())));
        }
    }

    fn due(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((at, ..))| *at)
    }

    fn give(&mut self, at: Instant) -> Option<Vec<u8>> {
        self.due().filter(|due| *due <= at)?;
        self.under_way.pop().map(|Reverse((.., datagram))| datagram)
    }

    /// How long the next datagram takes; nothing if it is lost.
    fn delay(&mut self, at: Instant) -> Option<Duration> {
        let millis = Duration::from_millis;
        match self.weather {
            Weather::Clear => Some(Duration::ZERO),
            Weather::Loss => (!self.happens(100)).then_some(Duration::ZERO),
            Weather::Bursts => {
                while self.burst[1] <= at {
                    let begins = self.burst[1] + millis(self.between(90, 290));
                    self.burst = [begins, begins + millis(self.between(5, 15))];
                }
                (at < self.burst[0]).then_some(Duration::ZERO)
            }
            Weather::Delay => {
                // From 50 to 150 ms and back in 2 s: slowly enough that hardly any overtakes another.
                let phase = at.duration_since(self.began).as_millis() % 2000;
                let phase = u64::try_from(phase).expect("less than 2,000");
                Some(millis(50 + phase.min(2000 - phase) / 10))
            }
            Weather::Reorder => {
                let is_late = self.happens(50);
                let more = if is_late { self.between(0, 10) } else { 0 };
                Some(millis(5 + more))
            }
        }
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + u64::from(self.random.next_u32()) % (most - least + 1)
    }

    fn happens(&mut self, one_in: u32) -> bool {
        self.random.next_u32().is_multiple_of(one_in)
    }
}

/// The longest that the loopback interface carries.
const DATAGRAM_BYTES_MAX: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of so many datagrams, by number, in the order in which they arrive.
    fn through(weather: Weather, count: u32) -> Vec<u32> {
        let mut way = Way::new(weather, 7);
        let began = way.began;
        let mut arrived = Vec::new();
        for number in 0..count {
            let at = began + Duration::from_millis(number.into());
            way.take(at, &number.to_be_bytes());
            arrived.extend(std::iter::from_fn(|| way.give(at)));
        }
        arrived.extend(std::iter::from_fn(|| way.give(began + Duration::from_secs(3600))));
        let number = |datagram: Vec<u8>| u32::from_be_bytes(datagram.try_into().unwrap());
        arrived.into_iter().map(number).collect()
    }

    #[test]
    fn as_many_are_lost_as_the_weather_says() {
        for (weather, lost) in [(Weather::Loss, 800..1200), (Weather::Bursts, 4000..6000)] {
            let arrived = through(weather, 100_000);
            assert!(lost.contains(&(100_000 - arrived.len())), "{weather}: {}", arrived.len());
            assert!(arrived.is_sorted(), "{weather}");
        }
    }

    #[test]
    fn losses_of_bursts_come_in_a_row() {
        let runs = |weather| {
            let arrived = through(weather, 100_000);
            arrived.windows(2).filter(|pair| pair[1] - pair[0] > 5).count()
        };
        assert!(runs(Weather::Bursts) > 100);
        assert_eq!(runs(Weather::Loss), 0);
    }

    #[test]
    fn what_is_only_delayed_arrives_in_order_and_what_is_reordered_does_not() {
        let arrived = through(Weather::Delay, 10_000);
        assert_eq!(arrived.len(), 10_000);
        assert!(arrived.is_sorted());
        let arrived = through(Weather::Reorder, 10_000);
        let overtaken = arrived.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((50..500).contains(&overtaken), "{overtaken}");
        assert_eq!(arrived.len(), 10_000);
    }

    #[test]
    fn a_weather_survives_the_command_line() {
        for weather in Weather::ALL {
            assert_eq!(weather.to_string().parse(), Ok(weather));
        }
        assert!("snow".parse::<Weather>().is_err());
    }
}
