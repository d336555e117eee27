//! AMOP itself: two clients of the SDK, each at a daemon of its own.

mod node;
mod publisher;
mod subscriber;

pub(crate) use node::{Started, config, started};
pub(crate) use publisher::run_publisher;
pub(crate) use subscriber::run_subscriber;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use amop_sdk::{Bytes, Client, Identity, Trust};
use anyhow::{Context, Result};

use crate::case::PAYLOAD_BYTES;
use crate::certs::{self, Party};

/// Connects a client to its node.
async fn connect(dir: &Path, party: Party, node: SocketAddr) -> Result<Client> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let trust = Trust::from_pem(&read(&certs::root(dir))?)?;
    let identity = Identity::from_pem(&read(&party.chain(dir))?, &read(&party.key(dir))?)?;
    let builder = Client::builder().endpoint(node.to_string()).identity(identity).trust(trust);
    builder.connect().await.context("cannot connect to the node")
}

/// A payload that is told from all others by its number.
fn payload(number: u64) -> Bytes {
    let mut bytes = [0; PAYLOAD_BYTES];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Bytes::copy_from_slice(&bytes)
}

/// The number of a payload, if it is one of ours.
fn number(payload: &[u8]) -> Option<u64> {
    let payload: &[u8; PAYLOAD_BYTES] = payload.try_into().ok()?;
    payload.first_chunk().map(|number| u64::from_be_bytes(*number))
}

/// What the subscriber subscribes to.
const TOPIC: &str = "bench.two-hop";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_keeps_its_number_and_a_damaged_one_has_none() {
        let whole = payload(u64::MAX - 1);
        assert_eq!(whole.len(), PAYLOAD_BYTES);
        assert_eq!(number(&whole), Some(u64::MAX - 1));
        assert_eq!(number(&whole[1..]), None);
    }
}
