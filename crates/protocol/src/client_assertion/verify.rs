//! A client assertion, as the authorization server takes it (RFC 7523 §3, draft-ietf-oauth-rfc7523bis §4).

use std::time::Duration;

use super::TYP;
use crate::issuer::Issuer;
use crate::jose::{Algorithm, ExpectedClaims, JoseError, UnverifiedJwt, VerifiedJwt, VerifyingKeys};
use crate::time::Timestamp;

/// The types that are taken: rfc7523bis §4 has one of its own, clients of today send `JWT` or nothing.
const TYPES: [&str; 3] = ["client-authentication+jwt", TYP, ""];

/// RFC 7523 §3, rule 4: an unreasonably distant `exp` is refused. Its id has to be remembered until then.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 60);

/// Ids are remembered, so there is a bound.
const LONGEST_ID: usize = 256;

/// An assertion that has the right form, and of which nothing is proven.
#[derive(Debug)]
pub struct UnverifiedClientAssertion<'a>(UnverifiedJwt<'a>);

/// What an assertion must be to be taken.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedAssertion<'a> {
    /// Who says so, and of whom.
    pub client_id: &'a str,
    /// The authorization server, which has to be the one audience.
    pub issuer: &'a Issuer,
    /// The time.
    pub now: Timestamp,
    /// How far clocks may be apart.
    pub leeway: Duration,
}

/// An assertion that is the client's, for this server, now. Only [`UnverifiedClientAssertion::verify`] makes one. It
/// counts once: whoever takes it remembers its id until it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClientAssertion {
    id: String,
    expires_at: Timestamp,
}

/// Why an assertion shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientAssertionError {
    /// Form, signature, or a claim that every JWT here has.
    #[error("the client assertion is not taken: {0}")]
    Jose(#[from] JoseError),
    /// RFC 7523 §3, rule 2.B: `sub` is the client, who is `iss` too.
    #[error("the client assertion's sub is not its iss")]
    OtherSubject,
    /// rfc7523bis §4: the issuer is the sole audience. Whoever takes another one beside it takes what was made for
    /// another server.
    #[error(
        "the client assertion's aud has to be the issuer of this server alone, and not the URL of an endpoint"
    )]
    OtherAudience,
    /// RFC 7523 §3, rule 7: `jti`, which is required here.
    #[error(
        "the client assertion has no jti, or one that is longer than {LONGEST_ID} bytes; give each its own"
    )]
    NoId,
    /// RFC 7523 §3, rule 4.
    #[error("the client assertion lives longer than {} minutes; make a new one for each request", LONGEST_LIFE.as_secs() / 60)]
    LongLife,
}

impl<'a> UnverifiedClientAssertion<'a> {
    /// Takes an assertion apart.
    ///
    /// # Errors
    /// [`ClientAssertionError::Jose`].
    pub fn parse(token: &'a str) -> Result<Self, ClientAssertionError> {
        Ok(Self(UnverifiedJwt::parse(token)?))
    }

    /// Whom it claims to be from. Good for finding the client's keys, and for nothing else.
    pub fn client_id(&self) -> Option<&str> {
        self.0.unverified_subject()
    }

    /// The key that it claims to be signed with.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// The algorithm that it claims to be signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// Checks everything, one line a rule.
    ///
    /// # Errors
    /// One variant of [`ClientAssertionError`] for each rule.
    pub fn verify(
        &self,
        keys: &VerifyingKeys,
        expected: &ExpectedAssertion<'_>,
    ) -> Result<VerifiedClientAssertion, ClientAssertionError> {
        let jwt = self.verify_jwt(keys, expected)?;
        check_subject(&jwt)?;
        check_sole_audience(&jwt)?;
        check_life(&jwt, expected)?;
        Ok(VerifiedClientAssertion { id: id(&jwt)?, expires_at: jwt.claims().expires_at })
    }

    fn verify_jwt(
        &self,
        keys: &VerifyingKeys,
        expected: &ExpectedAssertion<'_>,
    ) -> Result<VerifiedJwt, ClientAssertionError> {
        let ExpectedAssertion { client_id, issuer, now, leeway } = *expected;
        let claims = ExpectedClaims { issuer: client_id, audience: &[issuer.as_str()], now, leeway };
        match self.0.verify_as(keys, &TYPES, &claims) {
            Err(JoseError::WrongAudience) => Err(ClientAssertionError::OtherAudience),
            verified => Ok(verified?),
        }
    }
}

impl VerifiedClientAssertion {
    /// Its name, to be remembered.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Until when.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// RFC 7523 §3, rule 2.B.
fn check_subject(jwt: &VerifiedJwt) -> Result<(), ClientAssertionError> {
    let same = jwt.claims().subject == jwt.claims().issuer;
    same.then_some(()).ok_or(ClientAssertionError::OtherSubject)
}

/// rfc7523bis §4; CVE-2025-27371.
fn check_sole_audience(jwt: &VerifiedJwt) -> Result<(), ClientAssertionError> {
    let sole = jwt.claims().audience.0.len() == 1;
    sole.then_some(()).ok_or(ClientAssertionError::OtherAudience)
}

/// RFC 7523 §3, rule 4.
fn check_life(jwt: &VerifiedJwt, expected: &ExpectedAssertion<'_>) -> Result<(), ClientAssertionError> {
    let latest = expected.now.after(LONGEST_LIFE).after(expected.leeway);
    let short = jwt.claims().expires_at <= latest;
    short.then_some(()).ok_or(ClientAssertionError::LongLife)
}

/// RFC 7523 §3, rule 7.
fn id(jwt: &VerifiedJwt) -> Result<String, ClientAssertionError> {
    let id = jwt.claims().id.clone().filter(|id| id.len() <= LONGEST_ID);
    id.ok_or(ClientAssertionError::NoId)
}
