//! Walks over encoded protobuf fields without knowing what they mean, as a relay may.

use std::ops::Range;

/// One field as it stands in the bytes: its number, its wire type, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) wire_type: u64,
    /// The whole field, its tag included.
    pub(crate) whole: Range<usize>,
    /// What comes after the tag and, if there is one, after the length.
    pub(crate) value: Range<usize>,
}

/// The fields of the message that fills `range`, in the order of the bytes.
pub(crate) fn fields(bytes: &[u8], range: Range<usize>) -> Vec<Field> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let start = at;
        let tag = varint(bytes, &mut at);
        let (number, wire_type) = (tag >> 3, tag & 7);
        let value = match wire_type {
            0 => {
                let start = at;
                varint(bytes, &mut at);
                start..at
            }
            1 => at..at + 8,
            2 => {
                let length = varint(bytes, &mut at);
                at..at + usize::try_from(length).expect("a length of bytes in memory")
            }
            5 => at..at + 4,
            other => panic!("wire type {other} at {start}"),
        };
        at = value.end;
        found.push(Field { number, wire_type, whole: start..at, value });
    }
    assert_eq!(at, range.end, "the last field ends where the message ends");
    found
}

/// The one field of a header: the kind of the message with its body.
pub(crate) fn kind(header: &[u8]) -> Field {
    let [kind] = &fields(header, 0..header.len())[..] else { panic!("a header has one field") };
    kind.clone()
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes before {at}")
}
