use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::claims::check_claims;
use super::{Algorithm, JoseError, Jwk, JwkSet, VerifiedJwt, VerifyingKeys};
use crate::issuer::Issuer;
use crate::json;
use crate::time::Timestamp;

/// The longest token that is looked at, in bytes. Header fields end at about that size anyway.
pub const MAX_JWT_LEN: usize = 16 * 1024;

/// A JWT that has the right form, and of which nothing is proven.
///
/// What can be read here may be used to find a key, and for nothing else.
pub struct UnverifiedJwt<'a> {
    signed: &'a str,
    signature: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    embedded_key: Option<Value>,
    /// Shared with what is verified: nothing is copied on the way.
    pub(super) claims: Arc<Map<String, Value>>,
}

/// What a token must be to be taken.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who issued it, character by character.
    pub issuer: &'a Issuer,
    /// Whom it is for: one of these must be in `aud`.
    pub audience: &'a [&'a str],
    /// The types that are taken, such as `at+jwt`; case and a leading `application/` do not count
    /// (RFC 7515 §4.1.9). An empty text among them takes a token that says no type. An empty list
    /// takes nothing.
    pub typ: &'a [&'a str],
    /// The time.
    pub now: Timestamp,
    /// How far clocks may be apart.
    pub leeway: Duration,
}

/// What the claims must be, where the issuer need not be an authorization server: a client speaks for itself.
pub(crate) struct ExpectedClaims<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a [&'a str],
    pub(crate) now: Timestamp,
    pub(crate) leeway: Duration,
}

impl<'a> UnverifiedJwt<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// One variant of [`JoseError`] for each rule of form.
    pub fn parse(token: &'a str) -> Result<Self, JoseError> {
        if token.len() > MAX_JWT_LEN {
            return Err(JoseError::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JoseError::Segments)?;
        let (header, claims) = signed.split_once('.').ok_or(JoseError::Segments)?;
        if claims.contains('.') || [header, claims, signature].contains(&"") {
            return Err(JoseError::Segments);
        }
        let header = object(header, JoseError::Header)?;
        if header.contains_key("crit") {
            return Err(JoseError::CriticalExtension);
        }
        let alg = text(&header, "alg")?.ok_or(JoseError::UnsupportedAlgorithm)?;
        Ok(Self {
            signed,
            signature,
            algorithm: Algorithm::from_name(&alg).ok_or(JoseError::UnsupportedAlgorithm)?,
            kid: text(&header, "kid")?,
            typ: text(&header, "typ")?,
            embedded_key: header.get("jwk").cloned(),
            claims: Arc::new(object(claims, JoseError::ClaimsObject)?),
        })
    }

    /// The algorithm that the token claims to be signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that the token claims to be signed with.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What the token claims to be.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Who the token claims to be from. Use it to pick the key set of an issuer that is trusted
    /// already, and for nothing else: anyone can write anything here.
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// What the token claims. To be shown, or to explain what it would come to if it were true; for nothing else.
    pub fn unverified_claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whom the token claims to speak for. Good for finding the keys of a client that is known already, and for
    /// nothing else.
    pub fn unverified_subject(&self) -> Option<&str> {
        self.claim("sub").and_then(Value::as_str)
    }

    /// A claim that nobody has verified.
    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// The key in the header. It proves possession of itself (RFC 9449 §4.3) and nothing more, so [`Self::verify`]
    /// never looks at it.
    pub(crate) fn embedded_key(&self) -> Option<&Value> {
        self.embedded_key.as_ref()
    }

    /// Whether the signature is by that key, whatever id the header names.
    pub(crate) fn check_signature_by(&self, key: &Jwk) -> Result<(), JoseError> {
        let key = Jwk { kid: None, ..key.clone() };
        let keys = VerifyingKeys::from_jwk_set(&JwkSet { keys: vec![key] }, &[self.algorithm]);
        keys.check(None, self.algorithm, self.signed, self.signature)
    }

    /// Checks type, signature and claims, in this order.
    ///
    /// # Errors
    /// One variant of [`JoseError`] for each rule.
    pub fn verify(&self, keys: &VerifyingKeys, expected: &Expected<'_>) -> Result<VerifiedJwt, JoseError> {
        let Expected { now, leeway, audience, .. } = *expected;
        let claims = ExpectedClaims { issuer: expected.issuer.as_str(), audience, now, leeway };
        self.verify_as(keys, expected.typ, &claims)
    }

    pub(crate) fn verify_as(
        &self,
        keys: &VerifyingKeys,
        typ: &[&str],
        expected: &ExpectedClaims<'_>,
    ) -> Result<VerifiedJwt, JoseError> {
        self.check_type(typ)?;
        self.check_signature(keys)?;
        let claims = check_claims(&self.claims, expected)?;
        Ok(VerifiedJwt::new(claims, Arc::clone(&self.claims), self.algorithm, self.kid.clone()))
    }

    pub(super) fn check_signature(&self, keys: &VerifyingKeys) -> Result<(), JoseError> {
        keys.check(self.kid(), self.algorithm, self.signed, self.signature)
    }

    /// RFC 8725 §3.11: an ID token is no access token.
    pub(crate) fn check_type(&self, accepted: &[&str]) -> Result<(), JoseError> {
        let found = bare_type(self.typ().unwrap_or_default());
        let fits = |accepted: &&str| bare_type(accepted).eq_ignore_ascii_case(found);
        if accepted.iter().any(fits) { Ok(()) } else { Err(JoseError::WrongType) }
    }
}

/// RFC 7515 §4.1.9: `application/` may be left out.
fn bare_type(typ: &str) -> &str {
    match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    }
}

fn object(segment: &str, otherwise: JoseError) -> Result<Map<String, Value>, JoseError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(segment).map_err(|_| JoseError::Base64)?;
    match json::from_slice_unique(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(otherwise),
    }
}

fn text(header: &Map<String, Value>, name: &'static str) -> Result<Option<String>, JoseError> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(JoseError::HeaderType(name)),
    }
}

/// Shows no part of the token that could be used.
impl fmt::Debug for UnverifiedJwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJwt")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("typ", &self.typ)
            .finish_non_exhaustive()
    }
}
