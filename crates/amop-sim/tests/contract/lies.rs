//! Parties that do not keep the rules, and what comes of it: nothing for anybody else.

use amop_sim::StrangerId;
use amop_wire::limits::SUBSCRIPTIONS_PER_CLIENT_MAX;
use amop_wire::{
    Answer, AnswerStatus, Attempt, ClientMessage, CloseCode, Code, Epoch, Gen, Instance, Mode,
    NodeMessage, PeerAnswer, PeerMessage, PeerRefusal, Publish, Reason, Refuse, Terms,
};

use crate::scene::{SECOND, Scene, millis, slow};

/// LINK-2, LIMIT-1
#[test]
fn who_breaks_the_order_of_greetings_is_closed_and_others_notice_nothing() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let hasty = scene.world.stranger("hasty.sdk.bank-b.amop", scene.a);
    scene.world.say(hasty, &ClientMessage::Subscribe("t".parse().unwrap()));
    let twice = scene.world.stranger("twice.sdk.bank-b.amop", scene.a);
    for generation in [1, 2] {
        let (instance, generation) = (Instance(3), Gen(generation));
        scene.world.say(twice, &ClientMessage::Attach { instance, generation });
    }
    let node = scene.world.stranger("twice.node.bank-b.amop", scene.a);
    scene.world.say(node, &PeerMessage::Greeting(Epoch(1)));
    scene.world.say(node, &PeerMessage::Greeting(Epoch(2)));
    scene.world.run_for(millis(50));
    for who in [hasty, twice, node] {
        assert_eq!(close_code(&scene, who), Some(CloseCode::Protocol));
    }
    assert_eq!(scene.known(scene.a), 1, "what came too early was not taken");
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

#[test]
fn a_node_that_has_our_own_name_is_refused() {
    let mut scene = Scene::new();
    let twin = scene.world.stranger("n1.node.bank-a.amop", scene.a);
    scene.world.say(twin, &PeerMessage::Greeting(Epoch(9)));
    scene.world.run_for(millis(50));
    assert_eq!(close_code(&scene, twin), Some(CloseCode::Refused));
    assert_eq!(scene.world.node_core(scene.a).peers().count(), 1, "the one that was there");
    scene.end();
}

/// SES-2
#[test]
fn an_instance_that_another_name_claims_or_an_earlier_link_is_refused() {
    let mut scene = Scene::new();
    let owner = scene.world.stranger("owner.sdk.bank-b.amop", scene.b);
    scene.world.attach(owner, 7, 3);
    scene.world.say(owner, &ClientMessage::Subscribe("t".parse().unwrap()));
    scene.world.run_for(millis(50));

    let thief = scene.world.stranger("thief.sdk.bank-b.amop", scene.b);
    scene.world.attach(thief, 7, 4);
    let earlier = scene.world.stranger("owner.sdk.bank-b.amop", scene.b);
    scene.world.attach(earlier, 7, 2);
    let equal = scene.world.stranger("owner.sdk.bank-b.amop", scene.b);
    scene.world.attach(equal, 7, 3);
    scene.world.run_for(millis(50));
    let code = |who| scene.world.close_reason(who).map(|reason| reason.code);
    assert_eq!(code(thief), Some(CloseCode::Refused));
    assert_eq!(code(earlier), Some(CloseCode::Superseded));
    assert_eq!(code(equal), Some(CloseCode::Superseded));
    assert_eq!(code(owner), None);
    assert_eq!(scene.known(scene.a), 1, "the owner keeps its subscription");

    let later = scene.world.stranger("owner.sdk.bank-b.amop", scene.b);
    scene.world.attach(later, 7, 4);
    scene.world.run_for(millis(50));
    let reason = scene.world.close_reason(owner).expect("it was superseded");
    assert_eq!(reason.code, CloseCode::Superseded);
    assert_eq!(scene.known(scene.a), 0, "it has to subscribe again");
    scene.end();
}

/// SES-2: also while the client is away, as long as an outcome may come for it.
#[test]
fn nobody_hears_the_outcomes_of_a_client_that_is_away_by_claiming_its_instance() {
    let mut scene = Scene::new();
    let away = scene.world.client("away.sdk.bank-a.amop", &[scene.a]);
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(millis(100)));
    let id = scene.world.publish(away, Mode::Unicast, "t", SECOND);
    scene.world.run_for(millis(50));
    scene.world.cut_client(away, millis(5), millis(5));
    scene.world.run_for(millis(10));
    let thief = scene.world.stranger("thief.sdk.bank-a.amop", scene.a);
    scene.world.attach(thief, id.publisher.0, 9);
    scene.world.run_for(millis(400));
    let reason = scene.world.close_reason(thief).expect("it was refused");
    assert_eq!(reason.code, CloseCode::Refused);
    assert_eq!(scene.world.told_client(thief), []);
    assert!(scene.world.is_connected(away));
    scene.end();
}

/// SES-5: also a client that does not count itself.
#[test]
fn a_node_counts_the_subscriptions_of_a_client_that_does_not() {
    let mut scene = Scene::new();
    let greedy = scene.world.stranger("greedy.sdk.bank-b.amop", scene.b);
    scene.world.attach(greedy, 7, 1);
    for topic in (0..=SUBSCRIPTIONS_PER_CLIENT_MAX).chain([0]) {
        let topic = format!("t{topic}").parse().unwrap();
        scene.world.say(greedy, &ClientMessage::Subscribe(topic));
    }
    scene.world.run_for(millis(50));
    let code = |message: &NodeMessage| match message {
        NodeMessage::Subscribed { code, .. } => Some(*code),
        _ => None,
    };
    let told = scene.world.told_client(greedy).iter().filter_map(code).collect::<Vec<_>>();
    let mut expected = vec![Code::Ok; SUBSCRIPTIONS_PER_CLIENT_MAX];
    expected.extend([Code::Overloaded, Code::Ok]);
    assert!(told == expected, "one past the limit is refused, and one that it has is not");
    scene.end();
}

/// UNI-5: neither another client, nor another node, nor another attempt.
#[test]
fn only_the_chosen_subscriber_can_answer_or_refuse() {
    let mut scene = Scene::new();
    let chosen = scene.subscriber(scene.b);
    scene.world.set_application(chosen, slow(millis(500)));
    let subscriber = scene.world.instance(chosen);
    let liar = scene.world.stranger("liar.sdk.bank-b.amop", scene.b);
    scene.world.attach(liar, 7, 1);
    let node = scene.world.stranger(LIAR, scene.a);
    scene.world.say(node, &PeerMessage::Greeting(Epoch(1)));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));

    let (home, payload) = (scene.world.node_core(scene.a).id(), b"a lie".as_slice());
    for number in 0..3 {
        let attempt = Attempt { home, id, number };
        let (status, reason) = (AnswerStatus::Answered, Reason::SubscriberBusy);
        let answer = Answer { attempt, status, payload: payload.into() };
        scene.world.say(liar, &ClientMessage::Answer(answer));
        scene.world.say(liar, &ClientMessage::Refuse(Refuse { attempt, reason, fenced: true }));
        let attempt = number;
        let payload = payload.into();
        let answer = PeerAnswer { id, attempt, status, subscriber, payload };
        scene.world.say(node, &PeerMessage::Answer(answer));
        let refusal = PeerRefusal { id, attempt, reason, subscriber, fenced: true };
        scene.world.say(node, &PeerMessage::Refusal(refusal));
    }
    scene.world.run_for(millis(100));
    assert!(!scene.has_ended(id), "nobody of them was asked");
    scene.world.run_for(millis(500));
    assert_eq!((scene.code(id), scene.reason(id).1), (Code::Ok, 1));
    scene.end();
}

/// UNI-5: an answer to an attempt that the same subscriber refused before.
#[test]
fn a_refusal_cannot_be_taken_back() {
    let mut scene = Scene::new();
    let fickle = scene.world.stranger("fickle.sdk.bank-b.amop", scene.b);
    scene.world.attach(fickle, 7, 1);
    scene.world.say(fickle, &ClientMessage::Subscribe("t".parse().unwrap()));
    scene.world.run_for(millis(100));
    let id = scene.unicast(SECOND);
    let home = scene.world.node_core(scene.a).id();
    scene.world.run_for(millis(20));
    let attempt = Attempt { home, id, number: 1 };
    let reason = Reason::SubscriberBusy;
    scene.world.say(fickle, &ClientMessage::Refuse(Refuse { attempt, reason, fenced: true }));
    let (status, payload) = (AnswerStatus::Answered, b"after all".as_slice().into());
    scene.world.say(fickle, &ClientMessage::Answer(Answer { attempt, status, payload }));
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::SubscriberUnreachable);
    scene.end();
}

/// SES-6
#[test]
fn a_publish_that_is_not_numbered_above_the_one_before_closes_the_link() {
    let mut scene = Scene::new();
    let liar = scene.world.stranger("liar.sdk.bank-a.amop", scene.a);
    scene.world.attach(liar, 8, 1);
    let publish = |counter| {
        let (topic, payload) = ("t".parse().unwrap(), "?".into());
        let (mode, ttl) = (Mode::Unicast, SECOND);
        ClientMessage::Publish(Publish {
            terms: Terms::default(),
            counter,
            ttl,
            mode,
            sequence: 0,
            topic,
            payload,
        })
    };
    for counter in [5, 7] {
        scene.world.say(liar, &publish(counter));
    }
    scene.world.run_for(millis(50));
    assert_eq!(close_code(&scene, liar), None, "holes are no harm");
    scene.world.say(liar, &publish(7));
    scene.world.run_for(millis(50));
    assert_eq!(close_code(&scene, liar), Some(CloseCode::Protocol));
    scene.end();
}

/// The node that lies.
const LIAR: &str = "liar.node.bank-c.amop";

fn close_code(scene: &Scene, who: StrangerId) -> Option<CloseCode> {
    scene.world.close_reason(who).map(|reason| reason.code)
}
