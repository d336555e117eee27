//! Writes protobuf fields in any order, as often as wanted, with any number.

use bytes::Bytes;

/// The fields of one message, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<u8>);

impl Fields {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn varint(mut self, number: u64, value: u64) -> Self {
        self.put_tag(number, 0);
        self.put_varint(value);
        self
    }

    pub(crate) fn fixed64(mut self, number: u64, value: u64) -> Self {
        self.put_tag(number, 1);
        self.then(&value.to_le_bytes())
    }

    pub(crate) fn bytes(mut self, number: u64, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.put_tag(number, 2);
        self.put_varint(u64::try_from(value.len()).expect("a length of bytes in memory"));
        self.then(value)
    }

    pub(crate) fn message(self, number: u64, fields: Self) -> Self {
        self.bytes(number, fields.0)
    }

    pub(crate) fn fixed32(mut self, number: u64, value: u32) -> Self {
        self.put_tag(number, 5);
        self.then(&value.to_le_bytes())
    }

    /// Appends what is encoded already.
    pub(crate) fn then(mut self, encoded: &[u8]) -> Self {
        self.0.extend_from_slice(encoded);
        self
    }

    fn put_tag(&mut self, number: u64, wire_type: u64) {
        self.put_varint(number << 3 | wire_type);
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(low_byte(value) | 0x80);
            value >>= 7;
        }
        self.0.push(low_byte(value));
    }
}

impl AsRef<[u8]> for Fields {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Fields> for Bytes {
    fn from(Fields(encoded): Fields) -> Self {
        encoded.into()
    }
}

fn low_byte(value: u64) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits")
}
