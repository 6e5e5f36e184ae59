use std::fmt;

use serde::{Deserialize, Serialize};

use super::PublicKey;

/// The signature algorithms there are (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// No HMAC: whoever can check such a signature can forge it, and a public key taken for a secret
/// is the classic forgery. No `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
    /// RSA-PSS with SHA-256.
    PS256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ES256, Self::EdDSA, Self::RS256, Self::PS256];

    /// The `alg` value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
        }
    }

    /// The algorithm of that `alg` value.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether a key is of the kind that this algorithm works with.
    pub fn fits(self, key: &PublicKey) -> bool {
        match key {
            PublicKey::P256 { .. } => self == Self::ES256,
            PublicKey::Ed25519 { .. } => self == Self::EdDSA,
            PublicKey::Rsa { .. } => matches!(self, Self::RS256 | Self::PS256),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
