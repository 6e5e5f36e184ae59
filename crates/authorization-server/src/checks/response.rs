//! The one response that there is: a code, in the query.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};

use crate::clients::{AUTHORIZATION_CODE, Client};

/// OAuth 2.1 §4.1.1: `code`, and nothing else (RFC 9700 §2.1.2 ends the implicit flow).
pub(super) fn check_type(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("response_type") {
        Ok(Some("code")) => Ok(()),
        Ok(Some(_)) => {
            Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "the only response_type is 'code'"))
        }
        _ => Err(OAuthError::new(ErrorCode::InvalidRequest, "response_type is missing; it is 'code'")),
    }
}

/// OAuth 2.1 §4.1.2.1, RFC 7591 §2: a client that is not registered for codes gets none. One that says nothing is
/// registered for them.
pub(super) fn check_grant(client: &Client) -> Result<(), OAuthError> {
    match client.may_begin(AUTHORIZATION_CODE) {
        true => Ok(()),
        false => Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            format!("this client is not registered for the grant '{AUTHORIZATION_CODE}'"),
        )),
    }
}

/// OAuth 2.0 Multiple Response Types §2.1: a code comes in the query.
pub(super) fn check_mode(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("response_mode") {
        Ok(None | Some("query")) => Ok(()),
        _ => Err(OAuthError::new(ErrorCode::InvalidRequest, "the only response_mode is 'query'")),
    }
}

/// RFC 9101 §6: whoever does not take request objects says so, instead of ignoring what is in them.
pub(super) fn check_no_request_object(parameters: &Parameters) -> Result<(), OAuthError> {
    for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")]
    {
        if parameters.is_present(name) {
            return Err(OAuthError::new(
                ErrorCode::from(error),
                format!("the parameter '{name}' is not supported; send the parameters themselves"),
            ));
        }
    }
    Ok(())
}
