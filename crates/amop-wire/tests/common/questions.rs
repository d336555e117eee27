//! Whatever nodes ask each other of messages and of revocation lists, and any answer.

use std::time::Duration;

use amop_wire::{
    AuthorityId, Instance, MsgId, PeerMessage, ReachAnswer, ReachMessage, RevocationList,
    RevocationMessage, TraceAnswer, TraceQuestion, TraceStep, TraceWord,
};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn questions() -> impl Strategy<Value = PeerMessage> {
    prop_oneof![trace_messages(), reach_messages(), revocation_messages()]
}

fn trace_messages() -> impl Strategy<Value = PeerMessage> {
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

fn reach_messages() -> impl Strategy<Value = PeerMessage> {
    let topic = prop::option::of("[a-z]{1,20}");
    let question = (any::<u64>(), topic).prop_map(|(number, topic)| {
        let topic = topic.map(|topic| topic.parse().expect("letters are a topic"));
        ReachMessage::Question { number, topic }
    });
    let subscribers = vec(any::<u64>().prop_map(Instance), 0..4);
    let answer = (any::<u64>(), any::<bool>(), any::<u32>(), subscribers);
    let answer = answer.prop_map(|(number, is_busy, count, subscribers)| {
        ReachMessage::Answer(ReachAnswer { number, is_busy, count, subscribers })
    });
    prop_oneof![question, answer].prop_map(PeerMessage::Reach)
}

fn revocation_messages() -> impl Strategy<Value = PeerMessage> {
    let held = vec((authorities(), any::<u64>()), 0..4).prop_map(RevocationMessage::Held);
    let pull = authorities().prop_map(RevocationMessage::Pull);
    let list = (authorities(), any::<u64>(), vec(any::<u8>(), 0..90));
    let list = list.prop_map(|(authority, number, der)| {
        RevocationMessage::List(RevocationList { authority, number, der: der.into() })
    });
    prop_oneof![held, pull, list].prop_map(PeerMessage::Revocation)
}

fn authorities() -> impl Strategy<Value = AuthorityId> {
    any::<[u8; 4]>().prop_map(|key| AuthorityId::of(b"authority", &key))
}
