//! Tells what happened in a world: who said what to whom, what was done, what failed.
//!
//! A story is drawn as a ladder: a column for each party, an arrow for each message as it arrives,
//! a line across all of them for a fault. The ladder of one message leaves out all others, and the
//! parties that have nothing to do with it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use amop_wire::{Instant, MsgId};

use crate::network::Party;

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) what: What,
    /// The messages that it is about.
    pub(crate) about: About,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A party did something, or something came to it.
    Did(Party),
    /// Something was said, and arrived or did not.
    Said { from: Party, to: Party, arrived: bool },
    /// Something failed or came back.
    World,
}

/// Which messages a line is about: a publisher's from one number on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Nothing,
    Messages(MsgId, u32),
}

impl From<MsgId> for About {
    fn from(id: MsgId) -> Self {
        Self::Messages(id, 1)
    }
}

impl About {
    fn includes(self, id: MsgId) -> bool {
        match self {
            Self::Nothing => false,
            Self::Messages(first, count) => {
                let past = id.counter.checked_sub(first.counter);
                first.publisher == id.publisher && past.is_some_and(|past| past < count.into())
            }
        }
    }
}

impl Story {
    pub(crate) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Draws what concerns one message, or everything.
    pub(crate) fn ladder(&self, about: Option<MsgId>) -> String {
        let told: Vec<&Line> = match about {
            Some(id) => self.concerning(id),
            None => self.lines.iter().collect(),
        };
        let columns: Vec<Party> = told
            .iter()
            .flat_map(|line| line.what.parties())
            .collect::<BTreeSet<Party>>()
            .into_iter()
            .collect();
        let head = columns.iter().map(|party| format!("{party:^CELL$}", party = party.to_string()));
        let mut ladder = format!("{:>12} {}\n", "ms", head.collect::<String>());
        for line in told {
            let millis = line.at.since_start().as_secs_f64() * 1e3;
            let drawn = draw(line.what, &columns);
            ladder.push_str(&format!("{millis:>12.3} {drawn}  {}\n", line.text));
        }
        ladder
    }

    /// What is about a message, what its parties did meanwhile, and what failed since shortly
    /// before.
    fn concerning(&self, id: MsgId) -> Vec<&Line> {
        let its_own = || self.lines.iter().filter(|line| line.about.includes(id));
        let Some(first) = its_own().map(|line| line.at).min() else { return Vec::new() };
        let last = its_own().map(|line| line.at).max().unwrap_or(first);
        let parties: BTreeSet<Party> = its_own().flat_map(|line| line.what.parties()).collect();
        let is_told = |line: &&Line| {
            let is_near = first <= line.at + BEFORE && line.at <= last;
            line.about.includes(id)
                || is_near
                    && line.about == About::Nothing
                    && match line.what {
                        What::World => true,
                        What::Did(party) => parties.contains(&party),
                        What::Said { .. } => false,
                    }
        };
        self.lines.iter().filter(is_told).collect()
    }
}

impl What {
    fn parties(self) -> impl Iterator<Item = Party> {
        let (one, other) = match self {
            Self::Did(party) => (Some(party), None),
            Self::Said { from, to, .. } => (Some(from), Some(to)),
            Self::World => (None, None),
        };
        one.into_iter().chain(other)
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(number) => write!(f, "n{number}"),
            Self::Client(number) => write!(f, "c{number}"),
            Self::Stranger(number) => write!(f, "x{number}"),
        }
    }
}

/// One row of the ladder.
fn draw(what: What, columns: &[Party]) -> String {
    let width = columns.len() * CELL;
    if what == What::World {
        return "~".repeat(width);
    }
    let middle = |party: Party| {
        let position = columns.iter().position(|column| *column == party).unwrap_or(0);
        position * CELL + CELL / 2
    };
    let mut row = vec![' '; width];
    columns.iter().for_each(|&party| row[middle(party)] = '│');
    match what {
        What::Did(party) => row[middle(party)] = '●',
        What::Said { from, to, arrived } => {
            let (from, to) = (middle(from), middle(to));
            let shaft = if arrived { '─' } else { '╌' };
            row[from.min(to) + 1..from.max(to)].fill(shaft);
            row[from] = if from < to { '├' } else { '┤' };
            row[to] = match (arrived, from < to) {
                (false, _) => '╳',
                (true, true) => '▶',
                (true, false) => '◀',
            };
        }
        What::World => {}
    }
    row.into_iter().collect()
}

/// How wide a column is.
const CELL: usize = 8;

/// How long before a message began what failed is told with it.
const BEFORE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::Instance;

    const ID: MsgId = MsgId { publisher: Instance(1), counter: 5 };

    fn story() -> Story {
        let said = |from, to, arrived| What::Said { from, to, arrived };
        let (a, b, c) = (Party::Node(0), Party::Node(1), Party::Client(0));
        let mut story = Story::default();
        let mut push = |seconds, what, about, text: &str| {
            let at = Instant::default() + Duration::from_secs(seconds);
            story.push(Line { at, what, about, text: text.to_owned() });
        };
        push(1, What::World, About::Nothing, "long before");
        push(20, What::World, About::Nothing, "n0-n1 is cut");
        push(21, said(c, a, true), ID.into(), "Publish");
        push(22, said(a, b, false), About::Messages(MsgId { counter: 3, ..ID }, 3), "Run");
        push(22, said(a, b, true), About::Messages(MsgId { counter: 6, ..ID }, 9), "others");
        push(22, said(a, b, true), About::Nothing, "Heartbeat");
        push(22, What::Did(Party::Node(7)), About::Nothing, "somewhere else");
        push(23, What::Did(c), ID.into(), "102");
        story
    }

    #[test]
    fn the_ladder_of_a_message_shows_its_parties_and_what_failed_meanwhile() {
        let ladder = story().ladder(Some(ID));
        let expected = "          ms    n0      n1      c0   \n   \
            20000.000 ~~~~~~~~~~~~~~~~~~~~~~~~  n0-n1 is cut\n   \
            21000.000     ◀───────│───────┤     Publish\n";
        let expected = expected.replace("───────│───────┤", "───────────────┤");
        assert!(ladder.starts_with(&expected), "{ladder}\n{expected}");
        let rest: Vec<&str> = ladder.lines().skip(3).collect();
        assert_eq!(
            rest,
            [
                "   22000.000     ├╌╌╌╌╌╌╌╳       │     Run",
                "   23000.000     │       │       ●     102"
            ]
        );
    }

    #[test]
    fn the_whole_ladder_leaves_nothing_out() {
        let ladder = story().ladder(None);
        assert_eq!(ladder.lines().count(), 1 + 8);
        assert!(ladder.contains("n7"));
    }

    #[test]
    fn a_run_is_about_each_of_its_messages() {
        let run = About::Messages(ID, 2);
        let counters = (4..8).filter(|&counter| run.includes(MsgId { counter, ..ID }));
        assert_eq!(counters.collect::<Vec<_>>(), [5, 6]);
        assert!(!run.includes(MsgId { publisher: Instance(2), ..ID }));
    }
}
