//! Keys in files and on command lines: any text gives a key or an error, and a key that was read is
//! written as one that reads the same.

use amop_auth::{PublicKey, SecretKey};

/// PEM of either half, hex, and DER.
pub(crate) fn any(data: &[u8]) {
    let public = [PublicKey::from_der(data).ok()];
    let text = std::str::from_utf8(data).ok();
    let of_text = text.map(|text| {
        let secret = SecretKey::from_pem(text).ok();
        if let Some(secret) = &secret {
            let again = SecretKey::from_pem(&secret.to_pem()).expect("what was written is read");
            assert_eq!(again.public(), secret.public());
        }
        let secret = secret.map(|secret| secret.public());
        [PublicKey::from_pem(text).ok(), PublicKey::from_hex(text).ok(), secret]
    });
    for key in public.into_iter().chain(of_text.into_iter().flatten()).flatten() {
        assert_eq!(PublicKey::from_bytes(key.as_bytes()).as_ref(), Ok(&key));
        assert_eq!(PublicKey::from_pem(&key.to_pem()).as_ref(), Ok(&key));
        assert_eq!(PublicKey::from_hex(&key.to_string()).as_ref(), Ok(&key));
    }
}
