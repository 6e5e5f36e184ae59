//! How a client shows who it is by a signature (RFC 7523 §2.2, §3; draft-ietf-oauth-rfc7523bis).

mod verify;

use std::time::Duration;

use serde::Serialize;

use crate::{issuer::Issuer, time::Timestamp};

pub use verify::{
    ClientAssertionError, ExpectedAssertion, UnverifiedClientAssertion, VerifiedClientAssertion,
};

/// `client_assertion_type` (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The header's `typ`. rfc7523bis would rather have `client-authentication+jwt`; several large providers
/// take `JWT` alone, and who reads this one must not take it for another kind anyway: its `iss` is its `sub`.
pub const TYP: &str = "JWT";

/// Long enough for clocks that are apart, too short to be of use to a thief.
const LIFETIME: Duration = Duration::from_secs(60);

/// The claims of one assertion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientAssertion {
    iss: String,
    sub: String,
    /// One text, not a list.
    aud: String,
    jti: String,
    iat: Timestamp,
    exp: Timestamp,
}

impl ClientAssertion {
    /// The claims with which `client_id` shows itself to the authorization server `issuer`. `jti` is for
    /// this one use.
    ///
    /// The audience is the issuer and nothing else. An assertion for a token endpoint's URL can be had by
    /// whoever makes a client believe that the URL is its own, and then be used at the real one
    /// (CVE-2025-27371; rfc7523bis §4).
    #[must_use]
    pub fn new(client_id: &str, issuer: &Issuer, jti: impl Into<String>, now: Timestamp) -> Self {
        Self {
            iss: client_id.to_owned(),
            sub: client_id.to_owned(),
            aud: issuer.to_string(),
            jti: jti.into(),
            iat: now,
            exp: now.after(LIFETIME),
        }
    }

    /// Whom it is for.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.aud
    }

    /// Who shows itself.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.sub
    }
}
