//! Links, between nodes and of clients: LINK.

use amop_sim::{StrangerId, World};
use amop_wire::{CloseCode, Code, Epoch, Mode, PeerMessage};

use crate::scene::{SECOND, Scene, millis};

/// LINK-3: whichever way the latencies fall.
#[test]
fn nodes_that_dial_each_other_at_once_keep_the_same_link_and_lose_nothing() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.set_latency(millis(1), millis(20));
        let a = world.node("n1.node.bank-a.amop");
        let b = world.node("n1.node.bank-b.amop");
        let publisher = world.client("app.sdk.bank-a.amop", &[a]);
        let subscriber = world.client("sub.sdk.bank-b.amop", &[b]);
        world.subscribe(subscriber, "t");
        world.run_for(millis(200));
        world.link(a, b);
        world.link(b, a);
        let mut ids = Vec::new();
        for _ in 0..100 {
            world.run_for(millis(2));
            ids.push(world.publish(publisher, Mode::Unicast, "t", SECOND));
        }
        world.run_for(2 * SECOND);
        assert_eq!(world.links(a, b).len(), 1, "the other was closed");
        assert_eq!(world.node_core(a).peers().count(), 1);
        assert_eq!(world.node_core(b).peers().count(), 1);
        for id in ids {
            let code = world.record().publication(id).code();
            assert!(matches!(code, Code::Ok | Code::NoSubscriber), "seed {seed}: {code}");
        }
        let last = world.publish(publisher, Mode::Unicast, "t", SECOND);
        world.run_for(SECOND);
        assert_eq!(world.record().publication(last).code(), Code::Ok, "seed {seed}");
        world.check();
    }
}

/// LINK-3: the one that the node with the smaller id dialed.
#[test]
fn the_link_that_stays_is_the_one_that_the_node_with_the_smaller_id_dialed() {
    let mut world = World::new(1);
    let a = world.node("n1.node.bank-a.amop");
    let b = world.node("n1.node.bank-b.amop");
    let (dialed_by_a, dialed_by_b) = (world.link(a, b), world.link(b, a));
    world.run_for(2 * SECOND);
    let is_a_smaller = world.node_core(a).id() < world.node_core(b).id();
    assert_eq!(world.links(a, b), [if is_a_smaller { dialed_by_a } else { dialed_by_b }]);
}

/// LINK-3: of two alike the newer.
#[test]
fn a_node_that_dials_again_is_heard_at_once_though_its_old_link_seems_to_live() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let [old] = scene.world.links(scene.a, scene.b)[..] else { panic!("one link") };
    // The one that dialed notices first, and dials again.
    scene.world.cut_half_open(scene.a, scene.b, millis(10), 6 * SECOND);
    scene.world.run_for(millis(20));
    let new = scene.world.link(scene.a, scene.b);
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.links(scene.a, scene.b), [new]);
    for _ in 0..8 {
        let id = scene.unicast(SECOND);
        scene.world.run_for(SECOND);
        assert_eq!(scene.code(id), Code::Ok, "also when the end of {old:?} is noticed");
    }
    scene.end();
}

/// LINK-3: whichever of them dialed the first link, and whichever dials the second.
#[test]
fn a_link_that_is_dead_without_its_end_knowing_gives_way_to_a_newer_one_at_once() {
    for (dialer, first_to_notice) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut world = World::new(1);
        let nodes = ["a", "b"].map(|n| world.node(&format!("n1.node.bank-{n}.amop")));
        let clients = [0, 1].map(|n| world.client(&format!("c{n}.sdk.bank.amop"), &[nodes[n]]));
        for (n, &client) in clients.iter().enumerate() {
            world.subscribe(client, &format!("to{n}"));
        }
        world.link(nodes[dialer], nodes[1 - dialer]);
        world.run_for(3 * SECOND);
        let (first, last) = (nodes[first_to_notice], nodes[1 - first_to_notice]);
        world.cut_half_open(first, last, millis(10), 6 * SECOND);
        world.run_for(millis(20));
        world.link(first, last);
        world.run_for(millis(20));
        for _ in 0..8 {
            let ids = [(0, "to1"), (1, "to0")]
                .map(|(from, to)| world.publish(clients[from], Mode::Unicast, to, SECOND));
            world.run_for(SECOND);
            for id in ids {
                let code = world.record().publication(id).code();
                assert_eq!(code, Code::Ok, "{dialer} dialed, {first_to_notice} dialed again");
            }
        }
        world.check();
    }
}

/// LINK-3: the ends may disagree whether a link was 2 s old when the next one came, but not for long.
#[test]
fn ends_that_elect_different_links_soon_have_the_same_and_keep_it() {
    let mut disagreements = 0;
    for seed in 0..40 {
        let mut world = World::new(seed);
        world.set_latency(millis(1), millis(20));
        let a = world.node("n1.node.bank-a.amop");
        let b = world.node("n1.node.bank-b.amop");
        world.link(a, b);
        world.run_for(2 * SECOND);
        world.link(b, a);
        world.run_for(millis(100));
        let elected = |world: &World| {
            let [of_a, of_b] = [(a, b), (b, a)].map(|(from, to)| {
                let to = world.id_of(to);
                world.node_core(from).link_to(to)
            });
            (of_a, of_b)
        };
        let (of_a, of_b) = elected(&world);
        disagreements += usize::from(of_a != of_b);
        world.keep_linked(a, b);
        world.keep_linked(b, a);
        world.run_for(2 * SECOND);
        let agreed = elected(&world);
        assert!(agreed.0.is_some() && agreed.0 == agreed.1, "seed {seed}: {agreed:?}");
        world.run_for(60 * SECOND);
        assert_eq!(elected(&world), agreed, "seed {seed}");
        assert_eq!(world.links(a, b).len(), 1, "seed {seed}");
    }
    assert!(disagreements > 0, "no seed tried what this is about");
}

/// LINK-3: also while the peers disagree about which link there is.
#[test]
fn a_half_open_link_heals_by_itself_whoever_notices_first() {
    for first in [0, 1] {
        let mut scene = Scene::new();
        scene.world.keep_linked(scene.a, scene.b);
        scene.world.keep_linked(scene.b, scene.a);
        scene.subscriber(scene.b);
        let notice = [millis(10), 6 * SECOND];
        let (a_notice, b_notice) = (notice[first], notice[1 - first]);
        scene.world.cut_half_open(scene.a, scene.b, a_notice, b_notice);
        for _ in 0..50 {
            scene.unicast(SECOND);
            scene.world.run_for(millis(150));
        }
        let id = scene.unicast(SECOND);
        scene.world.run_for(SECOND);
        assert_eq!(scene.code(id), Code::Ok);
        assert_eq!(scene.world.wrong_views(), [] as [String; 0]);
        scene.end();
    }
}

#[test]
fn the_loss_of_the_only_link_is_noticed_and_its_return_too() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    scene.world.cut(scene.a, scene.b, millis(10));
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.node_core(scene.a).peers().count(), 0);
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(550));
    assert_eq!(scene.code(id), Code::NoSubscriber);
    scene.world.link(scene.a, scene.b);
    scene.world.run_for(millis(50));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// LINK-2
#[test]
fn a_link_without_a_greeting_is_closed_after_5_s() {
    let mut scene = Scene::new();
    let silent = [
        scene.world.stranger("mute.sdk.bank-b.amop", scene.a),
        scene.world.stranger("mute.node.bank-b.amop", scene.a),
    ];
    let client = scene.world.stranger("good.sdk.bank-b.amop", scene.a);
    scene.world.attach(client, 9, 1);
    let peer = scene.world.stranger("good.node.bank-b.amop", scene.a);
    scene.world.say(peer, &PeerMessage::Greeting(Epoch(1)));
    scene.world.run_for(5 * SECOND - millis(10));
    assert!(silent.iter().all(|&who| scene.world.close_reason(who).is_none()));
    scene.world.run_for(millis(20));
    for who in silent {
        assert_eq!(close_code(&scene, who), Some(CloseCode::Protocol));
    }
    scene.world.run_for(5 * SECOND);
    for who in [client, peer] {
        assert_eq!(close_code(&scene, who), None);
    }
    scene.end();
}

/// LINK-5: clients go elsewhere.
#[test]
fn a_node_that_shuts_down_closes_its_links_and_takes_no_new_ones() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let client = scene.world.stranger("early.sdk.bank-a.amop", scene.a);
    scene.world.attach(client, 9, 1);
    let peer = scene.world.stranger("early.node.bank-a.amop", scene.a);
    scene.world.run_for(millis(50));
    scene.world.shut_down(scene.a);
    scene.world.run_for(millis(10));
    let late = scene.world.stranger("late.sdk.bank-a.amop", scene.a);
    scene.world.run_for(millis(500));
    for who in [client, peer, late] {
        assert_eq!(close_code(&scene, who), Some(CloseCode::Shutdown));
    }
    assert_eq!(scene.world.home_of(scene.publisher), Some(scene.b));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// LINK-4: also when everything was held back for a while.
#[test]
fn messages_keep_their_order_on_a_lane() {
    let mut scene = Scene::new();
    scene.world.set_latency(millis(1), millis(30));
    let subscriber = scene.subscriber(scene.b);
    let mut ids = Vec::new();
    for round in 0..100 {
        ids.push(scene.multicast(SECOND));
        scene.world.run_for(millis(3));
        match round {
            30 => scene.world.stall(scene.a, scene.b, millis(50)),
            40 => scene.world.stall_client(subscriber, millis(50)),
            50 => scene.world.stall_client(scene.publisher, millis(50)),
            _ => {}
        }
    }
    scene.world.run_for(SECOND);
    let calls = ids.iter().map(|&id| scene.world.record().publication(id).calls[0].at);
    assert!(calls.is_sorted());
    scene.end();
}

fn close_code(scene: &Scene, who: StrangerId) -> Option<CloseCode> {
    scene.world.close_reason(who).map(|reason| reason.code)
}
