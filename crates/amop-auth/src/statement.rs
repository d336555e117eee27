//! What a subscriber signs to prove that it holds a topic key.
//!
//! Both sides put the statement together by themselves, each out of what it knows and of the little
//! that the other has said; it never travels. So a subscriber signs no bytes that somebody else
//! chose, and a proof that was meant for another publisher, topic, place or time is worth nothing.
//!
//! ```text
//! "AMOP-PRIVATE-TOPIC/v1" 0 │ length u16 │ network │ length u16 │ topic │ length u16 │ publisher's name
//!   │ its certificate's SHA-256 (32) │ its instance u64 │ its nonce (32) │ its ephemeral (32)
//!   │ topic key (33) │ subscriber's instance u64 │ its nonce (32) │ its ephemeral (32)
//!   │ exit node (32) │ its epoch u64 │ seconds valid u32
//! ```
//!
//! Numbers are big-endian. What has no fixed length says how long it is, so that no two statements
//! have the same bytes.

use amop_wire::{Epoch, Instance, Name, NodeId, Topic};

use crate::public_key::PUBLIC_KEY_BYTES;

/// Everything that one verification is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a> {
    /// The consortium: the domain in the certified names of its members.
    pub(crate) network: &'a str,
    /// The private topic.
    pub(crate) topic: &'a Topic,
    /// Who wants to publish: its certified name.
    pub(crate) publisher: &'a Name,
    /// The SHA-256 of its certificate.
    pub(crate) certificate: &'a [u8; 32],
    /// Its process.
    pub(crate) publisher_instance: Instance,
    /// What it drew for this verification.
    pub(crate) publisher_nonce: &'a [u8; 32],
    /// Its half of the key agreement.
    pub(crate) publisher_ephemeral: &'a [u8; 32],
    /// The topic key of the subscriber, compressed.
    pub(crate) key: &'a [u8; PUBLIC_KEY_BYTES],
    /// The process of the subscriber.
    pub(crate) subscriber: Instance,
    /// What it drew for this verification.
    pub(crate) subscriber_nonce: &'a [u8; 32],
    /// Its half of the key agreement.
    pub(crate) subscriber_ephemeral: &'a [u8; 32],
    /// Where it is attached.
    pub(crate) exit: Exit,
    /// For how long it counts from the publisher's challenge on.
    pub(crate) valid_seconds: u32,
}

/// The node that a subscriber is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Which node.
    pub node: NodeId,
    /// Which life of it.
    pub epoch: Epoch,
}

impl Statement<'_> {
    /// What is signed: no signature that is made for another purpose begins alike.
    pub(crate) fn to_sign(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 512);
        bytes.extend_from_slice(DOMAIN);
        for text in [self.network.as_bytes(), self.topic.as_bytes(), self.publisher.as_bytes()] {
            let length =
                u16::try_from(text.len()).expect("names and topics are shorter than 64 KiB");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text);
        }
        bytes.extend_from_slice(self.certificate);
        bytes.extend_from_slice(&self.publisher_instance.0.to_be_bytes());
        bytes.extend_from_slice(self.publisher_nonce);
        bytes.extend_from_slice(self.publisher_ephemeral);
        bytes.extend_from_slice(self.key);
        bytes.extend_from_slice(&self.subscriber.0.to_be_bytes());
        bytes.extend_from_slice(self.subscriber_nonce);
        bytes.extend_from_slice(self.subscriber_ephemeral);
        bytes.extend_from_slice(self.exit.node.as_bytes());
        bytes.extend_from_slice(&self.exit.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&self.valid_seconds.to_be_bytes());
        bytes
    }
}

/// What every statement begins with.
const DOMAIN: &[u8] = b"AMOP-PRIVATE-TOPIC/v1\0";

/// How long a statement is without its three texts.
const FIXED_BYTES: usize = DOMAIN.len() + 3 * 2 + 6 * 32 + PUBLIC_KEY_BYTES + 3 * 8 + 4;

#[cfg(test)]
mod tests {
    use amop_wire::{AnnouncementHead, Seq, SetDigest, Version};
    use proptest::prelude::*;

    use super::*;
    use crate::{Entropy, SecretKey};

    /// The fields of a statement, each as bytes that a test can change.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Fields {
        network: String,
        topic: Topic,
        publisher: Name,
        fixed: [[u8; 32]; 6],
        key: [u8; PUBLIC_KEY_BYTES],
        numbers: [u64; 3],
        valid_seconds: u32,
    }

    impl Fields {
        fn to_sign(&self) -> Vec<u8> {
            let [certificate, publisher_nonce, publisher_ephemeral, nonce, ephemeral, node] =
                &self.fixed;
            Statement {
                network: &self.network,
                topic: &self.topic,
                publisher: &self.publisher,
                certificate,
                publisher_instance: Instance(self.numbers[0]),
                publisher_nonce,
                publisher_ephemeral,
                key: &self.key,
                subscriber: Instance(self.numbers[1]),
                subscriber_nonce: nonce,
                subscriber_ephemeral: ephemeral,
                exit: Exit { node: NodeId::from_bytes(*node), epoch: Epoch(self.numbers[2]) },
                valid_seconds: self.valid_seconds,
            }
            .to_sign()
        }
    }

    prop_compose! {
        fn fields()(
            network in "[a-z]{0,5}",
            topic in "[a-z]{2,5}",
            label in "[a-z]{1,5}",
            fixed: [[u8; 32]; 6],
            key in prop::array::uniform32(any::<u8>()),
            numbers: [u64; 3],
            valid_seconds: u32,
        ) -> Fields {
            let publisher = Name::from_dns(format!("{label}.sdk.bank-a.amop").as_bytes()).unwrap();
            let mut compressed = [2; PUBLIC_KEY_BYTES];
            compressed[1..].copy_from_slice(&key);
            let topic = topic.parse().unwrap();
            Fields { network, topic, publisher, fixed, key: compressed, numbers, valid_seconds }
        }
    }

    /// All statements that differ from this one in one field.
    fn changed(fields: &Fields) -> Vec<Fields> {
        let mut all = Vec::new();
        let mut change = |alter: &dyn Fn(&mut Fields)| {
            let mut other = fields.clone();
            alter(&mut other);
            all.push(other);
        };
        change(&|other| other.network.push('x'));
        change(&|other| other.topic = format!("{}x", other.topic).parse().unwrap());
        change(&|other| {
            let label = format!("{}x", other.publisher.label());
            other.publisher = Name::new(&label, other.publisher.role(), "bank-a", "amop").unwrap();
        });
        for index in 0..6 {
            change(&|other| other.fixed[index][31] ^= 1);
        }
        change(&|other| other.key[32] ^= 1);
        for index in 0..3 {
            change(&|other| other.numbers[index] ^= 1);
        }
        change(&|other| other.valid_seconds ^= 1);
        all
    }

    proptest! {
        /// PRIV-3. What one text ends with does not pass for the beginning of the next.
        #[test]
        fn no_two_statements_have_the_same_bytes(one in fields(), other in fields(), moved: bool) {
            let mut other = other;
            if moved {
                other = one.clone();
                let first = other.topic.as_str()[..1].to_owned();
                other.network.push_str(&first);
                other.topic = other.topic.as_str()[1..].parse().unwrap();
            }
            prop_assert_eq!(one == other, one.to_sign() == other.to_sign());
            prop_assert_eq!(one.to_sign().len(), FIXED_BYTES + one.network.len()
                + one.topic.len() + one.publisher.as_bytes().len());
        }

        /// PRIV-4. Everything that the project signs begins with a tag of its own, which ends with the
        /// only zero byte in it: no tag is the beginning of another.
        #[test]
        fn no_statement_has_the_bytes_of_an_announcement(
            fields in fields(), epoch: u64, seq: u64, digest: [u8; 32],
        ) {
            let statement = fields.to_sign();
            let version = Version { epoch: Epoch(epoch), seq: Seq(seq) };
            let digest = SetDigest::from_bytes(digest);
            let head = AnnouncementHead { name: fields.publisher, version, digest }.to_sign();
            let tag = |bytes: &[u8]| bytes.split(|byte| *byte == 0).next().unwrap().to_vec();
            prop_assert_eq!(tag(&statement), b"AMOP-PRIVATE-TOPIC/v1".to_vec());
            prop_assert_eq!(tag(&head), b"AMOP-ANNOUNCEMENT/v1".to_vec());
        }
    }

    #[test]
    fn a_signature_holds_for_no_statement_with_another_field() {
        let mut entropy = Entropy::new([1; 32]);
        let key = SecretKey::generate(&mut entropy);
        let fields = Fields {
            network: "amop".to_owned(),
            topic: "salary".parse().unwrap(),
            publisher: "payroll.sdk.bank-a.amop".parse().unwrap(),
            fixed: [[1; 32], [2; 32], [3; 32], [4; 32], [5; 32], [6; 32]],
            key: *key.public().as_bytes(),
            numbers: [7, 8, 9],
            valid_seconds: 3600,
        };
        let signature = key.sign_bytes(&fields.to_sign());
        assert!(key.public().has_signed(&fields.to_sign(), &signature));
        let changed = changed(&fields);
        assert_eq!(changed.len(), 14, "a statement has 14 fields");
        for other in changed {
            assert!(!key.public().has_signed(&other.to_sign(), &signature), "{other:?}");
        }
    }
}
