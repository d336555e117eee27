//! Any question about a message, and any answer.

use std::time::Duration;

use amop_wire::{Instance, MsgId, PeerMessage, TraceAnswer, TraceQuestion, TraceStep, TraceWord};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn trace_messages() -> impl Strategy<Value = PeerMessage> {
    let question =
        any::<(u64, u64, u64, u32)>().prop_map(|(number, publisher, counter, attempt)| {
            let id = MsgId { publisher: Instance(publisher), counter };
            PeerMessage::TraceQuestion(TraceQuestion { number, id, attempt })
        });
    let words = [TraceWord::Told, TraceWord::Refused, TraceWord::Busy];
    let answer = (any::<u64>(), prop::sample::select(words.to_vec()), vec(steps(), 0..4));
    let answer = answer.prop_map(|(number, word, steps)| {
        PeerMessage::TraceAnswer(TraceAnswer { number, word, steps })
    });
    prop_oneof![question, answer]
}

fn steps() -> impl Strategy<Value = TraceStep> {
    (any::<u64>(), any::<u32>(), vec(any::<u64>(), 0..=8)).prop_map(|(ago, kind, numbers)| {
        TraceStep { ago: Duration::from_micros(ago), kind, numbers }
    })
}
