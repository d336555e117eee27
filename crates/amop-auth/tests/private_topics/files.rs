//! Files on private topics: who can open an offer, and what it opens (FILE-14).

use amop_auth::{FileOpener, FileSealer, FileWay, OpenError, SealError};
use amop_wire::{Instance, MsgId};
use bytes::Bytes;

use crate::world::{SOON, World, key, pair, topic};

impl World {
    fn file_to(&mut self, publisher: Instance, receiver: Instance) -> FileSealer {
        let way = FileWay { transfer: 7, sender: publisher, receiver };
        self.publishers.get_mut(&publisher).unwrap().1.file_sealer(way)
    }

    fn offer(&mut self, file: &FileSealer) -> Result<Bytes, SealError> {
        let (_, publisher) = self.publishers.get_mut(&file.way().sender).unwrap();
        publisher.seal_offer(self.now, &topic(), file, b"offer")
    }

    fn open_offer(
        &mut self,
        at: Instance,
        way: FileWay,
        sealed: &[u8],
    ) -> Result<(FileOpener, Bytes), OpenError> {
        self.subscribers.get_mut(&at).unwrap().open_offer(self.now, &topic(), way, sealed)
    }
}

#[test]
fn an_offer_brings_its_receiver_the_key_of_the_file_and_nobody_else() {
    let (mut world, publisher, alice) = pair(1);
    let mut file = world.file_to(publisher, alice);
    let way = file.way();
    let sealed = world.offer(&file).unwrap();
    assert!(!sealed.windows(5).any(|window| window == b"offer"));
    let (opener, offer) = world.open_offer(alice, way, &sealed).unwrap();
    assert_eq!(offer, b"offer"[..]);
    let piece = file.seal(0, b"piece").unwrap();
    assert_eq!(opener.open(0, &piece).unwrap(), b"piece"[..]);
    assert!(file.is_done(&opener.done(&[1; 32]), &[1; 32]));

    let again = world.open_offer(alice, way, &sealed);
    assert_eq!(again.unwrap_err(), OpenError::Seen, "a recorded one");
    let sealed = world.offer(&file).unwrap();
    for other in [FileWay { transfer: 8, ..way }, FileWay { sender: Instance(99), ..way }] {
        world.open_offer(alice, other, &sealed).expect_err("it is for another transfer");
    }
    let mallory = world.add_subscriber(11, key(2));
    world.run_for(SOON);
    let opened = world.open_offer(mallory, way, &sealed);
    assert_eq!(opened.unwrap_err(), OpenError::UnknownKey);
    assert!(world.open_offer(alice, way, &sealed).is_ok(), "what was tried in vain left no trace");
}

#[test]
fn two_files_have_two_keys() {
    let (mut world, publisher, alice) = pair(2);
    let (mut one, other) = (world.file_to(publisher, alice), world.file_to(publisher, alice));
    let sealed = world.offer(&other).unwrap();
    let (opener, _) = world.open_offer(alice, other.way(), &sealed).unwrap();
    assert_eq!(opener.open(0, &one.seal(0, b"piece").unwrap()), None);
}

/// PRIV-8
#[test]
fn no_file_is_offered_to_who_is_not_verified_any_more() {
    let (mut world, publisher, alice) = pair(3);
    let file = world.file_to(publisher, alice);
    world.remove(publisher, &key(1));
    assert_eq!(world.offer(&file), Err(SealError::NotVerified));
}

#[test]
fn an_offer_is_no_message_and_a_message_no_offer() {
    let (mut world, publisher, alice) = pair(4);
    let file = world.file_to(publisher, alice);
    let offer = world.offer(&file).unwrap();
    let id = MsgId { publisher, counter: 7 };
    let now = world.now;
    let opened = world.subscribers.get_mut(&alice).unwrap().open(now, &topic(), id, &offer);
    assert_eq!(opened.unwrap_err(), OpenError::NotSealed);
    let (_, machine) = world.publishers.get_mut(&publisher).unwrap();
    let message = machine.seal_unicast(now, &topic(), alice, id, &[&[7; 64]]).unwrap();
    let opened = world.open_offer(alice, file.way(), &message);
    assert_eq!(opened.unwrap_err(), OpenError::NotSealed);
}
