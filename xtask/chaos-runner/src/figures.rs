//! How many messages of a span of a run got through, and how fast.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use amop_sdk::{Code, Mode, MsgId};

use crate::diary::Line;

/// A span of a run. Its moments are in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// What became of the messages that were published in a span.
#[derive(Debug)]
pub(crate) struct Figures {
    span: Span,
    published: u64,
    limited: u64,
    /// How long each took that got through, in microseconds, the shortest first.
    took: Vec<u64>,
}

impl Figures {
    /// Of unicasts, until they were answered.
    pub(crate) fn of_unicasts(lines: &[Line], span: Span) -> Self {
        let began = published(lines, span, Mode::Unicast);
        let mut limited = 0;
        let took = lines.iter().filter_map(|line| match line {
            Line::Answered { id, at, .. } => Some(at.saturating_sub(*began.get(id)?)),
            Line::Failed { id, code, .. } if *code == Code::Limited.number() => {
                limited += u64::from(began.contains_key(id));
                None
            }
            _ => None,
        });
        let took = sorted(took);
        Self { span, published: began.len() as u64, limited, took }
    }

    /// Of multicasts, until each subscriber had them.
    pub(crate) fn of_multicasts(lines: &[Line], span: Span) -> Self {
        let began = published(lines, span, Mode::Multicast);
        let took = lines.iter().filter_map(|line| match line {
            Line::Handled { id, at, .. } => Some(at.saturating_sub(*began.get(id)?)),
            _ => None,
        });
        let took = sorted(took);
        Self { span, published: began.len() as u64, limited: 0, took }
    }

    /// How many got through in a second.
    pub(crate) fn rate(&self) -> f64 {
        let seconds = (self.span.until - self.span.from) as f64 / 1e6;
        self.took.len() as f64 / seconds
    }

    /// The same without what is less than one.
    pub(crate) fn each_second(&self) -> u64 {
        self.took.len() as u64 * 1_000_000 / (self.span.until - self.span.from)
    }

    /// How long so many of a thousand took at most.
    pub(crate) fn within(&self, per_mille: usize) -> Duration {
        let last = (self.took.len() * per_mille / 1000).min(self.took.len().saturating_sub(1));
        Duration::from_micros(self.took.get(last).copied().unwrap_or_default())
    }

    /// Whether all that was published got through.
    pub(crate) fn is_whole(&self) -> bool {
        self.took.len() as u64 == self.published
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { span, published, limited, took } = self;
        write!(
            f,
            "  {}: {published} published, {limited} limited, {} through",
            span.name,
            took.len()
        )?;
        let [p50, p99] = [500, 990].map(|per_mille| self.within(per_mille).as_secs_f64() * 1e3);
        write!(f, ", {:.0} a second, p50 {p50:.1} ms, p99 {p99:.1} ms", self.rate())
    }
}

fn published(lines: &[Line], span: Span, wanted: Mode) -> BTreeMap<MsgId, u64> {
    let all = lines.iter().filter_map(|line| match line {
        Line::Published { id, mode, at, .. } if *mode == wanted => Some((*id, *at)),
        _ => None,
    });
    all.filter(|(_, at)| (span.from..span.until).contains(at)).collect()
}

fn sorted(took: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut took: Vec<u64> = took.collect();
    took.sort_unstable();
    took
}

#[cfg(test)]
mod tests {
    use super::*;
    use amop_sdk::Instance;

    #[test]
    fn what_was_published_in_a_span_counts_there_whenever_it_ends() {
        let id = |counter| MsgId { publisher: Instance(1), counter };
        let published = |counter, at| Line::Published {
            id: id(counter),
            mode: Mode::Unicast,
            at,
            timeout_ms: 9,
        };
        let answered = |counter, at| Line::Answered { id: id(counter), at, text: "x".into() };
        let lines = [
            published(1, 999),
            published(2, 1000),
            published(3, 1500),
            published(4, 2000),
            answered(1, 1100),
            answered(2, 1300),
            Line::Failed { id: id(3), at: 1600, code: 103 },
            answered(4, 2100),
        ];
        let span = Span { name: "s", from: 1000, until: 2000 };
        let figures = Figures::of_unicasts(&lines, span);
        assert_eq!((figures.published, figures.limited, &figures.took[..]), (2, 1, &[300][..]));
        assert_eq!(figures.within(990), Duration::from_micros(300));
        assert!(!figures.is_whole() && figures.rate() > 999.0);
        let handled = |by, at| Line::Handled { id: id(2), at, by: Instance(by) };
        let lines = [
            Line::Published { id: id(2), mode: Mode::Multicast, at: 1000, timeout_ms: 9 },
            handled(7, 1200),
            handled(8, 1100),
        ];
        assert_eq!(Figures::of_multicasts(&lines, span).took, [100, 200]);
    }
}
