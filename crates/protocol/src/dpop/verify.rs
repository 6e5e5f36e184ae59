//! The receiver's side: RFC 9449 §4.3, rule by rule.

use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

use super::{PROOF, TYP, ath, htu};
use crate::jose::{JoseError, Jwk, UnverifiedJwt};
use crate::secret::Secret;
use crate::time::Timestamp;

/// Ids are remembered, so there is a bound.
const LONGEST_ID: usize = 256;

/// What a proof must say to be taken.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedProof<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's URL, as clients reach it: never from `Host`. Query and fragment do not count.
    pub url: &'a Url,
    /// The same by the other names that the server was given, such as the one for clients that show certificates (RFC 8705
    /// §5): a proof counts for the one by which its client has come.
    pub aliases: &'a [Url],
    /// The access token that came along; none at the token endpoint.
    pub access_token: Option<&'a Secret>,
    /// The time.
    pub now: Timestamp,
    /// How old a proof may be, and how far ahead of this clock.
    pub window: Duration,
}

/// A proof of this request, by the holder of a key. Only [`verify`] makes one.
///
/// Two rules are left to the receiver, who has the memory for them: a nonce, where one is asked for, is a good one
/// ([`Self::nonce`]), and an id counts once for a key ([`Self::id`]) until [`Self::ends`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedProof {
    thumbprint: String,
    id: String,
    nonce: Option<String>,
    ends: Timestamp,
}

/// The rule of RFC 9449 §4.3 that a proof broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Rule 1: one header field.
    #[error("there is more than one DPoP header field")]
    Several,
    /// Rule 2, and the signature of rule 6.
    #[error("the DPoP proof is not taken: {0}")]
    Jose(#[from] JoseError),
    /// Rule 3.
    #[error("the DPoP proof has no {0}, or one of a wrong type or length")]
    Claim(&'static str),
    /// Rule 4.
    #[error("the DPoP proof's typ is not dpop+jwt")]
    WrongType,
    /// Rules 6 and 7: a public key, in the header.
    #[error("the DPoP proof's header holds no usable public key (jwk)")]
    Key,
    /// Rule 8.
    #[error("the DPoP proof is for another method")]
    OtherMethod,
    /// Rule 9.
    #[error("the DPoP proof is for another URL")]
    OtherUrl,
    /// Rule 11.
    #[error("the DPoP proof is too old, or from the future; are the clocks right?")]
    Time,
    /// Rule 12.
    #[error("the DPoP proof is for another access token")]
    OtherToken,
}

impl VerifiedProof {
    /// The key's SHA-256 (RFC 7638), as in `cnf.jkt` and `dpop_jkt`.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Its own name, to be remembered together with the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The nonce that it holds.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// From when on it is too old, and its id may be forgotten.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }
}

/// The proof that a request carries; none where it carries none. Rule 1.
///
/// # Errors
/// [`ProofError::Several`]; [`ProofError::Jose`] where it is no text.
pub fn proof_of(headers: &HeaderMap) -> Result<Option<&str>, ProofError> {
    let mut fields = headers.get_all(PROOF).iter();
    match (fields.next(), fields.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(ProofError::Several),
        (Some(field), None) => match field.to_str() {
            // Fields that a proxy has joined (RFC 9110 §5.3). No proof holds a comma.
            Ok(text) if text.contains(',') => Err(ProofError::Several),
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(ProofError::Jose(JoseError::Segments)),
        },
    }
}

/// The table: rules 2 to 12, without 10.
///
/// # Errors
/// One variant of [`ProofError`] for each rule.
pub fn verify(proof: &str, expected: &ExpectedProof<'_>) -> Result<VerifiedProof, ProofError> {
    // Rules 2 and 5: no symmetric algorithm has a name here.
    let jwt = UnverifiedJwt::parse(proof)?;
    check_type(&jwt)?;
    let key = key(&jwt)?;
    jwt.check_signature_by(&key)?;
    check_method(&jwt, expected.method)?;
    check_url(&jwt, expected)?;
    let ends = check_time(&jwt, expected)?;
    check_token(&jwt, expected.access_token)?;
    Ok(VerifiedProof {
        thumbprint: key.key.thumbprint(),
        id: text(&jwt, "jti")?.to_owned(),
        nonce: nonce(&jwt)?.map(str::to_owned),
        ends,
    })
}

/// Rule 4.
fn check_type(jwt: &UnverifiedJwt<'_>) -> Result<(), ProofError> {
    jwt.check_type(&[TYP]).map_err(|_| ProofError::WrongType)
}

/// Rules 6 and 7: a private key does not even parse.
fn key(jwt: &UnverifiedJwt<'_>) -> Result<Jwk, ProofError> {
    let jwk = jwt.embedded_key().ok_or(ProofError::Key)?;
    let key: Jwk = serde_json::from_value(jwk.clone()).map_err(|_| ProofError::Key)?;
    if key.is_for_verifying() { Ok(key) } else { Err(ProofError::Key) }
}

/// Rule 8: methods are case-sensitive (RFC 9110 §9.1).
fn check_method(jwt: &UnverifiedJwt<'_>, method: &Method) -> Result<(), ProofError> {
    let same = text(jwt, "htm")? == method.as_str();
    same.then_some(()).ok_or(ProofError::OtherMethod)
}

/// Rule 9: normalised as RFC 3986 §6.2.2 and §6.2.3 say, which parsing does.
fn check_url(jwt: &UnverifiedJwt<'_>, expected: &ExpectedProof<'_>) -> Result<(), ProofError> {
    let said = Url::parse(text(jwt, "htu")?).map_err(|_| ProofError::OtherUrl)?;
    let plain = said.username().is_empty() && said.password().is_none();
    let bare = htu(&said);
    let mut names = std::iter::once(expected.url).chain(expected.aliases);
    let same = plain && names.any(|url| htu(url) == bare);
    same.then_some(()).ok_or(ProofError::OtherUrl)
}

/// Rule 11. Says when the proof will be too old.
fn check_time(jwt: &UnverifiedJwt<'_>, expected: &ExpectedProof<'_>) -> Result<Timestamp, ProofError> {
    let iat = jwt.claim("iat").and_then(Value::as_i64).filter(|iat| *iat >= 0);
    let iat = Timestamp::from_unix(iat.ok_or(ProofError::Claim("iat"))?);
    let ends = iat.after(expected.window);
    let timely = iat <= expected.now.after(expected.window) && expected.now < ends;
    timely.then_some(ends).ok_or(ProofError::Time)
}

/// Rule 12, first half. The second, that the token is bound to this key, is for whoever has verified the token.
fn check_token(jwt: &UnverifiedJwt<'_>, token: Option<&Secret>) -> Result<(), ProofError> {
    let Some(token) = token else { return Ok(()) };
    let same = text(jwt, "ath")? == ath(token);
    same.then_some(()).ok_or(ProofError::OtherToken)
}

/// Rule 3: there, a text, and not endless.
fn text<'a>(jwt: &'a UnverifiedJwt<'_>, name: &'static str) -> Result<&'a str, ProofError> {
    let longest = if name == "jti" { LONGEST_ID } else { usize::MAX };
    let text = jwt.claim(name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty() && text.len() <= longest).ok_or(ProofError::Claim(name))
}

fn nonce<'a>(jwt: &'a UnverifiedJwt<'_>) -> Result<Option<&'a str>, ProofError> {
    match jwt.claim("nonce") {
        None => Ok(None),
        Some(Value::String(nonce)) => Ok(Some(nonce)),
        Some(_) => Err(ProofError::Claim("nonce")),
    }
}
