//! Says what the checks found: a table for people, a line for each check for programs.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::clock;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::text::{millis, span};

/// What a check that held has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Lines for people; the first stands beside the check's name.
    lines: Vec<String>,
    numbers: Map<String, Value>,
}

impl Seen {
    /// Something to show.
    pub(super) fn new(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], numbers: Map::new() }
    }

    /// Adds a line.
    pub(super) fn and(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a number for programs.
    pub(super) fn number(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.numbers.insert(key.to_owned(), value.into());
        self
    }
}

/// What became of a check: what was seen, or why it does not hold.
pub(super) type Verdict = Result<Seen, String>;

/// Collects the verdicts and shows each at once.
#[derive(Debug)]
pub(super) struct Report<'a> {
    out: &'a mut Out,
    tally: Tally,
}

/// How many checks there are, were run, and have failed.
#[derive(Debug, Default)]
struct Tally {
    checks: usize,
    done: usize,
    failed: Vec<&'static str>,
}

impl<'a> Report<'a> {
    /// A report of this many checks.
    pub(super) fn new(out: &'a mut Out, checks: usize) -> Self {
        Self { out, tally: Tally { checks, ..Tally::default() } }
    }

    /// Writes the line above the table.
    pub(super) fn title(&mut self, text: &str) -> Result<(), Failure> {
        if self.out.is_json() { Ok(()) } else { self.out.line(format!("{text}\n")) }
    }

    /// Runs the next check, and shows what became of it.
    pub(super) async fn check(
        &mut self,
        name: &'static str,
        check: impl Future<Output = Verdict>,
    ) -> Result<(), Failure> {
        let begun = clock::moment();
        let verdict = match timeout(CHECK_TIME_MAX, check).await {
            Ok(verdict) => verdict,
            Err(_) => Err(format!("not done after {}", span(CHECK_TIME_MAX))),
        };
        self.add(name, &verdict, begun.elapsed())
    }

    /// Shows what became of the next check, and how long it took.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        verdict: &Verdict,
        took: Duration,
    ) -> Result<(), Failure> {
        let number = self.tally.add(name, verdict.is_ok());
        if self.out.is_json() {
            let object = CheckObject::new(number, name, verdict, took);
            return self.out.json(&object);
        }
        let rows = match verdict {
            Ok(seen) => seen.lines.clone(),
            Err(why) => vec![format!("FAILED: {why}")],
        };
        for (index, row) in rows.iter().enumerate() {
            let line = match index {
                0 => format!("{number:>2} {name:<12} {row:<WIDTH$} {:>8}", span(took)),
                _ => format!("{:>15} {row}", ""),
            };
            self.out.line(line.trim_end())?;
        }
        Ok(())
    }

    /// Writes the last line. Checks that were not reached count as failed.
    ///
    /// # Errors
    ///
    /// [`Failure::Told`] if not every check held.
    pub(super) fn close(self, took: Duration, hint: &str) -> Result<(), Failure> {
        let Tally { checks, done, failed } = &self.tally;
        let passed = done - failed.len();
        if self.out.is_json() {
            let (kind_of_object, checks, ms) = ("summary", *checks, millis(took));
            self.out.json(&SummaryObject { kind_of_object, checks, passed, failed, ms })?;
        } else if self.tally.all_held() {
            self.out.line(format!("\n{passed} of {checks} passed.  {hint}").trim_end())?;
        } else {
            let failed = failed.join(", ");
            let not_run = match checks - done {
                0 => String::new(),
                count => format!("; {count} not run"),
            };
            self.out.line(format!("\n{passed} of {checks} passed. Failed: {failed}{not_run}"))?;
        }
        if self.tally.all_held() { Ok(()) } else { Err(Failure::Told(Exit::OTHER)) }
    }
}

impl Tally {
    /// Counts a check; gives its number.
    fn add(&mut self, name: &'static str, held: bool) -> usize {
        self.done += 1;
        if !held {
            self.failed.push(name);
        }
        self.done
    }

    fn all_held(&self) -> bool {
        self.done == self.checks && self.failed.is_empty()
    }
}

#[derive(Serialize)]
struct CheckObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    number: usize,
    name: &'a str,
    passed: bool,
    text: String,
    numbers: Option<&'a Map<String, Value>>,
    ms: f64,
}

impl<'a> CheckObject<'a> {
    fn new(number: usize, name: &'a str, verdict: &'a Verdict, took: Duration) -> Self {
        let (text, numbers) = match verdict {
            Ok(seen) => (seen.lines.join("\n"), Some(&seen.numbers)),
            Err(why) => (why.clone(), None),
        };
        let (passed, ms) = (verdict.is_ok(), millis(took));
        Self { kind_of_object: "check", number, name, passed, text, numbers, ms }
    }
}

#[derive(Serialize)]
struct SummaryObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    checks: usize,
    passed: usize,
    failed: &'a [&'static str],
    ms: f64,
}

/// Longer than the slowest machine needs for any check.
const CHECK_TIME_MAX: Duration = Duration::from_secs(60);

/// Columns of what a check has seen, so that the times stand in a column of their own.
const WIDTH: usize = 74;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_object_begins_with_its_type() {
        let verdict = Ok(Seen::new("one").and("two").number("p50_us", 210));
        let object = CheckObject::new(3, "unicast", &verdict, Duration::from_millis(7));
        let expected = concat!(
            r#"{"type":"check","number":3,"name":"unicast","passed":true,"text":"one\ntwo","#,
            r#""numbers":{"p50_us":210},"ms":7.0}"#
        );
        assert_eq!(serde_json::to_string(&object).unwrap(), expected);
    }

    #[test]
    fn a_check_that_failed_or_was_not_run_did_not_hold() {
        let mut tally = Tally { checks: 2, ..Tally::default() };
        assert_eq!(tally.add("consortium", true), 1);
        assert!(!tally.all_held(), "one was not run");
        assert_eq!(tally.add("network", true), 2);
        assert!(tally.all_held());

        let mut tally = Tally { checks: 1, ..Tally::default() };
        tally.add("consortium", false);
        assert!(!tally.all_held());
    }
}
