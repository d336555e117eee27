//! A subscriber that does not read for a while: LIMIT-3, MULTI-7.

use std::collections::BTreeSet;

use amop_wire::MsgId;

use crate::scene::{SECOND, Scene, millis};

/// LIMIT-3, MULTI-7: its node closes a link whose peer has taken nothing for 10 s.
#[test]
fn who_is_closed_for_being_slow_comes_back_and_is_told_of_exactly_what_it_missed() {
    let mut scene = Scene::new();
    let quick = scene.subscriber(scene.b);
    let slow = scene.world.client("slow.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe(slow, "t");
    scene.world.run_for(millis(100));
    scene.world.set_link_bytes_max(8192);
    let (slow_instance, quick_instance) = (scene.world.instance(slow), scene.world.instance(quick));

    let mut ids = Vec::new();
    for step in 0..1500 {
        match step {
            100 => scene.world.stall_client(slow, 12 * SECOND),
            1100 => scene.world.cut_client(slow, 2 * SECOND, millis(0)),
            _ => {}
        }
        ids.push(scene.multicast(SECOND));
        scene.world.run_for(millis(10));
    }
    scene.world.run_for(2 * SECOND);

    let handled = |id: &MsgId, by| {
        scene.world.record().publication(*id).calls.iter().any(|call| call.instance == by)
    };
    assert!(ids.iter().all(|id| handled(id, quick_instance)), "nobody else misses anything");
    let missed: BTreeSet<u64> =
        ids.iter().filter(|id| !handled(id, slow_instance)).map(|id| id.counter).collect();
    let [(by, before, gap)] = scene.world.record().gaps() else {
        panic!("{:?}", scene.world.record().gaps())
    };
    let told: BTreeSet<u64> = (gap.first..gap.first + gap.count).collect();
    assert_eq!((told, *by), (missed, slow_instance));
    assert_eq!(before.counter, gap.first + gap.count, "told before the next that comes");
    assert!((1200..1290).contains(&gap.count), "all of 12 s and of its way back: {gap:?}");
    assert!(handled(ids.last().unwrap(), slow_instance));
    scene.end();
}
