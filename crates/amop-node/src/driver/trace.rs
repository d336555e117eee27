//! Makes what people are shown of one message.
//!
//! Records have neither names nor topics; they get those back as far as this node knows them now.

use amop_core::node::{Input, NodeTag, Record, Relayed, Step, Told, TopicTag, Trace};
use amop_wire::{Instance, Instant, MsgId, Reason, Receipt, TraceWord};
use tokio::sync::oneshot;

use super::look::millis;
use super::{Driver, State};
use crate::view::{NodeTraceView, StepView, TraceView};

impl Driver {
    /// Has the node find out what became of a message; answers within some 2 s.
    pub(crate) fn begin_trace(&self, id: MsgId) -> oneshot::Receiver<Trace> {
        let (told, answer) = oneshot::channel();
        let (now, mut state) = self.begin_batch();
        state.last_trace += 1;
        let number = state.last_trace;
        state.tracing.insert(number, told);
        state.handle(now, Input::Trace { number, id });
        self.end_batch(now, state);
        answer
    }

    /// What was found out, for people.
    pub(crate) fn shown_trace(&self, trace: &Trace) -> TraceView {
        let now = self.now();
        let state = self.lock();
        let own = trace.told.first().map(|told| &told.records[..]).unwrap_or_default();
        let first = own.first().map_or(now, |record| record.at);
        TraceView {
            id: trace.id.to_string(),
            node: self.name.as_dns().into(),
            age_ms: millis(now.saturating_since(first)),
            nodes: trace.told.iter().map(|told| state.told(trace.id, first, told)).collect(),
        }
    }
}

impl State {
    /// Tells who asked. Nobody may be there any more.
    pub(super) fn traced(&mut self, number: u64, trace: Trace) {
        if let Some(asker) = self.tracing.remove(&number) {
            drop(asker.send(trace));
        }
    }

    fn told(&self, id: MsgId, first: Instant, told: &Told) -> NodeTraceView {
        let word = match told.word {
            Some(TraceWord::Told) => "told",
            Some(TraceWord::Refused) => "refused",
            Some(TraceWord::Busy) => "busy",
            None => "silent",
        };
        let mark = (told.about != id).then(|| format!("{:016x}", told.about.counter));
        NodeTraceView {
            node: self.shown(told.node),
            word: word.into(),
            mark,
            uncertainty_ms: millis(told.round_trip / 2),
            steps: self.steps(first, &told.records),
        }
    }

    /// What is sent over others belongs to the attempt before it.
    fn steps(&self, first: Instant, records: &[Record]) -> Vec<StepView> {
        let mut attempt = None;
        let step = |record: &Record| {
            let step = self.step(first, record);
            attempt = step.attempt.or(attempt);
            match record.step {
                Step::Routed { .. } => StepView { attempt, ..step },
                _ => step,
            }
        };
        records.iter().map(step).collect()
    }

    fn step(&self, first: Instant, record: &Record) -> StepView {
        let after = millis(record.at.saturating_since(first));
        let before = millis(first.saturating_since(record.at));
        StepView { at_ms: after - before, ..self.shown_step(&record.step) }
    }

    fn shown_step(&self, step: &Step) -> StepView {
        let of = |step: &str| StepView { step: step.into(), ..StepView::default() };
        match *step {
            Step::Accepted { length, topic, is_multicast, .. } => StepView {
                length: Some(length),
                topic: self.topic(topic),
                multicast: Some(is_multicast),
                ..of("accepted")
            },
            Step::NotAccepted { length, topic, code, reason, .. } => StepView {
                length: Some(length),
                topic: self.topic(topic),
                code: Some(code.number()),
                ..because(reason, of("not-accepted"))
            },
            Step::Parked => of("parked"),
            Step::Sent { node, subscriber, attempt, nth, of: count, waiting, is_again } => {
                StepView {
                    nth: Some(nth.into()),
                    count: (!is_again).then_some(count),
                    held: Some(waiting),
                    ..self.attempt(
                        node,
                        subscriber,
                        attempt,
                        of(if is_again { "sent-again" } else { "sent" }),
                    )
                }
            }
            Step::Routed { via, mark, hops } => StepView {
                node: Some(self.tagged(via)),
                mark: Some(format!("{:016x}", mark.0)),
                hops: Some(hops.into()),
                ..of("routed")
            },
            Step::Pushed { home, subscriber, attempt, length, waiting, .. } => StepView {
                length: Some(length),
                held: Some(waiting),
                ..self.attempt(home, subscriber, attempt, of("pushed"))
            },
            Step::NotPushed { home, subscriber, attempt, reason } => {
                because(reason, self.attempt(home, subscriber, attempt, of("not-pushed")))
            }
            Step::Replied { home, subscriber, attempt } => {
                self.attempt(home, subscriber, attempt, of("replied"))
            }
            Step::Declined { home, subscriber, attempt, reason } => {
                because(reason, self.attempt(home, subscriber, attempt, of("declined")))
            }
            Step::Answered { node, subscriber, attempt } => {
                self.attempt(node, subscriber, attempt, of("answered"))
            }
            Step::Refused { node, subscriber, attempt, reason } => {
                because(reason, self.attempt(node, subscriber, attempt, of("refused")))
            }
            Step::Ended { code, reason, attempts, .. } => StepView {
                code: Some(code.number()),
                count: Some(attempts),
                ..because(reason, of("ended"))
            },
            ref other => self.shown_for_many(other),
        }
    }

    /// Steps of multicasts, and of what is passed on.
    fn shown_for_many(&self, step: &Step) -> StepView {
        let of = |step: &str| StepView { step: step.into(), ..StepView::default() };
        match *step {
            Step::Spread { node, known } => {
                StepView { node: Some(self.tagged(node)), count: Some(known), ..of("spread") }
            }
            Step::FannedOut { home, pushed, refused, length, .. } => StepView {
                node: Some(self.tagged(home)),
                count: Some(pushed),
                receipt: Some([0, refused, 0]),
                length: Some(length),
                ..of("fanned-out")
            },
            Step::Reported { home, receipt } => StepView {
                node: Some(self.tagged(home)),
                receipt: Some(numbers(receipt)),
                ..of("reported")
            },
            Step::Received { receipt, .. } => {
                StepView { receipt: Some(numbers(receipt)), ..of("received") }
            }
            Step::Relayed(between) => self.between(between, of("relayed")),
            Step::GivenBack(between) => self.between(between, of("given-back")),
            _ => of("unknown"),
        }
    }

    fn attempt(
        &self,
        node: NodeTag,
        subscriber: Instance,
        attempt: u32,
        step: StepView,
    ) -> StepView {
        let (node, subscriber) = (Some(self.tagged(node)), Some(subscriber.to_string()));
        StepView { node, subscriber, attempt: Some(attempt), ..step }
    }

    fn between(&self, Relayed { from, to, .. }: Relayed, step: StepView) -> StepView {
        StepView { node: Some(self.tagged(to)), from: Some(self.tagged(from)), ..step }
    }

    /// The name of a node, as far as it is known.
    fn tagged(&self, tag: NodeTag) -> String {
        let node = self.core.node_of(tag);
        node.map_or_else(|| format!("{:016x}", tag.0), |node| self.shown(node))
    }

    /// The one topic with this hash that anybody subscribes to, as far as this node knows.
    fn topic(&self, tag: TopicTag) -> Option<String> {
        let topics = self.core.table().subscribed_topics();
        let mut found = topics.keys().filter(|topic| TopicTag::of(topic) == tag);
        let topic = found.next().map(|topic| topic.as_str().to_owned());
        topic.filter(|_| found.next().is_none())
    }
}

fn because(reason: Reason, step: StepView) -> StepView {
    StepView { reason: Some(reason.kind().into()), ..step }
}

fn numbers(receipt: Receipt) -> [u32; 3] {
    [receipt.acked, receipt.refused, receipt.unknown]
}
