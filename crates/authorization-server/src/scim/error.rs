//! Refusals in SCIM's form (RFC 7644 §3.12), one variant a rule.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::MEDIA_TYPE;
use crate::pages::retry_after;
use crate::store::StoreError;

/// A rule that a request broke.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScimError {
    /// RFC 7644 §2.
    #[error("this needs a token that the operator has issued for it: hallpass scim token issue")]
    Unauthorized,
    /// RFC 7644 §3.12.
    #[error("there is no such resource")]
    NotFound,
    /// RFC 7643 §4.2, and RFC 7644 §4: what `ResourceTypes` does not list is not there.
    #[error(
        "there are no groups here: provision users alone. What somebody may do comes from claims (groups, roles)"
    )]
    NoGroups,
    /// RFC 7644 §3.12.
    #[error("this method is not for this URL")]
    Method,
    /// RFC 7644 §3.12, `invalidSyntax`.
    #[error("the body cannot be read: {0}")]
    Syntax(String),
    /// RFC 7644 §3.12, `invalidValue`.
    #[error("{0}")]
    Value(String),
    /// RFC 7644 §3.12, `invalidFilter`.
    #[error("the filter cannot be read; one comparison by eq is taken, of userName, externalId or id")]
    Filter,
    /// RFC 7644 §3.12, `invalidPath`.
    #[error("the path '{0}' cannot be read")]
    Path(String),
    /// RFC 7644 §3.12, `mutability`.
    #[error("'{0}' cannot be changed")]
    Mutability(String),
    /// RFC 7644 §3.12, `uniqueness`.
    #[error("somebody else has this userName")]
    Taken,
    /// RFC 7644 §3.14.
    #[error("somebody else has changed this since it was read: read it again")]
    Changed,
    /// RFC 7644 §3.12: no body is longer than 64 KiB.
    #[error("the body is too long")]
    TooLong,
    /// RFC 7644 §3.1: JSON.
    #[error("the body has to be application/scim+json or application/json")]
    MediaType,
    /// The store failed.
    #[error("the server's database does not answer; nothing was done, try again")]
    Store(#[from] StoreError),
    /// The same for longer than anybody waits.
    #[error("the server's database does not answer; it is not known whether anything was done, try again")]
    NoAnswer,
}

impl ScimError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound | Self::NoGroups => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Syntax(_) | Self::Value(_) | Self::Filter | Self::Path(_) | Self::Mutability(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Taken => StatusCode::CONFLICT,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Store(_) | Self::NoAnswer => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// RFC 7644 §3.12, table 9.
    fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Syntax(_) => Some("invalidSyntax"),
            Self::Value(_) => Some("invalidValue"),
            Self::Filter => Some("invalidFilter"),
            Self::Path(_) => Some("invalidPath"),
            Self::Mutability(_) => Some("mutability"),
            Self::Taken => Some("uniqueness"),
            _ => None,
        }
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Store(error) = &self {
            tracing::error!(%error, "the store failed");
        }
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            // RFC 7644 §3.12: a text.
            "status": status.as_u16().to_string(),
            "detail": self.to_string(),
        });
        if let Some(kind) = self.kind() {
            body["scimType"] = json!(kind);
        }
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"hallpass scim\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                response
            }
            StatusCode::SERVICE_UNAVAILABLE => retry_after(response, std::time::Duration::from_secs(2)),
            _ => response,
        }
    }
}
