//! The keys that a verification leaves behind: one for each direction between the two sides.
//!
//! Both sides draw an X25519 key for one verification, and throw it away with it. The keys come out of
//! what the two have in common, salted with the statement and its signature:
//!
//! ```text
//! salt   SHA-256(statement │ signature)
//! keys   HKDF-SHA256(X25519(ephemeral, ephemeral), salt, "AMOP-PRIVATE-CHANNEL/v1 " and the purpose)
//! ```
//!
//! So two sides that mean different things by one message have different keys. What was said
//! under a key stays secret when a topic key is stolen later.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey as Half, StaticSecret};
use zeroize::Zeroizing;

use crate::Entropy;
use crate::public_key::SIGNATURE_BYTES;
use crate::seal::{KeyId, Opener, Sealer};

/// What one side drew for one key agreement.
pub(crate) struct Ephemeral(StaticSecret);

/// A way between a publisher and a subscriber that nobody else can read or write.
pub(crate) struct Channel {
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    confirmation: Zeroizing<[u8; 32]>,
}

/// On which side of a channel we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Publisher,
    Subscriber,
}

impl Ephemeral {
    pub(crate) fn draw(entropy: &mut Entropy) -> Self {
        Self(StaticSecret::from(*entropy.draw::<32>()))
    }

    /// The one that somebody else drew.
    #[cfg(test)]
    pub(crate) fn of(secret: [u8; 32]) -> Self {
        Self(StaticSecret::from(secret))
    }

    /// The half that the other side gets.
    pub(crate) fn public(&self) -> [u8; 32] {
        Half::from(&self.0).to_bytes()
    }

    /// Makes a channel with what the other side drew. `None` if that is a point of low order, of
    /// which anybody knows the result.
    pub(crate) fn agree(
        &self,
        side: Side,
        theirs: &[u8; 32],
        statement: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Option<Channel> {
        let shared = self.0.diffie_hellman(&Half::from(*theirs));
        if !shared.was_contributory() {
            return None;
        }
        let mut salt = Sha256::new();
        salt.update(statement);
        salt.update(signature);
        let keys = Hkdf::<Sha256>::new(Some(&salt.finalize()), shared.as_bytes());
        let id = KeyId(u64::from_be_bytes(*derive(&keys, "id")));
        let to_subscriber = derive(&keys, "publisher to subscriber");
        let to_publisher = derive(&keys, "subscriber to publisher");
        let (seals, opens) = match side {
            Side::Publisher => (to_subscriber, to_publisher),
            Side::Subscriber => (to_publisher, to_subscriber),
        };
        Some(Channel {
            sealer: Sealer::new(id, &seals),
            opener: Opener::new(&opens),
            confirmation: derive(&keys, "confirmation"),
        })
    }
}

impl Channel {
    /// The name of both its keys.
    pub(crate) fn id(&self) -> KeyId {
        self.sealer.id()
    }

    /// What the publisher says to show that it has the same keys.
    pub(crate) fn confirmation(&self) -> [u8; 32] {
        *self.confirmation
    }

    /// Whether that is what the publisher of this channel says.
    pub(crate) fn is_confirmed_by(&self, confirmation: &[u8; 32]) -> bool {
        self.confirmation.ct_eq(confirmation).into()
    }
}

fn derive<const N: usize>(keys: &Hkdf<Sha256>, purpose: &str) -> Zeroizing<[u8; N]> {
    let mut derived = Zeroizing::new([0; N]);
    let info = [b"AMOP-PRIVATE-CHANNEL/v1 ", purpose.as_bytes()];
    keys.expand_multi_info(&info, &mut *derived).expect("HKDF gives up to 8,160 bytes");
    derived
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SEALED_HEAD_BYTES;
    use crate::message::Kind;
    use crate::seal::{NotOpened, SealedHead};

    fn agree(statements: [&[u8]; 2], signatures: [u8; 2]) -> [Channel; 2] {
        let mut entropy = Entropy::new([1; 32]);
        let (ours, theirs) = (Ephemeral::draw(&mut entropy), Ephemeral::draw(&mut entropy));
        let [at_publisher, at_subscriber] = signatures.map(|byte| [byte; SIGNATURE_BYTES]);
        let publisher = ours.agree(Side::Publisher, &theirs.public(), statements[0], &at_publisher);
        let subscriber =
            theirs.agree(Side::Subscriber, &ours.public(), statements[1], &at_subscriber);
        [publisher.unwrap(), subscriber.unwrap()]
    }

    fn carry(from: &mut Channel, to: &mut Channel) -> Result<Vec<u8>, NotOpened> {
        let sealed =
            from.sealer.seal(Vec::with_capacity, Kind::Unicast, &[], b"", &[b"plain"]).unwrap();
        let head = SealedHead::read(&sealed).unwrap();
        to.opener.open(|bytes| vec![0; bytes], head, &sealed, SEALED_HEAD_BYTES, b"")
    }

    #[test]
    fn both_sides_have_the_same_keys_and_another_one_for_each_direction() {
        let [mut publisher, mut subscriber] = agree([b"statement"; 2], [1; 2]);
        assert_eq!(publisher.id(), subscriber.id());
        assert!(subscriber.is_confirmed_by(&publisher.confirmation()));
        assert!(!subscriber.is_confirmed_by(&[0; 32]));
        assert_eq!(carry(&mut publisher, &mut subscriber), Ok(b"plain".to_vec()));
        assert_eq!(carry(&mut subscriber, &mut publisher), Ok(b"plain".to_vec()));
    }

    #[test]
    fn what_is_thrown_back_at_its_sender_is_not_opened() {
        for mut side in agree([b"statement"; 2], [1; 2]) {
            let sealed =
                side.sealer.seal(Vec::with_capacity, Kind::Unicast, &[], b"", &[b"plain"]).unwrap();
            let head = SealedHead::read(&sealed).unwrap();
            let opened =
                side.opener.open(|bytes| vec![0; bytes], head, &sealed, SEALED_HEAD_BYTES, b"");
            assert_eq!(opened, Err(NotOpened::Forged));
        }
    }

    #[test]
    fn sides_that_mean_different_things_have_different_keys() {
        for (statements, signatures) in
            [([b"statement", b"Statement"], [1, 1]), ([b"statement", b"statement"], [1, 2])]
        {
            let [mut publisher, mut subscriber] =
                agree(statements.map(<[u8; 9]>::as_slice), signatures);
            assert_ne!(publisher.id(), subscriber.id());
            assert!(!subscriber.is_confirmed_by(&publisher.confirmation()));
            assert_eq!(carry(&mut publisher, &mut subscriber), Err(NotOpened::Forged));
        }
    }

    /// PRIV-6. The seven encodings of points of low order that X25519 knows, and the zero among them.
    #[test]
    fn a_point_of_low_order_makes_no_channel() {
        let ours = Ephemeral::draw(&mut Entropy::new([1; 32]));
        let hex = |digits: &str| -> [u8; 32] {
            std::array::from_fn(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        };
        for low in [
            hex(&"00".repeat(32)),
            hex(&format!("01{}", "00".repeat(31))),
            hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
            hex(&format!("ec{}7f", "ff".repeat(30))),
            hex(&format!("ed{}7f", "ff".repeat(30))),
            hex(&format!("ee{}7f", "ff".repeat(30))),
        ] {
            for side in [Side::Publisher, Side::Subscriber] {
                assert!(ours.agree(side, &low, b"", &[0; SIGNATURE_BYTES]).is_none(), "{low:?}");
            }
        }
    }
}
