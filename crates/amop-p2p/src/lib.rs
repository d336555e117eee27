//! QUIC links between AMOP parties: mutual TLS, certified identity, lanes, dialing.
#![doc = include_str!("../README.md")]

mod backoff;
mod batch;
mod congestion;
mod cryptography;
mod dialer;
mod endpoint;
mod file_room;
mod gauge;
mod halves;
mod handshake;
mod identity;
mod kind;
mod lane;
mod learned;
mod link;
mod newcomers;
mod notary;
mod open;
mod opening;
mod outbox;
mod party;
mod password;
mod reset;
mod revocation;
mod run;
mod settings;
mod stalls;
#[cfg(test)]
mod testing;
mod tls;
mod trust;
mod verdict;
mod verify;
mod waiting;
mod workers;

pub use backoff::Backoff;
pub use batch::{Batch, Encoded};
pub use cryptography::{CipherSuite, Cryptography, KeyExchange};
pub use dialer::{DialError, Dialer, Target};
pub use endpoint::{Endpoint, EndpointError};
pub use gauge::{Gauge, Reading};
pub use handshake::{Handshake, HandshakeError};
pub use identity::{Identity, IdentityError};
pub use kind::{LinkKind, Side};
pub use learned::ListRefused;
pub use link::{Link, LinkEnd};
pub use notary::{NotCertified, Notary, SignError};
pub use outbox::Outbox;
pub use party::{Fingerprint, Party};
pub use password::{Password, PasswordError};
pub use revocation::{ListDates, RevocationError, Revocations};
pub use settings::{Settings, UDP_PAYLOAD_BYTES_MAX};
pub use trust::{Trust, TrustError};
pub use waiting::Waiting;
pub use workers::Workers;
