//! What a client process writes down of what it does and sees: one line each, on the disk before the
//! process goes on, so that nothing of a process that is killed is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use amop_sdk::{Instance, Mode, MsgId};
use anyhow::{Context, Result, ensure};

/// One line of a diary. Moments are in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A message was published, with so many milliseconds of time.
    Published { id: MsgId, mode: Mode, at: u64, timeout_ms: u64 },
    /// A unicast was answered.
    Answered { id: MsgId, at: u64, text: String },
    /// A multicast has ended well.
    Counted { id: MsgId, at: u64, acked: u32, refused: u32, unknown: u32 },
    /// A publish failed.
    Failed { id: MsgId, at: u64, code: u8 },
    /// A handler was called.
    Handled { id: MsgId, at: u64, by: Instance },
    /// So many multicasts are missing before this one.
    Missed { id: MsgId, by: Instance, count: u64 },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published { id, mode, at, timeout_ms } => {
                let mode = if *mode == Mode::Unicast { "unicast" } else { "multicast" };
                write!(f, "published {id} {mode} {at} {timeout_ms}")
            }
            Self::Answered { id, at, text } => write!(f, "answered {id} {at} {text}"),
            Self::Counted { id, at, acked, refused, unknown } => {
                write!(f, "counted {id} {at} {acked} {refused} {unknown}")
            }
            Self::Failed { id, at, code } => write!(f, "failed {id} {at} {code}"),
            Self::Handled { id, at, by } => write!(f, "handled {id} {at} {by}"),
            Self::Missed { id, by, count } => write!(f, "missed {id} {by} {count}"),
        }
    }
}

impl Line {
    /// Who wrote it, where it says so.
    fn client(&self) -> Option<Instance> {
        match self {
            Self::Published { id, .. } => Some(id.publisher),
            Self::Handled { by, .. } => Some(*by),
            _ => None,
        }
    }

    /// Reads a line.
    ///
    /// # Errors
    ///
    /// Fails if it is none; the last one of a process that was killed may be half of one.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, id, ..] = words[..] else { anyhow::bail!("no line of a diary: {line}") };
        let id = parse_id(id)?;
        let word = |n: usize| words.get(n).copied().context("a word is missing");
        let number = |n: usize| Ok::<u64, anyhow::Error>(word(n)?.parse()?);
        let count = |n: usize| Ok::<u32, anyhow::Error>(word(n)?.parse()?);
        let by = |n: usize| Ok::<_, anyhow::Error>(Instance(u64::from_str_radix(word(n)?, 16)?));
        Ok(match kind {
            "published" => {
                let mode = if word(2)? == "unicast" { Mode::Unicast } else { Mode::Multicast };
                Self::Published { id, mode, at: number(3)?, timeout_ms: number(4)? }
            }
            "answered" => {
                ensure!(words.len() > 3, "no answer");
                Self::Answered { id, at: number(2)?, text: words[3..].join(" ") }
            }
            "counted" => {
                let (acked, refused, unknown) = (count(3)?, count(4)?, count(5)?);
                Self::Counted { id, at: number(2)?, acked, refused, unknown }
            }
            "failed" => Self::Failed { id, at: number(2)?, code: word(3)?.parse()? },
            "handled" => Self::Handled { id, at: number(2)?, by: by(3)? },
            "missed" => Self::Missed { id, by: by(2)?, count: number(3)? },
            _ => anyhow::bail!("no kind of line: {kind}"),
        })
    }
}

/// A diary on the disk, and what became of the process that wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) is_killed: bool,
    /// When it stood still.
    pub(crate) stops: &'a [Stop],
}

/// A span in which a process stood still. Its moments are in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// What all clients of a run wrote.
#[derive(Debug, Default)]
pub(crate) struct Diaries {
    pub(crate) lines: Vec<Line>,
    /// Clients that were killed: what they have published may have no end, and the last that they were handed may
    /// not be written down.
    pub(crate) killed: BTreeSet<Instance>,
    /// Clients that stood still for a while, in which they saw and wrote nothing.
    pub(crate) stops: BTreeMap<Instance, Vec<Stop>>,
}

impl Diaries {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read.
    pub(crate) fn read<'a>(all: impl Iterator<Item = Source<'a>>) -> Result<Self> {
        let mut diaries = Self::default();
        for Source { path, is_killed, stops } in all {
            let text = fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            // What has no end of line is half of one: its process was killed.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            for line in whole.lines() {
                let line = Line::parse(line)?;
                if let Some(client) = line.client() {
                    diaries.killed.extend(is_killed.then_some(client));
                    if !stops.is_empty() {
                        diaries.stops.entry(client).or_insert_with(|| stops.to_vec());
                    }
                }
                diaries.lines.push(line);
            }
        }
        Ok(diaries)
    }
}

/// Where a process writes them.
#[derive(Debug)]
pub(crate) struct Diary(Mutex<File>);

impl Diary {
    /// Begins a diary.
    ///
    /// # Errors
    ///
    /// Fails if there is no place for it.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(Mutex::new(file)))
    }

    /// Writes a line.
    pub(crate) fn write(&self, line: &Line) {
        let mut file = self.0.lock().expect("nothing panics while it writes");
        file.write_all(format!("{line}\n").as_bytes()).expect("there is room for a diary");
    }
}

fn parse_id(text: &str) -> Result<MsgId> {
    ensure!(text.len() == 32 && text.is_ascii(), "no id: {text}");
    let part = |text: &str| u64::from_str_radix(text, 16).context("no id");
    let (publisher, counter) = text.split_at(16);
    Ok(MsgId { publisher: Instance(part(publisher)?), counter: part(counter)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_whoever_was_killed_or_stood_still_that_is_known_with_its_diary() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, client| {
            let (path, id) =
                (dir.path().join(name), MsgId { publisher: Instance(client), counter: 1 });
            Diary::create(&path).unwrap().write(&Line::Published {
                id,
                mode: Mode::Unicast,
                at: 1,
                timeout_ms: 5,
            });
            path
        };
        let (killed, stopped) = (write("killed", 1), write("stopped", 2));
        let stops = [Stop { from: 3, until: 4 }];
        let diaries = Diaries::read(
            [
                Source { path: &killed, is_killed: true, stops: &[] },
                Source { path: &stopped, is_killed: false, stops: &stops },
            ]
            .into_iter(),
        )
        .unwrap();
        assert_eq!((diaries.lines.len(), diaries.killed), (2, BTreeSet::from([Instance(1)])));
        assert_eq!(diaries.stops, BTreeMap::from([(Instance(2), stops.to_vec())]));
    }

    #[test]
    fn every_line_survives_the_disk_and_half_a_line_is_none() {
        let (id, by, at) = (MsgId { publisher: Instance(7), counter: 9 }, Instance(255), 12);
        let lines = [
            Line::Published { id, mode: Mode::Unicast, at, timeout_ms: 5 },
            Line::Published { id, mode: Mode::Multicast, at, timeout_ms: 5 },
            Line::Answered { id, at, text: "answer to it by him".into() },
            Line::Counted { id, at, acked: 1, refused: 2, unknown: 3 },
            Line::Failed { id, at, code: 102 },
            Line::Handled { id, at, by },
            Line::Missed { id, by, count: 3 },
        ];
        for line in lines {
            assert_eq!(Line::parse(&line.to_string()).unwrap(), line);
        }
        for bad in ["", "handled", "handled 12 1 1", "failed 00000000000000070000000000000009 1"] {
            assert!(Line::parse(bad).is_err(), "{bad}");
        }
    }
}
