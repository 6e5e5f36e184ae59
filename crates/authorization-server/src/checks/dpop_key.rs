//! `dpop_jkt`: the key that will redeem the code (RFC 9449 §10).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};

/// A SHA-256 in base64url.
const LENGTH: usize = 43;

/// The thumbprint, if one is named. One that no key could have is refused, so that the mistake shows at once.
pub(super) fn named(parameters: &Parameters) -> Result<Option<String>, OAuthError> {
    let Some(thumbprint) = parameters.get("dpop_jkt").ok().flatten() else {
        return Ok(None);
    };
    let plain = thumbprint.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match plain && thumbprint.len() == LENGTH {
        true => Ok(Some(thumbprint.to_owned())),
        false => Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "dpop_jkt is no SHA-256 thumbprint of a key in base64url (RFC 7638)",
        )),
    }
}
