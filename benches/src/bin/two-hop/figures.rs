//! The figures of one case on one system: of each the median over all runs, and the range.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::bench::CaseRuns;
use crate::case::{Case, Work};
use crate::network::{ProcessRun, Run};
use crate::orders::Measured;

/// What is told of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// Messages that arrived, answers, or clients that attached, per second.
    Rate,
    /// Payload that arrived, in 10^6 bytes per second.
    MegabytesPerSecond,
    /// Within this time half of the answers came, or half of the clients were attached.
    P50Us,
    P99Us,
    P999Us,
    /// `P99Us` through the same of answers that had nothing beside them.
    P99ThroughAlone,
    /// The longest that any answer took.
    MaxUs,
    /// The longest time between one-way messages that came to a subscriber one after the other.
    MaxGapMs,
    /// CPU time of all processes for one message, or for one request with its answer.
    CpuUs,
    /// One-way messages that did not arrive.
    LostPercent,
    /// The most memory that any one node had.
    ServerPeakMib,
    /// The most memory that any one client process had.
    ClientPeakMib,
    /// By how much the node's memory grew, for each client.
    KibPerClient,
}

/// One figure over all runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// What one process used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ProcessFigures {
    role: &'static str,
    /// CPU time for each message that the whole network carried.
    cpu_us: Spread,
    peak_mib: Spread,
}

impl Figure {
    /// The name in tables.
    pub(crate) fn name(self, case: &Case) -> &'static str {
        let attaches = matches!(case.work, Work::Attach { .. });
        match self {
            Self::Rate if attaches => "attaches/s",
            Self::Rate if matches!(case.work, Work::Requests { .. } | Work::Beside { .. }) => {
                "answers/s"
            }
            Self::Rate if case.subscribers > 1 => "deliveries/s",
            Self::Rate => "messages/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::P50Us => "p50, us",
            Self::P99Us => "p99, us",
            Self::P999Us => "p99.9, us",
            Self::P99ThroughAlone => "p99 through alone",
            Self::MaxUs => "longest, us",
            Self::MaxGapMs => "longest gap, ms",
            Self::CpuUs if attaches => "CPU us/attach",
            Self::CpuUs => "CPU us/message",
            Self::LostPercent => "lost, %",
            Self::ServerPeakMib => "node peak, MiB",
            Self::ClientPeakMib => "client peak, MiB",
            Self::KibPerClient => "node KiB/client",
        }
    }
}

/// The figures of all runs of a case on a system.
pub(crate) fn figures(runs: &CaseRuns) -> BTreeMap<Figure, Spread> {
    let mut figures = BTreeMap::new();
    let mut add = |figure: Figure, value: &dyn Fn(&Run) -> Option<f64>| {
        let values: Option<Vec<f64>> = runs.runs.iter().map(value).collect();
        figures.extend(values.map(|values| (figure, Spread::of(values))));
    };
    let payload_bytes = match runs.case.work {
        Work::OneWay { payload_bytes } | Work::Bulk { payload_bytes, .. } => Some(payload_bytes),
        Work::Requests { .. } | Work::Beside { .. } | Work::Attach { .. } => None,
    };
    add(Figure::Rate, &|run| Some(run.measured.rate()));
    add(Figure::MegabytesPerSecond, &|run| {
        payload_bytes.map(|bytes| run.measured.rate() * bytes as f64 / 1e6)
    });
    add(Figure::P50Us, &|run| run.measured.latencies.quantile_us(0.5));
    add(Figure::P99Us, &|run| run.measured.latencies.quantile_us(0.99));
    add(Figure::P999Us, &|run| run.measured.latencies.quantile_us(0.999));
    add(Figure::P99ThroughAlone, &|run| {
        let Measured { latencies, alone, .. } = &run.measured;
        Some(latencies.quantile_us(0.99)? / alone.as_ref()?.quantile_us(0.99)?)
    });
    add(Figure::MaxUs, &|run| run.measured.latencies.quantile_us(1.0));
    add(Figure::MaxGapMs, &|run| run.longest_gap.map(|gap| gap.as_secs_f64() * 1e3));
    add(Figure::CpuUs, &|run| Some(run.measured.cpu_us_per_message()));
    let may_lose = payload_bytes.is_some() && !runs.system.promises_delivery();
    add(Figure::LostPercent, &|run| may_lose.then(|| run.measured.lost_percent()));
    add(Figure::ServerPeakMib, &|run| peak_mib(run, |process| process.is_server));
    add(Figure::ClientPeakMib, &|run| peak_mib(run, |process| !process.is_server));
    add(Figure::KibPerClient, &|run| run.kib_per_client);
    figures
}

/// The figures of each process of a case on a system.
pub(crate) fn processes(runs: &CaseRuns) -> Vec<ProcessFigures> {
    let Some(first) = runs.runs.first() else { return Vec::new() };
    let of_process = |index: usize| {
        let over_runs =
            |value: &dyn Fn(&Run) -> f64| Spread::of(runs.runs.iter().map(value).collect());
        ProcessFigures {
            role: first.processes[index].role,
            cpu_us: over_runs(&|run| run.processes[index].cpu_us / run.measured.done as f64),
            peak_mib: over_runs(&|run| mib(&run.processes[index])),
        }
    };
    (0..first.processes.len()).map(of_process).collect()
}

fn peak_mib(run: &Run, counts: impl Fn(&&ProcessRun) -> bool) -> Option<f64> {
    run.processes.iter().filter(counts).map(mib).reduce(f64::max)
}

fn mib(process: &ProcessRun) -> f64 {
    f64::from(process.peak_kib) / 1024.0
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values[..] {
            [] => f64::NAN,
            _ if values.len() % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        let edge = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        Self { median, min: edge(values.first()), max: edge(values.last()) }
    }
}

/// Shows the median, and the range in brackets.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median < 100.0 { 2 } else { 0 };
        let Self { median, min, max } = self;
        let text = format!("{median:.digits$} [{min:.digits$} - {max:.digits$}]");
        f.pad(&text)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::latencies::Latencies;
    use crate::system::System;
    use std::time::Duration;

    /// One run of a case, in which the window was 2 s and each of two processes took half of the
    /// time of both cores.
    pub(crate) fn run(done: u64, answered_after_us: Option<u64>) -> Run {
        let mut latencies = Latencies::new();
        if let Some(us) = answered_after_us {
            latencies.record(Duration::from_micros(us));
        }
        let process =
            |role, is_server, peak_kib| ProcessRun { role, is_server, cpu_us: 2e6, peak_kib };
        let measured = Measured {
            done,
            seconds: 2.0,
            cpu_us: vec![2e6, 2e6],
            latencies,
            alone: None,
            longest: Duration::from_micros(answered_after_us.unwrap_or_default()),
            expected: done,
            arrived: done,
        };
        let processes = vec![process("node", true, 2048), process("client", false, 1024)];
        Run { measured, processes, longest_gap: None, kib_per_client: None }
    }

    pub(crate) fn runs(case: usize, system: System, runs: Vec<Run>) -> CaseRuns {
        CaseRuns { case: Case::ALL[case].clone(), system, runs }
    }

    #[test]
    fn figures_are_medians_and_one_way_messages_have_no_latency() {
        let runs = runs(1, System::Ours, [400_000, 200_000, 600_000].map(|n| run(n, None)).into());
        let figures = figures(&runs);
        let rate = Spread { median: 200_000.0, min: 100_000.0, max: 300_000.0 };
        assert_eq!(figures[&Figure::Rate], rate);
        assert_eq!(figures[&Figure::MegabytesPerSecond].median, 51.2);
        assert_eq!(figures[&Figure::CpuUs].median, 10.0);
        assert_eq!(figures[&Figure::ServerPeakMib].median, 2.0);
        assert_eq!(figures[&Figure::ClientPeakMib].median, 1.0);
        assert_eq!(figures.get(&Figure::P50Us), None);
        assert_eq!(figures.get(&Figure::LostPercent), None, "ours loses nothing or fails");
        let processes = processes(&runs);
        assert_eq!((processes[0].role, processes[1].cpu_us.median), ("node", 5.0));
    }

    #[test]
    fn losses_are_told_where_they_are_allowed() {
        let mut lossy = run(100, None);
        lossy.measured.expected = 400;
        let figures = figures(&runs(1, System::Nats, vec![lossy]));
        assert_eq!(figures[&Figure::LostPercent].median, 75.0);
    }

    #[test]
    fn an_even_number_of_runs_has_its_median_between_the_middle_two() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 9.0]).median, 3.0);
    }
}
