//! Where payloads lie that are sealed and opened: small ones side by side, so that not each of them costs an
//! allocation.

use bytes::BytesMut;

/// The rest of the memory that the next payloads come to lie in.
#[derive(Default)]
pub(crate) struct Room(BytesMut);

impl Room {
    /// Room for so many bytes, and empty.
    pub(crate) fn take(&mut self, bytes: usize) -> BytesMut {
        if bytes > ALONE_BYTES {
            return BytesMut::with_capacity(bytes);
        }
        if self.0.capacity() < bytes {
            self.0 = BytesMut::with_capacity(SHARED_BYTES);
        }
        let rest = self.0.split_off(bytes);
        std::mem::replace(&mut self.0, rest)
    }

    /// So many bytes that are zero.
    pub(crate) fn zeros(&mut self, bytes: usize) -> BytesMut {
        let mut zeros = self.take(bytes);
        zeros.resize(bytes, 0);
        zeros
    }
}

/// What is longer lies alone. A payload keeps the memory of all that lie with it: the less, the better.
const ALONE_BYTES: usize = 1024;
const SHARED_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_payloads_lie_side_by_side_and_no_two_in_one_place() {
        let mut room = Room::default();
        let mut all: Vec<BytesMut> = (0..100).map(|_| room.zeros(ALONE_BYTES)).collect();
        for (number, bytes) in (0..).zip(&mut all) {
            bytes.fill(number);
        }
        assert!((0..).zip(&all).all(|(number, bytes)| bytes[..] == [number; ALONE_BYTES]));
        let neighbours = all.windows(2).filter(|two| two[0].as_ptr_range().end == two[1].as_ptr());
        assert!(neighbours.count() >= 90, "15 of 16");
    }

    #[test]
    fn a_long_payload_lies_alone() {
        let mut room = Room::default();
        let long = room.take(ALONE_BYTES + 1);
        assert_eq!((long.len(), long.capacity()), (0, ALONE_BYTES + 1));
        assert_eq!(room.0.capacity(), 0, "nothing was taken for it");
    }
}
