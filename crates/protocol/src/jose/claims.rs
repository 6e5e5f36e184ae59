use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::unverified::ExpectedClaims;
use super::{Expected, JoseError, VerifiedEvent};
use crate::time::Timestamp;

/// 9999-12-31T23:59:59Z. A later time is a mistake or an attempt at a token without an end.
const LATEST: i64 = 253_402_300_799;

/// The registered claims (RFC 7519 §4.1), checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`
    pub audience: Audience,
    /// `exp`
    pub expires_at: Timestamp,
    /// `iat`
    pub issued_at: Timestamp,
    /// `nbf`
    pub not_before: Option<Timestamp>,
    /// `jti`
    pub id: Option<String>,
}

/// `aud`: one text, or a list of them (RFC 7519 §4.1.3). Written as one text where it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "OneOrMany")]
pub struct Audience(pub Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Whether somebody is in it.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|audience| audience == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl From<&str> for Audience {
    fn from(one: &str) -> Self {
        Self(vec![one.to_owned()])
    }
}

impl From<String> for Audience {
    fn from(one: String) -> Self {
        Self(vec![one])
    }
}

impl From<OneOrMany> for Audience {
    fn from(value: OneOrMany) -> Self {
        match value {
            OneOrMany::One(one) => Self(vec![one]),
            OneOrMany::Many(many) => Self(many),
        }
    }
}

impl From<Audience> for OneOrMany {
    fn from(Audience(mut all): Audience) -> Self {
        match all.pop() {
            Some(one) if all.is_empty() => Self::One(one),
            last => {
                all.extend(last);
                Self::Many(all)
            }
        }
    }
}

/// The table of checks, one line for each rule.
pub(super) fn check_claims(
    claims: &Map<String, Value>,
    expected: &ExpectedClaims<'_>,
) -> Result<Claims, JoseError> {
    let found = Claims {
        issuer: text(claims, "iss")?.ok_or(JoseError::MissingIssuer)?,
        subject: text(claims, "sub")?.ok_or(JoseError::MissingSubject)?,
        audience: audience(claims)?.ok_or(JoseError::MissingAudience)?,
        expires_at: time(claims, "exp")?.ok_or(JoseError::MissingExpiry)?,
        issued_at: time(claims, "iat")?.ok_or(JoseError::MissingIssuedAt)?,
        not_before: time(claims, "nbf")?,
        id: text(claims, "jti")?,
    };
    check_issuer(&found.issuer, expected)?;
    check_audience(&found.audience, expected)?;
    check_expiry(found.expires_at, expected)?;
    check_not_before(found.not_before, expected)?;
    check_issued_at(found.issued_at, expected)?;
    Ok(found)
}

/// The same for a security event token (RFC 8417 §2.2), which has an id and events, and no end or subject where none is said.
pub(super) fn check_event_claims(
    claims: &Arc<Map<String, Value>>,
    expected: &Expected<'_>,
) -> Result<VerifiedEvent, JoseError> {
    let Expected { audience: ours, now, leeway, .. } = *expected;
    let expected = ExpectedClaims { issuer: expected.issuer.as_str(), audience: ours, now, leeway };
    let issuer = text(claims, "iss")?.ok_or(JoseError::MissingIssuer)?;
    let audience = audience(claims)?.ok_or(JoseError::MissingAudience)?;
    let id = text(claims, "jti")?.ok_or(JoseError::MissingId)?;
    let issued_at = time(claims, "iat")?.ok_or(JoseError::MissingIssuedAt)?;
    let (expires_at, not_before) = (time(claims, "exp")?, time(claims, "nbf")?);
    let subject = text(claims, "sub")?;
    check_issuer(&issuer, &expected)?;
    check_audience(&audience, &expected)?;
    expires_at.map_or(Ok(()), |at| check_expiry(at, &expected))?;
    check_not_before(not_before, &expected)?;
    check_issued_at(issued_at, &expected)?;
    check_events(claims)?;
    let all = Arc::clone(claims);
    Ok(VerifiedEvent { issuer, audience, id, issued_at, expires_at, subject, all })
}

/// RFC 8417 §2.2: one event at least, each an object under the URI of its type.
fn check_events(claims: &Map<String, Value>) -> Result<(), JoseError> {
    match claims.get("events") {
        None => Err(JoseError::MissingEvents),
        Some(Value::Object(events)) if events.is_empty() => Err(JoseError::MissingEvents),
        Some(Value::Object(events)) if events.values().all(Value::is_object) => Ok(()),
        Some(_) => Err(JoseError::ClaimType("events")),
    }
}

/// RFC 7519 §4.1.1.
fn check_issuer(issuer: &str, expected: &ExpectedClaims<'_>) -> Result<(), JoseError> {
    if issuer == expected.issuer { Ok(()) } else { Err(JoseError::WrongIssuer) }
}

/// RFC 7519 §4.1.3.
fn check_audience(audience: &Audience, expected: &ExpectedClaims<'_>) -> Result<(), JoseError> {
    let ours = expected.audience.iter().any(|name| audience.contains(name));
    if ours { Ok(()) } else { Err(JoseError::WrongAudience) }
}

/// RFC 7519 §4.1.4: refused at that second, not after it.
fn check_expiry(expires_at: Timestamp, expected: &ExpectedClaims<'_>) -> Result<(), JoseError> {
    let valid = expected.now < expires_at.after(expected.leeway);
    if valid { Ok(()) } else { Err(JoseError::Expired) }
}

/// RFC 7519 §4.1.5.
fn check_not_before(not_before: Option<Timestamp>, expected: &ExpectedClaims<'_>) -> Result<(), JoseError> {
    let begun = not_before.is_none_or(|at| at <= expected.now.after(expected.leeway));
    if begun { Ok(()) } else { Err(JoseError::NotYetValid) }
}

/// RFC 7519 §4.1.6; a token from the future has a clock behind it that cannot be relied on.
fn check_issued_at(issued_at: Timestamp, expected: &ExpectedClaims<'_>) -> Result<(), JoseError> {
    let past = issued_at <= expected.now.after(expected.leeway);
    if past { Ok(()) } else { Err(JoseError::IssuedInFuture) }
}

fn text(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, JoseError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(JoseError::ClaimType(name)),
    }
}

/// A list with one item that is no string makes the whole list suspect.
fn audience(claims: &Map<String, Value>) -> Result<Option<Audience>, JoseError> {
    let Some(value) = claims.get("aud") else {
        return Ok(None);
    };
    let audience: Audience =
        serde_json::from_value(value.clone()).map_err(|_| JoseError::ClaimType("aud"))?;
    if audience.0.is_empty() || audience.contains("") {
        return Err(JoseError::ClaimType("aud"));
    }
    Ok(Some(audience))
}

/// RFC 7519 §2 would allow fractions. No server was seen that sends them, and a number that is no
/// integer is where parsers differ.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, JoseError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(seconds @ 0..=LATEST) => Ok(Some(Timestamp::from_unix(seconds))),
            _ => Err(JoseError::ClaimType(name)),
        },
    }
}
