#![doc = include_str!("../README.md")]

mod entropy;
mod public_key;
mod secret_key;
mod statement;
#[cfg(test)]
mod vectors;

pub use entropy::Entropy;
pub use public_key::{Fingerprint, PublicKey, PublicKeyError};
pub use secret_key::{SecretKey, SecretKeyError};
pub use statement::Exit;
