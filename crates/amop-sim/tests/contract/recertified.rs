//! Nodes that get another certificate and key while messages flow: SEQ-10, SEQ-15.

use amop_sim::{NodeId, World};
use amop_wire::{Code, Mode, MsgId};

use crate::scene::{SECOND, millis, slow};

/// SEQ-10, SEQ-15: nothing is lost, nobody doubts a signature, and who comes later believes the new key.
#[test]
fn nodes_get_other_keys_one_after_another_and_every_publish_ends_well() {
    let mut world = World::new(15);
    let nodes: Vec<NodeId> = (0..4).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
    for pair in nodes.windows(2) {
        world.keep_linked(pair[0], pair[1]);
    }
    let clients: Vec<_> = (0..4)
        .map(|n| {
            let client = world.client(&format!("c{n}.sdk.bank.amop"), &[nodes[n]]);
            world.subscribe(client, &format!("t{n}"));
            world.set_application(client, slow(millis(5)));
            client
        })
        .collect();
    world.run_for(2 * SECOND);
    let mut published: Vec<MsgId> = Vec::new();
    let mut publish_for = |world: &mut World, steps: usize| {
        for step in 0..steps {
            let mode = if step % 5 == 0 { Mode::Multicast } else { Mode::Unicast };
            let topic = format!("t{}", step / 4 % 4);
            published.push(world.publish(clients[step % 4], mode, &topic, 5 * SECOND));
            world.run_for(millis(6));
        }
    };
    for &node in &nodes {
        publish_for(&mut world, 100);
        world.recertify(node);
        publish_for(&mut world, 100);
    }
    // Its topics change, signed with the new key; and a node that knows nobody yet learns of all.
    world.run_for(SECOND);
    world.subscribe(clients[0], "late");
    world.crash(nodes[3], millis(10));
    world.restart(nodes[3]);
    world.run_for(10 * SECOND);
    let late = world.publish(clients[3], Mode::Unicast, "late", SECOND);
    world.run_for(10 * SECOND);
    world.check();
    assert_eq!(world.record().publication(late).code(), Code::Ok);
    for id in &published {
        let publication = world.record().publication(*id);
        assert_eq!(publication.code(), Code::Ok, "{id}: {publication:?}");
    }
    for node in nodes {
        assert_eq!(world.refused(node), [], "everybody is believed");
    }
}
