//! Whom a transfer goes to, while its receiver comes and goes (FILE-4, FILE-15).

use amop_core::transfer::{Addressee, Heard, Sender, SenderInput};
use amop_wire::{
    Code, FileBody, FileEnd, FileFound, FileMessage, FileRoute, FoundReceiver, Instance, Instant,
    Name, NodeId, Reason,
};

use crate::world::{NODE, PATIENCE, offer, route};

const HERE: FileEnd = FileEnd { instance: Instance(5), node: NODE };

/// A transfer to this receiver, in its first round.
fn transfer(receiver: FileEnd) -> (Addressee, Sender) {
    let route = FileRoute { receiver, ..route(1) };
    let offer = offer(100);
    let addressee = Addressee::new(offer.topic.clone(), &route);
    let mut sender = Sender::new(Instant::default(), route, offer, PATIENCE);
    tell(&mut sender, SenderInput::LinkUp(NODE));
    (addressee, sender)
}

fn tell(sender: &mut Sender, input: SenderInput) {
    sender.handle(Instant::default(), input);
    while sender.poll_effect().is_some() {}
}

/// What comes of a word of this receiver in this round.
fn hear(
    (addressee, sender): &mut (Addressee, Sender),
    by: FileEnd,
    round: u32,
    body: FileBody,
) -> Heard {
    let route = FileRoute { receiver: by, ..sender.route() };
    addressee.hear(sender, &FileMessage { route, round, body })
}

const GONE: FileBody = FileBody::Refused(Code::SubscriberUnreachable, Reason::SubscriberGone);

#[test]
fn who_answers_an_offer_to_nobody_by_name_gets_the_file() {
    let mut transfer = transfer(FileEnd::ANY);
    assert_eq!(hear(&mut transfer, HERE, 1, FileBody::Wait), Heard::Redirect(HERE));
    tell(&mut transfer.1, SenderInput::Redirect(HERE));
    let credit = FileBody::Credit { received: 0, granted: 32 };
    assert_eq!(hear(&mut transfer, HERE, 2, credit.clone()), Heard::ForSender);
    assert_eq!(hear(&mut transfer, HERE, 1, credit), Heard::ForSender, "it drops what is late");
}

#[test]
fn where_nobody_was_found_a_refusal_is_the_end() {
    for receiver in [FileEnd::ANY, HERE] {
        assert_eq!(hear(&mut transfer(receiver), receiver, 1, GONE), Heard::ForSender);
    }
}

#[test]
fn one_that_was_found_and_is_gone_is_replaced_once_and_ends_nothing() {
    let mut transfer = transfer(FileEnd::ANY);
    hear(&mut transfer, HERE, 1, FileBody::Wait);
    tell(&mut transfer.1, SenderInput::Redirect(HERE));
    assert_eq!(hear(&mut transfer, HERE, 1, GONE), Heard::Nothing, "it is of the round before");
    assert_eq!(hear(&mut transfer, HERE, 2, GONE), Heard::Redirect(FileEnd::ANY));
    tell(&mut transfer.1, SenderInput::Redirect(FileEnd::ANY));
    assert_eq!(hear(&mut transfer, FileEnd::ANY, 3, GONE), Heard::Nothing);
    assert_eq!(hear(&mut transfer, HERE, 2, FileBody::Wait), Heard::ForSender, "it is late");
}

#[test]
fn what_the_receiver_itself_refuses_is_refused() {
    let mut transfer = transfer(HERE);
    hear(&mut transfer, HERE, 1, FileBody::Wait);
    for (code, reason) in
        [(Code::FileRefused, Reason::DiskFull), (Code::IdReused, Reason::FileIdReused)]
    {
        assert_eq!(hear(&mut transfer, HERE, 1, FileBody::Refused(code, reason)), Heard::ForSender);
    }
}

#[test]
fn one_that_is_pinned_is_looked_for_where_it_is_now_and_nobody_takes_its_place() {
    let mut transfer = transfer(HERE);
    hear(&mut transfer, HERE, 1, FileBody::Wait);
    let Heard::Find(question) = hear(&mut transfer, HERE, 1, GONE) else { panic!("no question") };
    assert_eq!(question.body, FileBody::Find("statements".parse().unwrap()));
    let node: Name = "n2.node.bank-b.amop".parse().unwrap();
    let at = |instance, node: &Name| FoundReceiver { node: node.clone(), instance };
    let other = FileFound::new(vec![at(Instance(6), &node)]);
    let found = |found| FileBody::Found(Box::new(found));
    assert_eq!(hear(&mut transfer, FileEnd::ANY, 1, found(other)), Heard::Nothing);
    let moved = FileFound::new(vec![at(Instance(6), &node), at(HERE.instance, &node)]);
    let there = FileEnd { node: NodeId::of(&node), ..HERE };
    assert_eq!(hear(&mut transfer, FileEnd::ANY, 1, found(moved)), Heard::Redirect(there));
}
