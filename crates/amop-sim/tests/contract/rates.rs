//! How fast clients may publish: RATE-1 to RATE-3.

use std::time::Duration;

use amop_core::node::{Pace, Rate, Rates};
use amop_sim::ClientId;
use amop_wire::{Code, Mode, Reason};

use crate::scene::{SECOND, Scene, millis};

const RATE: Rate = Rate { per_second: 100, burst: 40 };
const PACE: Pace = Pace { messages: Some(RATE), bytes: None };

/// A payload here is the id of its message.
const PAYLOAD_BYTES: u64 = 32;

/// As many messages as at a rate, said in bytes.
fn in_bytes(Rate { per_second, burst }: Rate) -> Pace {
    let rate = Rate { per_second: per_second * PAYLOAD_BYTES, burst: burst * PAYLOAD_BYTES };
    Pace { bytes: Some(rate), messages: None }
}

/// What clients publish in turn in `span`, one after each `gap`: how many were taken, and how many not.
fn flood(scene: &mut Scene, clients: &[ClientId], span: Duration, gap: Duration) -> (u64, u64) {
    let count = span.as_nanos() / gap.as_nanos();
    let mut ids = Vec::new();
    for &client in clients.iter().cycle().take(usize::try_from(count).unwrap()) {
        ids.push(scene.world.publish(client, Mode::Unicast, "t", SECOND));
        scene.world.run_for(gap);
    }
    scene.world.run_for(SECOND);
    let limited = ids.iter().filter(|id| scene.code(**id) == Code::Limited).count() as u64;
    let handled = ids.iter().filter(|id| scene.code(**id) == Code::Ok).count() as u64;
    assert_eq!(limited + handled, ids.len() as u64);
    (handled, limited)
}

/// RATE-1: what is taken is the rate times the time and the burst, not less and not more, of whoever shares it.
#[test]
fn what_a_limit_lets_pass_is_handled_and_the_rest_never() {
    let none = Rates::default();
    for pace in [PACE, in_bytes(RATE)] {
        let all = [
            (Rates { session: pace, ..none }, "other.sdk.bank-a.amop", 2),
            (Rates { agency: pace, ..none }, "other.sdk.bank-a.amop", 1),
            (Rates { node: pace, ..none }, "other.sdk.bank-c.amop", 1),
        ];
        for (rates, other, shares) in all {
            let mut scene = Scene::new();
            scene.subscriber(scene.b);
            let other = scene.world.client(other, &[scene.a]);
            scene.world.run_for(millis(50));
            scene.world.set_rates(rates);
            let clients = [scene.publisher, other];
            let (handled, limited) = flood(&mut scene, &clients, 5 * SECOND, millis(2));
            let most = shares * (RATE.per_second * 5 + RATE.burst);
            assert!((most * 98 / 100..=most).contains(&handled), "{handled} of {most}: {rates:?}");
            assert!(limited > 1000);
            scene.end();
        }
    }
}

/// RATE-2: a session that is over its limit takes nothing off the others.
#[test]
fn one_session_that_floods_costs_another_nothing() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let node = Pace { messages: Some(Rate { per_second: 250, burst: 100 }), bytes: None };
    scene.world.set_rates(Rates { session: PACE, agency: node, node });
    let quiet = scene.world.client("quiet.sdk.bank-a.amop", &[scene.a]);
    scene.world.run_for(millis(50));
    let publisher = scene.publisher;
    let mut quiet_ids = Vec::new();
    for step in 0..2000 {
        scene.world.publish(publisher, Mode::Unicast, "t", SECOND);
        if step % 20 == 0 {
            quiet_ids.push(scene.world.publish(quiet, Mode::Multicast, "t", SECOND));
        }
        scene.world.run_for(millis(1));
    }
    scene.world.run_for(SECOND);
    assert!(quiet_ids.iter().all(|id| scene.code(*id) == Code::Ok));
    scene.end();
}

/// RATE-1: the limit of one, and one past it; each has its own reason. Of bytes one too few is too few.
#[test]
fn each_limit_is_reached_and_passed_by_one() {
    let bytes =
        |burst| Pace { bytes: Some(Rate { per_second: PAYLOAD_BYTES, burst }), messages: None };
    let paces = [
        (Pace { messages: Some(Rate { per_second: 1, burst: 2 }), bytes: None }, 2),
        (bytes(2 * PAYLOAD_BYTES), 2),
        (bytes(2 * PAYLOAD_BYTES - 1), 1),
    ];
    let none = Pace::default();
    for (one, fit) in paces {
        let all = [
            (Rates { session: one, agency: none, node: none }, Reason::SessionRate),
            (Rates { session: none, agency: one, node: none }, Reason::AgencyRate),
            (Rates { session: none, agency: none, node: one }, Reason::NodeRate),
        ];
        for (rates, reason) in all {
            let mut scene = Scene::new();
            scene.subscriber(scene.b);
            scene.world.set_rates(rates);
            let ids = [0; 3].map(|_| scene.unicast(SECOND));
            scene.world.run_for(millis(900));
            for (nth, id) in ids.into_iter().enumerate() {
                let code = if nth < fit { Code::Ok } else { Code::Limited };
                assert_eq!(scene.code(id), code, "{nth} with {rates:?}");
            }
            assert_eq!(scene.reason(ids[2]), (reason, 0));
            scene.world.run_for(millis(105));
            let later = scene.unicast(SECOND);
            scene.world.run_for(millis(900));
            assert_eq!(scene.code(later), Code::Ok, "a second has passed");
            scene.end();
        }
    }
}

/// RATE-3: other rates count at once, and what was taken before counts under them.
#[test]
fn rates_change_while_a_node_runs() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let rates = |burst| {
        let messages = Some(Rate { per_second: 1, burst });
        Rates { session: Pace { messages, bytes: None }, ..Rates::default() }
    };
    let code = |scene: &mut Scene| {
        let id = scene.unicast(SECOND);
        scene.world.run_for(millis(20));
        scene.code(id)
    };
    scene.world.set_rates(rates(1));
    assert_eq!([code(&mut scene), code(&mut scene)], [Code::Ok, Code::Limited]);
    scene.world.set_rates(rates(2));
    assert_eq!([code(&mut scene), code(&mut scene)], [Code::Ok, Code::Limited]);
    scene.world.set_rates(Rates::default());
    assert_eq!([code(&mut scene), code(&mut scene)], [Code::Ok, Code::Ok]);
    scene.end();
}
