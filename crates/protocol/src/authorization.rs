//! The authorization response, as a client receives it (RFC 6749 §4.1.2, RFC 9207).

use subtle::ConstantTimeEq;

use crate::form::{FormError, Parameters};
use crate::issuer::Issuer;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::secret::Secret;

/// A response that nobody has checked yet. Anyone can send a browser to the callback with
/// whatever they like, so neither code nor error can be read from it: [`Self::verify`] first.
#[derive(Clone, Debug)]
pub struct AuthorizationResponse(Parameters);

/// What the client remembered when it sent the user away.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedResponse<'a> {
    /// The `state` of the request.
    pub state: &'a Secret,
    /// The issuer, from its validated metadata.
    pub issuer: &'a Issuer,
    /// Whether that metadata has `authorization_response_iss_parameter_supported: true`.
    pub iss_advertised: bool,
}

/// A response to the request that was sent, by the server that it was sent to.
#[derive(Clone, Debug)]
pub struct VerifiedAuthorizationResponse(Result<Secret, OAuthError>);

/// Why a response counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationResponseError {
    /// The query cannot be read.
    #[error(transparent)]
    Form(#[from] FormError),
    /// RFC 6749 §4.1.2: `state` comes back as it was sent.
    #[error("the response has no state; it does not belong to this login, start again")]
    MissingState,
    /// RFC 6749 §10.12: another `state` is another login, perhaps an attacker's.
    #[error("the response has another state; it does not belong to this login, start again")]
    WrongState,
    /// RFC 9207 §2.4: announced, and missing.
    #[error("the response has no iss, though {expected} announces one; it is refused")]
    MissingIssuer {
        /// Who should have answered.
        expected: String,
    },
    /// RFC 9207 §2.4: another server answered.
    #[error("the response is from another issuer than {expected}; it is refused")]
    WrongIssuer {
        /// Who should have answered.
        expected: String,
    },
    /// RFC 6749 §4.1.2: a code or an error, not both and not neither.
    #[error("the response holds {0}; it is refused")]
    Ambiguous(&'static str),
}

impl AuthorizationResponse {
    /// Reads the query of the redirect, without its question mark.
    ///
    /// # Errors
    /// [`AuthorizationResponseError::Form`].
    pub fn parse(query: &str) -> Result<Self, AuthorizationResponseError> {
        Ok(Self(Parameters::parse_answer(query)?))
    }

    /// The `state`, good for one thing: to find what was remembered under it.
    pub fn state(&self) -> Option<&str> {
        self.0.get("state").ok().flatten()
    }

    /// Checks `state`, then `iss`; only then is the answer looked at (never before: an error that
    /// someone else made up must be neither shown nor acted on).
    ///
    /// # Errors
    /// One variant of [`AuthorizationResponseError`] for each rule.
    pub fn verify(
        &self,
        expected: &ExpectedResponse<'_>,
    ) -> Result<VerifiedAuthorizationResponse, AuthorizationResponseError> {
        self.check_state(expected.state)?;
        // An empty iss is one that is there and wrong, hence not `get`.
        let iss = self.0.iter().find(|(name, _)| *name == "iss").map(|(_, value)| value);
        check_issuer(expected.issuer, expected.iss_advertised, iss)?;
        self.outcome()
    }

    fn check_state(&self, expected: &Secret) -> Result<(), AuthorizationResponseError> {
        let state = self.state().ok_or(AuthorizationResponseError::MissingState)?;
        if bool::from(state.as_bytes().ct_eq(expected.expose().as_bytes())) {
            return Ok(());
        }
        Err(AuthorizationResponseError::WrongState)
    }

    fn outcome(&self) -> Result<VerifiedAuthorizationResponse, AuthorizationResponseError> {
        let get = |name| self.0.get(name).ok().flatten();
        let outcome = match (get("code"), get("error")) {
            (Some(code), None) => Ok(Secret::new(code)),
            (None, Some(error)) => Err(OAuthError {
                error: ErrorCode::from(error),
                error_description: get("error_description").map(str::to_owned),
                error_uri: get("error_uri").map(str::to_owned),
            }),
            (Some(_), Some(_)) => {
                return Err(AuthorizationResponseError::Ambiguous("both a code and an error"));
            }
            (None, None) => {
                return Err(AuthorizationResponseError::Ambiguous("neither a code nor an error"));
            }
        };
        Ok(VerifiedAuthorizationResponse(outcome))
    }
}

impl VerifiedAuthorizationResponse {
    /// The code, or what the server said instead.
    ///
    /// # Errors
    /// The server's own error.
    pub fn into_code(self) -> Result<Secret, OAuthError> {
        self.0
    }
}

/// Whether the right server answered (MCP 2026-07-28, "Authorization Response Validation"):
///
/// | announced | `iss` | |
/// |---|---|---|
/// | yes | there | must be the expected one, character by character |
/// | yes | missing | refused |
/// | no | there | must be the expected one, character by character |
/// | no | missing | taken |
///
/// # Errors
/// [`AuthorizationResponseError::MissingIssuer`] and [`AuthorizationResponseError::WrongIssuer`].
pub fn check_issuer(
    expected: &Issuer,
    advertised: bool,
    iss: Option<&str>,
) -> Result<(), AuthorizationResponseError> {
    match (advertised, iss) {
        (_, Some(iss)) if iss == expected.as_str() => Ok(()),
        (_, Some(_)) => Err(AuthorizationResponseError::WrongIssuer { expected: expected.to_string() }),
        (true, None) => Err(AuthorizationResponseError::MissingIssuer { expected: expected.to_string() }),
        (false, None) => Ok(()),
    }
}
