//! Keys as people and other tools write them down.

use amop_auth::{Entropy, PublicKey, PublicKeyError, SecretKey, SecretKeyError};

#[test]
fn what_openssl_writes_is_read() {
    let key = SecretKey::from_pem(PLAIN).unwrap();
    assert_eq!(key.public().to_string(), COMPRESSED);
    for encrypted in [ENCRYPTED_PBKDF2, ENCRYPTED_SCRYPT] {
        let same = SecretKey::from_encrypted_pem(encrypted, b"open").unwrap();
        assert_eq!(same.public(), key.public());
    }
    for public in [PUBLIC, PUBLIC_COMPRESSED] {
        assert_eq!(PublicKey::from_pem(public), Ok(key.public()));
    }
    assert_eq!(PublicKey::from_pem(&PUBLIC.replace('\n', "\r\n")), Ok(key.public()));
}

#[test]
fn what_is_written_is_what_openssl_writes() {
    let key = SecretKey::from_pem(PLAIN).unwrap();
    assert_eq!(*key.to_pem(), PLAIN);
    assert_eq!(key.public().to_pem(), PUBLIC);
    assert_eq!(key.public().fingerprint().to_string(), FINGERPRINT);
}

#[test]
fn an_encrypted_key_is_read_with_its_password_alone() {
    let mut entropy = Entropy::new([7; 32]);
    let key = SecretKey::generate(&mut entropy);
    let written = key.to_encrypted_pem(b"open", &mut entropy);
    let read = SecretKey::from_encrypted_pem(&written, b"open").unwrap();
    assert_eq!(read.public(), key.public());
    assert_ne!(written, key.to_encrypted_pem(b"open", &mut entropy), "salt is drawn each time");
    let refused = |result: Result<SecretKey, SecretKeyError>| result.unwrap_err();
    let wrong = SecretKey::from_encrypted_pem(&written, b"Open");
    assert_eq!(refused(wrong), SecretKeyError::WrongPassword);
    assert_eq!(refused(SecretKey::from_pem(&written)), SecretKeyError::Encrypted);
    let other = SecretKeyError::OtherPem { label: "PRIVATE KEY".to_owned() };
    assert_eq!(refused(SecretKey::from_encrypted_pem(PLAIN, b"open")), other);
}

#[test]
fn two_keys_that_are_made_are_two() {
    let mut entropy = Entropy::new([7; 32]);
    let one = SecretKey::generate(&mut entropy).public();
    assert_ne!(one, SecretKey::generate(&mut entropy).public());
    assert_eq!(one, SecretKey::generate(&mut Entropy::new([7; 32])).public());
}

#[test]
fn every_usual_hex_form_of_a_public_key_is_read_and_no_other() {
    let key = PublicKey::from_pem(PUBLIC).unwrap();
    let uncompressed = UNCOMPRESSED.to_owned();
    for hex in [
        COMPRESSED.to_owned(),
        uncompressed.clone(),
        uncompressed[2..].to_owned(),
        format!("0x{uncompressed}"),
        COMPRESSED.to_uppercase(),
    ] {
        assert_eq!(PublicKey::from_hex(&hex), Ok(key), "{hex}");
    }
    for (hex, digits) in
        [("", 0), ("02", 2), (&COMPRESSED[1..], 65), (&format!("{COMPRESSED}0"), 67)]
    {
        assert_eq!(PublicKey::from_hex(hex), Err(PublicKeyError::NotHex { digits }), "{hex}");
    }
    let not_hex = COMPRESSED.replace('8', "g");
    assert_eq!(PublicKey::from_hex(&not_hex), Err(PublicKeyError::NotHex { digits: 66 }));
    let two_bytes_each = "é".repeat(33);
    assert!(PublicKey::from_hex(&two_bytes_each).is_err());
}

#[test]
fn a_point_off_the_curve_and_infinity_are_refused() {
    let mut off = UNCOMPRESSED.to_owned();
    off.replace_range(129.., "0");
    let infinity = "00".repeat(33);
    // The compressed form of 5, which is no first coordinate of any point.
    let none = format!("02{:064x}", 5);
    let hybrid = UNCOMPRESSED.replacen("04", "07", 1);
    let zero = format!("04{}", "00".repeat(64));
    for hex in [off, infinity, none, hybrid, zero] {
        assert_eq!(PublicKey::from_hex(&hex), Err(PublicKeyError::NotAKey), "{hex}");
    }
    assert_eq!(PublicKey::from_bytes(&[0; 33]), Err(PublicKeyError::NotAKey));
    assert_eq!(PublicKey::from_der(&[]), Err(PublicKeyError::NotAKey));
}

#[test]
fn what_is_another_kind_of_key_is_refused_by_name() {
    let secret = |pem: &str| SecretKey::from_pem(pem).unwrap_err();
    assert_eq!(secret("nothing"), SecretKeyError::NotPem);
    assert_eq!(secret(P256), SecretKeyError::NotAKey);
    assert_eq!(secret(PUBLIC), SecretKeyError::OtherPem { label: "PUBLIC KEY".to_owned() });
    let text = secret(SEC1).to_string();
    assert!(text.contains("`EC PRIVATE KEY` instead of `PRIVATE KEY`"), "{text}");
    assert_eq!(PublicKey::from_pem("nothing"), Err(PublicKeyError::NotPem));
    assert_eq!(PublicKey::from_pem(P256_PUBLIC), Err(PublicKeyError::NotAKey));
    let label = "PRIVATE KEY".to_owned();
    assert_eq!(PublicKey::from_pem(PLAIN), Err(PublicKeyError::OtherPem { label }));
}

/// Both halves are in the file. A secret half that does not fit would sign for nobody.
#[test]
fn a_file_whose_halves_belong_to_two_keys_is_refused() {
    let mixed = PLAIN.replacen("M1RjRRs", "M1RjRRt", 1);
    assert_ne!(mixed, PLAIN);
    assert_eq!(SecretKey::from_pem(&mixed).unwrap_err(), SecretKeyError::NotAKey);
}

#[test]
fn nothing_secret_is_ever_shown() {
    let key = SecretKey::from_pem(PLAIN).unwrap();
    let shown = format!("{key:?}").to_lowercase();
    assert!(shown.contains(COMPRESSED), "{shown}");
    assert!(!shown.contains(&SECRET_HEX[..8]) && !shown.contains("65, 85, 172"), "{shown}");
}

const SECRET_HEX: &str = "4155ac88cd518d146cfba5b94f7b0fb7f321361ed5da10c0a2911dbcbd90af53";

const COMPRESSED: &str = "03d7ebd84e4ec30d962fc12bd4d2ddc39bc5e5a745639e9dc6a5874a610f3dfb83";

const UNCOMPRESSED: &str = "04d7ebd84e4ec30d962fc12bd4d2ddc39bc5e5a745639e9dc6a5874a610f3dfb83\
    477b86e71e47507383a5112140616a296c0fc8d758b5836cbc5720bc3e10054f";

/// `openssl pkey -pubin -outform DER | sha256sum`
const FINGERPRINT: &str = "sha256:0bb1ca02ece60dbd071c5ab2b2d1a1ebfb2ffd95667f2b0a3a7032873fd45c3d";

/// `openssl ecparam -name secp256k1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt`
const PLAIN: &str = "\
-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgQVWsiM1RjRRs+6W5T3sP
t/MhNh7V2hDAopEdvL2Qr1OhRANCAATX69hOTsMNli/BK9TS3cObxeWnRWOencal
h0phDz37g0d7huceR1Bzg6URIUBhailsD8jXWLWDbLxXILw+EAVP
-----END PRIVATE KEY-----
";

/// `openssl pkey -pubout`
const PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE1+vYTk7DDZYvwSvU0t3Dm8Xlp0Vjnp3G
pYdKYQ89+4NHe4bnHkdQc4OlESFAYWopbA/I11i1g2y8VyC8PhAFTw==
-----END PUBLIC KEY-----
";

/// `openssl ec -pubout -conv_form compressed`
const PUBLIC_COMPRESSED: &str = "\
-----BEGIN PUBLIC KEY-----
MDYwEAYHKoZIzj0CAQYFK4EEAAoDIgAD1+vYTk7DDZYvwSvU0t3Dm8Xlp0Vjnp3G
pYdKYQ89+4M=
-----END PUBLIC KEY-----
";

/// `openssl pkcs8 -topk8 -iter 2048`
const ENCRYPTED_PBKDF2: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAi0pdK1NQO0CgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEBnb5EtaSOzOGc3VLFwauvkEgZAh
zzpKwxdRFW0JXY3wuRaR8Vig3YpP3v9H8MrBhEmVIluTo3XipUR0/QroB2wfyXP9
PXEpc86rBPc+y9G10+Ny4cBO0Am41QKdZ+4Heq3FyV+rL2CNkkOW/EFLFcI28ibx
+pQ4jOH+sVFC3UIIovubhZacc+Kr95TRoNJUrFTYndglRjjMkkBTMu6U2silc+Y=
-----END ENCRYPTED PRIVATE KEY-----
";

/// `openssl pkcs8 -topk8 -scrypt`
const ENCRYPTED_SCRYPT: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAiMTZZZRyFgWwICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBByyS5IVprtyHnHF1t/+fAtBIGQ3djsNwKPenno
CDxusH68eVLQdSf9zpwfDIZphvtFjTlpdWlxOcl7kk8TjQOQ7jaJvwH62t+Gp5Oq
0b7KuzX7QmSSdbC8ECeopMfHrG4vFTLXwHyBKW6SwsBLQUBgdj+u/IFGwGD4B8ge
jbNXkLCfGSTIRU2j0QNmBQFLNHM70iGCKj974+K/bv7UbsPGLqX7
-----END ENCRYPTED PRIVATE KEY-----
";

/// `openssl ec`: the old form.
const SEC1: &str = "\
-----BEGIN EC PRIVATE KEY-----
MHQCAQEEIEFVrIjNUY0UbPuluU97D7fzITYe1doQwKKRHby9kK9ToAcGBSuBBAAK
oUQDQgAE1+vYTk7DDZYvwSvU0t3Dm8Xlp0Vjnp3GpYdKYQ89+4NHe4bnHkdQc4Ol
ESFAYWopbA/I11i1g2y8VyC8PhAFTw==
-----END EC PRIVATE KEY-----
";

const P256: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBCzmSCbh+y9UL66v
RRg3knIJNhH+bbqoOwzwprZAmiyhRANCAASeyy4cmbMcMURDu0GQQv8VkUAQfA6f
U7bCXBgp3QwVPGUrvokSMOMvml7+KPY0Xk4uVaNHYIGHfn/qbkpcGyZ0
-----END PRIVATE KEY-----
";

const P256_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnssuHJmzHDFEQ7tBkEL/FZFAEHwO
n1O2wlwYKd0MFTxlK76JEjDjL5pe/ij2NF5OLlWjR2CBh35/6m5KXBsmdA==
-----END PUBLIC KEY-----
";
