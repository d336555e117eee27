//! Every limit gets to whoever keeps it.

use amop_core::node;

use super::*;

/// Limits of which no two have the same number.
fn distinct() -> Limits {
    let rate = |number| Some(Rate { per_second: number, burst: number + 1 });
    let pace = |number| node::Pace { bytes: rate(number), messages: rate(number + 2) };
    Limits {
        rates: Rates { session: pace(100), agency: pace(110), node: pace(120) },
        subscriptions: 1,
        in_flight: 2,
        in_flight_bytes: 3,
        in_flight_of_node: 4,
        memory_bytes: 5,
        transit: rate(130),
        files: rate(140),
        links: 6,
        links_per_agency: 7,
        records: 8,
        failures: 9,
        handshakes_per_second_of_node: 10,
        handshakes_burst_of_node: 11,
        handshakes_per_second: 12,
        handshakes_burst: 13,
        queue_bytes: 14,
        queue_messages: 15,
    }
}

#[test]
fn every_limit_of_the_core_is_where_the_core_looks_for_it() {
    let limits = distinct();
    let usual = node::Limits::default();
    // Whole, so that whoever adds one to the core says here where it comes from.
    let expected = node::Limits {
        subscriptions_per_client: 1,
        requests_per_client: 2,
        request_bytes_per_client: 3,
        requests_per_node: 4,
        memory_bytes: 5,
        link_bytes: 14,
        records: 8,
        failures: 9,
        rates: limits.rates,
        transit: limits.transit,
        files: limits.files,
        unacked_per_client: usual.unacked_per_client,
        ways_back: usual.ways_back,
        table: usual.table,
    };
    assert_eq!(limits.of_core(), expected);
    assert_eq!(
        Limits::default().of_core(),
        usual,
        "a node that is told nothing goes by those of the wire"
    );
}

#[test]
fn every_limit_of_links_is_where_links_look_for_it() {
    let mut settings = Settings::default();
    distinct().apply_to(&mut settings);
    assert_eq!((settings.outbox_bytes_max, settings.outbox_messages_max), (14, 15));
    assert_eq!((settings.handshakes, settings.handshakes_per_address), ((10, 11), (12, 13)));
}

#[test]
fn a_node_that_runs_goes_by_all_of_other_limits_but_the_queues_of_links() {
    let started = Limits::default();
    let running = distinct().for_queues_of(&started);
    let Limits { queue_bytes, queue_messages, .. } = started;
    assert_eq!(running, Limits { queue_bytes, queue_messages, ..distinct() });
}
