//! The floor: the least that two hops over QUIC with mutual TLS cost, in the same topology.
//!
//! ```text
//!  publisher ═══▶ relay 1 ◀═══ relay 2 ◀═══ echo        ═══▶ who dials
//!            ───▶         ───▶         ───▶             messages and requests
//!            ◀───         ◀───         ◀───             answers
//! ```
//!
//! Four processes, one connection and one stream for each link, and the transport settings of
//! AMOP's own links. Relays pass bytes on without looking at them: what AMOP adds to this is the
//! price of names, routes, choice, deadlines and receipts.

mod echo;
mod frame;
mod publisher;
mod relay;
mod transport;

pub(crate) use echo::run_echo;
pub(crate) use publisher::run_publisher;
pub(crate) use relay::run_relay;
