#![doc = include_str!("../README.md")]

mod channel;
mod cipher;
mod entropy;
mod file;
pub mod limits;
mod message;
mod payload;
mod public_key;
pub mod publisher;
mod room;
mod seal;
mod secret_key;
mod statement;
pub mod subscriber;
#[cfg(test)]
mod vectors;
mod window;

pub use entropy::Entropy;
pub use file::{FileOpener, FileSealer, FileWay};
pub use payload::{OpenError, SealError};
pub use public_key::{Fingerprint, PublicKey, PublicKeyError};
pub use publisher::{Identity, Publisher, Receivers};
pub use secret_key::{SecretKey, SecretKeyError};
pub use statement::Exit;
pub use subscriber::Subscriber;
