//! `/login/passkey`: what the browser brought from an authenticator.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::destination::Destination;
use super::{enter, page};
use crate::audit::{AuditKind, NewEvent};
use crate::login::passkeys::{Assertion, PasskeyRefused, RelyingParty, log_in_with_passkey};
use crate::pages::Problem;

pub(super) const PURPOSE: &str = "passkey";

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    attempt(&server, &headers, &body).await.unwrap_or_else(Problem::into_response)
}

async fn attempt(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let mut destination = Destination::of_form(server, headers, &form, PURPOSE).await?;
    let party = RelyingParty::of(&server.settings.issuer).ok_or_else(Problem::no_passkeys)?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let assertion = Assertion {
        credential_id: field("credential_id"),
        client_data: field("client_data"),
        authenticator_data: field("authenticator_data"),
        signature: field("signature"),
        user_handle: field("user_handle"),
    };
    match log_in_with_passkey(server, &party, destination.browser(), assertion).await {
        Ok(person) => enter(server, headers, &mut destination, &person).await,
        Err(PasskeyRefused::Store(error)) => Err(error.into()),
        Err(refused) => {
            tracing::warn!(%refused, "a login with a passkey was refused");
            let event = NewEvent::new(AuditKind::LoginRefused).detail(format!("by passkey: {refused}"));
            server.store.record(event);
            let error = "This passkey opens nothing here, or the page has waited too long. Try once more, or use your password.";
            page(server, &destination, StatusCode::FORBIDDEN, String::new(), Some(error.to_owned())).await
        }
    }
}
