//! What happens to a network, and what must be true of it all the same.
//!
//! Whatever happens, the contract holds. At the end all is mended; a moment later everything that is
//! published must end with code 0 again.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::blows::{BAD, Blow, Run, SETTLE, tell};
use crate::books::{Demands, Verdict};
use crate::clock::{micros, now};
use crate::diary::Diaries;
use crate::hostile;
use crate::net::{Load, Net};
use crate::options::Options;
use crate::outage;
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
    /// Nodes, subscribers and publishers stand still for a while.
    Stop,
    /// Nothing passes between two nodes, or a client and its node, for a while, both ways or one way.
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
        let mut run = Run::new(&mut net, seed, load, now() + span);
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
            Self::Mix => run.strike_with(&Blow::ALL).await?,
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

/// Mends everything, lets it be well for a while, and has all clients come to their ends. Answers from
/// when on it was well.
async fn finish(net: &mut Net) -> Result<u64> {
    net.every_wire().for_each(|wire| wire.set(Weather::default()));
    sleep(MENDED).await;
    let calm_from = micros();
    sleep(CALM).await;
    net.finish().await?;
    let killed =
        |clients: &[ClientProcess]| clients.iter().filter(|it| it.diary().is_killed).count();
    let (publishers, subscribers) = (killed(&net.publishers), killed(&net.subscribers));
    tell(&format!("{publishers} publishers and {subscribers} subscribers were killed"));
    Ok(calm_from)
}

/// How long after all is mended it must be well.
const MENDED: Duration = Duration::from_secs(10);

/// How long it is well in the end.
const CALM: Duration = Duration::from_secs(3);

const SMOKE: Duration = Duration::from_secs(10);
