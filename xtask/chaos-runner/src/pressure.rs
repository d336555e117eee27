//! What more than a node can take does to those who take their share, and one who reads nothing to the others.
//!
//! These scenarios measure: spans of a run are compared with the first of it, in which all was well.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::books::{Demands, Verdict};
use crate::diary::{Diaries, Line};
use crate::figures::Figures;
use crate::flood;
use crate::measured::{GOODPUT_MIN, GROWTH_MIB_MAX, Measured, RECOVERED, SLOWDOWN_MAX};
use crate::net::{Load, Net};
use crate::options::Options;
use crate::process::ClientProcess;

/// Publishers at one node that publish ten times as much as it takes.
///
/// # Errors
///
/// Fails if the processes of the run cannot be had.
pub(crate) async fn overload(options: &Options, seed: u64, node: &Path) -> Result<Verdict> {
    let capacity = if options.smoke { 100 } else { 300 };
    let limit =
        format!("[limits.node]\nmessages = \"{capacity}/s\"\nmessages_burst = {}\n", capacity / 10);
    let mut run = Measured::start(options, seed, node, &limit).await?;
    for nodes in [[1, 2], [3, 4]] {
        run.net.subscribe(nodes).await?;
    }
    let mut spans = Vec::new();
    run.publish_unicasts(capacity / 10).await?;
    spans.push(run.span("unloaded", 10).await);
    run.finish_publishers(1).await?;
    run.publish_unicasts(capacity).await?;
    spans.push(run.span("full", 10).await);
    for _ in 1..TIMES {
        run.publish_unicasts(capacity).await?;
    }
    let before = run.usage().await?;
    spans.push(run.span("ten times", 60).await);
    let after = run.usage().await?;
    run.finish_publishers(TIMES).await?;
    run.publish_unicasts(capacity / 10).await?;
    sleep(RECOVERED).await;
    spans.push(run.span("afterwards", 10).await);
    run.net.finish().await?;

    let diaries = run.net.diaries()?;
    let figures = spans.into_iter().map(|span| Figures::of_unicasts(&diaries.lines, span));
    let figures: Vec<Figures> = figures.collect();
    figures.iter().for_each(|figures| println!("{figures}"));
    let mut verdict = Verdict::of(&diaries, Demands::default());
    let [unloaded, full, loaded, afterwards] = &figures[..] else { unreachable!("there are four") };
    let share = loaded.rate() / full.rate();
    verdict.demand(share >= GOODPUT_MIN, || format!("goodput falls to {share:.2} of its peak"));
    let most = capacity as f64 * RATE_TOLERANCE;
    verdict.demand(loaded.rate() <= most, || "more was taken than the rate says".to_owned());
    for figures in [loaded, afterwards] {
        verdict.demand(figures.within(990) <= unloaded.within(990) * SLOWDOWN_MAX, || {
            format!("p99 is more than {SLOWDOWN_MAX} times what it was unloaded:{figures}")
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

/// Datagrams that mean nothing, and then true first packets of strangers, at a node with clients.
///
/// # Errors
///
/// Fails if the processes of the run cannot be had.
pub(crate) async fn flooded(options: &Options, seed: u64, node: &Path) -> Result<Verdict> {
    let share = if options.smoke { 10 } else { 1 };
    let mut run = Measured::start(options, seed, node, "").await?;
    run.net.subscribe([1, 2]).await?;
    run.publish_unicasts(500 / share).await?;
    let calm = run.span("calm", 10).await;
    let before = run.usage().await?;
    let (to_clients, to_peers) = (run.net.nodes[0].sdk_addr, run.net.nodes[0].p2p_addr);
    let per_second = FLOOD_PER_SECOND / u32::try_from(share)?;
    let floods = [(to_clients, seed), (to_peers, seed + 1)]
        .map(|(to, seed)| flood::start(to, per_second / 2, seed));
    let during = run.span("flooded", 20).await;
    let flooded = run.usage().await?;
    for flood in floods {
        flood?.abort();
    }
    let mut knocking = run.net.knock(0).await?;
    let knocked = run.span("strangers", 20).await;
    let told = knocking.last_word().await?;
    println!("  the strangers: {told}");
    let strangers = run.usage().await?;
    let afterwards = run.span("afterwards", 5).await;
    run.net.finish().await?;

    let diaries = run.net.diaries()?;
    let figures = [calm, during, knocked, afterwards];
    let figures = figures.map(|span| Figures::of_unicasts(&diaries.lines, span));
    figures.iter().for_each(|figures| println!("{figures}"));
    let mut verdict = Verdict::of(&diaries, Demands::default());
    let [calm, during, knocked, afterwards] = figures;
    for flooded in [during, knocked] {
        let share = flooded.rate() / calm.rate();
        verdict.demand(share >= FLOODED_MIN, || format!("goodput falls to {share:.2}:{flooded}"));
    }
    verdict.demand(afterwards.is_whole(), || "not all gets through afterwards".to_owned());
    println!("  {per_second} datagrams a second");
    for (what, after) in [("the flood", flooded), ("the strangers", strangers)] {
        let grown = after.memory.saturating_sub(before.memory) >> 20;
        println!("  memory of the node had grown by {grown} MiB at the end of {what}");
        verdict.demand(grown <= FLOODED_MIB_MAX, || format!("memory grew by {grown} MiB"));
    }
    run.net.keeps_its_peers(&mut verdict);
    run.net.leave(&verdict);
    Ok(verdict)
}

/// One subscriber reads nothing any more, and the application of another rests: the rest get their messages as before.
///
/// # Errors
///
/// Fails if the processes of the run cannot be had.
pub(crate) async fn slow_reader(seed: u64, node: &Path) -> Result<Verdict> {
    // Who is slow is closed after 10 s, however little time there is.
    let mut run = Measured { net: Net::start_measured(node, seed, "").await?, smoke: false };
    run.net.subscribe([1, 2]).await?;
    run.net.subscribe([3, 4]).await?;
    // 2 MB a second: in 3 s that is more than a publisher may have under way, so that it would wait if those that take
    // nothing counted.
    let (multicasts, payload_bytes) = (100, 20_000);
    let load = Load { multicasts, payload_bytes, timeout_ms: 3000, ..Load::default() };
    run.net.publish([0, 4], load).await?;
    let before = run.span("all read", 20).await;
    // It rests for longer than messages may take: those that it has not been handed it misses.
    let rest = ["--rest-after-ms=2000".to_owned(), "--rest-ms=8000".to_owned()];
    run.net.subscribe_with([3, 4], &rest).await?;
    let mut deaf = run.net.deaf(1).await?;
    let during = run.span("one reads nothing", 20).await;
    let end = deaf.last_word().await?;
    println!("  the one that reads nothing: {end}");
    run.net.finish().await?;

    let (others, resting) = run.net.subscribers.split_at(2);
    let others = run.net.publishers.iter().chain(others).map(ClientProcess::diary);
    let others = Diaries::read(others)?.lines;
    let figures = [before, during].map(|span| Figures::of_multicasts(&others, span));
    figures.iter().for_each(|figures| println!("{figures}"));
    let mut verdict = Verdict::of(&run.net.diaries()?, Demands::default());
    let [before, during] = figures.map(|figures| figures.within(990));
    verdict.demand(during <= before.mul_f64(OTHERS_MAX) + NOISE, || {
        format!("p99 of the others goes from {before:?} to {during:?}")
    });
    verdict.demand(end.contains("did not read for 10s"), || format!("it was not closed: {end}"));
    let resting = Diaries::read(resting.iter().map(ClientProcess::diary))?.lines;
    let (missed, untold) = holes(&resting);
    println!("  the one that rests: {missed} missed and told");
    verdict.demand(untold == 0 && missed > 0, || format!("{untold} were missed and not told"));
    run.net.keeps_its_peers(&mut verdict);
    run.net.leave(&verdict);
    Ok(verdict)
}

/// What a subscriber was told to have missed of one publisher that does nothing but multicast to it, and by how
/// many that is wrong.
fn holes(lines: &[Line]) -> (u64, u64) {
    let (mut handled, mut missed, mut first, mut last) = (0, 0, u64::MAX, 0);
    for line in lines {
        match line {
            Line::Handled { id, .. } => {
                handled += 1;
                (first, last) = (first.min(id.counter), last.max(id.counter));
            }
            Line::Missed { count, .. } => missed += count,
            _ => {}
        }
    }
    let all = (last + 1).saturating_sub(first);
    (missed, all.abs_diff(handled + missed))
}

/// How many times as much as is taken.
const TIMES: usize = 10;

/// By how much a rate may be passed for the moments at which it is measured.
const RATE_TOLERANCE: f64 = 1.02;

/// How many datagrams a second mean nothing, at both ports of a node together.
const FLOOD_PER_SECOND: u32 = 20_000;

/// What must get through meanwhile, and by how much memory may grow.
const FLOODED_MIN: f64 = 0.7;
const FLOODED_MIB_MAX: u64 = 64;

/// How many times longer the others' messages may take when one reads nothing ...
const OTHERS_MAX: f64 = 1.2;

/// ... and what a machine on which others run may add.
const NOISE: Duration = Duration::from_millis(3);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_sdk::{Instance, MsgId};

    #[test]
    fn what_is_missing_and_not_told_is_counted() {
        let id = |counter| MsgId { publisher: Instance(1), counter };
        let handled = |counter| Line::Handled { id: id(counter), at: 1, by: Instance(2) };
        let told = Line::Missed { id: id(9), by: Instance(2), count: 3 };
        assert_eq!(holes(&[handled(4), handled(5), told.clone(), handled(9)]), (3, 0));
        assert_eq!(holes(&[handled(4), handled(5), told, handled(10)]), (3, 1));
        assert_eq!(holes(&[handled(4), handled(6)]), (0, 1));
    }
}
