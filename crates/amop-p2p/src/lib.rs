//! QUIC links between AMOP parties: mutual TLS, certified identity, lanes, dialing.
