//! What was measured, for people and for programs.

use std::fmt;

use serde::Serialize;

use crate::bench::{Plan, Runs};
use crate::case::PAYLOAD_BYTES;
use crate::orders::{Latency, Measured};

/// The result of a whole run. Printed as a table, or as JSON through serde.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    payload_bytes: usize,
    window_seconds: f64,
    repeats: u32,
    /// Whether the floor asked for sparser acknowledgements.
    floor_ack_frequency: bool,
    cases: Vec<CaseReport>,
}

#[derive(Debug, Serialize)]
struct CaseReport {
    case: String,
    ours: Figures<Spread>,
    floor: Figures<Spread>,
    /// Ours through the floor's, of the medians.
    ratio: Figures<f64>,
}

/// The figures of a case: one-way messages have no latencies.
#[derive(Debug, PartialEq, Serialize)]
struct Figures<T> {
    /// Messages or answers a second.
    rate: T,
    /// CPU time of all four processes for one message, or for one request with its answer.
    cpu_us: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_us: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_us: Option<T>,
}

/// One figure over all runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Report {
    pub(crate) fn new(plan: &Plan, runs: &[Runs]) -> Self {
        Self {
            payload_bytes: PAYLOAD_BYTES,
            window_seconds: plan.window.as_secs_f64(),
            repeats: plan.repeats,
            floor_ack_frequency: plan.ack_frequency,
            cases: runs.iter().map(CaseReport::new).collect(),
        }
    }
}

impl CaseReport {
    fn new(runs: &Runs) -> Self {
        let (ours, floor) = (Figures::of(&runs.ours), Figures::of(&runs.floor));
        Self { case: runs.case.to_string(), ratio: ours.through(&floor), ours, floor }
    }
}

impl Figures<Spread> {
    fn of(runs: &[Measured]) -> Self {
        let latency = |figure: fn(Latency) -> f64| {
            let values: Option<Vec<f64>> = runs.iter().map(|run| run.latency.map(figure)).collect();
            values.map(Spread::of)
        };
        Self {
            rate: Spread::of(runs.iter().map(Measured::rate).collect()),
            cpu_us: Spread::of(runs.iter().map(Measured::cpu_us_per_message).collect()),
            p50_us: latency(|latency| latency.p50_us),
            p99_us: latency(|latency| latency.p99_us),
        }
    }

    fn through(&self, other: &Self) -> Figures<f64> {
        let ratio = |ours: Spread, floor: Spread| ours.median / floor.median;
        let ratio_if_any = |(ours, floor)| ratio(ours, floor);
        Figures {
            rate: ratio(self.rate, other.rate),
            cpu_us: ratio(self.cpu_us, other.cpu_us),
            p50_us: self.p50_us.zip(other.p50_us).map(ratio_if_any),
            p99_us: self.p99_us.zip(other.p99_us).map(ratio_if_any),
        }
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payload_bytes, repeats, window_seconds, .. } = self;
        let ack_frequency = if self.floor_ack_frequency { " (floor: sparse ACKs)" } else { "" };
        writeln!(f, "client - node - node - client, four processes on loopback, mutual TLS,")?;
        writeln!(f, "{payload_bytes}-byte payloads, CPU time of all four processes together,")?;
        writeln!(f, "median [range] of {repeats} runs of {window_seconds} s{ack_frequency}\n")?;
        let (ours, floor) = ("ours", "floor");
        writeln!(f, "{:20} {ours:28} {floor:28} ours/floor", "")?;
        for CaseReport { case, ours, floor, ratio } in &self.cases {
            writeln!(f, "{case}")?;
            let mut line = |name: &str, ours: Spread, floor: Spread, ratio: f64| {
                writeln!(f, "  {name:18} {ours:28} {floor:28} {ratio:.2}")
            };
            line("messages/s", ours.rate, floor.rate, ratio.rate)?;
            let latencies = [
                ("p50, us", ours.p50_us, floor.p50_us, ratio.p50_us),
                ("p99, us", ours.p99_us, floor.p99_us, ratio.p99_us),
            ];
            for (name, ours, floor, ratio) in latencies {
                if let (Some(ours), Some(floor), Some(ratio)) = (ours, floor, ratio) {
                    line(name, ours, floor, ratio)?;
                }
            }
            line("CPU us/message", ours.cpu_us, floor.cpu_us, ratio.cpu_us)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use std::time::Duration;

    fn measured(done: u64, cpu_us: f64, p50_us: Option<f64>) -> Measured {
        let latency = p50_us.map(|p50_us| Latency { p50_us, p99_us: 2.0 * p50_us });
        Measured { sent: done, done, seconds: 2.0, cpu_us, latency }
    }

    fn report() -> Report {
        let requests = Case::Requests { in_flight: 1 };
        let plan = Plan {
            cases: vec![Case::OneWay, requests],
            warm_up: Duration::ZERO,
            window: Duration::from_secs(2),
            repeats: 3,
            ack_frequency: false,
        };
        let run = |done, cpu_us| measured(done, cpu_us, None);
        let one_way = Runs {
            case: Case::OneWay,
            ours: vec![run(400, 800.0), run(200, 800.0), run(600, 800.0)],
            floor: vec![run(800, 800.0), run(900, 900.0), run(700, 700.0)],
        };
        let requests = Runs {
            case: requests,
            ours: vec![measured(10, 40.0, Some(300.0))],
            floor: vec![measured(20, 40.0, Some(100.0))],
        };
        Report::new(&plan, &[one_way, requests])
    }

    #[test]
    fn figures_are_medians_and_ratios_are_of_medians() {
        let one_way = &report().cases[0];
        assert_eq!(one_way.ours.rate, Spread { median: 200.0, min: 100.0, max: 300.0 });
        assert_eq!(one_way.ours.cpu_us.median, 2.0);
        let ratio = Figures { rate: 0.5, cpu_us: 2.0, p50_us: None, p99_us: None };
        assert_eq!(one_way.ratio, ratio);
    }

    #[test]
    fn an_even_number_of_runs_has_its_median_between_the_middle_two() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 9.0]).median, 3.0);
    }

    #[test]
    fn the_json_is_one_object_with_ours_the_floor_and_the_ratio() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["cases"][1]["case"], "requests-1");
        assert_eq!(json["cases"][1]["ours"]["p50_us"]["median"], 300.0);
        assert_eq!(json["cases"][1]["ratio"]["p50_us"], 3.0);
        assert_eq!(json["cases"][0]["ratio"].get("p50_us"), None);
    }

    #[test]
    fn the_table_has_a_line_for_every_figure() {
        let table = report().to_string();
        let lines = |start: &str| table.lines().filter(|l| l.trim().starts_with(start)).count();
        assert_eq!(lines("messages/s"), 2, "{table}");
        assert_eq!(lines("p50"), 1, "{table}");
        assert!(table.contains("200 [100 - 300]"), "{table}");
        assert!(table.lines().all(|line| line.len() <= 100), "{table}");
    }
}
