//! `state` comes back as it was sent (OAuth 2.1 §4.1.2).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};

/// A longer one might not fit into the redirect's header.
const LONGEST: usize = 4096;

/// The state to send back, with errors too; one that is too long is not sent back.
pub(crate) fn of(parameters: &Parameters) -> Option<&str> {
    let state = parameters.get("state").ok().flatten();
    state.filter(|state| state.len() <= LONGEST)
}

pub(super) fn check_length(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("state") {
        Ok(Some(state)) if state.len() > LONGEST => {
            Err(OAuthError::new(ErrorCode::InvalidRequest, format!("state is longer than {LONGEST} bytes")))
        }
        _ => Ok(()),
    }
}
