//! Acks of multicasts: MULTI-4.

use amop_core::client::{Client, Effect, Input};
use amop_wire::{
    Code, Epoch, InFlight, Instance, Instant, MsgId, Multicast, NodeId, NodeMessage, Reason,
};

fn hand_in(client: &mut Client, input: Input) -> Vec<Effect> {
    client.handle(Instant::default(), input);
    std::iter::from_fn(|| client.poll_effect()).collect()
}

fn link(client: &mut Client) {
    hand_in(client, Input::LinkUp { node: NodeId::from_bytes([1; 32]) });
    let attached = NodeMessage::Attached { epoch: Epoch(1), in_flight: InFlight::default() };
    hand_in(client, Input::Message(attached));
    let (topic, reason) = ("t".parse().unwrap(), Reason::Unspecified);
    hand_in(client, Input::Message(NodeMessage::Subscribed { topic, code: Code::Ok, reason }));
}

/// MULTI-4: on the next link the same number is that of another delivery, which nobody has taken.
#[test]
fn what_is_acked_after_its_link_has_ended_is_acked_nowhere() {
    let mut client = Client::new(Instance(1));
    hand_in(&mut client, Input::Subscribe("t".parse().unwrap()));
    link(&mut client);
    let multicast = NodeMessage::Multicast(Multicast {
        id: MsgId { publisher: Instance(9), counter: 1 },
        ttl: std::time::Duration::from_secs(5),
        sequence: 1,
        from: "app.sdk.bank.amop".parse().unwrap(),
        topic: "t".parse().unwrap(),
        sealed: false,
        payload: "news".into(),
    });
    let effects = hand_in(&mut client, Input::Message(multicast));
    let [Effect::Deliver(delivered)] = &effects[..] else { panic!("{effects:?}") };
    let ack = Input::Ack { generation: delivered.generation, number: 0, refused: false };

    hand_in(&mut client, Input::LinkDown);
    hand_in(&mut client, ack.clone());
    assert_eq!(hand_in(&mut client, Input::EndOfBatch), []);
    hand_in(&mut client, ack);
    link(&mut client);
    assert_eq!(hand_in(&mut client, Input::EndOfBatch), []);
}
