//! The least that this topology costs on QUIC with mutual TLS.
//!
//! ```text
//!  publisher ═══▶ relay ◀═══ relay ◀═══ subscriber      who dials whom
//!            ───▶         ───▶         ───▶             messages and requests
//!            ◀───         ◀───         ◀───             answers
//! ```
//!
//! One connection and one stream for each link, and the transport settings of AMOP's own links.
//! Relays pass bytes on without looking at them: what AMOP adds to this is the price of names,
//! routes, choice, deadlines and receipts.

mod frame;
mod publisher;
mod relay;
mod subscriber;
mod transport;

pub(crate) use publisher::run_publisher;
pub(crate) use relay::{run_relay, start_relays};
pub(crate) use subscriber::run_subscriber;
