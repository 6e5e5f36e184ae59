//! No code without a challenge (OAuth 2.1 §4.1.1, RFC 7636 §4.3).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::pkce::{CodeChallenge, S256};

/// The challenge. An absent method means `plain` (RFC 7636 §4.3), which is refused: it proves nothing to
/// whoever has seen the request.
pub(super) fn challenge(parameters: &Parameters) -> Result<CodeChallenge, OAuthError> {
    let refused = |why: &str| OAuthError::new(ErrorCode::InvalidRequest, why);
    let challenge = parameters.get("code_challenge").ok().flatten();
    let challenge =
        challenge.ok_or_else(|| refused("code_challenge is missing: PKCE (RFC 7636) is required"))?;
    let method = parameters.get("code_challenge_method").ok().flatten();
    if method != Some(S256) {
        return Err(refused("code_challenge_method has to be 'S256'"));
    }
    CodeChallenge::parse(challenge).map_err(|error| refused(&error.to_string()))
}
