//! Whether anything stood still: in bad weather nothing of AMOP may take longer than 2 s, no answer and no gap between
//! messages in one direction.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::bench::CaseRuns;
use crate::network::Run;
use crate::system::System;
use crate::weather::Weather;

/// A case that stood still.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Stall {
    case: &'static str,
    /// The longest of all runs.
    seconds: f64,
}

/// The cases of AMOP that stood still in this weather. On clear days a busy machine is all that could be seen.
pub(crate) fn stalls(weather: Weather, cases: &[CaseRuns]) -> Vec<Stall> {
    let ours = cases.iter().filter(|_| weather != Weather::Clear);
    let ours = ours.filter(|runs| runs.system == System::Ours);
    let longest = ours.map(|CaseRuns { case, runs, .. }| {
        let longest = runs.iter().map(longest).max().unwrap_or_default();
        (longest, Stall { case: case.name, seconds: longest.as_secs_f64() })
    });
    longest.filter(|(longest, _)| *longest > STALL).map(|(_, stall)| stall).collect()
}

fn longest(run: &Run) -> Duration {
    run.measured.longest.max(run.longest_gap.unwrap_or_default())
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, seconds } = self;
        write!(f, "{case} stood still for {seconds:.1} s, more than {} s", STALL.as_secs())
    }
}

/// What takes longer has stood still.
const STALL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::{run, runs};

    #[test]
    fn an_answer_or_a_gap_of_more_than_2_s_is_a_stall_of_ours_in_bad_weather() {
        let found = |weather, system, longest: u64, gap: Option<u64>| {
            let mut slow = run(10, None);
            slow.measured.longest = Duration::from_millis(longest);
            slow.longest_gap = gap.map(Duration::from_millis);
            stalls(weather, &[runs(1, system, vec![run(10, None), slow])])
        };
        assert_eq!(found(Weather::Loss, System::Ours, 2000, Some(2000)), []);
        let late = [Stall { case: "one-way-256", seconds: 2.001 }];
        assert_eq!(found(Weather::Loss, System::Ours, 2001, None), late);
        assert_eq!(found(Weather::Delay, System::Ours, 0, Some(2001)), late);
        assert_eq!(found(Weather::Clear, System::Ours, 2001, None), []);
        assert_eq!(found(Weather::Loss, System::Raw, 2001, None), []);
        assert_eq!(late[0].to_string(), "one-way-256 stood still for 2.0 s, more than 2 s");
    }
}
