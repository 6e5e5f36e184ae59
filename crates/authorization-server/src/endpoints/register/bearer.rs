//! The token that opens a registration (RFC 7591 §3, RFC 7592 §2): a bearer token, in the header (RFC 6750 §2.1).

use axum::response::Response;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::secret::Secret;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};

use super::super::oauth_answer;

/// The token, if one was sent. One field, and no other scheme.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, OAuthError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = match (fields.next(), fields.next()) {
        (None, _) => return Ok(None),
        (Some(field), None) => field,
        (Some(_), Some(_)) => {
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "the Authorization header is there twice",
            ));
        }
    };
    let (scheme, token) = field.to_str().ok().and_then(|field| field.split_once(' ')).unwrap_or_default();
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(Some(Secret::new(token.trim()))),
        false => Err(refused_token()),
    }
}

/// RFC 6750 §3.1. Whether the client is unknown, or the token another's, is not told.
pub(super) fn refused_token() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidToken,
        "this needs a token that is good for it, as 'Authorization: Bearer ...'; the operator issues tokens to register with (hallpass client token issue), and each registration has its own",
    )
}

/// The answer, with the challenge that RFC 6750 §3 asks for.
pub(super) fn error(refused: &OAuthError) -> Response {
    let mut response = oauth_answer::error(refused);
    if refused.error == ErrorCode::InvalidToken {
        let challenge = HeaderValue::from_static("Bearer realm=\"hallpass\", error=\"invalid_token\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
