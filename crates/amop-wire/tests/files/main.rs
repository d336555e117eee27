//! The messages of file transfers: their exact bytes, their limits, and whatever else may come.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod golden;
mod limits;
#[path = "../total/protobuf.rs"]
mod protobuf;
mod total;

use amop_wire::{
    FileBody, FileEnd, FileId, FileLabel, FileLayout, FileMessage, FileOffer, FileRoute, Frame,
    FrameDecoder, Instance, Message, MessageError, NodeId, put_frame_head,
};
use bytes::{Bytes, BytesMut};

/// Encodes one whole frame.
fn encoded(message: &FileMessage) -> Bytes {
    let mut frame = BytesMut::new();
    put_frame_head(&mut frame, message.payload().len(), |buf| message.put_header(buf)).unwrap();
    frame.extend_from_slice(message.payload());
    frame.freeze()
}

/// Decodes bytes that are exactly one frame.
fn decoded(bytes: Bytes) -> Result<FileMessage, MessageError> {
    let mut lane = FrameDecoder::default();
    lane.feed(bytes);
    let frame = lane.next_frame().unwrap().unwrap();
    assert_eq!(lane.pending_bytes(), 0, "nothing of it is left");
    FileMessage::from_frame(frame)
}

/// Reads a message whose header has this kind with this body.
fn read(
    kind: u64,
    body: protobuf::Fields,
    payload: impl Into<Bytes>,
) -> Result<FileMessage, MessageError> {
    let header = protobuf::Fields::new().message(kind, body).into();
    FileMessage::from_frame(Frame { header, payload: payload.into() })
}

/// A message in which every byte of the route has its own place.
fn message(body: FileBody) -> FileMessage {
    let node = |first: u8| {
        NodeId::from_bytes(std::array::from_fn(|place| first + u8::try_from(place).unwrap()))
    };
    let route = FileRoute {
        transfer: 0x1112_1314_1516_1718,
        sender: FileEnd { instance: Instance(0x0102_0304_0506_0708), node: node(0x40) },
        receiver: FileEnd { instance: Instance(0x2122_2324_2526_2728), node: node(0x60) },
    };
    FileMessage { route, round: 0x3132_3334, body }
}

fn offer(size: u64, label: &FileLabel) -> Box<FileOffer> {
    Box::new(FileOffer {
        id: FileId(0x5152_5354_5556_5758_6162_6364_6566_6768),
        layout: FileLayout::new(size).unwrap(),
        modified_ms: 0x7172_7374_7576_7778,
        sha256: [0xaa; 32],
        list_sha256: [0xbb; 32],
        from: "app.sdk.bank-a.amop".parse().unwrap(),
        topic: "statements".parse().unwrap(),
        label: label.clone(),
    })
}
