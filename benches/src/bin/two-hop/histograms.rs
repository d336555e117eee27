//! Writes how long answers took as a log of HDR histograms, which the tools of HdrHistogram read.
//!
//! One line for each case and system, over all runs, tagged `case/system`; times in nanoseconds.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::serialization::V2Serializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::bench::CaseRuns;
use crate::latencies::Latencies;

/// A file for them.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Makes the file anew, before anything is measured in vain.
    ///
    /// # Errors
    ///
    /// Fails when that cannot be.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes what was measured, and warns if nothing of it has a latency.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be written.
    pub(crate) fn write(mut self, cases: &[CaseRuns]) -> Result<()> {
        let lines = cases.iter().map(|CaseRuns { case, system, runs }| {
            let mut all = Latencies::new();
            runs.iter().for_each(|run| all.merge(&run.measured.latencies));
            let seconds: f64 = runs.iter().map(|run| run.measured.seconds).sum();
            (format!("{}/{system}", case.name), seconds, all)
        });
        let (mut text, path) = (Vec::new(), self.path.display());
        if encode(&mut text, lines)? == 0 {
            eprintln!("warning: {path} has no histogram: one-way messages have no latency");
        }
        self.file.write_all(&text).with_context(|| format!("cannot write {path}"))
    }
}

/// Answers how many of them had something to tell.
fn encode(
    text: &mut Vec<u8>,
    lines: impl Iterator<Item = (String, f64, Latencies)>,
) -> Result<usize> {
    let mut serializer = V2Serializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    let builder = builder.with_max_value_divisor(1e6); // Its last column is in milliseconds.
    let mut log = builder.begin_log_with(text, &mut serializer)?;
    let (mut began, mut count) = (Duration::ZERO, 0);
    for (tag, seconds, latencies) in lines.filter(|(_, _, latencies)| latencies.count() > 0) {
        let tag = Tag::new(&tag).context("a tag has no comma, space or line break")?;
        let took = Duration::from_secs_f64(seconds);
        let written = log.write_histogram(latencies.histogram(), began, took, Some(tag));
        written.map_err(|error| anyhow::anyhow!("cannot encode a histogram: {error:?}"))?;
        began += took;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn every_line_has_its_tag_and_empty_histograms_are_left_out() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_micros(2500));
        let lines = [("a/ours", latencies), ("b/ours", Latencies::new())];
        let mut text = Vec::new();
        let lines = lines.into_iter().map(|(tag, all)| (tag.to_owned(), 2.5, all));
        assert_eq!(encode(&mut text, lines).unwrap(), 1);

        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(&text) {
            if let LogEntry::Interval(line) = entry.unwrap() {
                let max_us = (line.max() * 1000.0).round();
                found.push((line.tag().unwrap().as_str().to_owned(), line.duration(), max_us));
                // What the second version of the format begins with, in base64.
                assert!(line.encoded_histogram().starts_with("HIST"), "{line:?}");
            }
        }
        // To three digits.
        assert_eq!(found, [("a/ours".to_owned(), Duration::from_millis(2500), 2501.0)]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_before_anything_runs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no-such-directory").join("answers.hlog");
        let error = Log::create(&path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot write {}", path.display()));
    }
}
