//! Whatever bytes come, both machines stand them, and nobody is verified by them.

use amop_auth::Receivers;
use amop_wire::MsgId;
use bytes::Bytes;
use proptest::prelude::*;

use crate::world::{Parcel, What, World, key, pair, sent, topic};

/// Any bytes, or a true message with some of them changed, cut off or added.
fn noise() -> impl Strategy<Value = Bytes> {
    let (world, ..) = pair(1);
    let real = prop::sample::select([1, 2, 3].map(|kind| sent(&world, kind)).to_vec());
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let mutated = (real, changes, 0_usize..240).prop_map(|(real, changes, length)| {
        let mut bytes = real.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.resize(if length < 200 { bytes.len() } else { length }, 0);
        Bytes::from(bytes)
    });
    let random = prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    prop_oneof![random, mutated]
}

proptest! {
    /// PRIV-3: as parts of a handshake, payloads and answers alike.
    #[test]
    fn noise_verifies_nobody_and_opens_as_nothing(noise in prop::collection::vec(noise(), 1..6)) {
        let mut world = World::new(3);
        let publisher = world.add_publisher(1, &[&key(1)]);
        let stranger = world.add_subscriber(10, key(2));
        let (mut verified, holder) = {
            let (world, _, holder) = pair(4);
            (world, holder)
        };
        for bytes in noise {
            let id = MsgId { publisher, counter: 7 };
            for what in [What::Handshake(bytes.clone()), What::Payload(id, bytes.clone())] {
                world.deliver(Parcel { from: publisher, to: stranger, what: what.clone() });
                verified.deliver(Parcel { from: publisher, to: holder, what });
            }
            for what in [What::Handshake(bytes.clone()), What::Answer(id, bytes)] {
                world.deliver(Parcel { from: stranger, to: publisher, what: what.clone() });
                verified.deliver(Parcel { from: holder, to: publisher, what });
            }
        }
        prop_assert!(!matches!(world.receivers(publisher), Receivers::Verified(_)));
        prop_assert_eq!(verified.receivers(publisher), Receivers::Verified(vec![holder]));
        prop_assert!(world.opened.is_empty() && verified.opened.is_empty());
        prop_assert!(world.answers.is_empty() && verified.answers.is_empty());
        prop_assert!(world.publishers[&publisher].1.is_private(&topic()));
    }
}
