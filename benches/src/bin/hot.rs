//! Runs one hot function of the node's core or of the wire so many times, and measures nothing itself.
//!
//! It is what `cargo xtask bench instructions` runs under callgrind, twice with different counts: the
//! difference is what one message costs in instructions, which does not depend on how busy a machine is.

use std::hint::black_box;
use std::process::ExitCode;

use amop_p2p::Batch;
use amop_wire::{
    ClientMessage, FrameDecoder, Message, NodeMessage, PeerMessage, Recent, put_frame_head,
};
use benches::{Asks, BATCH_MESSAGES, Scene, handle_all};
use bytes::{Bytes, BytesMut};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (name, batches) = (arguments.next(), arguments.next().and_then(|text| text.parse().ok()));
    match (name.as_deref(), batches) {
        (Some("--list"), None) => {
            names().for_each(|name| println!("{name}"));
            ExitCode::SUCCESS
        }
        (Some(name), Some(batches)) if run(name, batches) => ExitCode::SUCCESS,
        _ => {
            eprintln!(
                "usage: hot --list | hot NAME BATCHES, a batch being {BATCH_MESSAGES} messages"
            );
            ExitCode::from(2)
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    Scene::ALL.into_iter().map(Scene::name).chain(OTHERS)
}

/// Says whether there is a function of this name.
fn run(name: &str, batches: u32) -> bool {
    if let Some(scene) = Scene::ALL.into_iter().find(|scene| scene.name() == name) {
        let (mut node, mut traffic) = scene.set(PAYLOAD_BYTES);
        for _ in 0..batches {
            black_box(handle_all(&mut node, traffic.next_batch()));
        }
        return true;
    }
    match name {
        "ask_public" => ask(false, batches),
        "ask_private" => ask(true, batches),
        "encode_publish" => encode(&benches::publish(PAYLOAD_BYTES), batches),
        "encode_request" => encode(&benches::request(PAYLOAD_BYTES), batches),
        "encode_delivery" => encode(&benches::delivery(PAYLOAD_BYTES), batches),
        "decode_publish" => decode::<ClientMessage>(&benches::publish(PAYLOAD_BYTES), batches),
        "decode_request" => decode::<PeerMessage>(&benches::request(PAYLOAD_BYTES), batches),
        "decode_delivery" => decode::<NodeMessage>(&benches::delivery(PAYLOAD_BYTES), batches),
        _ => return false,
    }
    true
}

fn ask(is_private: bool, batches: u32) {
    let mut asks = Asks::set(is_private, PAYLOAD_BYTES);
    for _ in 0..batches {
        assert_eq!(asks.run_batch(), BATCH_MESSAGES, "all are answered");
    }
}

fn encode<M: Message>(message: &M, batches: u32) {
    let mut batch = Batch::default();
    for _ in 0..batches {
        for _ in 0..BATCH_MESSAGES {
            batch.push(black_box(message)).expect("the message is within the limits");
        }
        black_box(&batch);
        batch.clear();
    }
}

fn decode<M: Message>(message: &M, batches: u32) {
    let chunk = chunk_of(message);
    let (mut decoder, mut recent) = (FrameDecoder::default(), Recent::default());
    for _ in 0..batches {
        decoder.feed(chunk.clone());
        while let Some(frame) = decoder.next_frame().expect("the frames are whole") {
            black_box(M::read(frame, &mut recent).expect("the message is well formed"));
        }
    }
}

fn chunk_of<M: Message>(message: &M) -> Bytes {
    let mut chunk = BytesMut::new();
    for _ in 0..BATCH_MESSAGES {
        let payload = message.payload();
        put_frame_head(&mut chunk, payload.len(), |head| message.put_header(head))
            .expect("the message is within the limits");
        chunk.extend_from_slice(payload);
    }
    chunk.freeze()
}

const OTHERS: [&str; 8] = [
    "ask_public",
    "ask_private",
    "encode_publish",
    "encode_request",
    "encode_delivery",
    "decode_publish",
    "decode_request",
    "decode_delivery",
];

const PAYLOAD_BYTES: usize = 256;
