//! What clients may do, in a network whose nodes go by different rules: ACL-1 to ACL-4.

use amop_core::node::{Permissions, Rule};
use amop_wire::{Code, Reason};

use crate::scene::{SECOND, Scene, millis};

fn rules(rules: &[(&str, &str, Permissions)]) -> Vec<Rule> {
    let rule = |&(who, topics, allow): &(&str, &str, _)| Rule {
        who: vec![who.parse().unwrap()],
        topics: vec![topics.parse().unwrap()],
        allow,
    };
    rules.iter().map(rule).collect()
}

const NOTHING: Permissions = Permissions { publish: false, subscribe: false, file: false };
const LISTEN: Permissions = Permissions { publish: false, subscribe: true, file: false };

/// ACL-2: the rules of the home node count for a publish, and nothing of it leaves.
#[test]
fn a_publish_that_the_home_node_forbids_reaches_nobody() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    scene.world.set_rules(scene.a, rules(&[("*", "*", LISTEN)]));
    let ids = [scene.unicast(SECOND), scene.multicast(SECOND)];
    scene.world.run_for(millis(100));
    for id in ids {
        assert_eq!((scene.reason(id), scene.calls(id)), ((Reason::NotPermitted, 0), 0));
        assert_eq!(scene.code(id), Code::NotPermitted);
    }
    scene.world.set_rules(scene.a, Vec::new());
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(100));
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// ACL-3: an open subscription ends with a reason, everywhere, and comes back when its client asks once it may.
#[test]
fn a_subscription_that_is_forbidden_ends_and_no_node_finds_it_any_more() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_rules(scene.b, rules(&[("agency:bank-b", "t", NOTHING)]));
    scene.world.run_for(millis(100));
    assert_eq!((scene.known(scene.a), scene.known(scene.b)), (0, 0));
    assert_eq!(scene.world.wrong_views(), [""; 0], "its application was told");
    let id = scene.multicast(SECOND);
    scene.world.run_for(millis(100));
    assert_eq!(scene.receipt(id).targets(), 0);

    scene.world.subscribe(subscriber, "t");
    scene.world.run_for(millis(100));
    assert_eq!(scene.known(scene.a), 0, "refused again");
    scene.world.set_rules(scene.b, Vec::new());
    scene.world.subscribe(subscriber, "t");
    scene.world.run_for(millis(100));
    assert_eq!(scene.known(scene.a), 1);
    scene.end();
}

/// ACL-4: a node that does not enforce the rules convinces nobody who goes by them.
#[test]
fn subscriptions_of_an_agency_that_may_not_subscribe_are_believed_by_none_who_forbids_it() {
    let mut scene = Scene::new();
    let c = scene.world.node("n1.node.bank-c.amop");
    scene.world.link(scene.b, c);
    scene.subscriber(scene.b);
    let not_b = rules(&[("agency:bank-b", "t", NOTHING), ("*", "*", Permissions::ALL)]);
    scene.world.set_rules(scene.a, not_b);
    scene.world.run_for(SECOND);
    assert_eq!((scene.known(scene.a), scene.known(scene.b), scene.known(c)), (0, 1, 1));
    let id = scene.unicast(SECOND);
    scene.world.run_for(2 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::NoSubscriber, 0));
    scene.subscriber(scene.b);
    assert_eq!((scene.known(scene.a), scene.known(c)), (0, 2), "nor is who comes later");

    // It passes on what it does not believe: a network would fall apart otherwise.
    let d = scene.world.node("n1.node.bank-d.amop");
    scene.world.link(scene.a, d);
    scene.world.run_for(SECOND);
    assert_eq!((scene.known(d), scene.known(scene.a)), (2, 0));

    // A message that waits for somebody to come goes out once the rules let it.
    let waits = scene.unicast(4 * SECOND);
    scene.world.run_for(millis(50));
    assert!(!scene.has_ended(waits), "there was a subscriber lately");
    scene.world.set_rules(scene.a, Vec::new());
    scene.world.run_for(millis(100));
    assert_eq!(scene.code(waits), Code::Ok);
    scene.end();
}
