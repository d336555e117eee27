//! What can be tuned about links, and how it becomes QUIC's settings.
//!
//! The numbers that are not fields were measured together and are kept together here. Three of
//! quinn's defaults would be dangerous: the receive window is unlimited, idle connections get no
//! keep-alive, and a UDP payload is capped at 1472 bytes on the receiving side.

use std::sync::Arc;
use std::time::Duration;

use amop_wire::Lane;
use amop_wire::limits::{
    ALL_HANDSHAKES_BURST, ALL_HANDSHAKES_PER_SECOND, HANDSHAKES_BURST, HANDSHAKES_PER_SECOND,
    LINK_BYTES_MAX, LINK_MESSAGES_MAX, UNLINKED_MAX,
};
use quinn::{AckFrequencyConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig};
use quinn::{TransportConfig, VarInt};

use crate::congestion::Congestion;
use crate::cryptography::Cryptography;
use crate::endpoint::EndpointError;
use crate::kind::Side;
use crate::reset::ResetKeys;
use crate::waiting::Waiting;
use crate::workers::Workers;

/// What can be tuned about the links of an endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A link on which nothing was heard for this long is lost. The smaller value of both ends
    /// counts. 6 s.
    pub idle_timeout: Duration,
    /// A link on which nothing was sent for this long sends a sign of life. Keep it well under
    /// half the idle timeout of both ends. 2 s.
    pub keep_alive: Duration,
    /// Asks the peer to acknowledge only every fifth packet, or after 2 ms. Saves much of the work
    /// at moderate load. Off.
    pub ack_frequency: bool,
    /// Largest UDP payload to try where the path allows it, in bytes, from 1200 to
    /// [`UDP_PAYLOAD_BYTES_MAX`]. Both ends must allow it. 6500.
    pub udp_payload_max: u16,
    /// How many bytes may wait in an outbox before [`has_room`](crate::Outbox::has_room) says no.
    /// An outbox with twice as many waiting closes its link. 8 MiB.
    pub outbox_bytes_max: usize,
    /// How many messages may wait in an outbox before it has no room. 65,536.
    pub outbox_messages_max: usize,
    /// Counts what waits on all links with clones of it, and what is kept there of frames whose end has not come.
    pub waiting: Waiting,
    /// A link whose peer took nothing of what waits on some lane for this long is closed. 10 s.
    pub stall_timeout: Duration,
    /// A link on which a frame has begun and does not go on for this long, by 16 KiB at least, is closed. 30 s.
    pub half_frame_timeout: Duration,
    /// How long a link may take from the first packet until all of its lanes are open. 5 s.
    pub handshake_timeout: Duration,
    /// How many links each address may begin a second, and at once after a pause. Past that a newcomer must
    /// prove its address, and is refused if it has. 200 and 1,000.
    pub handshakes_per_address: (u32, u32),
    /// How many links all addresses together may begin a second, and at once after a pause, likewise. 2,000 and
    /// 16,384.
    pub handshakes: (u32, u32),
    /// How many connections there may be that are no links, half open or ended and not yet forgotten. Past that newcomers are
    /// refused. 512.
    pub unlinked_max: usize,
    /// How long a closing link waits for the peer to receive what was queued before. 2 s.
    pub flush_timeout: Duration,
    /// Which ciphers and key exchanges links may use. All, the best ones first.
    pub cryptography: Cryptography,
    /// Where the work of links is done. Where the endpoint is made.
    pub workers: Workers,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(6),
            keep_alive: Duration::from_secs(2),
            ack_frequency: false,
            udp_payload_max: 6500,
            outbox_bytes_max: LINK_BYTES_MAX,
            outbox_messages_max: LINK_MESSAGES_MAX,
            waiting: Waiting::default(),
            stall_timeout: Duration::from_secs(10),
            half_frame_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(5),
            handshakes_per_address: (HANDSHAKES_PER_SECOND, HANDSHAKES_BURST),
            handshakes: (ALL_HANDSHAKES_PER_SECOND, ALL_HANDSHAKES_BURST),
            unlinked_max: UNLINKED_MAX,
            flush_timeout: Duration::from_secs(2),
            cryptography: Cryptography::default(),
            workers: Workers::default(),
        }
    }
}

/// The largest value of [`Settings::udp_payload_max`], in bytes.
///
/// quinn hands ten packets at a time to the kernel, which drops more than 65,507 bytes in silence.
pub const UDP_PAYLOAD_BYTES_MAX: u16 = 6550;

impl Settings {
    /// The transport settings of one side of a link.
    ///
    /// The dialer opens every stream, and QUIC itself keeps the peer from opening more than the
    /// lanes: an extra stream that nobody reads could starve them of their common window.
    ///
    /// Public for the benchmark of bare QUIC alone, which must have the same settings.
    ///
    /// # Errors
    ///
    /// Fails if the idle timeout is longer than QUIC can say, or not longer than the keep-alive.
    #[doc(hidden)]
    pub fn transport(&self, side: Side) -> Result<Arc<TransportConfig>, EndpointError> {
        let idle_timeout = IdleTimeout::try_from(self.idle_timeout)
            .map_err(|_| EndpointError::IdleTimeout { value: self.idle_timeout })?;
        if self.keep_alive >= self.idle_timeout {
            let (keep_alive, idle_timeout) = (self.keep_alive, self.idle_timeout);
            return Err(EndpointError::KeepAlive { keep_alive, idle_timeout });
        }
        let lanes = match side {
            Side::Dialer => 0,
            // A stream for each lane.
            Side::Acceptor => u8::try_from(Lane::COUNT).expect("lanes are few"),
        };
        let mut mtu = MtuDiscoveryConfig::default();
        mtu.upper_bound(self.udp_payload_max).minimum_change(PROBE_STEP_BYTES);

        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(lanes.into())
            .max_concurrent_uni_streams(0_u32.into())
            .max_idle_timeout(Some(idle_timeout))
            .keep_alive_interval(Some(self.keep_alive))
            .stream_receive_window(STREAM_WINDOW_BYTES.into())
            .receive_window(RECEIVE_WINDOW_BYTES.into())
            .send_window(SEND_WINDOW_BYTES)
            .datagram_receive_buffer_size(None)
            .initial_mtu(INITIAL_UDP_PAYLOAD_BYTES)
            .mtu_discovery_config(Some(mtu))
            .ack_frequency_config(self.ack_frequency.then(ack_frequency))
            .congestion_controller_factory(Arc::new(Congestion::new(INITIAL_WINDOW_BYTES)));
        Ok(Arc::new(transport))
    }

    /// The settings of a socket and all links on it.
    pub(crate) fn endpoint(&self, reset_keys: ResetKeys) -> Result<EndpointConfig, EndpointError> {
        let value = self.udp_payload_max;
        if !(INITIAL_UDP_PAYLOAD_BYTES..=UDP_PAYLOAD_BYTES_MAX).contains(&value) {
            return Err(EndpointError::UdpPayload { value });
        }
        let mut endpoint = EndpointConfig::new(reset_keys.token_key());
        endpoint.cid_generator(move || Box::new(reset_keys.connection_ids()));
        endpoint.max_udp_payload_size(value).expect("the range is within that of QUIC");
        Ok(endpoint)
    }
}

fn ack_frequency() -> AckFrequencyConfig {
    let mut config = AckFrequencyConfig::default();
    config.ack_eliciting_threshold(VarInt::from_u32(5));
    config.max_ack_delay(Some(Duration::from_millis(2)));
    config
}

/// The search for the largest payload ends when its steps are shorter than this. Each probe is padding that
/// the other end looks at byte by byte, which is a good part of what a short-lived link costs. With
/// these steps the search ends at 6500 bytes where they pass, and at 1446 on a path of 1500.
const PROBE_STEP_BYTES: u16 = 64;

const INITIAL_UDP_PAYLOAD_BYTES: u16 = 1200;

/// Sparser acknowledgements stall a link for seconds if the window begins smaller than this.
const INITIAL_WINDOW_BYTES: u64 = 256 << 10;

/// What the peer may send on one lane before we read it.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// What the peer may send on all lanes before we read it; more than the lanes can take up.
const RECEIVE_WINDOW_BYTES: u32 = 8 << 20;

/// What we give QUIC to send or to send again, on all lanes together.
const SEND_WINDOW_BYTES: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> ResetKeys {
        ResetKeys::derive(b"key")
    }

    #[test]
    fn a_udp_payload_is_taken_at_both_bounds_and_refused_past_them() {
        let with = |udp_payload_max| Settings { udp_payload_max, ..Settings::default() };
        for value in [INITIAL_UDP_PAYLOAD_BYTES, UDP_PAYLOAD_BYTES_MAX] {
            let endpoint = with(value).endpoint(keys()).unwrap();
            assert_eq!(endpoint.get_max_udp_payload_size(), u64::from(value));
        }
        for value in [INITIAL_UDP_PAYLOAD_BYTES - 1, UDP_PAYLOAD_BYTES_MAX + 1] {
            let error = with(value).endpoint(keys()).unwrap_err();
            assert!(matches!(error, EndpointError::UdpPayload { value: v } if v == value));
        }
    }

    #[test]
    fn ten_packets_of_the_largest_payload_fit_one_call_to_the_kernel() {
        assert!(u32::from(UDP_PAYLOAD_BYTES_MAX) * 10 <= 65_507);
    }

    #[test]
    fn an_idle_timeout_that_quic_cannot_say_is_refused() {
        let settings = Settings { idle_timeout: Duration::MAX, ..Settings::default() };
        let error = settings.transport(Side::Dialer).unwrap_err();
        assert!(matches!(error, EndpointError::IdleTimeout { .. }));
    }

    #[test]
    fn a_keep_alive_must_come_before_the_idle_timeout() {
        let with = |keep_alive| Settings { keep_alive, ..Settings::default() };
        let idle_timeout = Settings::default().idle_timeout;
        let error = with(idle_timeout).transport(Side::Dialer).unwrap_err();
        assert!(matches!(error, EndpointError::KeepAlive { .. }));
        let before = idle_timeout - Duration::from_millis(1);
        assert!(with(before).transport(Side::Dialer).is_ok());
    }
}
