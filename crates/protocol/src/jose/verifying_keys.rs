use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Algorithm, JoseError, Jwk, JwkSet, PublicKey};

/// Keys that signatures are checked with, each tied to one algorithm.
#[derive(Clone, Default)]
pub struct VerifyingKeys(Vec<VerifyingKey>);

#[derive(Clone)]
struct VerifyingKey {
    kid: Option<String>,
    algorithm: Algorithm,
    /// Read once: a point that is not on its curve is found now, and no signature waits for it.
    key: ParsedPublicKey,
    thumbprint: String,
}

impl VerifyingKeys {
    /// Takes what is usable from a set: keys for signatures, of an allowed algorithm. A key that
    /// names its algorithm serves that one alone; one that does not serves each allowed algorithm
    /// that fits its type.
    pub fn from_jwk_set(set: &JwkSet, allowed: &[Algorithm]) -> Self {
        let mut keys = Vec::new();
        for jwk in set.keys.iter().filter(|jwk| jwk.is_for_verifying()) {
            let serves = |algorithm: &&Algorithm| {
                let named = jwk.alg.as_deref().is_none_or(|alg| alg == algorithm.name());
                named && algorithm.fits(&jwk.key)
            };
            for algorithm in allowed.iter().filter(serves) {
                keys.extend(load(jwk, *algorithm));
            }
        }
        Self(keys)
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a key with that id, for that algorithm. If not, the issuer may have a new
    /// one: time to fetch its set again.
    pub fn contains(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        self.find(kid, algorithm).is_ok()
    }

    /// Whether the key with this thumbprint (RFC 7638) is among them.
    pub fn contains_key(&self, thumbprint: &str) -> bool {
        self.0.iter().any(|key| key.thumbprint == thumbprint)
    }

    /// The key of that id for that algorithm. A token without a key id gets the only key for its
    /// algorithm, if there is only one.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&VerifyingKey, JoseError> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid));
        let key = fitting.next().ok_or(JoseError::UnknownKey(algorithm))?;
        if kid.is_none() && fitting.next().is_some() {
            return Err(JoseError::AmbiguousKey(algorithm));
        }
        Ok(key)
    }

    /// RFC 7515 §5.2, the last step: the signature over `signed`.
    pub(super) fn check(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        signed: &str,
        signature: &str,
    ) -> Result<(), JoseError> {
        let key = self.find(kid, algorithm)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| JoseError::BadSignature)?;
        key.key.verify_sig(signed.as_bytes(), &signature).map_err(|_| JoseError::BadSignature)
    }
}

/// The key for that algorithm and no other; none where the two do not fit, or the numbers are no key.
fn load(jwk: &Jwk, algorithm: Algorithm) -> Option<VerifyingKey> {
    let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let key = match (&jwk.key, algorithm) {
        (PublicKey::P256 { x, y }, Algorithm::ES256) => {
            // SEC 1 §2.3.3, uncompressed.
            let point = [vec![4], bytes(x)?, bytes(y)?].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        }
        (PublicKey::Ed25519 { x }, Algorithm::EdDSA) => ParsedPublicKey::new(&ED25519, bytes(x)?),
        (PublicKey::Rsa { n, e }, Algorithm::RS256 | Algorithm::PS256) => {
            let padding = if algorithm == Algorithm::RS256 {
                &RSA_PKCS1_2048_8192_SHA256
            } else {
                &RSA_PSS_2048_8192_SHA256
            };
            RsaPublicKeyComponents { n: bytes(n)?, e: bytes(e)? }.to_parsed_public_key(padding)
        }
        _ => return None,
    };
    let thumbprint = jwk.key.thumbprint();
    Some(VerifyingKey { kid: jwk.kid.clone(), algorithm, key: key.ok()?, thumbprint })
}

impl fmt::Debug for VerifyingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.kid, key.algorithm))).finish()
    }
}
