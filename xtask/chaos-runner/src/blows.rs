//! What goes wrong in a network, one thing after another, as it is drawn; each is mended before the next.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::clock::{micros, now};
use crate::net::{Load, Net};
use crate::outage::Outage;
use crate::weather::Weather;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// A process is killed: a node, a subscriber or a publisher.
    Kill,
    /// A process stands still, likewise.
    Stop,
    /// A wire passes nothing, both ways or one way.
    Blackhole,
    /// A wire is as bad as a bad long way.
    Weather,
    /// A node stops of its own accord.
    Drain,
}

impl Blow {
    pub(crate) const ALL: [Self; 5] =
        [Self::Kill, Self::Stop, Self::Blackhole, Self::Weather, Self::Drain];
}

/// A network in which things go wrong.
pub(crate) struct Run<'a> {
    pub(crate) net: &'a mut Net,
    random: ChaCha12Rng,
    /// What publishers do.
    load: Load,
    pub(crate) until: Instant,
    /// Nodes and subscribers that were killed.
    pub(crate) outages: Vec<Outage>,
}

impl<'a> Run<'a> {
    /// What goes wrong follows from the seed. Publishers that take the place of others do what `load` says.
    pub(crate) fn new(net: &'a mut Net, seed: u64, load: Load, until: Instant) -> Self {
        let random = ChaCha12Rng::seed_from_u64(seed);
        Self { net, random, load, until, outages: Vec::new() }
    }

    /// Has one thing after another go wrong, as it is drawn.
    ///
    /// # Errors
    ///
    /// Fails if something is not mended in time.
    pub(crate) async fn strike_with(&mut self, blows: &[Blow]) -> Result<()> {
        while now() < self.until {
            let blow = blows[self.draw(blows.len())];
            self.strike(blow).await?;
            let pause = self.span(500, 3000);
            sleep(pause).await;
        }
        Ok(())
    }

    /// Has a node stop of its own accord, and starts it again.
    ///
    /// # Errors
    ///
    /// Fails if it does not end in time with exit code 0, or is not linked again.
    pub(crate) async fn roll(&mut self, node: usize) -> Result<()> {
        tell(&format!("n{node} drains"));
        let began = now();
        self.net.nodes[node].signal(Signal::TERM)?;
        let code = self.net.nodes[node].ends_within(DRAIN_MAX).await?;
        ensure!(code == Some(0), "n{node} ends with {code:?}");
        tell(&format!("n{node} has drained in {:.1} s", began.elapsed().as_secs_f32()));
        self.restart(node).await?;
        sleep(SETTLE).await;
        Ok(())
    }

    /// Has one thing go wrong, and mends it.
    async fn strike(&mut self, what: Blow) -> Result<()> {
        let node = self.draw(self.net.nodes.len());
        match what {
            Blow::Kill if self.draw(4) == 0 => self.kill_publisher(node).await,
            Blow::Kill if self.draw(3) == 0 => self.kill_subscriber(node).await,
            Blow::Kill => self.kill_node(node).await,
            Blow::Stop => self.stop(node).await,
            Blow::Blackhole => {
                let blocked = Weather { is_blocked: true, ..Weather::default() };
                let ways = match self.draw(3) {
                    0 => [blocked, Weather::default()],
                    1 => [Weather::default(), blocked],
                    _ => [blocked; 2],
                };
                let blocked = ways.map(|way| way.is_blocked);
                self.spoil_wire(ways, &format!("passes nothing: {blocked:?}")).await
            }
            Blow::Weather => self.spoil_wire([BAD; 2], "has bad weather").await,
            Blow::Drain => self.roll(node).await,
        }
    }

    async fn kill_publisher(&mut self, node: usize) -> Result<()> {
        tell("a publisher is killed, another one started");
        let last = self.net.publishers.last_mut().context("there are publishers")?;
        last.kill().await?;
        let other = (node + 1) % self.net.nodes.len();
        self.net.publish([node, other], self.load).await
    }

    async fn kill_subscriber(&mut self, node: usize) -> Result<()> {
        let number = self.net.subscribers.len();
        tell(&format!("subscriber {number} is killed"));
        let killed_at = micros();
        let last = self.net.subscribers.last_mut().context("there are subscribers")?;
        last.kill().await?;
        let away = self.span(0, AWAY_MAX_MS);
        sleep(away).await;
        let (who, until) = (format!("subscriber {number}"), micros());
        self.outages.push(Outage { who, killed_at, until, linked_after: None });
        let other = (node + 1) % self.net.nodes.len();
        self.net.subscribe([node, other]).await
    }

    async fn kill_node(&mut self, node: usize) -> Result<()> {
        tell(&format!("n{node} is killed"));
        let killed_at = micros();
        self.net.nodes[node].kill().await?;
        let away = self.span(0, AWAY_MAX_MS);
        sleep(away).await;
        let (who, until) = (format!("n{node}"), micros());
        let linked_after = Some(self.restart(node).await?);
        self.outages.push(Outage { who, killed_at, until, linked_after });
        Ok(())
    }

    async fn stop(&mut self, node: usize) -> Result<()> {
        let (who, span) = (self.draw(6), self.span(500, 20_000));
        let clients = match who {
            0 => &mut self.net.subscribers,
            1 => &mut self.net.publishers,
            _ => {
                tell(&format!("n{node} stands still for {span:?}"));
                self.net.nodes[node].signal(Signal::STOP)?;
                sleep(span).await;
                return self.net.nodes[node].signal(Signal::CONT);
            }
        };
        let kind = if who == 0 { "subscriber" } else { "publisher" };
        tell(&format!("{kind} {} stands still for {span:?}", clients.len()));
        clients.last_mut().context("there are clients")?.stand_still(span).await
    }

    /// Has a wire treat datagrams so for a while.
    async fn spoil_wire(&mut self, ways: [Weather; 2], told: &str) -> Result<()> {
        let (number, span) = (self.net.every_wire().count(), self.span(500, 15_000));
        let number = self.draw(number);
        let wire = self.net.every_wire().nth(number).context("there are wires")?;
        tell(&format!("the wire from {} {told}, for {span:?}", wire.name));
        wire.set_ways(ways);
        sleep(span).await;
        wire.set(Weather::default());
        Ok(())
    }

    /// Starts a node again. Answers how long it takes until it is linked.
    async fn restart(&mut self, node: usize) -> Result<Duration> {
        let began = now();
        self.net.nodes[node].restart().await?;
        self.net.is_linked(node).await?;
        let linked_after = began.elapsed();
        tell(&format!("n{node} is linked again after {:.1} s", linked_after.as_secs_f32()));
        Ok(linked_after)
    }

    fn span(&mut self, least_ms: usize, most_ms: usize) -> Duration {
        Duration::from_millis((least_ms + self.draw(most_ms - least_ms)) as u64)
    }

    fn draw(&mut self, below: usize) -> usize {
        let drawn = usize::try_from(self.random.next_u32()).unwrap_or_default();
        drawn % below.max(1)
    }
}

pub(crate) fn tell(text: &str) {
    println!("  {text}");
}

/// A bad long way.
pub(crate) const BAD: Weather = Weather {
    delay: Duration::from_millis(150),
    jitter: Duration::from_millis(50),
    lost: 50,
    late: 20,
    doubled: 10,
    spoilt: 10,
    is_blocked: false,
};

/// How long clients and nodes have to know of each other, or to get on before the next thing happens.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);

/// How long somebody who was killed is away at most.
const AWAY_MAX_MS: usize = 10_000;

/// How long a node may take to drain.
const DRAIN_MAX: Duration = Duration::from_secs(30);
