//! Answers of a token endpoint (RFC 6749 §5.1), and refusals (§5.2).
//!
//! What is read reads back as it was after it was written, and `Debug` is the same whatever the tokens are.

use hallpass_protocol::{OAuthError, Secret, TokenResponse};

use crate::metadata::reads_back;

/// Takes one input.
pub fn check(data: &[u8]) {
    reads_back::<OAuthError>(data);
    let Some(response) = reads_back::<TokenResponse>(data) else { return };
    let mut other = response.clone();
    other.access_token = Secret::new("another");
    for token in [&mut other.refresh_token, &mut other.id_token] {
        *token = token.as_ref().map(|_| Secret::new("another"));
    }
    for value in other.other.values_mut() {
        *value = "another".into();
    }
    assert_eq!(format!("{response:?}"), format!("{other:?}"));
}
