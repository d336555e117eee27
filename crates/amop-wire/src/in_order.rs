//! Headers as our own encoder writes them: the fields in the order of their numbers, none left out.
//!
//! Almost every header has this form, so the messages that cost are read and written field by
//! field at offsets that do not depend on values. Any other encoding of the same message is just
//! as valid: whoever cannot read a header here leaves it to the general decoder.

use bytes::{BufMut, BytesMut};

/// Reads fields that stand where they are expected. Every method answers `None` if the next field
/// is another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InOrder<'a>(&'a [u8]);

impl<'a> InOrder<'a> {
    /// A header whose only field is this message.
    pub(crate) fn only(header: &'a [u8], number: u8) -> Option<Self> {
        let mut outer = Self(header);
        let inner = outer.bytes(number)?;
        outer.end()?;
        Some(Self(inner))
    }

    /// The fields of a message.
    pub(crate) fn message(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn fixed64(&mut self, number: u8) -> Option<u64> {
        self.fixed(tag(number, FIXED64)).map(u64::from_le_bytes)
    }

    pub(crate) fn fixed32(&mut self, number: u8) -> Option<u32> {
        self.fixed(tag(number, FIXED32)).map(u32::from_le_bytes)
    }

    /// Takes a message or bytes; such a field is left out if it is empty.
    pub(crate) fn bytes(&mut self, number: u8) -> Option<&'a [u8]> {
        let (&[found, low], rest) = self.0.split_first_chunk()?;
        if found != tag(number, BYTES) {
            return None;
        }
        let (len, rest) = match low {
            0..=0x7f => (usize::from(low), rest),
            0x80.. => {
                let (&high, rest) = rest.split_first()?;
                if high > 0x7f {
                    return None;
                }
                (usize::from(low & 0x7f) | usize::from(high) << 7, rest)
            }
        };
        let (bytes, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn flag(&mut self, number: u8) -> Option<bool> {
        let (&[found, value], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        (found == tag(number, VARINT) && value <= 1).then_some(value == 1)
    }

    /// Takes a field that may be missing: if the next one is another, that stays where it is.
    pub(crate) fn maybe<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut ahead = *self;
        let taken = take(&mut ahead)?;
        *self = ahead;
        Some(taken)
    }

    /// Makes sure that nothing follows.
    pub(crate) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn fixed<const N: usize>(&mut self, tag: u8) -> Option<[u8; N]> {
        let (&found, rest) = self.0.split_first()?;
        let (&value, rest) = rest.split_first_chunk()?;
        self.0 = rest;
        (found == tag).then_some(value)
    }
}

/// The fields of fixed size of one message, put together without a check for room in between.
/// `N` is their length in bytes; a message that has more or fewer is a mistake that its first
/// encoding finds. All of it is inlined, so that nothing is left but one store for each field.
pub(crate) struct Fields<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Fields<N> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self, number: u8, value: u64) -> &mut Self {
        self.put(&[tag(number, FIXED64)]).put(&value.to_le_bytes())
    }

    #[inline(always)]
    pub(crate) fn fixed32(&mut self, number: u8, value: u32) -> &mut Self {
        self.put(&[tag(number, FIXED32)]).put(&value.to_le_bytes())
    }

    /// The beginning of a message field of so many bytes.
    #[inline(always)]
    pub(crate) fn message(&mut self, number: u8, bytes: u8) -> &mut Self {
        self.put(&[tag(number, BYTES), bytes])
    }

    /// Appends a header whose only field is this message, with these texts at its end.
    pub(crate) fn put_header<const T: usize>(
        &self,
        buf: &mut BytesMut,
        number: u8,
        texts: [(u8, &[u8]); T],
    ) {
        debug_assert_eq!(self.len, N, "the length of the fields is counted by hand");
        let text_bytes = texts.iter().map(|(_, text)| field_bytes(text)).sum::<usize>();
        let message_bytes = N + text_bytes;
        buf.reserve(1 + LEN_BYTES_MAX + message_bytes);
        buf.put_u8(tag(number, BYTES));
        put_len(buf, message_bytes);
        buf.put_slice(&self.bytes);
        for (number, text) in texts {
            if !text.is_empty() {
                buf.put_u8(tag(number, BYTES));
                put_len(buf, text.len());
                buf.put_slice(text);
            }
        }
    }

    #[inline(always)]
    fn put<const M: usize>(&mut self, bytes: &[u8; M]) -> &mut Self {
        self.bytes[self.len..self.len + M].copy_from_slice(bytes);
        self.len += M;
        self
    }
}

/// The fields of a message in which each may be missing, of at most `N` bytes.
pub(crate) struct SomeFields<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> SomeFields<N> {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub(crate) fn fixed64(&mut self, number: u8, value: Option<u64>) -> &mut Self {
        let Some(value) = value else { return self };
        self.put(&[tag(number, FIXED64)]).put(&value.to_le_bytes())
    }

    pub(crate) fn flag(&mut self, number: u8, value: Option<bool>) -> &mut Self {
        let Some(value) = value else { return self };
        self.put(&[tag(number, VARINT), value.into()])
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        self
    }
}

fn field_bytes(text: &[u8]) -> usize {
    match text.len() {
        0 => 0,
        1..0x80 => 2 + text.len(),
        long => 1 + prost::length_delimiter_len(long) + long,
    }
}

fn put_len(buf: &mut BytesMut, len: usize) {
    match u8::try_from(len) {
        Ok(short @ 0..0x80) => buf.put_u8(short),
        Ok(_) | Err(_) => {
            prost::encode_length_delimiter(len, buf).expect("the buffer grows as needed");
        }
    }
}

/// What precedes a field: its number and the form of its value.
const fn tag(number: u8, form: u8) -> u8 {
    number << 3 | form
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// Lengths are below 2^28 here.
const LEN_BYTES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BytesMut {
        let mut buf = BytesMut::new();
        Fields::<14>::new().fixed64(1, 7).fixed32(2, 8).put_header(
            &mut buf,
            4,
            [(3, b"text"), (4, b"")],
        );
        buf
    }

    #[test]
    fn what_was_put_is_read_back() {
        let header = header();
        let mut fields = InOrder::only(&header, 4).unwrap();
        assert_eq!(fields.fixed64(1), Some(7));
        assert_eq!(fields.fixed32(2), Some(8));
        assert_eq!(fields.bytes(3), Some(&b"text"[..]));
        assert_eq!(fields.end(), Some(()));
    }

    #[test]
    fn a_field_that_is_not_the_expected_one_is_not_read() {
        let header = header();
        assert!(InOrder::only(&header, 5).is_none(), "another kind");
        let fields = InOrder::only(&header, 4).unwrap();
        assert_eq!(fields.end(), None, "something follows");
        assert_eq!({ fields }.fixed64(2), None, "another number");
        assert_eq!({ fields }.fixed32(1), None, "another form");
        assert_eq!({ fields }.bytes(1), None, "another form");
    }

    #[test]
    fn fields_that_may_be_missing_are_read_back_as_they_are() {
        for (first, second) in
            [(None, None), (Some(true), None), (None, Some(7)), (Some(false), Some(0))]
        {
            let mut some = SomeFields::<11>::new();
            some.flag(1, first).fixed64(2, second);
            let mut fields = InOrder::message(some.as_bytes());
            assert_eq!(fields.maybe(|fields| fields.flag(1)), first);
            assert_eq!(fields.maybe(|fields| fields.fixed64(2)), second);
            assert_eq!(fields.end(), Some(()));
        }
        assert_eq!(InOrder::message(&[1 << 3, 2]).flag(1), None, "neither yes nor no");
        assert_eq!(InOrder::message(&[1 << 3, 0x80, 0]).flag(1), None, "a longer form");
    }

    #[test]
    fn no_cut_of_a_header_is_read() {
        let header = header();
        for cut in 0..header.len() {
            assert!(InOrder::only(&header[..cut], 4).is_none());
        }
    }

    #[test]
    fn texts_of_every_length_are_read_back() {
        for len in [1, 127, 128, 16_383] {
            let (mut buf, text) = (BytesMut::new(), vec![b'x'; len]);
            Fields::<0>::new().put_header(&mut buf, 1, [(2, &text)]);
            let read = InOrder::only(&buf, 1).and_then(|mut fields| fields.bytes(2));
            // The message around the longest is too long to be read here.
            assert_eq!(read, (len < 16_383).then_some(&text[..]));
        }
    }
}
