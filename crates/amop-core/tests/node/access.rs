//! What clients may do: ACL-1 to ACL-5.

use amop_core::node::{Effect, Input, Permissions, Rule, Rules};
use amop_wire::{
    ClientMessage, Code, FileBody, FileEnd, FileMessage, FileRoute, Instance, Mode, NodeMessage,
    PeerMessage, Reason, Seated,
};

use crate::home::{CLIENT, Home, PEER, SUBSCRIBER, peer_name, version};

/// Rules of which each is about everybody of an agency.
pub(crate) fn rules(rules: &[(&str, &str, Permissions)]) -> Rules {
    let rule = |&(agency, topics, allow): &(&str, &str, _)| Rule {
        who: vec![format!("agency:{agency}").parse().unwrap()],
        topics: vec![topics.parse().unwrap()],
        allow,
    };
    Rules::new(rules.iter().map(rule).collect())
}

const NOTHING: Permissions = Permissions { publish: false, subscribe: false, file: false };

fn to_client(effects: Vec<Effect>) -> Vec<NodeMessage> {
    let said = effects.into_iter().filter_map(|effect| match effect {
        Effect::ToClient { link: CLIENT, message } => Some(message),
        _ => None,
    });
    said.collect()
}

fn code(effects: Vec<Effect>) -> (Code, Reason) {
    match &to_client(effects)[..] {
        [NodeMessage::Outcome(outcome)] => (outcome.code, outcome.reason),
        [NodeMessage::Subscribed { code, reason, .. }] => (*code, *reason),
        other => panic!("{other:?}"),
    }
}

const FORBIDDEN: (Code, Reason) = (Code::NotPermitted, Reason::NotPermitted);

/// ACL-2
#[test]
fn what_is_forbidden_gets_the_same_answer_whether_or_not_anybody_is_there() {
    let mut home = Home::new();
    let may_file = Permissions { file: true, ..NOTHING };
    home.handle(Input::Rules(rules(&[("bank-a", "t*", NOTHING), ("bank-a", "u", may_file)])));
    for (counter, topic) in [(1, "t"), (2, "tea"), (3, "other"), (4, "u")] {
        assert_eq!(code(home.publish_to(topic, counter)), FORBIDDEN, "{topic}");
    }
    assert_eq!(code(home.publish_as(Mode::Multicast, "t", 5)), FORBIDDEN);
    for topic in ["t", "other"] {
        assert_eq!(code(home.client(ClientMessage::Subscribe(topic.parse().unwrap()))), FORBIDDEN);
    }
    assert_eq!(home.node.under_way(), 0);
}

/// ACL-2
#[test]
fn files_have_a_permission_of_their_own() {
    let mut home = Home::new();
    let sender = FileEnd { instance: crate::home::PUBLISHER, node: home.node.id() };
    let route = FileRoute { sender, receiver: FileEnd::ANY, transfer: 1 };
    let find = |home: &mut Home| {
        let body = FileBody::Find("t".parse().unwrap());
        home.handle(Input::File { link: CLIENT, message: FileMessage { route, round: 1, body } });
        let now = home.now;
        home.node.poll_file(now, CLIENT).map(|message| message.body)
    };
    let all = Permissions::ALL;
    home.handle(Input::Rules(rules(&[
        ("bank-a", "t", Permissions { file: false, ..all }),
        ("bank-b", "t", all),
    ])));
    let refused = FileBody::Refused(Code::NotPermitted, Reason::NotPermitted);
    assert_eq!(find(&mut home), Some(refused));
    home.publish(); // It goes out.
    home.handle(Input::Rules(rules(&[("bank-a", "t", Permissions { file: true, ..NOTHING })])));
    assert_eq!(find(&mut home).map(|body| matches!(body, FileBody::Found(_))), Some(true));
}

/// ACL-5
#[test]
fn who_may_not_publish_sees_nobody_on_a_topic_that_it_watches_until_it_may() {
    let mut home = Home::new();
    let watched = |messages: Vec<NodeMessage>| match &messages[..] {
        [NodeMessage::Watched(watched)] if watched.is_all => watched.present.clone(),
        other => panic!("{other:?}"),
    };
    let there: Vec<Seated> =
        watched(to_client(home.client(ClientMessage::Watch("t".parse().unwrap()))));
    assert_eq!(there.iter().map(|seat| seat.instance).collect::<Vec<_>>(), [SUBSCRIBER]);
    let forbid = Permissions { publish: false, ..Permissions::ALL };
    let mut forbidden = rules(&[("bank-a", "*", forbid)]);
    for _ in 0..2 {
        let told = to_client(home.handle(Input::Rules(forbidden)));
        forbidden = Rules::default();
        assert!(told.len() <= 1 && told.iter().all(|it| matches!(it, NodeMessage::Watched(_))));
        let nobody = watched(told);
        assert!(nobody.is_empty() || nobody == there);
    }
    home.handle(Input::Rules(rules(&[("bank-a", "*", forbid)])));
    let asked = home.client(ClientMessage::Watch("t".parse().unwrap()));
    assert_eq!(watched(to_client(asked)), [], "and so it is with who asks then");
    let again = home.handle(Input::Rules(Rules::default()));
    assert_eq!(watched(to_client(again)), there);
}

/// ACL-4
#[test]
fn what_an_agency_announces_and_may_not_subscribe_to_does_not_count_and_counts_once_it_may() {
    let mut home = Home::new();
    let known = |home: &Home| home.node.subscribers(&"t".parse().unwrap()).count();
    assert_eq!(known(&home), 1);
    let not_b = rules(&[("bank-b", "t", NOTHING), ("bank-a", "*", Permissions::ALL)]);
    home.handle(Input::Rules(not_b.clone()));
    assert_eq!(known(&home), 0);
    assert!(home.node.table().subscribed_topics().is_empty(), "nor is it shown");

    // What comes now does not count either: in a snapshot, and after the way there was lost and found.
    home.announced(2);
    let announcement = home.subscriber_at(peer_name(), 2, "t", Instance(9));
    home.peer(PEER, PeerMessage::Snapshot(announcement));
    home.handle(Input::EndOfBatch);
    assert_eq!(home.node.table().version_of(amop_wire::NodeId::of(&peer_name())), Some(version(2)));
    assert_eq!(known(&home), 0);
    assert_eq!(home.publish_to("t", 1), [], "it waits, for there was a subscriber lately");

    home.handle(Input::Rules(Rules::default()));
    let sent = home.handle(Input::EndOfBatch);
    let is_request = |effect: &Effect| {
        matches!(effect, Effect::ToPeer { link: PEER, message: PeerMessage::Request(_) })
    };
    assert_eq!(sent.iter().filter(|effect| is_request(effect)).count(), 1);
    let found: Vec<Instance> =
        home.node.subscribers(&"t".parse().unwrap()).map(|(_, instance)| instance).collect();
    assert_eq!(found, [Instance(9)], "nothing was forgotten");
}

/// ACL-3
#[test]
fn an_open_session_loses_what_it_may_not_do_any_more_and_keeps_the_rest() {
    let mut home = Home::new();
    for topic in ["kept", "lost"] {
        home.client(ClientMessage::Subscribe(topic.parse().unwrap()));
    }
    home.handle(Input::EndOfBatch);
    let now = rules(&[("bank-a", "lost", NOTHING), ("bank-a", "*", Permissions::ALL)]);
    let told = to_client(home.handle(Input::Rules(now)));
    let topic = "lost".parse().unwrap();
    let (code, reason) = FORBIDDEN;
    assert_eq!(told, [NodeMessage::Subscribed { topic, code, reason }]);
    let topics: Vec<String> = home
        .node
        .attached_clients()
        .flat_map(|client| client.topics.iter().map(ToString::to_string).collect::<Vec<_>>())
        .collect();
    assert_eq!(topics, ["kept"]);
}

/// However many topics a client names, little is kept of what was decided.
#[test]
fn what_was_decided_is_kept_for_256_topics_of_a_client_and_not_for_one_more() {
    let mut home = Home::new();
    home.handle(Input::Rules(rules(&[("bank-b", "*", NOTHING)])));
    let decided = |home: &Home| {
        let all = home.node.occupancy();
        all.into_iter().find(|it| it.what.contains("decided about")).unwrap().held
    };
    for counter in 1..=256 {
        home.publish_to(&format!("t{counter}"), counter);
    }
    assert_eq!(decided(&home), 256);
    assert_eq!(code(home.publish_to("one more", 257)), FORBIDDEN);
    assert_eq!(decided(&home), 1);
}
