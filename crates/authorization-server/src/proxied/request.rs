//! What else has to be right about an authorization request, where the tokens are a provider's.

use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};

use super::Proxied;
use crate::checks::AuthorizationRequest;

/// The table, after that of every authorization request.
pub(crate) fn check(proxied: &Proxied, request: &AuthorizationRequest) -> Result<(), OAuthError> {
    check_one_resource(proxied, request)?;
    check_unbound(request)
}

/// RFC 8707 §2: the provider's token is for what it is for, and no part of it can be given.
fn check_one_resource(proxied: &Proxied, request: &AuthorizationRequest) -> Result<(), OAuthError> {
    match proxied.resource(&request.resource) {
        Some(_) => Ok(()),
        None => Err(OAuthError::new(ErrorCode::InvalidTarget, "a token is for one resource here: name one")),
    }
}

/// RFC 9449 §5.2, RFC 8705 §3.4: the provider's tokens are not bound to a key of the client, which would not notice.
fn check_unbound(request: &AuthorizationRequest) -> Result<(), OAuthError> {
    match request.must_bind.dpop || request.must_bind.certificate {
        false => Ok(()),
        true => Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "this client wants tokens that are bound to a key, and those of the provider behind this server are not",
        )),
    }
}
