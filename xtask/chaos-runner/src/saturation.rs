//! Clients publish more than nodes and machine can take, and no limit of messages a second stops them: what a client may have
//! under way at its node does.
//!
//! What can be taken is found first: more and more is published until not all of it gets through any more. Then
//! ten times as much is offered. An application waits with so many calls and keeps the rest to itself: one that made each call
//! would use up the machine for calls that are in vain, and nothing would be seen of clients and nodes. How much
//! was offered, called and taken is told.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::books::{Demands, Verdict};
use crate::diary::Diaries;
use crate::figures::Figures;
use crate::measured::{GOODPUT_MIN, GROWTH_MIB_MAX, Measured, RECOVERED, SLOWDOWN_MAX};
use crate::net::Load;
use crate::offered::Offered;
use crate::options::Options;
use crate::process::ClientProcess;

/// Finds what can be taken, has ten times as much published, and compares.
///
/// # Errors
///
/// Fails if the processes of the run cannot be had.
pub(crate) async fn run(options: &Options, seed: u64, node: &Path) -> Result<Verdict> {
    let limit = format!("[limits.session]\nin_flight = {IN_FLIGHT}\n");
    let mut run = Measured::start(options, seed, node, &limit).await?;
    for nodes in [[1, 2], [3, 4]] {
        run.net.subscribe(nodes).await?;
    }
    run.publish(load(UNLOADED)).await?;
    let unloaded = run.span("unloaded", 10).await;
    run.finish_publishers(1).await?;
    let (peak, capacity) = peak(&mut run).await?;
    println!("{peak}");
    let (wanted, each) = (TIMES * capacity, capacity / PUBLISHERS as u64);
    for _ in 0..PUBLISHERS {
        // More than the client is through with while they wait, so that some of them wait in vain.
        let waiting_max = WAIT.as_secs() * each * 3 / 2;
        run.publish(Load { waiting_max, ..load(TIMES * each) }).await?;
    }
    let before = run.usage().await?;
    let loaded = run.span("ten times", 60).await;
    let after = run.usage().await?;
    let offered = offered(&mut run).await?;
    run.publish(load(UNLOADED)).await?;
    sleep(RECOVERED).await;
    let afterwards = run.span("afterwards", 10).await;
    run.net.finish().await?;

    let diaries = run.net.diaries()?;
    let figures = [unloaded, loaded, afterwards];
    let figures = figures.map(|span| Figures::of_unicasts(&diaries.lines, span));
    figures.iter().for_each(|figures| println!("{figures}"));
    let mut verdict = Verdict::of(&diaries, Demands::default());
    let [unloaded, loaded, afterwards] = figures;
    let Offered { called, taken, rate, .. } = offered;
    println!("  {rate} a second were offered; clients were called {called} times and took {taken}");
    // Who offers less is the one that is saturated.
    verdict.demand(rate as f64 >= wanted as f64 * ALL, || format!("only {rate} were offered"));
    let share = loaded.rate() / peak.rate();
    println!("  goodput is {share:.2} of its peak");
    verdict.demand(share >= GOODPUT_MIN, || format!("goodput falls to {share:.2} of its peak"));
    for figures in [&loaded, &afterwards] {
        let times = figures.within(990).as_secs_f64() / unloaded.within(990).as_secs_f64();
        println!("  p99 is {times:.2} times what it was unloaded");
        verdict.demand(times <= f64::from(SLOWDOWN_MAX), || {
            format!("p99 is {times:.2} times:{figures}")
        });
    }
    verdict.demand(afterwards.is_whole(), || "not all gets through afterwards".to_owned());
    let grown = after.memory.saturating_sub(before.memory) >> 20;
    println!("  memory of the node grew by {grown} MiB under load, to {} MiB", after.memory >> 20);
    verdict.demand(grown <= GROWTH_MIB_MAX, || format!("memory grew by {grown} MiB"));
    run.net.keeps_its_peers(&mut verdict);
    run.net.leave(&verdict);
    Ok(verdict)
}

/// Ends the publishers that were started last, and answers what they have counted.
async fn offered(run: &mut Measured) -> Result<Offered> {
    let (mut all, first) = (Vec::new(), run.net.publishers.len() - PUBLISHERS);
    for publisher in &mut run.net.publishers[first..] {
        all.push(Offered::parse(&publisher.last_word().await?)?);
    }
    Ok(Offered::sum(all.into_iter()))
}

/// Has twice as much published each time until not all of it gets through: the most that did, as measured and in messages a second.
async fn peak(run: &mut Measured) -> Result<(Figures, u64)> {
    let mut offered = 2 * UNLOADED;
    let mut best: Option<Figures> = None;
    loop {
        for _ in 0..PUBLISHERS {
            run.publish(load(offered / PUBLISHERS as u64)).await?;
        }
        let span = run.span("peak", 5).await;
        run.finish_publishers(PUBLISHERS).await?;
        let publishers = &run.net.publishers[run.net.publishers.len() - PUBLISHERS..];
        let lines = Diaries::read(publishers.iter().map(ClientProcess::diary))?.lines;
        let figures = Figures::of_unicasts(&lines, span);
        println!("{figures}, of {offered} offered");
        let is_all = figures.rate() >= offered as f64 * ALL;
        if best.as_ref().is_none_or(|best| best.rate() < figures.rate()) {
            best = Some(figures);
        }
        match best {
            Some(best) if !is_all || run.smoke => {
                let capacity = best.each_second();
                return Ok((best, capacity));
            }
            _ => offered *= 2,
        }
    }
}

fn load(unicasts: u64) -> Load {
    let timeout_ms = 2 * u64::try_from(WAIT.as_millis()).expect("it is short");
    Load { unicasts, timeout_ms, from_acceptance: true, ..Load::default() }
}

/// How many publishes of one client its node takes at a time: enough for what it can answer, and no more.
const IN_FLIGHT: usize = 16;

const PUBLISHERS: usize = 4;

/// For how long calls wait until their client takes them: half of their time.
const WAIT: Duration = Duration::from_secs(1);

/// How many messages a second are no load.
const UNLOADED: u64 = 100;

const TIMES: u64 = 10;

/// What counts as all of what is offered.
const ALL: f64 = 0.9;
