//! Public keys, and the signatures that they verify.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};

/// The algorithms that are asked for, best first, by their COSE numbers (RFC 9053 §2, RFC 8812 §2).
pub(crate) const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];
const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

/// A key of one of [`ALGORITHMS`].
pub(super) struct PublicKey(ParsedPublicKey);

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`. The algorithm says which keys will do: a P-256 point is no Ed25519 key.
    pub(super) fn parse(algorithm: i64, spki: &[u8]) -> Option<Self> {
        let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
            ES256 => &ECDSA_P256_SHA256_ASN1,
            EDDSA => &ED25519,
            RS256 => &RSA_PKCS1_2048_8192_SHA256,
            _ => return None,
        };
        ParsedPublicKey::new(algorithm, spki).ok().map(Self)
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn a_key_is_read_under_its_own_algorithm_alone() {
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        let p256_spki = AsDer::<PublicKeyX509Der<'_>>::as_der(p256.public_key()).unwrap();
        let ed25519_spki = AsDer::<PublicKeyX509Der<'_>>::as_der(ed25519.public_key()).unwrap();
        for algorithm in [ES256, EDDSA, RS256, 0, -35, 7] {
            let reads = |spki: &[u8]| PublicKey::parse(algorithm, spki).is_some();
            assert_eq!(reads(p256_spki.as_ref()), algorithm == ES256, "{algorithm}");
            assert_eq!(reads(ed25519_spki.as_ref()), algorithm == EDDSA, "{algorithm}");
            assert!(!reads(b""));
        }
        let signature = p256.sign(&SystemRandom::new(), b"message").unwrap();
        let key = PublicKey::parse(ES256, p256_spki.as_ref()).unwrap();
        assert!(key.verifies(b"message", signature.as_ref()));
        assert!(!key.verifies(b"massage", signature.as_ref()));
        let key = PublicKey::parse(EDDSA, ed25519_spki.as_ref()).unwrap();
        assert!(key.verifies(b"message", ed25519.sign(b"message").as_ref()));
    }
}
