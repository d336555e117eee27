//! Steps as they travel: a kind, and numbers whose meaning depends on it (TRACE-6).
//!
//! Agencies do not travel: their numbers mean nothing elsewhere.

use amop_wire::{Code, Instance, Instant, MsgId, Reason, Receipt, TraceStep};

use super::record::{Mark, NodeTag, Party, Record, Relayed, Step, TopicTag};

/// A record as another node is told of it.
pub(super) fn told(now: Instant, record: &Record) -> TraceStep {
    let (kind, numbers) = numbers(&record.step);
    TraceStep { ago: now.saturating_since(record.at), kind, numbers }
}

/// What another node told of a message at that moment; `None` if this version does not know such a step.
pub(super) fn heard(id: MsgId, told_at: Instant, told: &TraceStep) -> Option<Record> {
    Some(Record { id, at: told_at - told.ago, step: step(told.kind, &told.numbers)? })
}

fn numbers(step: &Step) -> (u32, Vec<u64>) {
    match *step {
        Step::Accepted { length, topic, is_multicast, .. } => {
            (1, vec![length.into(), topic.0.into(), is_multicast.into()])
        }
        Step::NotAccepted { length, topic, code, reason, .. } => {
            let (code, reason) = (code.number().into(), reason.number().into());
            (2, vec![length.into(), topic.0.into(), code, reason])
        }
        Step::Parked => (3, vec![]),
        Step::Sent { node, subscriber, attempt, nth, of, waiting, is_again } => {
            let numbers = [nth.into(), of.into(), waiting.into(), is_again.into()];
            (4, [&at(node, subscriber, attempt)[..], &numbers].concat())
        }
        Step::Routed { via, mark, hops } => (5, vec![via.0, mark.0, hops.into()]),
        Step::Pushed { home, subscriber, attempt, length, waiting, .. } => {
            let numbers = [length.into(), waiting.into()];
            (6, [&at(home, subscriber, attempt)[..], &numbers].concat())
        }
        Step::NotPushed { home, subscriber, attempt, reason } => {
            (7, [&at(home, subscriber, attempt)[..], &[reason.number().into()]].concat())
        }
        Step::Replied { home, subscriber, attempt } => (8, at(home, subscriber, attempt).into()),
        Step::Declined { home, subscriber, attempt, reason } => {
            (9, [&at(home, subscriber, attempt)[..], &[reason.number().into()]].concat())
        }
        Step::Answered { node, subscriber, attempt } => (10, at(node, subscriber, attempt).into()),
        Step::Refused { node, subscriber, attempt, reason } => {
            (11, [&at(node, subscriber, attempt)[..], &[reason.number().into()]].concat())
        }
        Step::Ended { code, reason, attempts, .. } => {
            (12, vec![code.number().into(), reason.number().into(), attempts.into()])
        }
        Step::Spread { node, known } => (13, vec![node.0, known.into()]),
        Step::FannedOut { home, pushed, refused, length, .. } => {
            (14, vec![home.0, pushed.into(), refused.into(), length.into()])
        }
        Step::Reported { home, receipt } => (15, [&[home.0][..], &counts(receipt)].concat()),
        Step::Received { receipt, .. } => (16, counts(receipt).into()),
        Step::Relayed(between) => (17, ends(between).into()),
        Step::GivenBack(between) => (18, ends(between).into()),
    }
}

fn at(node: NodeTag, subscriber: Instance, attempt: u32) -> [u64; 3] {
    [node.0, subscriber.0, attempt.into()]
}

fn counts(receipt: Receipt) -> [u64; 3] {
    [receipt.acked.into(), receipt.refused.into(), receipt.unknown.into()]
}

fn ends(between: Relayed) -> [u64; 4] {
    [between.source.0, between.from.0, between.to.0, between.target.0]
}

fn step(kind: u32, numbers: &[u64]) -> Option<Step> {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let reason = |number: u64| Reason::from_number(small(number));
    let party = Party::ELSEWHERE;
    Some(match (kind, numbers) {
        (1, &[length, topic, is_multicast]) => Step::Accepted {
            party,
            length: small(length),
            topic: TopicTag(small(topic)),
            is_multicast: is_multicast != 0,
        },
        (2, &[length, topic, code, why]) => Step::NotAccepted {
            party,
            length: small(length),
            topic: TopicTag(small(topic)),
            code: Code::from_number(small(code))?,
            reason: reason(why),
        },
        (3, &[]) => Step::Parked,
        (4, &[node, subscriber, attempt, nth, of, waiting, is_again]) => Step::Sent {
            node: NodeTag(node),
            subscriber: Instance(subscriber),
            attempt: small(attempt),
            nth: u8::try_from(nth).unwrap_or(u8::MAX),
            of: small(of),
            waiting: small(waiting),
            is_again: is_again != 0,
        },
        (5, &[via, mark, hops]) => {
            let (via, mark) = (NodeTag(via), Mark(mark));
            Step::Routed { via, mark, hops: u8::try_from(hops).unwrap_or(u8::MAX) }
        }
        (12, &[code, why, attempts]) => Step::Ended {
            party,
            code: Code::from_number(small(code))?,
            reason: reason(why),
            attempts: small(attempts),
        },
        (13, &[node, known]) => Step::Spread { node: NodeTag(node), known: small(known) },
        (14, &[home, pushed, refused, length]) => Step::FannedOut {
            home: NodeTag(home),
            from: party,
            pushed: small(pushed),
            refused: small(refused),
            length: small(length),
        },
        (15, &[home, acked, refused, unknown]) => Step::Reported {
            home: NodeTag(home),
            receipt: receipt([acked, refused, unknown].map(small)),
        },
        (16, &[acked, refused, unknown]) => {
            Step::Received { party, receipt: receipt([acked, refused, unknown].map(small)) }
        }
        (17 | 18, &[source, from, to, target]) => {
            let [source, from, to, target] = [source, from, to, target].map(NodeTag);
            let between = Relayed { source, from, to, target };
            if kind == 17 { Step::Relayed(between) } else { Step::GivenBack(between) }
        }
        (6..=11, &[node, subscriber, attempt, ..]) => {
            let of = (NodeTag(node), Instance(subscriber), small(attempt));
            return step_of_attempt(kind, of, &numbers[3..]);
        }
        _ => return None,
    })
}

fn step_of_attempt(
    kind: u32,
    (node, subscriber, attempt): (NodeTag, Instance, u32),
    rest: &[u64],
) -> Option<Step> {
    let (home, from, to) = (node, Party::ELSEWHERE, Party::ELSEWHERE);
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let reason = |number: u64| Reason::from_number(small(number));
    Some(match (kind, rest) {
        (6, &[length, waiting]) => {
            let (length, waiting) = (small(length), small(waiting));
            Step::Pushed { home, subscriber, attempt, from, to, length, waiting }
        }
        (7, &[why]) => Step::NotPushed { home, subscriber, attempt, reason: reason(why) },
        (8, &[]) => Step::Replied { home, subscriber, attempt },
        (9, &[why]) => Step::Declined { home, subscriber, attempt, reason: reason(why) },
        (10, &[]) => Step::Answered { node, subscriber, attempt },
        (11, &[why]) => Step::Refused { node, subscriber, attempt, reason: reason(why) },
        _ => return None,
    })
}

fn receipt([acked, refused, unknown]: [u32; 3]) -> Receipt {
    Receipt { acked, refused, unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// TRACE-6
    #[test]
    fn every_step_travels_and_what_is_not_known_is_skipped() {
        let (node, subscriber, attempt) = (NodeTag(1), Instance(2), 3);
        let (party, from, to) = (Party::ELSEWHERE, Party::ELSEWHERE, Party::ELSEWHERE);
        let (length, waiting, topic) = (4, 5, TopicTag(6));
        let (code, reason, receipt) =
            (Code::TimedOut, Reason::Deadline, Receipt { acked: 1, refused: 2, unknown: 3 });
        let between =
            Relayed { source: NodeTag(1), from: NodeTag(2), to: NodeTag(3), target: NodeTag(4) };
        let home = node;
        let all = [
            Step::Accepted { party, length, topic, is_multicast: true },
            Step::NotAccepted { party, length, topic, code, reason },
            Step::Parked,
            Step::Sent { node, subscriber, attempt, nth: 7, of: 8, waiting, is_again: true },
            Step::Routed { via: node, mark: Mark(9), hops: 3 },
            Step::Pushed { home, subscriber, attempt, from, to, length, waiting },
            Step::NotPushed { home, subscriber, attempt, reason },
            Step::Replied { home, subscriber, attempt },
            Step::Declined { home, subscriber, attempt, reason },
            Step::Answered { node, subscriber, attempt },
            Step::Refused { node, subscriber, attempt, reason },
            Step::Ended { party, code, reason, attempts: 2 },
            Step::Spread { node, known: 3 },
            Step::FannedOut { home, from, pushed: 1, refused: 2, length },
            Step::Reported { home, receipt },
            Step::Received { party, receipt },
            Step::Relayed(between),
            Step::GivenBack(between),
        ];
        let start = Instant::default();
        let (then, now) = (start + Duration::from_secs(5), start + Duration::from_secs(7));
        for (kind, step) in (1..).zip(all) {
            let id = MsgId { publisher: Instance(1), counter: 1 };
            let record = Record { id, at: then, step };
            let travelling = told(now, &record);
            assert_eq!(travelling.kind, kind);
            assert_eq!(heard(id, now, &travelling), Some(record));
            let other = TraceStep { kind: 99, ..travelling };
            assert_eq!(heard(id, now, &other), None);
        }
    }
}
