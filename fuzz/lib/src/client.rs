//! A client takes whatever its node and its application hand in, in any order, and what it sends fits the
//! wire.

use std::time::Duration;

use amop_auth::{Entropy, Identity, SecretKey};
use amop_core::client::{Client, Effect, Input, Wanted};
use amop_wire::{
    AnswerStatus, Attempt, Gen, Instance, Instant, Mode, Name, NodeId, NodeMessage, Reason, Terms,
    Topic,
};

use crate::frames::survives;
use crate::reader::Reader;

/// Any inputs. Each begins with a byte that says what happens and one that says about which topic.
pub(crate) fn inputs(data: &[u8]) {
    let mut reader = Reader(data);
    let mut bench = Bench::new();
    while let Some(()) = bench.step(&mut reader) {}
    for _ in 0..TIMEOUTS {
        let Some(due) = bench.client.poll_timeout() else { break };
        bench.now = bench.now.max(due);
        bench.handle(Input::Timeout);
    }
}

struct Bench {
    client: Client,
    now: Instant,
    is_linked: bool,
    /// The unicasts that the application has and did not answer.
    asked: Vec<Attempt>,
}

impl Bench {
    fn new() -> Self {
        let name: Name = "app.sdk.bank-a.amop".parse().expect("a certified name");
        let identity = Identity { name, certificate: [5; 32], instance: Instance(1) };
        let client = Client::new(Instance(1)).with_identity(identity, [[1; 32], [2; 32]]);
        Self { client, now: Instant::default(), is_linked: false, asked: Vec::new() }
    }

    /// Reads what happens next. `None` if there is nothing more.
    fn step(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (what, which) = (reader.byte()? % 14, reader.byte()?);
        let topic: Topic = format!("t{}", which % 3).parse().expect("a valid topic");
        let key = |number: u8| SecretKey::generate(&mut Entropy::new([number % 3 + 1; 32]));
        match what {
            0 => self.now = self.now + reader.span()?,
            1 => {
                if std::mem::replace(&mut self.is_linked, true) {
                    self.handle(Input::LinkDown);
                }
                self.handle(Input::LinkUp { node: NodeId::from_bytes([which; 32]) });
            }
            2 if std::mem::take(&mut self.is_linked) => self.handle(Input::LinkDown),
            3 => {
                let message = reader.message::<NodeMessage>()?;
                if self.is_linked {
                    self.handle(Input::Message(message));
                }
            }
            4 => self.handle(Input::Subscribe(topic)),
            5 => self.handle(Input::SubscribePrivate { topic, key: key(which) }),
            6 => self.handle(Input::Allow { topic, keys: [key(which).public()].into() }),
            7 => self.handle(Input::Remove { topic, key: key(which).public() }),
            8 => self.handle(Input::Unsubscribe(topic)),
            9 | 10 => {
                let mode = if what == 9 { Mode::Unicast } else { Mode::Multicast };
                let payload = reader.payload()?;
                self.publish(mode, topic, payload);
            }
            11 => self.answer(which, reader)?,
            12 => {
                let (generation, number) = (Gen(which.into()), reader.byte()?.into());
                self.handle(Input::Ack { generation, number, refused: which % 2 == 1 });
            }
            13 => self.handle(Input::EndOfBatch),
            _ => self.handle(Input::Timeout),
        }
        Some(())
    }

    fn publish(&mut self, mode: Mode, topic: Topic, payload: bytes::Bytes) {
        let (counter, timeout) = (self.client.draw_counter(), Duration::from_secs(5));
        let (key, terms) = (0, Terms::default());
        self.handle(Input::Publish { counter, key, mode, terms, topic, payload, timeout });
    }

    /// The application answers, or refuses, a unicast that it has.
    fn answer(&mut self, which: u8, reader: &mut Reader<'_>) -> Option<()> {
        let payload = reader.payload()?;
        let attempt = self.asked.pop()?;
        self.handle(if which.is_multiple_of(2) {
            Input::Answer { attempt, status: AnswerStatus::Answered, payload }
        } else {
            Input::Refuse { attempt, reason: Reason::SubscriberBusy }
        });
        Some(())
    }

    fn handle(&mut self, input: Input) {
        self.client.handle(self.now, input);
        while let Some(effect) = self.client.poll_effect() {
            match effect {
                Effect::Send(message) => {
                    assert!(self.is_linked, "sent without a link, so lost: {message:?}");
                    survives(&message);
                }
                Effect::Deliver(delivered) => {
                    if let Wanted::Answer(attempt) = delivered.wanted {
                        self.asked.push(attempt);
                    }
                }
                _ => {}
            }
        }
    }
}

/// How many times the clock goes on at the end.
const TIMEOUTS: u32 = 8;
