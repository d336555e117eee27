//! How often the core of a node asks for memory while it works, and the wire on both sides of it, once they have all the
//! room that they need.
//!
//! Times differ from machine to machine, allocations do not. In the core a message costs none; what a batch costs is
//! the list of runs that its receipts travel in. On the wire short messages cost none either, once QUIC has let go of those before.

use std::hint::black_box;

use allocation_counter::measure;
use amop_p2p::{Batch, Encoded};
use amop_wire::{
    ClientMessage, FrameDecoder, Message, NodeMessage, PeerMessage, Recent, put_frame_head,
};
use benches::{BATCH_MESSAGES, Scene, delivery, handle_all, publish, request};
use bytes::{Bytes, BytesMut};

/// How many allocations a batch of 64 messages costs, in the worst of some batches.
fn allocations_per_batch(scene: Scene) -> u64 {
    let (mut node, mut traffic) = scene.set(256);
    for _ in 0..WARM_UP_BATCHES {
        handle_all(&mut node, traffic.next_batch());
    }
    worst((0..BATCHES).map(|_| {
        let inputs = traffic.next_batch();
        measure(|| {
            handle_all(&mut node, inputs);
        })
        .count_total
    }))
}

fn worst(counts: impl Iterator<Item = u64>) -> u64 {
    counts.max().expect("there are batches")
}

/// How many it costs to encode a batch for one destination.
fn to_encode(message: &impl Message) -> u64 {
    let mut batch = Batch::default();
    let mut encode = || {
        (0..BATCH_MESSAGES).for_each(|_| batch.push(message).expect("it is within the limits"));
        black_box(&batch);
        batch.clear();
    };
    (0..WARM_UP_BATCHES).for_each(|_| encode());
    worst((0..BATCHES).map(|_| measure(&mut encode).count_total))
}

/// How many it costs to encode a batch once for two destinations.
fn to_share(message: &impl Message) -> u64 {
    let (mut encoded, mut batches) = (Encoded::default(), [(); 2].map(|()| Batch::default()));
    let mut share = || {
        (0..BATCH_MESSAGES).for_each(|_| encoded.push(message).expect("it is within the limits"));
        for batch in &mut batches {
            batch.push_encoded(&mut encoded);
            black_box(&batch);
            batch.clear();
        }
        encoded.clear();
    };
    (0..WARM_UP_BATCHES).for_each(|_| share());
    worst((0..BATCHES).map(|_| measure(&mut share).count_total))
}

/// How many it costs to decode a batch that came in one piece.
fn to_decode<M: Message>(message: &M) -> u64 {
    let chunk = in_one_piece(message);
    let (mut decoder, mut recent) = (FrameDecoder::default(), Recent::default());
    let mut decode = || {
        decoder.feed(chunk.clone());
        while let Some(frame) = decoder.next_frame().expect("the frames are whole") {
            black_box(M::read(frame, &mut recent).expect("the message is well formed"));
        }
    };
    (0..WARM_UP_BATCHES).for_each(|_| decode());
    worst((0..BATCHES).map(|_| measure(&mut decode).count_total))
}

fn in_one_piece(message: &impl Message) -> Bytes {
    let mut chunk = BytesMut::new();
    for _ in 0..BATCH_MESSAGES {
        let payload = message.payload();
        put_frame_head(&mut chunk, payload.len(), |head| message.put_header(head))
            .expect("it is within the limits");
        chunk.extend_from_slice(payload);
    }
    chunk.freeze()
}

/// To encode, to share and to decode, of messages of clients, of nodes to clients, and between nodes.
fn on_the_wire(payload_bytes: usize) -> [[u64; 3]; 3] {
    fn of<M: Message>(message: &M) -> [u64; 3] {
        [to_encode(message), to_share(message), to_decode(message)]
    }
    let (publish, delivery): (ClientMessage, NodeMessage) =
        (publish(payload_bytes), delivery(payload_bytes));
    let request: PeerMessage = request(payload_bytes);
    [of(&publish), of(&delivery), of(&request)]
}

#[test]
fn a_batch_on_the_wire_costs_as_many_allocations_as_it_did() {
    assert_eq!(on_the_wire(256), [[0; 3]; 3], "allocations for {BATCH_MESSAGES} short messages");
    // Payloads that long are shared, so that what is between them is cut into pieces.
    assert_eq!(on_the_wire(64 << 10), [[2, 6, 0]; 3], "for {BATCH_MESSAGES} long ones");
}

#[test]
fn a_batch_costs_as_many_allocations_as_it_did() {
    let found = Scene::ALL.map(|scene| (scene.name(), allocations_per_batch(scene)));
    let expected =
        [("unicast_home", 0), ("unicast_exit", 0), ("multicast_home", 1), ("multicast_exit", 2)];
    assert_eq!(found, expected, "allocations for {BATCH_MESSAGES} messages");
}

const WARM_UP_BATCHES: usize = 200;
const BATCHES: usize = 100;
