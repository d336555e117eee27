//! What happens to a network, and what must be true of it all the same.
//!
//! Whatever happens, the contract holds. At the end all is mended; a moment later everything that is
//! published must end with code 0 again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::books::{Demands, Verdict};
use crate::clock::{micros, now};
use crate::diary::Diaries;
use crate::hostile;
use crate::net::{Load, Net};
use crate::options::Options;
use crate::outage::{self, Outage};
use crate::pressure;
use crate::process::ClientProcess;
use crate::saturation;
use crate::soak;
use crate::weather::Weather;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nodes are stopped with SIGTERM and started again, one after another.
    Rolling,
    /// Nodes, subscribers and publishers are killed and started again.
    Kill,
    /// Nodes and subscribers stand still for a while.
    Stop,
    /// Nothing passes between two nodes for a while, both ways or one way.
    Blackhole,
    /// Every link between nodes is as bad as a bad long way.
    BadLink,
    /// All of that in turn, as it is drawn.
    Mix,
    /// Clients publish ten times as much as their node takes.
    Overload,
    /// Clients publish ten times as much as nodes and machine can take.
    Saturation,
    /// One subscriber reads nothing, the application of another rests.
    SlowReader,
    /// Datagrams that mean nothing come to a node with clients.
    Flood,
    /// A certified client keeps no rule.
    Hostile,
    /// Clients come and go for long.
    Soak,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Kill,
    Stop,
    Blackhole,
    Drain,
}

/// A run of a scenario.
struct Run<'a> {
    net: &'a mut Net,
    random: ChaCha12Rng,
    /// What publishers do.
    load: Load,
    until: Instant,
    /// Nodes that were killed.
    outages: Vec<Outage>,
}

impl Scenario {
    pub(crate) const ALL: [Self; 12] = [
        Self::Rolling,
        Self::Kill,
        Self::Stop,
        Self::Blackhole,
        Self::BadLink,
        Self::Mix,
        Self::Overload,
        Self::Saturation,
        Self::SlowReader,
        Self::Flood,
        Self::Hostile,
        Self::Soak,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Blackhole => "blackhole",
            Self::BadLink => "bad-link",
            Self::Mix => "mix",
            Self::Overload => "overload",
            Self::Saturation => "saturation",
            Self::SlowReader => "slow-reader",
            Self::Flood => "flood",
            Self::Hostile => "hostile",
            Self::Soak => "soak",
        }
    }

    /// Runs it with this daemon, and judges.
    ///
    /// # Errors
    ///
    /// Fails if the processes of the run cannot be had; what they do wrong is in the verdict.
    pub(crate) async fn run(self, options: &Options, seed: u64, node: &Path) -> Result<Verdict> {
        match self {
            Self::Overload => pressure::overload(options, seed, node).await,
            Self::Saturation => saturation::run(options, seed, node).await,
            Self::SlowReader => pressure::slow_reader(seed, node).await,
            Self::Flood => pressure::flooded(options, seed, node).await,
            Self::Hostile => hostile::siege(options, seed, node).await,
            Self::Soak => soak::run(options, seed, node).await,
            Self::Rolling
            | Self::Kill
            | Self::Stop
            | Self::Blackhole
            | Self::BadLink
            | Self::Mix => self.run_faults(options, seed, node).await,
        }
    }

    /// Has things go wrong for as long as was asked for.
    async fn run_faults(self, options: &Options, seed: u64, node: &Path) -> Result<Verdict> {
        let mut net = Net::start(node, seed, "").await?;
        for nodes in [[0, 2], [1, 3], [4, 1]] {
            net.subscribe(nodes).await?;
        }
        let load = self.load(options.smoke);
        net.publish([2, 4], load).await?;
        sleep(SETTLE).await;
        let span = if options.smoke { SMOKE } else { Duration::from_mins(options.minutes) };
        let random = ChaCha12Rng::seed_from_u64(seed);
        let until = now() + span;
        let mut run = Run { net: &mut net, random, load, until, outages: Vec::new() };
        let happened = self.happen(&mut run).await;
        let outages = run.outages;
        let done = match happened {
            Ok(()) => finish(&mut net).await,
            Err(error) => Err(error),
        };
        let (calm_from, complaint) = match done {
            Ok(calm_from) => (Some(calm_from), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let diaries = net.diaries()?;
        let mut verdict = self.judge(&diaries, calm_from);
        if self == Self::Kill {
            outage::judge(&outages, &diaries, &mut verdict);
        }
        if let Some(complaint) = complaint {
            verdict.complain(complaint);
        }
        net.leave(&verdict);
        Ok(verdict)
    }

    fn load(self, smoke: bool) -> Load {
        let (unicasts, multicasts) = match self {
            Self::BadLink => (150, 50),
            _ => (1000, 100),
        };
        let share = if smoke { 10 } else { 1 };
        let (unicasts, multicasts) = (unicasts / share, multicasts / share);
        Load { unicasts, multicasts, ..Load::default() }
    }

    fn judge(self, diaries: &Diaries, calm_from: Option<u64>) -> Verdict {
        let demands = match self {
            Self::Rolling => Demands { good_from: Some(0), no_gaps: true, good_per_mille: 0 },
            Self::BadLink => Demands { good_per_mille: 999, ..Demands::default() },
            _ => Demands { good_from: Some(calm_from.unwrap_or(u64::MAX)), ..Demands::default() },
        };
        Verdict::of(diaries, demands)
    }

    async fn happen(self, run: &mut Run<'_>) -> Result<()> {
        match self {
            Self::Rolling => {
                // Twice at least, however short the run.
                for round in 0.. {
                    if round > 1 && now() >= run.until {
                        break;
                    }
                    for node in 0..run.net.nodes.len() {
                        run.roll(node).await?;
                    }
                }
            }
            Self::BadLink => {
                run.net.wires.iter().for_each(|wire| wire.set(BAD));
                sleep(run.until - now()).await;
            }
            Self::Kill => run.strike_with(&[Blow::Kill]).await?,
            Self::Stop => run.strike_with(&[Blow::Stop]).await?,
            Self::Blackhole => run.strike_with(&[Blow::Blackhole]).await?,
            Self::Mix => {
                run.strike_with(&[Blow::Kill, Blow::Stop, Blow::Blackhole, Blow::Drain]).await?;
            }
            Self::Overload
            | Self::Saturation
            | Self::SlowReader
            | Self::Flood
            | Self::Hostile
            | Self::Soak => {}
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Has one thing after another go wrong, as it is drawn.
    async fn strike_with(&mut self, blows: &[Blow]) -> Result<()> {
        while now() < self.until {
            let blow = blows[self.draw(blows.len())];
            self.strike(blow).await?;
            self.pause(500, 3000).await;
        }
        Ok(())
    }

    /// Has one thing go wrong, and mends it.
    async fn strike(&mut self, what: Blow) -> Result<()> {
        let node = self.draw(self.net.nodes.len());
        match what {
            Blow::Kill if self.draw(4) == 0 => {
                tell("a publisher is killed, another one started");
                let Some(last) = self.net.publishers.last_mut() else { return Ok(()) };
                last.kill().await?;
                let nodes = self.net.nodes.len();
                self.net.publish([node, (node + 1) % nodes], self.load).await
            }
            Blow::Kill if self.draw(3) == 0 => {
                tell("a subscriber is killed, another one started");
                let last = self.net.subscribers.len() - 1;
                self.net.subscribers[last].kill().await?;
                let nodes = self.net.nodes.len();
                self.net.subscribe([node, (node + 1) % nodes]).await
            }
            Blow::Kill => {
                tell(&format!("n{node} is killed"));
                let killed_at = micros();
                self.net.nodes[node].kill().await?;
                self.pause(0, 10_000).await;
                let started_at = micros();
                let linked_after = self.restart(node).await?;
                self.outages.push(Outage { node, killed_at, started_at, linked_after });
                Ok(())
            }
            Blow::Stop => {
                let is_node = self.draw(3) > 0;
                let who = if is_node { format!("n{node}") } else { "a subscriber".into() };
                tell(&format!("{who} stands still"));
                let last = self.net.subscribers.len() - 1;
                let signal = |net: &Net, signal| match is_node {
                    true => net.nodes[node].signal(signal),
                    false => net.subscribers[last].signal(signal),
                };
                signal(self.net, Signal::STOP)?;
                self.pause(500, 20_000).await;
                signal(self.net, Signal::CONT)
            }
            Blow::Blackhole => {
                let wire = self.draw(self.net.wires.len());
                let blocked = Weather { is_blocked: true, ..Weather::default() };
                let ways = match self.draw(3) {
                    0 => [blocked, Weather::default()],
                    1 => [Weather::default(), blocked],
                    _ => [blocked; 2],
                };
                tell(&format!("wire {wire} passes nothing: {:?}", ways.map(|way| way.is_blocked)));
                self.net.wires[wire].set_ways(ways);
                self.pause(500, 15_000).await;
                self.net.wires[wire].set(Weather::default());
                Ok(())
            }
            Blow::Drain => self.roll(node).await,
        }
    }

    /// Has a node stop of its own accord, and starts it again.
    async fn roll(&mut self, node: usize) -> Result<()> {
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

    /// Starts a node again. Answers how long it takes until it is linked.
    async fn restart(&mut self, node: usize) -> Result<Duration> {
        let began = now();
        self.net.nodes[node].restart().await?;
        self.net.is_linked(node).await?;
        let linked_after = began.elapsed();
        tell(&format!("n{node} is linked again after {:.1} s", linked_after.as_secs_f32()));
        Ok(linked_after)
    }

    async fn pause(&mut self, least_ms: usize, most_ms: usize) {
        let millis = least_ms + self.draw(most_ms - least_ms);
        sleep(Duration::from_millis(millis as u64)).await;
    }

    fn draw(&mut self, below: usize) -> usize {
        let drawn = usize::try_from(self.random.next_u32()).unwrap_or_default();
        drawn % below.max(1)
    }
}

/// Mends everything, lets it be well for a while, and has all clients come to their ends. Answers from
/// when on it was well.
async fn finish(net: &mut Net) -> Result<u64> {
    net.wires.iter().for_each(|wire| wire.set(Weather::default()));
    sleep(MENDED).await;
    let calm_from = micros();
    sleep(CALM).await;
    net.finish().await?;
    let killed = |clients: &[ClientProcess]| clients.iter().filter(|it| it.diary().1).count();
    let (publishers, subscribers) = (killed(&net.publishers), killed(&net.subscribers));
    tell(&format!("{publishers} publishers and {subscribers} subscribers were killed"));
    Ok(calm_from)
}

fn tell(text: &str) {
    println!("  {text}");
}

/// A bad long way.
const BAD: Weather = Weather {
    delay: Duration::from_millis(150),
    jitter: Duration::from_millis(50),
    lost: 50,
    late: 20,
    doubled: 10,
    spoilt: 0,
    is_blocked: false,
};

/// How long clients and nodes have to know of each other, or to get on before the next thing happens.
const SETTLE: Duration = Duration::from_secs(1);

/// How long after all is mended it must be well.
const MENDED: Duration = Duration::from_secs(10);

/// How long it is well in the end.
const CALM: Duration = Duration::from_secs(3);

/// How long a node may take to drain.
const DRAIN_MAX: Duration = Duration::from_secs(30);

const SMOKE: Duration = Duration::from_secs(10);
