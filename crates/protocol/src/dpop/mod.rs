//! Proof that the sender of a token holds its key (RFC 9449): written by the sender, and verified by the receiver.

mod verify;

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, Method};
use serde::Serialize;
use url::Url;

use crate::{
    jose::{JoseError, SigningKey},
    secret::Secret,
    time::Timestamp,
};

pub use verify::{ExpectedProof, ProofError, VerifiedProof, proof_of, verify};

/// The authentication scheme and token type (RFC 9449 §5, §7.1).
pub const SCHEME: &str = "DPoP";

/// The error of a server that wants its nonce in the proof (RFC 9449 §8, §9).
pub const USE_NONCE: &str = "use_dpop_nonce";

/// The field that carries a proof (RFC 9449 §4.1).
pub const PROOF: HeaderName = HeaderName::from_static("dpop");

/// The field that carries a nonce (RFC 9449 §8.1).
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The header's `typ` (RFC 9449 §4.2).
pub const TYP: &str = "dpop+jwt";

/// The longest nonce that is taken up. It comes back in every request.
const MAX_NONCE_LEN: usize = 1024;

/// What one proof says. It is good for one request.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's URL.
    pub url: &'a Url,
    /// The access token in the same request; none at the token endpoint.
    pub access_token: Option<&'a Secret>,
    /// The server's latest nonce.
    pub nonce: Option<&'a str>,
    /// At least 96 bits that were never used before (RFC 9449 §4.2).
    pub jti: &'a str,
    /// The time.
    pub now: Timestamp,
}

/// RFC 9449 §4.2.
#[derive(Serialize)]
struct Claims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: String,
    iat: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl Proof<'_> {
    /// The proof as a JWT.
    ///
    /// # Errors
    /// [`JoseError::Sign`].
    pub fn sign(&self, key: &SigningKey) -> Result<String, JoseError> {
        let claims = Claims {
            jti: self.jti,
            htm: self.method.as_str(),
            htu: htu(self.url),
            iat: self.now,
            ath: self.access_token.map(ath),
            nonce: self.nonce,
        };
        key.sign_with_jwk(TYP, &claims)
    }
}

/// The URL without query and fragment (RFC 9449 §4.2), and without what a password is.
#[must_use]
pub fn htu(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // These fail only for URLs that cannot have any.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.into()
}

/// The access token's SHA-256 (RFC 9449 §4.2).
#[must_use]
pub fn ath(token: &Secret) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.expose().as_bytes()))
}

/// The nonce that an answer brings (RFC 9449 §8.1): one field, of characters that a nonce may have
/// (RFC 6749 Appendix A, NQCHAR), and not endless.
#[must_use]
pub fn nonce_of(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(NONCE).iter();
    let (Some(value), None) = (fields.next(), fields.next()) else { return None };
    let allowed = |c: char| matches!(c, '!' | '#'..='[' | ']'..='~');
    value
        .to_str()
        .ok()
        .filter(|nonce| !nonce.is_empty() && nonce.len() <= MAX_NONCE_LEN && nonce.chars().all(allowed))
}
