//! Congestion control, which does not hold back the last word.
//!
//! QUIC may always send its CONNECTION_CLOSE, yet quinn waits with it while the congestion window
//! is full, and a closed connection takes no acknowledgement that would open the window again: the
//! peer would hear nothing. This controller is Cubic, except that its window is wide open from the
//! moment when the connection is to be closed. Only the close can be sent then.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use quinn::Connection;
use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;

/// Makes the controllers of an endpoint's connections.
#[derive(Debug)]
pub(crate) struct Congestion {
    cubic: Arc<CubicConfig>,
}

impl Congestion {
    pub(crate) fn new(initial_window_bytes: u64) -> Self {
        let mut cubic = CubicConfig::default();
        cubic.initial_window(initial_window_bytes);
        Self { cubic: Arc::new(cubic) }
    }
}

impl ControllerFactory for Congestion {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let cubic = Arc::clone(&self.cubic).build(now, current_mtu);
        Box::new(ClosingCubic { cubic, closing: Arc::default() })
    }
}

/// Lets the close that follows through, however full the window is.
pub(crate) fn make_way_for_close(connection: &Connection) {
    if let Ok(controller) = connection.congestion_state().into_any().downcast::<ClosingCubic>() {
        controller.closing.store(true, Ordering::Relaxed);
    }
}

struct ClosingCubic {
    cubic: Box<dyn Controller>,
    /// Shared with every copy, so that a copy can be used to set it.
    closing: Arc<AtomicBool>,
}

impl Controller for ClosingCubic {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.cubic.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.closing.load(Ordering::Relaxed) { WIDE_OPEN_BYTES } else { self.cubic.window() }
    }

    fn metrics(&self) -> ControllerMetrics {
        self.cubic.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        let closing = Arc::clone(&self.closing);
        Box::new(Self { cubic: self.cubic.clone_box(), closing })
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// More than 32 bits can say: quinn does not pace such a window either.
const WIDE_OPEN_BYTES: u64 = 1 << 33;
