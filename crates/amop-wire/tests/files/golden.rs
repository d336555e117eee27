//! The exact bytes of every message: two lengths, then the header with one field a line, then the payload.

use amop_wire::{
    Code, FileBody, FileFound, FileId, FileMessage, FoundReceiver, Instance, Reason, SealedOffer,
};
use bytes::Bytes;

use crate::{decoded, encoded, message, offer};

#[test]
fn an_offer_keeps_its_bytes() {
    assert_golden(
        &message(FileBody::Offer(offer(0x0000_000d_0e0f_1011, &"a.bin".parse().unwrap()))),
        &format!(
            "00000103 0101
             0afe01 0a6c {ROUTE}
               11 11100f0e0d000000
               19 7877767574737271
               21 5857565554535251
               29 6867666564636261
               3220 {}
               3a20 {}
               4213 6170702e73646b2e62616e6b2d612e616d6f70
               4a0a 73746174656d656e7473
               5205 612e62696e",
            "aa".repeat(32),
            "bb".repeat(32)
        ),
    );
}

#[test]
fn what_goes_to_the_receiver_keeps_its_bytes() {
    assert_golden(
        &message(FileBody::Piece { start: 0x0102_0304, data: Bytes::from_static(b"DATA") }),
        &format!("0000007f 0079 1277 0a6c {ROUTE} 11 0403020100000000 44415441"),
    );
    assert_golden(
        &message(FileBody::Ask { sent: 0x0102_0304 }),
        &format!("0000007b 0079 1a77 0a6c {ROUTE} 11 0403020100000000"),
    );
    assert_golden(
        &message(FileBody::Cancel(Reason::FileChanged)),
        &format!("00000077 0075 2273 0a6c {ROUTE} 15 25000000"),
    );
}

#[test]
fn what_goes_to_the_sender_keeps_its_bytes() {
    assert_golden(
        &message(FileBody::Credit { received: 0x0102_0304, granted: 0x0506_0708 }),
        &format!("00000085 0083 2a8001 0a6c {ROUTE} 11 0403020100000000 19 0807060500000000"),
    );
    assert_golden(&message(FileBody::Wait), &format!("00000072 0070 326e 0a6c {ROUTE}"));
    assert_golden(&message(FileBody::Again), &format!("00000072 0070 3a6e 0a6c {ROUTE}"));
    assert_golden(
        &message(FileBody::Done { sha256: [0xaa; 32] }),
        &format!("00000095 0093 429001 0a6c {ROUTE} 1220 {}", "aa".repeat(32)),
    );
    assert_golden(
        &message(FileBody::Refused(Code::FileRefused, Reason::DiskFull)),
        &format!("0000007c 007a 4a78 0a6c {ROUTE} 15 ce000000 1d 23000000"),
    );
}

#[test]
fn what_goes_to_a_neighbour_keeps_its_bytes() {
    assert_golden(
        &message(FileBody::Window { passed: 0x0102_0304, beside_messages: false }),
        &format!("0000007b 0079 5277 0a6c {ROUTE} 11 0403020100000000"),
    );
    assert_golden(
        &message(FileBody::Window { passed: 0x0102_0304, beside_messages: true }),
        &format!("0000007d 007b 5279 0a6c {ROUTE} 11 0403020100000000 1801"),
    );
}

#[test]
fn what_a_client_asks_its_node_about_receivers_keeps_its_bytes() {
    let topic = || "statements".parse().unwrap();
    assert_golden(
        &message(FileBody::Find(topic())),
        &format!("0000007e 007c 5a7a 0a6c {ROUTE} 120a 73746174656d656e7473"),
    );
    let receiver = |instance| FoundReceiver {
        node: "n1.node.bank-a.amop".parse().unwrap(),
        instance: Instance(instance),
    };
    assert_golden(
        &message(FileBody::Found(Box::new(FileFound::new([receiver(1), receiver(2)])))),
        &format!(
            "000000a1 009f 629c01 0a6c {ROUTE} 15 00000000
             1a27 0a13 6e312e6e6f64652e62616e6b2d612e616d6f70
               1210 0100000000000000 0200000000000000"
        ),
    );
    let from = "app.sdk.bank-a.amop".parse().unwrap();
    let sealed = Bytes::from_static(b"SEALED");
    assert_golden(
        &message(FileBody::SealedOffer(Box::new(SealedOffer { from, topic: topic(), sealed }))),
        &format!(
            "0000009a 0092 6a8f01 0a6c {ROUTE} 1213 6170702e73646b2e62616e6b2d612e616d6f70
             1a0a 73746174656d656e7473 5345414c4544"
        ),
    );
}

/// FILE-3, as `printf 'AMOP-FILE-ID/v1\0a.bin\0\0\0\0\0\0\0\0\5' | cat - <(printf hello | sha256sum |
/// xxd -r -p) | sha256sum` prints it, of which this is the first half.
#[test]
fn the_id_of_a_content_never_changes() {
    let sha256: [u8; 32] = [
        0x2c, 0xf2, 0x4d, 0xba, 0x5f, 0xb0, 0xa3, 0x0e, 0x26, 0xe8, 0x3b, 0x2a, 0xc5, 0xb9, 0xe2,
        0x9e, 0x1b, 0x16, 0x1e, 0x5c, 0x1f, 0xa7, 0x42, 0x5e, 0x73, 0x04, 0x33, 0x62, 0x93, 0x8b,
        0x98, 0x24,
    ];
    let label = "a.bin".parse().unwrap();
    let id = FileId::of_content(&label, 5, &sha256);
    assert_eq!(id.to_string(), "4f604c1587f10a1563c802bc07ab6af1");
    assert_ne!(FileId::of_content(&"b.bin".parse().unwrap(), 5, &sha256), id);
    assert_ne!(FileId::of_content(&label, 6, &sha256), id);
}

#[test]
fn the_id_of_an_idempotency_key_never_changes() {
    let id = FileId::of_key(b"order 4711");
    assert_eq!(id.to_string(), "c97bc9e845c5a0f43bebcf2bf44a3213");
}

/// Checks both directions.
#[track_caller]
fn assert_golden(message: &FileMessage, hex: &str) {
    let digits: Vec<char> = hex.split_whitespace().flat_map(str::chars).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    let bytes: Bytes = digits.chunks(2).map(byte).collect();
    assert_eq!(to_hex(&encoded(message)), to_hex(&bytes), "the bytes of {message:?}");
    assert_eq!(decoded(bytes).as_ref(), Ok(message), "read from {hex}");
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const ROUTE: &str = "
    09 1817161514131211
    15 34333231
    19 0807060504030201
    2224 09 4041424344454647 11 48494a4b4c4d4e4f 19 5051525354555657 21 58595a5b5c5d5e5f
    29 2827262524232221
    3224 09 6061626364656667 11 68696a6b6c6d6e6f 19 7071727374757677 21 78797a7b7c7d7e7f";
