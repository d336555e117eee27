//! What the rounds gave, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::run::Round;
use crate::figures::Spread;
use crate::machine::Machine;

/// The result of all rounds. Printed as a table, or as JSON through serde.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    mib: u32,
    receivers: u32,
    raw_mib_per_second: Spread,
    raw_cpu_ms_per_mib: Spread,
    file_cpu_ms_per_mib: Spread,
    file_mib_per_second: Spread,
    file_with_hashing_mib_per_second: Spread,
    to_all_mib_per_second: Spread,
    /// The file through bare QUIC, of each round.
    file_through_raw: Spread,
    to_all_through_raw: Spread,
    p99_us_without: Spread,
    p99_us_with: Spread,
    /// What files move while requests are asked, hashing included.
    beside_requests_mib_per_second: Spread,
    /// The latency with a file through that without, of each round.
    p99_with_through_without: Spread,
    /// The most that any process of a role grew by in any round.
    grown_mib: BTreeMap<String, f64>,
    rounds: Vec<Round>,
}

impl Report {
    pub(super) fn new(machine: Machine, mib: u32, receivers: u32, rounds: Vec<Round>) -> Self {
        let spread = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of).collect());
        let mut grown_mib = BTreeMap::<String, f64>::new();
        for grown in rounds.iter().flat_map(|round| &round.memory) {
            let most = grown_mib.entry(format!("{}: {}", grown.part, grown.role)).or_default();
            *most = most.max(f64::from(grown.kib) / 1024.0);
        }
        Self {
            machine,
            mib,
            receivers,
            raw_mib_per_second: spread(|round| round.raw_mib_per_second),
            raw_cpu_ms_per_mib: spread(|round| round.raw_cpu_ms_per_mib),
            file_cpu_ms_per_mib: spread(|round| round.file_cpu_ms_per_mib),
            file_mib_per_second: spread(|round| round.file_mib_per_second),
            file_with_hashing_mib_per_second: spread(|it| it.file_with_hashing_mib_per_second),
            to_all_mib_per_second: spread(|round| round.to_all_mib_per_second),
            file_through_raw: spread(|it| it.file_mib_per_second / it.raw_mib_per_second),
            to_all_through_raw: spread(|it| it.to_all_mib_per_second / it.raw_mib_per_second),
            p99_us_without: spread(|round| round.p99_us_without),
            p99_us_with: spread(|round| round.p99_us_with),
            beside_requests_mib_per_second: spread(|it| it.beside_requests_mib_per_second),
            p99_with_through_without: spread(|round| round.p99_us_with / round.p99_us_without),
            grown_mib,
            rounds,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, mib, receivers, .. } = self;
        writeln!(f, "{machine}")?;
        writeln!(
            f,
            "median [range] of {} rounds with {mib} MiB over two nodes",
            self.rounds.len()
        )?;
        for (what, spread) in [
            ("bare QUIC, MiB/s", &self.raw_mib_per_second),
            ("file, MiB/s", &self.file_mib_per_second),
            ("  with hashing before", &self.file_with_hashing_mib_per_second),
            ("  through bare QUIC", &self.file_through_raw),
            ("bare QUIC, CPU ms a MiB", &self.raw_cpu_ms_per_mib),
            ("file, CPU ms a MiB", &self.file_cpu_ms_per_mib),
            ("to several in all, MiB/s", &self.to_all_mib_per_second),
            ("  through bare QUIC", &self.to_all_through_raw),
            ("request p99, us", &self.p99_us_without),
            ("  with a file", &self.p99_us_with),
            ("  with through without", &self.p99_with_through_without),
            ("file beside them, MiB/s", &self.beside_requests_mib_per_second),
        ] {
            writeln!(f, "  {what:26} {spread}")?;
        }
        writeln!(f, "  several are {receivers}; resident memory grew by at most")?;
        for (who, mib) in &self.grown_mib {
            writeln!(f, "    {who:24} {mib:.1} MiB")?;
        }
        Ok(())
    }
}
