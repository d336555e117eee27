//! One round: the processes of each part, and what is measured of them.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::bench::Plan;
use crate::case::{Case, Work};
use crate::child::Child;
use crate::clock::now;
use crate::door::Door;
use crate::network::{Network, Site, Timing, start_role, with_last_words};
use crate::orders::{FileSent, Load, Order, Reply};
use crate::system::System;
use crate::{ours, usage};

/// What all rounds share.
#[derive(Debug)]
pub(super) struct Setting {
    dir: PathBuf,
    site: Site,
    timing: Timing,
    mib: u32,
    receivers: u32,
}

/// What one round gave. Rates are in MiB a second, latencies in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Round {
    pub(super) raw_mib_per_second: f64,
    /// CPU time of all processes for each MiB, in milliseconds: hashing is in that of the file.
    pub(super) raw_cpu_ms_per_mib: f64,
    pub(super) file_cpu_ms_per_mib: f64,
    /// To one receiver, from when it was hashed.
    pub(super) file_mib_per_second: f64,
    /// The same, hashing included.
    pub(super) file_with_hashing_mib_per_second: f64,
    /// To several, all of them together.
    pub(super) to_all_mib_per_second: f64,
    pub(super) p99_us_without: f64,
    pub(super) p99_us_with: f64,
    /// What the files moved meanwhile, one after another, the hashing of each included.
    pub(super) beside_requests_mib_per_second: f64,
    pub(super) memory: Vec<Grown>,
}

/// How much more memory one process had resident at its peak than before the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Grown {
    pub(super) part: &'static str,
    pub(super) role: &'static str,
    pub(super) kib: u32,
}

/// The processes of one file on its way.
struct Cast {
    nodes: Vec<Child>,
    doors: Vec<Door>,
    receivers: Vec<Child>,
    sender: Child,
}

impl Setting {
    pub(super) fn new(dir: &Path, plan: &Plan, mib: u32, receivers: u32) -> Self {
        let site = Site {
            dir: dir.to_owned(),
            node_binary: plan.node_binary.clone(),
            nats_server: None,
            weather: plan.weather,
            workers: plan.workers,
        };
        Self { dir: dir.to_owned(), site, timing: plan.timing, mib, receivers }
    }

    fn file(&self) -> PathBuf {
        self.dir.join("file.bin")
    }

    pub(super) async fn round(&self) -> Result<Round> {
        let mut memory = Vec::new();
        let (raw_mib_per_second, raw_cpu_ms_per_mib) = self.raw().await?;
        let mib = f64::from(self.mib);
        let (one, one_cpu_us) = self.send("one", 1, &mut memory).await?;
        let (all, _) = self.send("several", self.receivers, &mut memory).await?;
        let (p99_us_without, (p99_us_with, beside)) = self.latencies().await?;
        Ok(Round {
            raw_mib_per_second,
            raw_cpu_ms_per_mib,
            file_cpu_ms_per_mib: one_cpu_us / 1e3 / mib,
            file_mib_per_second: mib / one.seconds,
            file_with_hashing_mib_per_second: mib / (one.hashed_seconds + one.seconds),
            to_all_mib_per_second: mib * f64::from(self.receivers) / all.seconds,
            p99_us_without,
            p99_us_with,
            beside_requests_mib_per_second: beside,
            memory,
        })
    }

    /// As many bytes over bare QUIC, with the settings of our links.
    async fn raw(&self) -> Result<(f64, f64)> {
        let work = Work::Bulk { payload_bytes: 1 << 20, messages: self.mib.into() };
        let case = Case { name: "bulk", nodes: 2, subscribers: 1, work };
        let network = Network::start(System::Raw, &case, &self.site).await?;
        let measured = network.run(&case, self.timing).await?.measured;
        Ok((measured.rate(), measured.cpu_us_per_message() / 1e3))
    }

    async fn send(
        &self,
        part: &'static str,
        receivers: u32,
        memory: &mut Vec<Grown>,
    ) -> Result<(FileSent, f64)> {
        let mut cast = self.cast(receivers).await?;
        let before = cast.memory(|memory| memory.now_kib)?;
        let cpu_before = cast.cpu_us()?;
        let sent = cast.send(&self.file()).await;
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => return Err(with_last_words(&error, cast.children()).await),
        };
        ensure!(sent.receivers == usize::try_from(receivers)?, "only {} have it", sent.receivers);
        let cpu_us = cast.cpu_us()? - cpu_before;
        let after = cast.memory(|memory| memory.peak_kib)?;
        for ((role, before), (_, after)) in before.into_iter().zip(after) {
            memory.push(Grown { part, role, kib: after.saturating_sub(before) });
        }
        cast.end().await;
        Ok((sent, cpu_us))
    }

    /// How long requests take on the same links, without a file and with one after another, and what these move.
    async fn latencies(&self) -> Result<(f64, (f64, f64))> {
        let mut cast = self.cast(1).await?;
        let (first, last) = (cast.doors[0].to_string(), cast.doors[1].to_string());
        let certs = self.dir.as_os_str();
        let client = async |role: &'static str, at: &str| {
            let words = [role, System::Ours.name(), at, "1"].map(std::ffi::OsStr::new);
            Ok::<_, anyhow::Error>(start_role(role, words.into_iter().chain([certs])).await?.0)
        };
        let answerer = client("subscriber", &last).await?;
        let mut asker = client("publisher", &first).await?;
        let without = p99(&mut asker, self.timing).await?;
        let file = self.file();
        let receiver = cast.receivers[0].id();
        let sending = async {
            loop {
                cast.send(&file).await?;
                // The same file again would not move. The receiver has the directories open.
                remove_files(&self.inbox(0))?;
            }
        };
        let with = tokio::select! {
            with = p99_beside(receiver, &mut asker, self.timing) => with?,
            ended = sending => return ended,
        };
        asker.end().await;
        answerer.end().await;
        cast.end().await;
        Ok((without, with))
    }

    fn inbox(&self, index: u32) -> PathBuf {
        self.dir.join(format!("inbox-{index}"))
    }

    /// Starts two nodes, a sender at the first, and receivers at the second, or at both if there are several.
    async fn cast(&self, count: u32) -> Result<Cast> {
        let (nodes, doors) = ours::start_nodes(&self.site, 2).await?.into_parts();
        let certs = self.dir.as_os_str();
        let mut receivers = Vec::new();
        for index in 0..count {
            let inbox = self.inbox(index);
            if inbox.exists() {
                std::fs::remove_dir_all(&inbox)?;
            }
            std::fs::create_dir(&inbox)?;
            let at = doors[usize::from(count == 1 || index % 2 == 1)].to_string();
            let words = ["file-receiver".as_ref(), at.as_ref(), certs, inbox.as_os_str()];
            receivers.push(start_role("receiver", words).await?.0);
        }
        let at = doors[0].to_string();
        let words = ["file-sender".as_ref(), at.as_ref(), certs];
        let (sender, _) = start_role("sender", words).await?;
        Ok(Cast { nodes, doors, receivers, sender })
    }
}

/// Removes all files in a directory and in those in it.
fn remove_files(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { remove_files(&path)? } else { std::fs::remove_file(path)? }
    }
    Ok(())
}

impl Cast {
    async fn send(&mut self, file: &Path) -> Result<FileSent> {
        let order = Order::SendFile(file.to_owned());
        match self.sender.ask(&order, STUCK_AFTER).await? {
            Reply::FileSent(sent) => Ok(sent),
            other => bail!("the sender said {other:?}"),
        }
    }

    fn memory(&mut self, of: impl Fn(usage::Memory) -> u32) -> Result<Vec<(&'static str, u32)>> {
        self.children().map(|child| Ok((child.role(), of(usage::memory(child.id())?)))).collect()
    }

    /// The CPU time of all processes so far, in microseconds.
    fn cpu_us(&mut self) -> Result<f64> {
        let processes: Vec<u32> = self.children().map(|child| child.id()).collect();
        Ok(usage::cpu_us(&processes)?.iter().sum())
    }

    fn children(&mut self) -> impl Iterator<Item = &mut Child> {
        self.nodes.iter_mut().chain(&mut self.receivers).chain([&mut self.sender])
    }

    async fn end(self) {
        for child in self.nodes.into_iter().chain(self.receivers).chain([self.sender]) {
            child.end().await;
        }
    }
}

/// One request after another for as long as a window is.
async fn p99(asker: &mut Child, timing: Timing) -> Result<f64> {
    let Timing { warm_up, window, .. } = timing;
    let work = Work::Requests { in_flight: 1 };
    let load = Load { work, subscribers: 1, warm_up, window, processes: vec![asker.id()] };
    let patience = warm_up + window + STUCK_AFTER;
    let Reply::Measured(measured) = asker.ask(&Order::Measure(load), patience).await? else {
        bail!("the asker measured nothing");
    };
    measured.latencies.quantile_us(0.99).context("no request was answered")
}

/// The same from when files move to a receiver on, and how many MiB of them came in a second.
async fn p99_beside(receiver: u32, asker: &mut Child, timing: Timing) -> Result<(f64, f64)> {
    let before = usage::written_bytes(receiver)?;
    while usage::written_bytes(receiver)? < before + MIB {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (since, before) = (now(), usage::written_bytes(receiver)?);
    let p99 = p99(asker, timing).await?;
    let mib = (usage::written_bytes(receiver)? - before) / MIB;
    Ok((p99, f64::from(u32::try_from(mib)?) / now().duration_since(since).as_secs_f64()))
}

/// Writes the file that is sent; no two pieces of it are alike.
pub(super) fn write_file(setting: &Setting) -> Result<()> {
    let mut file = BufWriter::new(File::create(setting.file())?);
    for number in 0..u64::from(setting.mib) << 17 {
        file.write_all(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())?;
    }
    file.flush().context("cannot write the file that is to be sent")
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { raw_mib_per_second: raw, file_mib_per_second: one, .. } = self;
        let all = self.to_all_mib_per_second;
        let (without, with) = (self.p99_us_without, self.p99_us_with);
        let beside = self.beside_requests_mib_per_second;
        write!(
            f,
            "raw {raw:.0} MiB/s, file {one:.0}, to several {all:.0} in all; p99 {without:.0} us, with a \
             file {with:.0} ({beside:.0} MiB/s)"
        )
    }
}

const MIB: u64 = 1 << 20;

/// How often it is looked whether a file moves.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How much longer than planned a part may take.
const STUCK_AFTER: Duration = Duration::from_secs(600);
