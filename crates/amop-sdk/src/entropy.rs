//! Randomness of the operating system.

/// Draws a number.
pub(crate) fn random() -> u64 {
    u64::from_le_bytes(bytes())
}

/// Draws what everything secret and random of a machine comes out of.
pub(crate) fn seed() -> [u8; 32] {
    bytes()
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}
