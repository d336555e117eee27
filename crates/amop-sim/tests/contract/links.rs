//! Links between nodes: LINK.

use amop_sim::World;
use amop_wire::{Code, Mode};

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

#[test]
fn the_loss_of_the_only_link_is_noticed_and_its_return_too() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    scene.world.cut(scene.a, scene.b, millis(10));
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.node_core(scene.a).peers().count(), 0);
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.record().publication(id).code(), Code::NoSubscriber);
    scene.world.link(scene.a, scene.b);
    scene.world.run_for(millis(50));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
    scene.end();
}
