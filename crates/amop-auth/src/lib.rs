#![doc = include_str!("../README.md")]

mod channel;
mod entropy;
pub mod limits;
mod message;
mod public_key;
mod seal;
mod secret_key;
mod statement;
#[cfg(test)]
mod vectors;
mod window;

pub use entropy::Entropy;
pub use public_key::{Fingerprint, PublicKey, PublicKeyError};
pub use secret_key::{SecretKey, SecretKeyError};
pub use statement::Exit;
