use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPublicKeyUncompressedBin, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaPublicKeyComponents,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Algorithm, JoseError, Jwk, PublicKey};
use crate::secret::SecretBytes;

/// A private key with its id and its one algorithm. Cloning is cheap. `Debug` shows the id only.
///
/// It is parsed once, and not anew for each token.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    kid: String,
    algorithm: Algorithm,
    pkcs8: SecretBytes,
    public: PublicKey,
    pair: Pair,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::KeyPair, &'static dyn RsaEncoding),
}

impl SigningKey {
    /// A new ES256 key, from the operating system's randomness. Its id is its thumbprint
    /// (RFC 7638).
    ///
    /// # Errors
    /// [`JoseError::PrivateKey`], if the system has no randomness to give.
    pub fn generate_es256() -> Result<Self, JoseError> {
        Self::generate(Algorithm::ES256)
    }

    /// A new key for that algorithm, as [`SigningKey::generate_es256`]. RSA keys have 3072 bits (NIST SP 800-57: good
    /// beyond 2030) and take a noticeable while to be found: not on a thread that others wait for.
    ///
    /// # Errors
    /// [`JoseError::PrivateKey`], if the system has no randomness to give.
    pub fn generate(algorithm: Algorithm) -> Result<Self, JoseError> {
        let pkcs8 = new_pkcs8(algorithm).ok_or(JoseError::PrivateKey(algorithm))?;
        Self::load(None, pkcs8.expose(), algorithm)
    }

    /// A key from PKCS#8 (DER), under an id of the caller's choice.
    ///
    /// # Errors
    /// [`JoseError::PrivateKey`], if the bytes are not a key for that algorithm.
    pub fn from_pkcs8(kid: impl Into<String>, pkcs8: &[u8], algorithm: Algorithm) -> Result<Self, JoseError> {
        Self::load(Some(kid.into()), pkcs8, algorithm)
    }

    /// A key from a PEM text (`BEGIN PRIVATE KEY`, RFC 5958), as key tools write it. Without an
    /// `algorithm` the key decides; an RSA key then signs with RS256. Without a `kid` it is the thumbprint.
    ///
    /// # Errors
    /// [`JoseError::Pem`] where there is no such section, [`JoseError::PrivateKey`] where the key is
    /// not for that algorithm.
    pub fn from_pem(kid: Option<String>, pem: &str, algorithm: Option<Algorithm>) -> Result<Self, JoseError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| JoseError::Pem)?;
        let der = SecretBytes::new(der.secret_pkcs8_der());
        let fitting = |algorithm| Self::load(kid.clone(), der.expose(), algorithm);
        match algorithm {
            Some(algorithm) => fitting(algorithm),
            None => Algorithm::ALL.into_iter().find_map(|any| fitting(any).ok()).ok_or(JoseError::Pem),
        }
    }

    fn load(kid: Option<String>, pkcs8: &[u8], algorithm: Algorithm) -> Result<Self, JoseError> {
        let (pair, public) = read(pkcs8, algorithm).ok_or(JoseError::PrivateKey(algorithm))?;
        let kid = kid.unwrap_or_else(|| public.thumbprint());
        let pkcs8 = SecretBytes::new(pkcs8);
        Ok(Self(Arc::new(Inner { kid, algorithm, pkcs8, public, pair })))
    }

    /// The key in PKCS#8 (DER), to be stored encrypted.
    pub fn to_pkcs8(&self) -> SecretBytes {
        self.0.pkcs8.clone()
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The public half, to be published.
    pub fn public_jwk(&self) -> Jwk {
        Jwk {
            key: self.0.public.clone(),
            kid: Some(self.0.kid.clone()),
            alg: Some(self.0.algorithm.name().to_owned()),
            use_: Some("sig".to_owned()),
            key_ops: None,
        }
    }

    /// A signed JWT of that type (`at+jwt`, …; RFC 8725 §3.11 has each kind of token say its own).
    ///
    /// # Errors
    /// [`JoseError::Sign`].
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        self.sign_under(&json!({ "alg": self.0.algorithm, "kid": self.0.kid, "typ": typ }), claims)
    }

    /// The same, with the public key in the header in place of its id: for proofs of possession
    /// (RFC 9449 §4.2), whose key nobody has seen before.
    ///
    /// # Errors
    /// [`JoseError::Sign`].
    pub fn sign_with_jwk(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        let jwk = Jwk { key: self.0.public.clone(), kid: None, alg: None, use_: None, key_ops: None };
        self.sign_under(&json!({ "alg": self.0.algorithm, "jwk": jwk, "typ": typ }), claims)
    }

    /// The public half's SHA-256 (RFC 7638), whatever the key's id is.
    pub fn thumbprint(&self) -> String {
        self.0.public.thumbprint()
    }

    fn sign_under(&self, header: &Value, claims: &impl Serialize) -> Result<String, JoseError> {
        let claims = serde_json::to_vec(claims).map_err(|_| JoseError::Sign("the claims are no JSON"))?;
        let mut token = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let failed = |_| JoseError::Sign("the cryptographic library refused");
        let random = SystemRandom::new();
        match &self.0.pair {
            Pair::P256(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

fn new_pkcs8(algorithm: Algorithm) -> Option<SecretBytes> {
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::ES256 => {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
            Some(SecretBytes::new(pkcs8.as_ref()))
        }
        Algorithm::EdDSA => Some(SecretBytes::new(Ed25519KeyPair::generate_pkcs8(&random).ok()?.as_ref())),
        Algorithm::RS256 | Algorithm::PS256 => {
            let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa3072).ok()?;
            let pkcs8: Pkcs8V1Der<'static> = pair.as_der().ok()?;
            Some(SecretBytes::new(pkcs8.as_ref()))
        }
    }
}

/// The key pair and its public half.
fn read(pkcs8: &[u8], algorithm: Algorithm) -> Option<(Pair, PublicKey)> {
    let base64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    match algorithm {
        Algorithm::ES256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
            let point: EcPublicKeyUncompressedBin<'_> = pair.public_key().as_be_bytes().ok()?;
            let (x, y) = point.as_ref().get(1..65)?.split_at(32);
            let public = PublicKey::P256 { x: base64(x), y: base64(y) };
            Some((Pair::P256(pair), public))
        }
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
            let public = PublicKey::Ed25519 { x: base64(pair.public_key().as_ref()) };
            Some((Pair::Ed25519(pair), public))
        }
        Algorithm::RS256 | Algorithm::PS256 => {
            let encoding: &'static dyn RsaEncoding = match algorithm {
                Algorithm::PS256 => &RSA_PSS_SHA256,
                _ => &RSA_PKCS1_SHA256,
            };
            let pair = rsa::KeyPair::from_pkcs8(pkcs8).ok()?;
            let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
            let public = PublicKey::Rsa { n: base64(&n), e: base64(&e) };
            Some((Pair::Rsa(pair, encoding), public))
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.0.kid).finish_non_exhaustive()
    }
}
