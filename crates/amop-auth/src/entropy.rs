//! Secret random bytes out of one seed that the caller draws.
//!
//! Whoever runs a machine of this crate takes 32 bytes from the operating system once and hands them in.
//! Everything random comes out of them by HKDF, so that a test that hands in the same bytes sees
//! the same messages. Each draw replaces the seed: who learns it later learns nothing that was
//! drawn before.

use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// A source of secret random bytes, as good as the seed that it was made of.
pub struct Entropy(Zeroizing<[u8; 32]>);

impl Entropy {
    /// Starts from 32 bytes of the operating system's generator, which must never be used again.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// Draws bytes, and forgets what they were made of.
    pub(crate) fn draw<const N: usize>(&mut self) -> Zeroizing<[u8; N]> {
        let from = Hkdf::<Sha256>::from_prk(&*self.0).expect("the seed is as long as a hash");
        let mut drawn = Zeroizing::new([0; N]);
        from.expand(b"AMOP-ENTROPY/v1 drawn", &mut *drawn).expect(SHORT);
        from.expand(b"AMOP-ENTROPY/v1 seed", &mut *self.0).expect(SHORT);
        drawn
    }
}

/// Shows nothing of the seed.
impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

const SHORT: &str = "HKDF gives up to 8,160 bytes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_differs_each_time_and_depends_on_the_seed_alone() {
        let (mut one, mut same, mut other) =
            (Entropy::new([1; 32]), Entropy::new([1; 32]), Entropy::new([2; 32]));
        let drawn = one.draw::<32>();
        assert_eq!(drawn, same.draw::<32>());
        assert_ne!(drawn, one.draw::<32>());
        assert_ne!(drawn, other.draw::<32>());
        assert_ne!(*one.0, [1; 32], "the seed is replaced");
        assert_eq!(format!("{one:?}"), "Entropy(..)");
    }
}
