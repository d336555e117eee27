//! Which ciphers and key exchanges links may use.
//!
//! Each list begins with what is wanted most. The dialer's order counts for the key exchange, the acceptor's for
//! the cipher; what one end does not list is not used. Without a common one there is no link.

use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{SupportedCipherSuite, crypto};

/// What links may use, the most wanted first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cryptography {
    /// How what goes over a link is encrypted. AES-128-GCM, then AES-256-GCM, then ChaCha20-Poly1305. At least one.
    pub cipher_suites: Vec<CipherSuite>,
    /// How the keys for that are agreed on. X25519MLKEM768, then X25519, then P-256. At least one.
    pub key_exchange: Vec<KeyExchange>,
}

/// The hybrid key exchange keeps what is recorded today from being read by a quantum computer
/// later. AES-128-GCM comes first because it costs half or less of the other two.
impl Default for Cryptography {
    fn default() -> Self {
        Self { cipher_suites: CipherSuite::ALL.into(), key_exchange: KeyExchange::ALL.into() }
    }
}

/// A cipher suite of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// `TLS13_AES_128_GCM_SHA256`
    Aes128Gcm,
    /// `TLS13_AES_256_GCM_SHA384`
    Aes256Gcm,
    /// `TLS13_CHACHA20_POLY1305_SHA256`
    ChaCha20Poly1305,
}

impl CipherSuite {
    /// All of them, in the order of the default.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// All their names, in the same order.
    pub const NAMES: [&str; 3] =
        ["TLS13_AES_128_GCM_SHA256", "TLS13_AES_256_GCM_SHA384", "TLS13_CHACHA20_POLY1305_SHA256"];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|at| Self::ALL[at])
    }

    fn supported(self) -> SupportedCipherSuite {
        match self {
            Self::Aes128Gcm => cipher_suite::TLS13_AES_128_GCM_SHA256,
            Self::Aes256Gcm => cipher_suite::TLS13_AES_256_GCM_SHA384,
            Self::ChaCha20Poly1305 => cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }
}

/// A key exchange of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// `X25519MLKEM768`: X25519 together with ML-KEM, which no quantum computer is known to break.
    X25519MlKem768,
    /// `X25519`
    X25519,
    /// `secp256r1`, P-256
    Secp256r1,
}

impl KeyExchange {
    /// All of them, in the order of the default.
    pub const ALL: [Self; 3] = [Self::X25519MlKem768, Self::X25519, Self::Secp256r1];

    /// All their names, in the same order.
    pub const NAMES: [&str; 3] = ["X25519MLKEM768", "X25519", "secp256r1"];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|at| Self::ALL[at])
    }

    fn supported(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::X25519MlKem768 => kx_group::X25519MLKEM768,
            Self::X25519 => kx_group::X25519,
            Self::Secp256r1 => kx_group::SECP256R1,
        }
    }
}

impl Cryptography {
    pub(crate) fn provider(&self) -> CryptoProvider {
        CryptoProvider {
            cipher_suites: self.cipher_suites.iter().map(|suite| suite.supported()).collect(),
            kx_groups: self.key_exchange.iter().map(|group| group.supported()).collect(),
            ..crypto::aws_lc_rs::default_provider()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_tls_gives() {
        for (suite, name) in CipherSuite::ALL.into_iter().zip(CipherSuite::NAMES) {
            assert_eq!(format!("{:?}", suite.supported().suite()), name);
            assert_eq!(CipherSuite::named(name), Some(suite));
        }
        for (group, name) in KeyExchange::ALL.into_iter().zip(KeyExchange::NAMES) {
            assert_eq!(format!("{:?}", group.supported().name()), name);
            assert_eq!(KeyExchange::named(name), Some(group));
        }
        assert_eq!((CipherSuite::named("none"), KeyExchange::named("")), (None, None));
    }
}
