//! How much the client wants its person to be asked (OpenID Connect Core §3.1.2.1).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use serde::{Deserialize, Serialize};

/// What `prompt` said.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prompt {
    /// No page may be shown: `none`.
    pub(crate) silent: bool,
    /// A login is to be made anew: `login`, `select_account`.
    pub(crate) login: bool,
    /// Consent is to be asked even if it is remembered: `consent`.
    pub(crate) consent: bool,
}

/// Values that are not known are ignored. `none` stands alone.
pub(super) fn requested(parameters: &Parameters) -> Result<Prompt, OAuthError> {
    let text = parameters.get("prompt").ok().flatten().unwrap_or_default();
    let has = |name: &str| text.split(' ').any(|value| value == name);
    let prompt =
        Prompt { silent: has("none"), login: has("login") || has("select_account"), consent: has("consent") };
    if prompt.silent && text.trim() != "none" {
        return Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "prompt=none cannot be combined with another value",
        ));
    }
    Ok(prompt)
}
