//! Errors as OAuth says them: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2,
//! RFC 8707 §2, RFC 9470 §3.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};

/// The body of an error answer, and the error parameters of a redirect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}{}", describe(.error_description.as_deref()))]
pub struct OAuthError {
    /// The code.
    pub error: ErrorCode,
    /// For the developer, not for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// A page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
}

fn describe(description: Option<&str>) -> String {
    description.map(|text| format!(": {text}")).unwrap_or_default()
}

impl OAuthError {
    /// An error with a description. What may not stand in one (RFC 6749 §5.2: printable ASCII
    /// without `"` and `\`) is replaced.
    pub fn new(error: ErrorCode, description: impl AsRef<str>) -> Self {
        let allowed = description.as_ref().chars().map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => c,
            _ => '?',
        });
        Self { error, error_description: Some(allowed.collect()), error_uri: None }
    }

    /// The HTTP status that goes with the code.
    pub fn status(&self) -> StatusCode {
        self.error.status()
    }
}

impl From<ErrorCode> for OAuthError {
    fn from(error: ErrorCode) -> Self {
        Self { error, error_description: None, error_uri: None }
    }
}

/// The codes, one for each that hallpass says, and a place for all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[allow(missing_docs)] // Each is the registered code of that name.
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    InvalidTarget,
    AccessDenied,
    UnsupportedResponseType,
    UnsupportedTokenType,
    ServerError,
    TemporarilyUnavailable,
    InvalidToken,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidClientMetadata,
    InvalidRedirectUri,
    /// A code that is not known here.
    Other(String),
}

/// Code and name, both ways from one table.
const NAMES: [(ErrorCode, &str); 17] = [
    (ErrorCode::InvalidRequest, "invalid_request"),
    (ErrorCode::InvalidClient, "invalid_client"),
    (ErrorCode::InvalidGrant, "invalid_grant"),
    (ErrorCode::UnauthorizedClient, "unauthorized_client"),
    (ErrorCode::UnsupportedGrantType, "unsupported_grant_type"),
    (ErrorCode::InvalidScope, "invalid_scope"),
    (ErrorCode::InvalidTarget, "invalid_target"),
    (ErrorCode::AccessDenied, "access_denied"),
    (ErrorCode::UnsupportedResponseType, "unsupported_response_type"),
    (ErrorCode::UnsupportedTokenType, "unsupported_token_type"),
    (ErrorCode::ServerError, "server_error"),
    (ErrorCode::TemporarilyUnavailable, "temporarily_unavailable"),
    (ErrorCode::InvalidToken, "invalid_token"),
    (ErrorCode::InsufficientScope, "insufficient_scope"),
    (ErrorCode::InsufficientUserAuthentication, "insufficient_user_authentication"),
    (ErrorCode::InvalidClientMetadata, "invalid_client_metadata"),
    (ErrorCode::InvalidRedirectUri, "invalid_redirect_uri"),
];

impl ErrorCode {
    /// The code on the wire.
    pub fn as_str(&self) -> &str {
        if let Self::Other(name) = self {
            return name;
        }
        NAMES.iter().find(|(code, _)| code == self).map_or("server_error", |(_, name)| name)
    }

    /// The HTTP status that goes with the code: 401 for `invalid_client`, `invalid_token` and
    /// `insufficient_user_authentication`, 403
    /// for `insufficient_scope` and `access_denied`, 5xx for the server's own trouble, else 400.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidClient | Self::InvalidToken | Self::InsufficientUserAuthentication => {
                StatusCode::UNAUTHORIZED
            }
            Self::InsufficientScope | Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<&str> for ErrorCode {
    fn from(name: &str) -> Self {
        let known = NAMES.iter().find(|(_, known)| *known == name);
        known.map_or_else(|| Self::Other(name.to_owned()), |(code, _)| code.clone())
    }
}

impl From<String> for ErrorCode {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
