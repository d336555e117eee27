//! What was measured, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::bench::{Absent, CaseRuns, Plan, Results};
use crate::case::Case;
use crate::figures::{Figure, ProcessFigures, Spread, figures, processes};
use crate::machine::Machine;
use crate::stalls::{Stall, stalls};
use crate::system::System;
use crate::weather::Weather;

/// The result of a whole run. Printed as a table, or as JSON through serde.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    warm_up_seconds: f64,
    window_seconds: f64,
    repeats: u32,
    /// Between the nodes.
    weather: Weather,
    /// On so many threads each of AMOP's nodes did the work of its links.
    workers: u8,
    cases: Vec<CaseReport>,
    absent: Vec<Absent>,
    pub(crate) stalls: Vec<Stall>,
}

#[derive(Debug, Serialize)]
struct CaseReport {
    #[serde(serialize_with = "name_only")]
    case: Case,
    systems: BTreeMap<System, SystemReport>,
}

#[derive(Debug, Serialize)]
struct SystemReport {
    figures: BTreeMap<Figure, Spread>,
    processes: Vec<ProcessFigures>,
    /// Ours through this, of the medians.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ours_through_this: BTreeMap<Figure, f64>,
}

impl Report {
    pub(crate) fn new(plan: &Plan, results: &Results) -> Self {
        let of_case = |case: &Case| {
            let runs = results.cases.iter().filter(|runs| runs.case == *case);
            CaseReport::new(case, runs)
        };
        Self {
            machine: results.machine.clone(),
            warm_up_seconds: plan.timing.warm_up.as_secs_f64(),
            window_seconds: plan.timing.window.as_secs_f64(),
            repeats: plan.repeats,
            weather: plan.weather,
            workers: plan.workers,
            cases: plan.cases.iter().map(of_case).collect(),
            absent: results.absent.clone(),
            stalls: stalls(plan.weather, &results.cases),
        }
    }
}

impl CaseReport {
    fn new<'a>(case: &Case, runs: impl Iterator<Item = &'a CaseRuns>) -> Self {
        let mut systems = BTreeMap::<System, SystemReport>::new();
        for runs in runs {
            let figures = figures(runs);
            let ours = systems.get(&System::Ours).map(|ours| &ours.figures);
            let ratio = |(figure, theirs): (&Figure, &Spread)| {
                let ours = ours?.get(figure)?;
                Some((*figure, ours.median / theirs.median))
            };
            let ours_through_this = figures.iter().filter_map(ratio).collect();
            let processes = processes(runs);
            systems.insert(runs.system, SystemReport { figures, processes, ours_through_this });
        }
        Self { case: case.clone(), systems }
    }
}

fn name_only<S: serde::Serializer>(case: &Case, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(case.name)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, repeats, window_seconds, .. } = self;
        writeln!(f, "{machine}")?;
        writeln!(
            f,
            "median [range] of {repeats} runs of {window_seconds} s, each in processes of"
        )?;
        writeln!(f, "its own, on loopback with mutual TLS; CPU time of all processes together;")?;
        writeln!(f, "in parentheses ours through theirs")?;
        if self.weather != Weather::Clear {
            writeln!(f, "weather between the nodes: {}", self.weather)?;
        }
        if self.workers > 1 {
            writeln!(f, "threads for the links of each node of AMOP: {}", self.workers)?;
        }
        for case in &self.cases {
            write!(f, "\n{case}")?;
        }
        for Absent { system, case, why } in &self.absent {
            writeln!(f, "\nno {} of {system}: {why}", case.unwrap_or("case"))?;
        }
        Ok(())
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{:23}", self.case.name);
        for (system, width) in self.systems.keys().zip(widths()) {
            line += &format!("  {system:width$}");
        }
        writeln!(f, "{}", line.trim_end())?;
        let all = self.systems.values().flat_map(|system| system.figures.keys());
        let figures: BTreeSet<_> = all.collect();
        for figure in figures {
            let mut line = format!("  {:21}", figure.name(&self.case));
            for (system, width) in self.systems.values().zip(widths()) {
                let mut cell =
                    system.figures.get(figure).map(Spread::to_string).unwrap_or_default();
                if let Some(ratio) = system.ours_through_this.get(figure).filter(|r| r.is_finite())
                {
                    cell += &format!(" ({ratio:.2})");
                }
                line += &format!("  {cell:width$}");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Of the columns: the first has no ratios.
fn widths() -> impl Iterator<Item = usize> {
    [28].into_iter().chain(std::iter::repeat(35))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::{run, runs};
    use crate::network::Timing;
    use std::path::PathBuf;
    use std::time::Duration;

    async fn report() -> Report {
        let (one_way, requests) = (Case::ALL[1].clone(), Case::ALL[5].clone());
        let span = Duration::from_secs(2);
        let plan = Plan {
            cases: vec![one_way, requests],
            systems: vec![System::Ours, System::Raw],
            timing: Timing { warm_up: span, window: span, hold: span },
            repeats: 3,
            node_binary: PathBuf::from("/bin/echo"),
            nats_server: None,
            weather: Weather::Clear,
            workers: 1,
        };
        let why = "it is not there".to_owned();
        let results = Results {
            machine: crate::machine::look(&plan).await.unwrap(),
            cases: vec![
                runs(1, System::Ours, vec![run(200, None), run(600, None), run(400, None)]),
                runs(1, System::Raw, vec![run(800, None)]),
                runs(5, System::Ours, vec![run(10, Some(300))]),
                runs(5, System::Raw, vec![run(20, Some(100))]),
            ],
            absent: vec![Absent { system: System::Nats, case: None, why }],
        };
        Report::new(&plan, &results)
    }

    #[tokio::test]
    async fn the_json_has_every_system_with_its_ratio_to_ours() {
        let json = serde_json::to_value(report().await).unwrap();
        let [one_way, requests] = [0, 1].map(|index| &json["cases"][index]);
        assert_eq!(one_way["case"], "one-way-256");
        assert_eq!(one_way["systems"]["ours"]["figures"]["rate"]["median"], 200.0);
        assert_eq!(one_way["systems"]["raw"]["ours_through_this"]["rate"], 0.5);
        let p50 = requests["systems"]["raw"]["ours_through_this"]["p50_us"].as_f64().unwrap();
        assert!((2.99..3.01).contains(&p50), "{p50}");
        assert_eq!(one_way["systems"]["ours"].get("ours_through_this"), None);
        assert_eq!(json["absent"][0]["why"], "it is not there");
    }

    #[tokio::test]
    async fn the_table_has_a_line_for_every_figure_and_says_who_is_absent() {
        let table = report().await.to_string();
        let lines = |start: &str| table.lines().filter(|l| l.trim().starts_with(start)).count();
        assert!(table.lines().all(|line| line == line.trim_end()), "{table}");
        assert_eq!(lines("messages/s"), 1, "{table}");
        assert_eq!(lines("answers/s"), 1, "{table}");
        assert_eq!(lines("p50"), 1, "{table}");
        assert!(table.contains("200 [100 - 300]"), "{table}");
        assert!(table.contains("400 [400 - 400] (0.50)"), "{table}");
        assert!(table.contains("no case of nats: it is not there"), "{table}");
    }
}
