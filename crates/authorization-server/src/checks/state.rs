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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_the_longest_kind_comes_back_and_a_longer_one_is_refused() {
        let with = |length| Parameters::parse(&format!("state={}", "a".repeat(length))).unwrap();
        let longest = with(LONGEST);
        assert_eq!(of(&longest).map(str::len), Some(LONGEST));
        assert!(check_length(&longest).is_ok());
        let longer = with(LONGEST + 1);
        assert_eq!(of(&longer), None);
        assert_eq!(check_length(&longer).map_err(|error| error.error), Err(ErrorCode::InvalidRequest));
    }
}
