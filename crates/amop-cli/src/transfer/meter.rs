//! Says how far files are while they are under way: on a terminal one line that is drawn again and again, else a
//! line now and then, and with `--json` objects.
//!
//! Whoever is quick hears nothing: the first word comes as late as the second.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use amop_sdk::{FileAtReceiver, Progress, ProgressToAll};
use serde::Serialize;

use crate::clock;
use crate::exit::Failure;
use crate::out::Out;
use crate::text::{printable, size};

/// Tells how far files are, no more often than somebody wants to hear it.
#[derive(Debug)]
pub(super) struct Meter {
    begun: Instant,
    told_at: Duration,
}

/// A file under way, as its sender or a receiver sees it.
#[derive(Clone, Debug)]
pub(super) struct Going {
    name: String,
    received: u64,
    resumed: u64,
    total: u64,
    /// Of a file for all.
    receivers: Option<Receivers>,
    /// Of which of them it was said that it goes on where it was.
    told_of: BTreeSet<amop_sdk::Instance>,
    rate: Rate,
}

/// How many of its receivers have a file.
#[derive(Clone, Debug, Serialize)]
struct Receivers {
    all: usize,
    done: usize,
    failed: usize,
    /// Who has least of it, of those to whom it is still sent.
    slowest: Option<Slowest>,
}

#[derive(Clone, Debug, Serialize)]
struct Slowest {
    node: String,
    instance: String,
    percent: u64,
}

/// What is going on with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    /// It is hashed, and it is found out who receives it.
    Preparing,
    /// Its receiver has said nothing so far.
    Waiting,
    Moving,
    /// All of it is there, and is being put safe.
    Finishing,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { begun: clock::moment(), told_at: Duration::ZERO }
    }

    /// Tells how far these files are, if it is time to say so again.
    pub(super) fn tell<'a>(
        &mut self,
        going: impl IntoIterator<Item = &'a mut Going>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let now = self.begun.elapsed();
        let every = if out.is_json() || out.can_redraw() { OFTEN } else { SELDOM };
        if now < self.told_at + every {
            return Ok(());
        }
        self.told_at = now;
        let mut words = Vec::new();
        for one in going {
            one.rate.note(now, one.received);
            if out.is_json() {
                out.json(&one.object())?;
            } else {
                words.push(one.words());
            }
        }
        if out.can_redraw() {
            out.redraw(words.join(" · "));
        } else {
            words.into_iter().for_each(|line| out.note(line));
        }
        Ok(())
    }
}

impl Going {
    pub(super) fn new(name: &str) -> Self {
        let name = printable(name.as_bytes());
        let rate = Rate::default();
        let told_of = BTreeSet::new();
        Self { name, received: 0, resumed: 0, total: 0, receivers: None, told_of, rate }
    }

    /// It has begun, with so many bytes to go.
    pub(super) fn begin(&mut self, total: u64) {
        self.total = total;
        self.rate.has_begun = true;
    }

    /// How far it is at its receiver. Says at how many percent it goes on, once.
    pub(super) fn at(&mut self, progress: Progress) -> Option<u64> {
        let Progress { received, resumed, total } = progress;
        let was_told = self.resumed > 0 || resumed == 0;
        (self.received, self.resumed, self.total) = (received, resumed, total);
        (!was_told).then(|| percent(resumed, total))
    }

    /// How far it is at all of them. Says at how many percent it goes on, once of each.
    pub(super) fn at_all(&mut self, progress: &ProgressToAll) -> Vec<String> {
        let all = progress.receivers.len();
        let slowest = progress.slowest().map(|at| Slowest {
            node: at.node.as_dns().to_owned(),
            instance: at.instance.to_string(),
            percent: percent(at.received, progress.total),
        });
        let (done, failed) = (progress.done(), progress.failed());
        let going = progress.receivers.iter().filter(|at| at.outcome.is_none());
        let ended = progress.total * u64::try_from(done + failed).unwrap_or(u64::MAX);
        self.received = going.map(|at| at.received).sum::<u64>() + ended;
        self.total = progress.total * u64::try_from(all).unwrap_or(u64::MAX);
        self.resumed = progress.resumed();
        self.receivers = Some(Receivers { all, done, failed, slowest });
        let resumed = progress.receivers.iter().filter(|at| at.resumed > 0);
        let news = resumed.filter(|at| self.told_of.insert(at.instance));
        let line = |at: &FileAtReceiver| {
            let percent = percent(at.resumed, progress.total);
            format!("resuming at {percent} % at {} of {}", at.instance, at.node)
        };
        news.map(line).collect()
    }

    fn phase(&self) -> Phase {
        match self.received {
            _ if !self.rate.has_begun => Phase::Preparing,
            0 => Phase::Waiting,
            all if all == self.total => Phase::Finishing,
            _ => Phase::Moving,
        }
    }

    fn words(&self) -> String {
        let name = &self.name;
        let mut words = match self.phase() {
            Phase::Preparing => {
                return format!("{name}: it is read, and its receiver looked for");
            }
            Phase::Waiting => format!("{name}: waiting for its receiver"),
            Phase::Finishing => format!("{name}: all is there, and is being put safe"),
            Phase::Moving => {
                let shown = |bytes: u64| size(usize::try_from(bytes).unwrap_or(usize::MAX));
                let (received, total) = (shown(self.received), shown(self.total));
                let percent = percent(self.received, self.total);
                let mut words = format!("{name}: {percent} %, {received} of {total}");
                if let Some(bytes_per_second) = self.rate.bytes_per_second() {
                    words.push_str(&format!(", {}/s", shown(bytes_per_second)));
                }
                if let Some(seconds) = self.seconds_left() {
                    words.push_str(&format!(", {} left", clock_words(seconds)));
                }
                words
            }
        };
        if let Some(Receivers { all, done, failed, slowest }) = &self.receivers {
            words.push_str(&format!(", {done} of {all} receivers done"));
            if *failed > 0 {
                words.push_str(&format!(", {failed} failed"));
            }
            if let Some(Slowest { node, instance, percent }) = slowest {
                words.push_str(&format!(", slowest {instance} at {node} with {percent} %"));
            }
        }
        words
    }

    fn object(&self) -> ProgressObject<'_> {
        ProgressObject {
            kind_of_object: "file-progress",
            file: &self.name,
            phase: self.phase(),
            received: self.received,
            resumed: self.resumed,
            total: self.total,
            bytes_per_second: self.rate.bytes_per_second(),
            seconds_left: self.seconds_left(),
            receivers: self.receivers.as_ref(),
        }
    }

    fn seconds_left(&self) -> Option<u64> {
        let bytes_per_second = self.rate.bytes_per_second().filter(|rate| *rate > 0)?;
        Some((self.total - self.received).div_ceil(bytes_per_second))
    }
}

/// How fast bytes come, of late more than earlier.
#[derive(Clone, Debug, Default)]
struct Rate {
    has_begun: bool,
    last: Option<(Duration, u64)>,
    smooth: Option<f64>,
}

impl Rate {
    fn note(&mut self, now: Duration, received: u64) {
        let Some((at, before)) = self.last.replace((now, received)) else { return };
        // What was there before does not count as fast.
        if before == 0 || received < before {
            return;
        }
        let span = now.saturating_sub(at).as_secs_f64();
        let rate = count(received - before) / span.max(1e-3);
        let weight = 1.0 - (-span / SMOOTH_SECONDS).exp();
        self.smooth = Some(self.smooth.map_or(rate, |smooth| smooth + weight * (rate - smooth)));
    }

    fn bytes_per_second(&self) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is far below the limits of 64 bits"
        )]
        #[expect(clippy::cast_sign_loss, reason = "nothing comes at less than no speed")]
        let whole = |rate: f64| rate.round() as u64;
        self.smooth.map(whole)
    }
}

#[expect(clippy::cast_precision_loss, reason = "people read it")]
fn count(bytes: u64) -> f64 {
    bytes as f64
}

fn percent(part: u64, all: u64) -> u64 {
    part * 100 / all.max(1)
}

fn clock_words(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How far a file is, for programs.
#[derive(Serialize)]
struct ProgressObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    file: &'a str,
    phase: Phase,
    /// Of a file for all, at all of them together.
    received: u64,
    resumed: u64,
    total: u64,
    bytes_per_second: Option<u64>,
    seconds_left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receivers: Option<&'a Receivers>,
}

/// How often a terminal, or a program, is told.
const OFTEN: Duration = Duration::from_millis(250);

/// How often a log is.
const SELDOM: Duration = Duration::from_secs(5);

/// Over how long a rate is smoothed.
const SMOOTH_SECONDS: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn at(received: u64, resumed: u64) -> Progress {
        let mut progress = Progress::default();
        (progress.received, progress.resumed, progress.total) = (received, resumed, 64 * MIB);
        progress
    }

    #[test]
    fn a_file_is_told_with_bytes_rate_and_time_left_and_with_its_phase() {
        let mut going = Going::new("a\x1b.bin");
        assert_eq!(going.words(), "a\\u{1b}.bin: it is read, and its receiver looked for");
        going.begin(64 * MIB);
        assert_eq!(going.words(), "a\\u{1b}.bin: waiting for its receiver");
        for second in 1..=8 {
            going.at(at(4 * second * MIB, 0));
            going.rate.note(Duration::from_secs(second), going.received);
        }
        let expected = "a\\u{1b}.bin: 50 %, 32.0 MiB of 64.0 MiB, 4.0 MiB/s, 8 s left";
        assert_eq!(going.words(), expected);
        going.at(at(64 * MIB, 0));
        assert_eq!(going.words(), "a\\u{1b}.bin: all is there, and is being put safe");
    }

    #[test]
    fn what_was_there_before_is_said_once_and_is_no_speed() {
        let mut going = Going::new("a");
        going.begin(64 * MIB);
        going.rate.note(Duration::from_secs(1), 0);
        assert_eq!(going.at(at(40 * MIB, 39 * MIB)), Some(60));
        assert_eq!(going.at(at(41 * MIB, 39 * MIB)), None);
        going.rate.note(Duration::from_secs(2), 41 * MIB);
        assert_eq!(going.rate.bytes_per_second(), None);
        going.rate.note(Duration::from_secs(3), 42 * MIB);
        assert_eq!(going.rate.bytes_per_second(), Some(MIB));
    }

    #[test]
    fn a_program_is_told_the_same() {
        let mut going = Going::new("a");
        going.begin(64 * MIB);
        going.at(at(16 * MIB, 8 * MIB));
        let object = serde_json::to_value(going.object()).unwrap();
        let expected = serde_json::json!({
            "type": "file-progress", "file": "a", "phase": "moving", "received": 16 * MIB,
            "resumed": 8 * MIB, "total": 64 * MIB, "bytes_per_second": null, "seconds_left": null,
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn of_a_file_for_all_the_receivers_that_are_done_and_the_slowest_one_are_told() {
        let mut going = Going::new("a");
        going.begin(4 * MIB);
        (going.received, going.total) = (5 * MIB, 12 * MIB);
        let slowest = Slowest { node: "n1".to_owned(), instance: "i".to_owned(), percent: 25 };
        going.receivers = Some(Receivers { all: 3, done: 1, failed: 1, slowest: Some(slowest) });
        let expected = "a: 41 %, 5.0 MiB of 12.0 MiB, 1 of 3 receivers done, 1 failed, slowest i at n1 with 25 %";
        assert_eq!(going.words(), expected);
    }

    #[test]
    fn time_is_told_in_what_people_count() {
        assert_eq!([59, 61, 3661].map(clock_words), ["59 s", "1 min 1 s", "1 h 1 min"]);
    }
}
