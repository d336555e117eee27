//! Maps keyed by ids, with a hash that fits them.
//!
//! Ids are one or two 64-bit numbers, looked up several times for each message. Publishers choose
//! them, so the hash has a key that nobody can guess; it is drawn by the standard library once for
//! each map, and never shows, since no such map is walked where the order could be seen.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map keyed by message ids, instances or counters.
pub(crate) type IdMap<K, V> = HashMap<K, V, IdHash>;

/// Makes hashers with one secret key.
#[derive(Clone, Debug)]
pub(crate) struct IdHash {
    key: u64,
}

/// Folds each number into the state by one multiplication.
#[derive(Debug)]
pub(crate) struct IdHasher {
    state: u64,
}

impl Default for IdHash {
    fn default() -> Self {
        Self { key: RandomState::new().hash_one(0_u8) }
    }
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { state: self.key }
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.state = fold(self.state ^ number, MULTIPLIER);
    }

    fn finish(&self) -> u64 {
        fold(self.state, FINISHER)
    }
}

/// Folds a 128-bit product: one multiplication, and every input bit moves many output bits.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are wanted")]
    let folded = (product >> 64) as u64 ^ product as u64;
    folded
}

/// Odd, with as many ones as zeros.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const FINISHER: u64 = 0xd1b5_4a32_d192_ed03;

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::{Instance, MsgId};
    use std::collections::BTreeSet;

    #[test]
    fn consecutive_ids_spread_over_the_low_and_the_high_bits() {
        let hash = IdHash::default();
        let id = |counter| MsgId { publisher: Instance(1), counter };
        let hashes: Vec<u64> = (0..4096).map(|counter| hash.hash_one(id(counter))).collect();
        for shift in [0, 52] {
            let buckets: BTreeSet<u64> = hashes.iter().map(|hash| hash >> shift & 0xfff).collect();
            // Of 4,096 balls in 4,096 boxes some 63 % of the boxes are hit.
            assert!(buckets.len() > 2400, "{} of 4096", buckets.len());
        }
    }
}
