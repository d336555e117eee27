//! The four processes of one side, from the client that sends to the client that receives.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};

use crate::case::Case;
use crate::certs::Party;
use crate::child::Child;
use crate::orders::{Load, Measured, Order, RelayAddrs, Reply};
use crate::ours;

/// Whose links are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those of AMOP.
    Ours,
    /// Bare QUIC.
    Floor,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "ours",
            Self::Floor => "floor",
        })
    }
}

/// Four running processes with their links up. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Chain {
    side: Side,
    publisher: Child,
    nodes: [Child; 2],
    subscriber: Child,
}

impl Chain {
    /// Starts two daemons and a client of the SDK at each.
    ///
    /// # Errors
    ///
    /// Fails when a process cannot be started or is not ready in time.
    pub(crate) async fn ours(node_binary: &Path, dir: &Path) -> Result<Self> {
        let (first, at_first) =
            start_node("first node", node_binary, dir, Party::Node1, None).await?;
        let dial = Some(at_first.p2p_addr);
        let (second, at_second) =
            start_node("second node", node_binary, dir, Party::Node2, dial).await?;
        let client = async |role, command, addr: SocketAddr| {
            let addr = addr.to_string();
            start_role(role, [OsStr::new(command), dir.as_os_str(), addr.as_ref()]).await
        };
        // The publisher comes last: it is ready once its node knows of the subscriber.
        let (subscriber, _) = client("subscriber", "subscriber", at_second.sdk_addr).await?;
        let (publisher, _) = client("publisher", "publisher", at_first.sdk_addr).await?;
        Ok(Self { side: Side::Ours, publisher, nodes: [first, second], subscriber })
    }

    /// Starts two bare relays and a client at each.
    ///
    /// # Errors
    ///
    /// Fails when a process cannot be started or is not ready in time.
    pub(crate) async fn floor(dir: &Path, ack_frequency: bool) -> Result<Self> {
        let start = async |role, command: &str, addr: Option<SocketAddr>| {
            let mut arguments = vec![OsString::from(command), dir.into()];
            arguments.extend(addr.map(|addr| addr.to_string().into()));
            arguments.extend(ack_frequency.then(|| "--ack-frequency".into()));
            start_role(role, arguments).await
        };
        let relay = async |role, dial| {
            let (relay, addrs) = start(role, "floor-relay", dial).await?;
            Ok::<_, Error>((relay, addrs.with_context(|| format!("the {role} listens nowhere"))?))
        };
        let (first, at_first) = relay("first relay", None).await?;
        let (second, at_second) = relay("second relay", Some(at_first.relay)).await?;
        let (subscriber, _) = start("far client", "floor-echo", Some(at_second.client)).await?;
        let (publisher, _) = start("publisher", "floor-publisher", Some(at_first.client)).await?;
        Ok(Self { side: Side::Floor, publisher, nodes: [first, second], subscriber })
    }

    /// Runs a case once, and makes sure that nothing was lost.
    ///
    /// # Errors
    ///
    /// Fails when a message was lost or got a wrong answer, and when the case does not end in
    /// time. The chain is of no use any more then.
    pub(crate) async fn run(
        &mut self,
        case: Case,
        warm_up: Duration,
        window: Duration,
    ) -> Result<Measured> {
        match self.try_run(case, warm_up, window).await {
            Ok(measured) => Ok(measured),
            Err(error) => {
                let error = error.context(format!("{case} of {}", self.side));
                Err(with_last_words(&error, self.children()).await)
            }
        }
    }

    async fn try_run(
        &mut self,
        case: Case,
        warm_up: Duration,
        window: Duration,
    ) -> Result<Measured> {
        let processes = self.children().map(|child| child.id()).into();
        let order = Order::Measure(Load { case, warm_up, window, processes });
        let patience = warm_up + window + STUCK_AFTER;
        let Reply::Measured(measured) = self.publisher.ask(&order, patience).await? else {
            bail!("the publisher measured nothing");
        };
        // The far end of the floor counts in its answers, that of ours only when it is asked.
        if case == Case::OneWay && self.side == Side::Ours {
            let arrived = self.subscriber.ask(&Order::Count, STUCK_AFTER).await?;
            let sent = measured.sent;
            ensure!(arrived == Reply::Count(sent), "{sent} messages were sent: {arrived:?}");
        }
        Ok(measured)
    }

    fn children(&mut self) -> [&mut Child; 4] {
        let [first, second] = &mut self.nodes;
        [&mut self.publisher, first, second, &mut self.subscriber]
    }
}

/// Starts this same program in another role and waits until it is ready.
async fn start_role<A: AsRef<OsStr>>(
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

async fn start_node(
    role: &'static str,
    node_binary: &Path,
    dir: &Path,
    party: Party,
    dial: Option<SocketAddr>,
) -> Result<(Child, ours::Started)> {
    let config = dir.join(format!("{}.toml", party.dns()));
    fs::write(&config, ours::config(dir, party, dial))
        .with_context(|| format!("cannot write {}", config.display()))?;
    let mut node = Child::start(role, node_binary, [OsStr::new("--config"), config.as_os_str()])?;
    match node.find_in_log(READY_WITHIN, ours::started).await {
        Ok(started) => Ok((node, started)),
        Err(error) => Err(with_last_words(&error, [&mut node]).await),
    }
}

/// Tells what went wrong and then what those who may know more said last.
async fn with_last_words<const N: usize>(error: &Error, children: [&mut Child; N]) -> Error {
    let mut text = format!("{error:#}");
    for child in children {
        text.push_str("\n  ");
        text.push_str(&child.last_words().await);
    }
    Error::msg(text)
}

/// How long a process may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// How much longer than planned a case may take: what is in flight must end, on a busy machine.
const STUCK_AFTER: Duration = Duration::from_secs(10);
