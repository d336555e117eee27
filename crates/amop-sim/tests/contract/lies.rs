//! Parties that do not keep the rules, and what comes of it: nothing for anybody else.

use amop_core::node::Untruth;
use amop_sim::StrangerId;
use amop_wire::limits::SUBSCRIPTIONS_PER_CLIENT_MAX;
use amop_wire::{
    AckEnd, AckRun, Answer, AnswerStatus, Attempt, ClientMessage, CloseCode, Code, Epoch, Frame,
    Gen, Instance, Lane, Message, Mode, MsgId, NodeId, NodeMessage, Path, PeerAnswer, PeerMessage,
    PeerReceiptRun, PeerRefusal, Publish, Reason, Receipt, Refuse, Relay, Request, Returned, Terms,
};
use bytes::{Bytes, BytesMut};

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
    let present = scene.world.handling(chosen).next().unwrap().number;
    for number in [present - 1, present, present + 1] {
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
    let not_asked = |subscriber| Untruth::NotAsked { id, subscriber };
    let blames = |dns: &str, what: Untruth| {
        let blames = scene.world.blames(scene.a).iter();
        blames.filter(|blame| (blame.0.as_dns(), &blame.1) == (dns, &what)).count()
    };
    assert_eq!(blames("n1.node.bank-b.amop", not_asked(Instance(7))), 6);
    assert_eq!(blames(LIAR, not_asked(subscriber)), 4, "of no attempt that was made");
    assert_eq!(scene.world.blames(scene.a).len(), 10);
    scene.world.run_for(millis(500));
    assert_eq!((scene.code(id), scene.reason(id).1), (Code::Ok, 1));
    scene.end();
}

/// UNI-5: the number of an attempt is known only to those whom it has passed.
#[test]
fn a_node_that_a_request_has_not_passed_cannot_reply_in_the_name_of_the_node_that_was_asked() {
    let mut scene = Scene::new();
    let chosen = scene.subscriber(scene.b);
    scene.world.set_application(chosen, slow(millis(500)));
    let subscriber = scene.world.instance(chosen);
    let liar = scene.world.stranger(LIAR, scene.a);
    scene.world.say(liar, &PeerMessage::Greeting(Epoch(1)));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));

    let (home, exit) = (scene.world.node_core(scene.a).id(), id_of(NEXT));
    let path = [exit, id_of(LIAR), home];
    for attempt in 0..10 {
        let (status, reason) = (AnswerStatus::Answered, Reason::SubscriberBusy);
        let answer = PeerAnswer { id, attempt, status, subscriber, payload: "a lie".into() };
        scene.world.say(liar, &relayed(path, &PeerMessage::Answer(answer)));
        let refusal = PeerRefusal { id, attempt, reason, subscriber, fenced: true };
        scene.world.say(liar, &relayed(path, &PeerMessage::Refusal(refusal)));
        let request = Request {
            id,
            ttl: SECOND,
            attempt,
            subscriber,
            exit_epoch: Epoch(1),
            terms: Terms::default(),
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: "t".parse().unwrap(),
            payload: Bytes::new(),
        };
        let mut header = BytesMut::new();
        PeerMessage::Request(request).put_header(&mut header);
        let path = Path::new(&[home, id_of(LIAR), exit]).unwrap();
        let returned = Returned { path, position: 0, header: header.freeze() };
        scene.world.say(liar, &PeerMessage::Returned(returned));
    }
    scene.world.run_for(SECOND);
    assert_eq!((scene.code(id), scene.reason(id).1), (Code::Ok, 1));
    assert_eq!(scene.world.blames(scene.a).len(), 30);
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
    scene.world.run_for(millis(20));
    let attempt = told_attempt(&scene, fickle);
    let reason = Reason::SubscriberBusy;
    scene.world.say(fickle, &ClientMessage::Refuse(Refuse { attempt, reason, fenced: true }));
    let (status, payload) = (AnswerStatus::Answered, b"after all".as_slice().into());
    scene.world.say(fickle, &ClientMessage::Answer(Answer { attempt, status, payload }));
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::SubscriberUnreachable);
    scene.end();
}

/// SES-6: of one mode, since unicasts overtake multicasts.
#[test]
fn a_publish_that_is_not_numbered_above_the_one_before_closes_the_link() {
    let mut scene = Scene::new();
    let liar = scene.world.stranger("liar.sdk.bank-a.amop", scene.a);
    scene.world.attach(liar, 8, 1);
    scene.world.run_for(millis(50));
    let publish = |mode, counter| {
        let (topic, payload) = ("t".parse().unwrap(), "?".into());
        ClientMessage::Publish(Publish {
            terms: Terms::default(),
            counter,
            ttl: SECOND,
            mode,
            sequence: 0,
            topic,
            payload,
        })
    };
    for (mode, counter) in [(Mode::Unicast, 5), (Mode::Unicast, 7), (Mode::Multicast, 6)] {
        scene.world.say(liar, &publish(mode, counter));
    }
    scene.world.run_for(millis(50));
    assert_eq!(close_code(&scene, liar), None, "holes are no harm");
    scene.world.say(liar, &publish(Mode::Multicast, 6));
    scene.world.run_for(millis(50));
    assert_eq!(close_code(&scene, liar), Some(CloseCode::Protocol));
    scene.end();
}

/// LIMIT-4
#[test]
fn what_cannot_be_true_is_told_with_whoever_said_it() {
    let mut scene = Scene::new();
    let client = scene.world.stranger("liar.sdk.bank-a.amop", scene.a);
    scene.world.attach(client, 7, 1);
    let node = scene.world.stranger(LIAR, scene.a);
    scene.world.say(node, &PeerMessage::Greeting(Epoch(1)));
    let published = scene.unicast(SECOND);
    scene.world.run_for(SECOND);
    let (home, subscriber) = (scene.world.node_core(scene.a).id(), Instance(7));
    let (status, payload) = (AnswerStatus::Answered, Bytes::new());
    let reason = Reason::SubscriberBusy;
    let reply = |id| {
        let payload = payload.clone();
        PeerMessage::Answer(PeerAnswer { id, attempt: 1, status, subscriber, payload })
    };
    let to_come = MsgId { counter: published.counter + 1, ..published };
    let unknown = MsgId { publisher: Instance(99), counter: 1 };
    for late in [published, unknown] {
        scene.world.say(node, &reply(late));
    }
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.blames(scene.a), [], "it may have been true once");

    scene.world.say(node, &reply(to_come));
    let refusal = PeerRefusal { id: to_come, attempt: 1, reason, subscriber, fenced: true };
    scene.world.say(node, &PeerMessage::Refusal(refusal));
    let receipt = Receipt { acked: 1, refused: 0, unknown: 0 };
    let run = PeerReceiptRun { first: published, count: 2, receipt };
    scene.world.say(node, &PeerMessage::Receipts(vec![run]));
    let attempt = Attempt { home, id: to_come, number: 1 };
    let answer = Answer { attempt, status, payload: payload.clone() };
    scene.world.say(client, &ClientMessage::Answer(answer));
    let ack = AckRun { first: 0, count: 1, end: AckEnd::Taken };
    scene.world.say(client, &ClientMessage::Acks(vec![ack]));
    scene.world.run_for(millis(50));
    for message in [PeerMessage::Heartbeat(1), PeerMessage::Pull(home)] {
        scene.world.say(node, &relayed([id_of(NEXT), id_of(LIAR), home], &message));
    }
    scene.world.run_for(millis(50));
    assert_eq!(close_code(&scene, node), None);
    let elsewhere = [id_of(NEXT), id_of("n9.node.bank-c.amop"), home];
    scene.world.say(node, &relayed(elsewhere, &reply(published)));
    scene.world.run_for(millis(50));
    assert_eq!(close_code(&scene, node), Some(CloseCode::Protocol));

    let mut by_node = vec![Untruth::NotPublished(to_come); 3];
    by_node.push(Untruth::OffPath);
    let by_next = vec![Untruth::NotRelayable; 2]; // As far as anybody can know.
    let by_client = [Untruth::NotPublished(to_come), Untruth::NotDelivered];
    let liars = [(LIAR, by_node), (NEXT, by_next), ("liar.sdk.bank-a.amop", by_client.to_vec())];
    for (dns, mut expected) in liars {
        let blames = scene.world.blames(scene.a).iter().filter(|(by, _)| by.as_dns() == dns);
        let mut found: Vec<Untruth> = blames.map(|(_, what)| what.clone()).collect();
        let text = |what: &Untruth| what.to_string();
        found.sort_by_key(text);
        expected.sort_by_key(text);
        assert_eq!(found, expected, "{dns}");
    }
    scene.end();
}

/// LIMIT-4
#[test]
fn who_answers_too_late_is_blamed_by_nobody() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(millis(500)));
    let id = scene.unicast(millis(100));
    scene.world.run_for(SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::TimedOut, 1));
    for node in [scene.a, scene.b] {
        assert_eq!(scene.world.blames(node), []);
    }
    scene.end();
}

/// LIMIT-4: it may have been sent before its home node gave up that attempt.
#[test]
fn who_answers_an_attempt_before_the_present_one_is_blamed_by_nobody() {
    let mut scene = Scene::new();
    let first = scene.world.stranger("first.sdk.bank-b.amop", scene.b);
    scene.world.attach(first, 7, 1);
    scene.world.say(first, &ClientMessage::Subscribe("t".parse().unwrap()));
    scene.world.run_for(millis(100));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(20));
    let next = scene.subscriber(scene.b);
    scene.world.set_application(next, slow(millis(300)));
    let attempt = told_attempt(&scene, first);
    let reason = Reason::SubscriberBusy;
    scene.world.say(first, &ClientMessage::Refuse(Refuse { attempt, reason, fenced: true }));
    scene.world.run_for(millis(50));
    let (status, payload) = (AnswerStatus::Answered, Bytes::new());
    scene.world.say(first, &ClientMessage::Answer(Answer { attempt, status, payload }));
    scene.world.run_for(millis(50));
    assert!(!scene.has_ended(id), "it is with the next");
    assert_eq!(scene.world.blames(scene.a), []);
    scene.world.run_for(millis(500));
    assert_eq!((scene.code(id), scene.reason(id).1), (Code::Ok, 2));
    scene.end();
}

/// In which attempt a stranger was asked last.
fn told_attempt(scene: &Scene, who: StrangerId) -> Attempt {
    let attempt = |told: &NodeMessage| match told {
        NodeMessage::Delivery(delivery) => Some(delivery.attempt),
        _ => None,
    };
    scene.world.told_client(who).iter().rev().find_map(attempt).expect("it was asked")
}

/// A message over others, to the last node of a path from the one before it.
fn relayed(path: [NodeId; 3], message: &PeerMessage) -> PeerMessage {
    let mut header = BytesMut::new();
    message.put_header(&mut header);
    let frame = Frame { header: header.freeze(), payload: message.payload().clone() };
    let (path, lane) = (Path::new(&path).unwrap(), Lane::Unicasts);
    let position = path.nodes().len() - 1;
    PeerMessage::Relay(Relay { path, position, lane, spent: millis(0), frame })
}

fn id_of(dns: &str) -> NodeId {
    NodeId::of(&dns.parse().unwrap())
}

/// The second node of the scene.
const NEXT: &str = "n1.node.bank-b.amop";

/// The node that lies.
const LIAR: &str = "liar.node.bank-c.amop";

fn close_code(scene: &Scene, who: StrangerId) -> Option<CloseCode> {
    scene.world.close_reason(who).map(|reason| reason.code)
}
