//! Clients come and go for a long time, and the nodes take no more of the system at the end than at the beginning.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::books::{Demands, Verdict};
use crate::clock::now;
use crate::net::{Load, Net};
use crate::options::Options;
use crate::usage::Usage;

/// What a node took of the system, and when.
type Sample = (Duration, Usage);

/// Has clients come and go, a third of them killed, under a moderate load.
///
/// # Errors
///
/// Fails if the processes of the run cannot be had.
pub(crate) async fn run(options: &Options, seed: u64, node: &Path) -> Result<Verdict> {
    let mut net = Net::start(node, seed, SMALL_TABLES).await?;
    for nodes in [[0, 2], [1, 3], [4, 1]] {
        net.subscribe(nodes).await?;
    }
    let share = if options.smoke { 10 } else { 1 };
    net.publish([2, 4], Load { unicasts: 200 / share, multicasts: 20 / share, ..Load::default() })
        .await?;
    let span = if options.smoke { SMOKE } else { Duration::from_mins(options.minutes) };
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let (began, mut samples) = (now(), vec![Vec::new(); net.nodes.len()]);
    let mut came = 0;
    while began.elapsed() < span {
        let at = random.next_u32() as usize % net.nodes.len();
        net.subscribe([at, (at + 1) % net.nodes.len()]).await?;
        came += 1;
        sleep(STAY).await;
        let last = net.subscribers.len() - 1;
        match random.next_u32() % 3 {
            0 => net.subscribers[last].kill().await?,
            _ => net.subscribers[last].finish().await?,
        }
        sample(&net, began, &mut samples).await?;
    }
    println!("  {came} clients came and went");
    net.finish().await?;
    let mut verdict = Verdict::of(&net.diaries()?, Demands::default());
    for (node, samples) in samples.iter().enumerate() {
        judge(&mut verdict, node, samples);
    }
    net.leave(&verdict);
    Ok(verdict)
}

async fn sample(net: &Net, began: Instant, samples: &mut [Vec<Sample>]) -> Result<()> {
    for (node, samples) in net.nodes.iter().zip(samples) {
        samples.push((began.elapsed(), node.usage().await?));
    }
    Ok(())
}

/// What was taken at first counts for nothing: tables and windows fill up for a minute or two.
fn judge(verdict: &mut Verdict, node: usize, samples: &[Sample]) {
    let end = samples.last().map_or(Duration::ZERO, |(at, _)| *at);
    let warm = WARM.min(end / 2);
    let samples: Vec<Sample> = samples.iter().copied().filter(|(at, _)| *at >= warm).collect();
    let (Some((from, first)), Some((_, last))) = (samples.first(), samples.last()) else { return };
    let measured = (end - *from).as_secs();
    let slope = slope(&samples) * 600.0 / f64::from(1 << 20);
    println!(
        "  n{node}, the last {measured} s: memory {:.1} MiB, {slope:+.2} MiB in 10 minutes; descriptors \
         {} to {}, threads {} to {}, tasks {} to {}",
        last.memory as f64 / f64::from(1 << 20),
        first.descriptors,
        last.descriptors,
        first.threads,
        last.threads,
        first.tasks,
        last.tasks,
    );
    // A short run says more about its noise.
    if measured >= LONG {
        verdict.demand(slope <= SLOPE_MIB_MAX, || format!("the memory of n{node} grows"));
    }
    let grew = |of: fn(&Usage) -> u64| of(last) > of(first) + SPARE;
    verdict.demand(!grew(|usage| usage.descriptors), || format!("n{node} leaves descriptors open"));
    verdict.demand(!grew(|usage| usage.threads), || format!("n{node} leaves threads"));
    verdict.demand(!grew(|usage| usage.tasks), || format!("n{node} leaves tasks"));
}

/// By how many bytes a second memory grows: the line that fits the samples best.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let points = || samples.iter().map(|(at, usage)| (at.as_secs_f64(), usage.memory as f64));
    let (x_mean, y_mean) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x_mean, y_mean) = (x_mean / count, y_mean / count);
    let (along, across) = points().fold((0.0, 0.0), |(along, across), (x, y)| {
        (along + (x - x_mean) * (y - y_mean), across + (x - x_mean).powi(2))
    });
    if across > 0.0 { along / across } else { 0.0 }
}

/// What is kept of messages for those who ask later has its bounds, and would take longer than a soak to reach
/// them at the less busy nodes: so they are low here, and what still grows is a leak.
const SMALL_TABLES: &str = "[trace]\nrecords = 4096\nfailures = 1024\n";

/// How long a client stays.
const STAY: Duration = Duration::from_secs(3);

/// How long a node may take to come to what it holds as a rule.
const WARM: Duration = Duration::from_mins(5);

/// From how many seconds on the slope of memory is judged.
const LONG: u64 = 600;

/// By how many MiB memory may grow in 10 minutes.
const SLOPE_MIB_MAX: f64 = 1.0;

/// What a client more or less may take at the moment of the last sample.
const SPARE: u64 = 10;

const SMOKE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(u64) -> u64) -> Vec<Sample> {
        let usage = |second| Usage { memory: memory(second), ..Usage::default() };
        (0..2000).map(|second| (Duration::from_secs(second), usage(second))).collect()
    }

    fn is_good(samples: &[Sample]) -> bool {
        let mut verdict = Verdict::default();
        judge(&mut verdict, 0, samples);
        verdict.is_good()
    }

    #[test]
    fn memory_that_grows_by_more_than_a_mebibyte_in_ten_minutes_is_told() {
        let noise = |second: u64| second * 7919 % 3000;
        let growing = |bytes| move |second| (50 << 20) + second * bytes + noise(second);
        assert!((slope(&samples(growing(1000))) - 1000.0).abs() < 10.0);
        assert!(is_good(&samples(growing((1 << 20) / 700))));
        assert!(!is_good(&samples(growing((1 << 20) / 500))));
        let filling = |second: u64| (50 << 20) + second.min(200) * 100_000;
        assert!(is_good(&samples(filling)), "that is how it begins");
    }

    #[test]
    fn what_is_left_open_is_told() {
        let leak = |of: fn(&mut Usage) -> &mut u64| {
            let mut samples = samples(|_| 1 << 20);
            for (at, usage) in &mut samples {
                *of(usage) = 20 + at.as_secs() / 100;
            }
            is_good(&samples)
        };
        assert!(!leak(|usage| &mut usage.descriptors));
        assert!(!leak(|usage| &mut usage.threads));
        assert!(!leak(|usage| &mut usage.tasks));
    }
}
