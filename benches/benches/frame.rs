//! What it costs to encode and decode messages: one alone, and a batch as a busy link sees it.
//!
//! Encoding goes through the batch that links send, which copies small payloads and shares large
//! ones; decoding cuts one received chunk into frames and reads each.

use std::hint::black_box;
use std::time::Duration;

use amop_p2p::Batch;
use amop_wire::{
    ClientMessage, FrameDecoder, Message, NodeMessage, PeerMessage, Recent, put_frame_head,
};
use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn frame(criterion: &mut Criterion) {
    for payload_bytes in [16, 256, 4 << 10, 64 << 10] {
        for count in [1, 64] {
            let scale = Scale { payload_bytes, count };
            message::<ClientMessage>(criterion, "publish", scale, &benches::publish(payload_bytes));
            message::<PeerMessage>(criterion, "request", scale, &benches::request(payload_bytes));
            message::<NodeMessage>(criterion, "delivery", scale, &benches::delivery(payload_bytes));
        }
    }
}

#[derive(Clone, Copy)]
struct Scale {
    payload_bytes: usize,
    count: usize,
}

fn message<M: Message>(criterion: &mut Criterion, name: &str, scale: Scale, message: &M) {
    let mut group = criterion.benchmark_group(format!("frame/{name}"));
    group.throughput(Throughput::Elements(scale.count as u64));
    let id = format!("{}B x{}", scale.payload_bytes, scale.count);

    let mut batch = Batch::default();
    group.bench_function(format!("encode {id}"), |bencher| {
        bencher.iter(|| {
            for _ in 0..scale.count {
                batch.push(black_box(message)).expect("the message is within the limits");
            }
            black_box(&batch);
            batch.clear();
        });
    });

    let chunk = encoded(message, scale.count);
    let (mut decoder, mut recent) = (FrameDecoder::default(), Recent::default());
    group.bench_function(format!("decode {id}"), |bencher| {
        bencher.iter(|| {
            decoder.feed(chunk.clone());
            while let Some(frame) = decoder.next_frame().expect("the frames are whole") {
                black_box(M::read(frame, &mut recent).expect("the message is well formed"));
            }
        });
    });
    group.finish();
}

fn encoded<M: Message>(message: &M, count: usize) -> Bytes {
    let mut chunk = BytesMut::new();
    for _ in 0..count {
        let payload = message.payload();
        put_frame_head(&mut chunk, payload.len(), |head| message.put_header(head))
            .expect("the message is within the limits");
        chunk.extend_from_slice(payload);
    }
    chunk.freeze()
}

/// Short enough that the suite is run often.
fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .sample_size(20)
}

criterion_group! { name = suite; config = quick(); targets = frame }
criterion_main!(suite);
