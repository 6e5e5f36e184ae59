//! Answers of the endpoints that clients call: JSON that nobody keeps.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::Server;
use super::asked::Asked;
use crate::clients::{AuthenticatedClient, LookUp, NotAuthenticated, Presented, authenticate};
use crate::grants::storage;
use crate::pages::retry_after;

/// When a client may try again that was not served: a database that was restarted is back by then.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// RFC 6749 §5.1: no token is cached.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
    (status, headers, Json(body)).into_response()
}

/// RFC 6749 §5.2.
pub(super) fn error(error: &OAuthError) -> Response {
    tracing::info!(
        error = error.error.as_str(),
        description = error.error_description,
        "a client was refused"
    );
    let answer = json(error.status(), error);
    let mut answer = match error.status() {
        StatusCode::SERVICE_UNAVAILABLE => retry_after(answer, AGAIN_AFTER),
        _ => answer,
    };
    answer.extensions_mut().insert(RefusedRequest { error: error.clone(), client: None });
    answer
}

/// The same for a request that names its client, believed or not.
pub(super) fn error_of(client: &str, refused: &OAuthError) -> Response {
    let mut answer = error(refused);
    let note = RefusedRequest { error: refused.clone(), client: Some(client.to_owned()) };
    answer.extensions_mut().insert(note);
    answer
}

/// A request that was refused, for the audit log. It goes along with the answer inside this server.
#[derive(Clone, Debug)]
pub(super) struct RefusedRequest {
    pub(super) error: OAuthError,
    pub(super) client: Option<String>,
}

/// RFC 6749 §3.2: a form, and no parameter twice.
pub(super) fn form(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, OAuthError> {
    let invalid = |why: &str| OAuthError::new(ErrorCode::InvalidRequest, why);
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("the body has to be application/x-www-form-urlencoded"));
    }
    Parameters::parse_bytes(body).map_err(|error| invalid(&error.to_string()))
}

/// Who calls; or the refusal, with the challenge that RFC 6749 §5.2 asks for where the header was used.
pub(super) async fn client(
    server: &Server,
    asked: &Asked,
    form: &Parameters,
) -> Result<AuthenticatedClient, Response> {
    client_by(server, asked, form, LookUp::Now).await
}

/// The same with what is known of it since when.
pub(super) async fn client_by(
    server: &Server,
    asked: &Asked,
    form: &Parameters,
    look_up: LookUp,
) -> Result<AuthenticatedClient, Response> {
    let presented = Presented::find(&asked.headers, form).map_err(|refused| error(&refused))?;
    believed(server, asked, &presented, look_up).await
}

/// The same of credentials that were found already.
pub(super) async fn believed(
    server: &Server,
    asked: &Asked,
    presented: &Presented,
    look_up: LookUp,
) -> Result<AuthenticatedClient, Response> {
    match authenticate(server, presented, asked.certificate.as_ref(), look_up).await {
        Ok(client) => Ok(client),
        Err(NotAuthenticated::Refused(refused)) => {
            let mut response = error_of(presented.id(), &refused);
            if presented.in_header {
                let basic = HeaderValue::from_static("Basic realm=\"hallpass\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, basic);
            }
            Err(response)
        }
        Err(NotAuthenticated::Store(failed)) => {
            tracing::error!(error = %failed, "the store failed");
            Err(error(&storage()))
        }
    }
}
