//! The processes of one run: nodes in a row, and clients at them.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use serde::Serialize;
use tokio::time::sleep;

use crate::case::{Case, Work};
use crate::child::Child;
use crate::door::Door;
use crate::orders::{Arrived, Load, Measured, Order, RelayAddrs, Reply};
use crate::system::System;
use crate::weather::Weather;
use crate::{nats, ours, raw, usage};

/// Where the programs and certificates are.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The directory with the certificates of all parties.
    pub(crate) dir: PathBuf,
    /// AMOP's daemon.
    pub(crate) node_binary: PathBuf,
    /// The server of NATS, where it takes part.
    pub(crate) nats_server: Option<PathBuf>,
    /// What is between the nodes.
    pub(crate) weather: Weather,
    /// On how many threads each of AMOP's nodes does the work of its links.
    pub(crate) workers: u8,
}

/// How long each part of a run takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    /// Work that is not measured, before that which is.
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
    /// How long idle clients must stay attached.
    pub(crate) hold: Duration,
}

/// The nodes of one run.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    children: Vec<Child>,
    /// Where each of them takes clients.
    doors: Vec<Door>,
}

/// Everything that was measured in one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) measured: Measured,
    pub(crate) processes: Vec<ProcessRun>,
    /// The longest time between one-way messages at a subscriber, if there were any.
    pub(crate) longest_gap: Option<Duration>,
    /// The memory of the node for each client that attached, if that was the work.
    pub(crate) kib_per_client: Option<f64>,
}

/// What one process used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ProcessRun {
    pub(crate) role: &'static str,
    pub(crate) is_server: bool,
    /// Within the window.
    pub(crate) cpu_us: f64,
    /// From its start on.
    pub(crate) peak_kib: u32,
}

impl Servers {
    /// The processes, and where each of them takes clients.
    pub(crate) fn into_parts(self) -> (Vec<Child>, Vec<Door>) {
        (self.children, self.doors)
    }

    /// Adds the next one in the row.
    pub(crate) fn push(&mut self, child: Child, door: Door) {
        self.children.push(child);
        self.doors.push(door);
    }
}

/// Running processes with their links up. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Network {
    system: System,
    servers: Vec<Child>,
    subscribers: Vec<Child>,
    /// The client that is told to begin.
    active: Child,
}

impl Network {
    /// Starts the nodes and clients of a case.
    ///
    /// # Errors
    ///
    /// Fails when a process cannot be started or is not ready in time.
    pub(crate) async fn start(system: System, case: &Case, site: &Site) -> Result<Self> {
        let servers = match (system, &site.nats_server) {
            (System::Ours, _) => ours::start_nodes(site, case.nodes).await,
            (System::Raw | System::RawSparseAcks, _) => {
                raw::start_relays(system, site, case.nodes).await
            }
            (System::Nats, Some(program)) => {
                nats::start_servers(program, &site.dir, case.nodes).await
            }
            (System::Nats, None) => bail!("there is no server of NATS"),
        };
        let Servers { children: servers, doors } = servers?;
        let client = async |role, command: &str, at: Door, count: u32| {
            let (at, count) = (at.to_string(), count.to_string());
            let words = [command, system.name(), &at, &count].map(OsStr::new);
            let arguments = words.into_iter().chain([site.dir.as_os_str()]);
            Ok::<_, Error>(start_role(role, arguments).await?.0)
        };
        let first = *doors.first().context("a case has at least one node")?;
        let mut subscribers = Vec::new();
        for (at, count) in spread(case.subscribers, &doors) {
            subscribers.push(client("subscriber", "subscriber", at, count).await?);
        }
        // The publisher comes last: it is ready once it reaches all subscribers.
        let active = match case.work {
            Work::Attach { .. } => client("crowd", "crowd", first, 0).await?,
            Work::OneWay { .. }
            | Work::Bulk { .. }
            | Work::Requests { .. }
            | Work::Beside { .. } => {
                client("publisher", "publisher", first, case.subscribers).await?
            }
        };
        Ok(Self { system, servers, subscribers, active })
    }

    /// Runs the case, makes sure that nothing was lost that should not be, and ends the processes.
    ///
    /// # Errors
    ///
    /// Fails when a message was lost or got a wrong answer, and when the case does not end in
    /// time.
    pub(crate) async fn run(mut self, case: &Case, timing: Timing) -> Result<Run> {
        let run = self.try_run(case, timing).await;
        let run = match run {
            Ok(run) => Ok(run),
            Err(error) => {
                let error = error.context(format!("{} of {}", case.name, self.system));
                Err(with_last_words(&error, self.children()).await)
            }
        };
        for child in self.subscribers.into_iter().chain(self.servers).chain([self.active]) {
            child.end().await;
        }
        run
    }

    async fn try_run(&mut self, case: &Case, timing: Timing) -> Result<Run> {
        let Timing { warm_up, window, hold } = timing;
        let processes: Vec<u32> = self.children().map(|child| child.id()).collect();
        let resident_kib = self.server_resident_kib()?;
        let Case { work, subscribers, .. } = *case;
        let load = Load { work, subscribers, warm_up, window, processes };
        let patience = warm_up + window + STUCK_AFTER;
        let Reply::Measured(measured) = self.active.ask(&Order::Measure(load), patience).await?
        else {
            bail!("the {} measured nothing", self.active.role());
        };
        let (mut kib_per_client, mut longest_gap) = (None, None);
        if let Work::Attach { clients } = work {
            sleep(hold).await;
            let attached = self.active.ask(&Order::Count, STUCK_AFTER).await?;
            let all = Reply::Count(clients.into());
            ensure!(attached == all, "{clients} clients attached, and after {hold:?} {attached:?}");
            let grown = self.server_resident_kib()?.saturating_sub(resident_kib);
            kib_per_client = Some(f64::from(grown) / f64::from(clients));
        } else {
            let arrived = self.check_counts(&measured).await?;
            longest_gap = (arrived.count > 0).then_some(arrived.longest_gap);
        }
        let processes = self.processes(&measured)?;
        Ok(Run { measured, processes, longest_gap, kib_per_client })
    }

    /// Asks the subscribers themselves what has arrived.
    async fn check_counts(&mut self, measured: &Measured) -> Result<Arrived> {
        let mut all = Arrived::default();
        for subscriber in &mut self.subscribers {
            match subscriber.ask(&Order::Count, STUCK_AFTER).await? {
                Reply::Arrived(Arrived { count, longest_gap }) => {
                    all.count += count;
                    all.longest_gap = all.longest_gap.max(longest_gap);
                }
                other => bail!("a subscriber counted {other:?}"),
            }
        }
        let (&Measured { expected, arrived: claimed, .. }, arrived) = (measured, all.count);
        ensure!(arrived == claimed, "{claimed} messages are said to have arrived: {arrived} have");
        let may_lose = !self.system.promises_delivery();
        ensure!(may_lose || arrived == expected, "of {expected} messages {arrived} arrived");
        Ok(all)
    }

    fn processes(&mut self, measured: &Measured) -> Result<Vec<ProcessRun>> {
        let servers = self.servers.len();
        let process = |(index, (child, &cpu_us)): (usize, (&mut Child, &f64))| {
            let peak_kib = usage::memory(child.id())?.peak_kib;
            let is_server = index < servers;
            Ok(ProcessRun { role: child.role(), is_server, cpu_us, peak_kib })
        };
        self.children().zip(&measured.cpu_us).enumerate().map(process).collect()
    }

    fn server_resident_kib(&self) -> Result<u32> {
        self.servers.iter().map(|server| Ok(usage::memory(server.id())?.now_kib)).sum()
    }

    /// Servers first.
    fn children(&mut self) -> impl Iterator<Item = &mut Child> {
        self.servers.iter_mut().chain(&mut self.subscribers).chain([&mut self.active])
    }
}

/// How many subscribers go to which node: a single one to the last, several in equal parts to all.
fn spread<T: Copy>(subscribers: u32, nodes: &[T]) -> Vec<(T, u32)> {
    match (subscribers, nodes) {
        (0, _) | (_, []) => Vec::new(),
        (1, [.., last]) => vec![(*last, 1)],
        (_, nodes) => {
            let count = u32::try_from(nodes.len()).expect("a case has few nodes");
            let part = |index| subscribers / count + u32::from(index < subscribers % count);
            nodes.iter().copied().zip((0..).map(part)).filter(|(_, part)| *part > 0).collect()
        }
    }
}

/// Starts this same program in another role and waits until it is ready.
///
/// # Errors
///
/// Fails when it cannot be started or is not ready in time.
pub(crate) async fn start_role<A: AsRef<OsStr>>(
    role: &'static str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<(Child, Option<RelayAddrs>)> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut child = Child::start(role, &program, arguments)?;
    match child.reply(READY_WITHIN).await {
        Ok(Reply::Ready(addrs)) => Ok((child, addrs)),
        Ok(other) => bail!("the {role} said {other:?} before it was ready"),
        Err(error) => Err(with_last_words(&error, [&mut child]).await),
    }
}

/// Tells what went wrong and then what those who may know more said last.
pub(crate) async fn with_last_words<'a>(
    error: &Error,
    children: impl IntoIterator<Item = &'a mut Child>,
) -> Error {
    let mut text = format!("{error:#}");
    for child in children {
        text.push_str("\n  ");
        text.push_str(&child.last_words().await);
    }
    Error::msg(text)
}

/// How long a process may take until it is ready.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(20);

/// How much longer than planned a case may take: what is in flight must end, on a busy machine.
const STUCK_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_is_at_the_last_node_and_many_are_at_all() {
        let nodes = ["a", "b", "c"];
        assert_eq!(spread(0, &nodes), []);
        assert_eq!(spread(1, &nodes), [("c", 1)]);
        assert_eq!(spread(100, &nodes), [("a", 34), ("b", 33), ("c", 33)]);
        assert_eq!(spread(2, &nodes), [("a", 1), ("b", 1)]);
    }
}
