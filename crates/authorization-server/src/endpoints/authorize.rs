//! `/authorize`: where a client sends its person (OAuth 2.1 §4.1.1).

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::{FormError, Parameters};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::HeaderMap;

use super::interaction::Interaction;
use super::oauth_answer::form;
use super::redirect::{ToClient, see_other};
use super::{Server, consent};
use crate::checks::{AuthorizationRequest, check, prove, state};
use crate::login::current_session;
use crate::pages::Problem;
use crate::store::SessionRow;

pub(super) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    authorize(&server, &headers, parameters.map_err(|error| unreadable(&error)))
        .await
        .unwrap_or_else(Problem::into_response)
}

/// OpenID Connect Core §3.1.2.1: a long request may come as a form.
pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let parameters = form(&headers, &body).map_err(|error| {
        let why = error.error_description.unwrap_or_default();
        Problem::client(format!("The request cannot be read: {why}."))
    });
    authorize(&server, &headers, parameters).await.unwrap_or_else(Problem::into_response)
}

fn unreadable(error: &FormError) -> Problem {
    Problem::client(format!("The request cannot be read: {error}."))
}

/// Parameters → client and redirect URI → all other checks → the person.
async fn authorize(
    server: &Server,
    headers: &HeaderMap,
    parameters: Result<Parameters, Problem>,
) -> Result<Response, Problem> {
    let parameters = parameters?;
    let proven = prove(server, &parameters).await?;
    let to_client = ToClient::new(&proven, state::of(&parameters), &server.settings.issuer);
    let request = match check(&parameters, &proven, &server.settings) {
        Ok(request) => request,
        Err(refused) => return Ok(to_client.error(&refused)),
    };
    let session = current_session(server, headers).await?;
    let session = session.filter(|_| !request.prompt.login);
    let known = consent::is_remembered(server, session.as_ref(), &request, &proven).await?;
    match (session, known) {
        (Some(session), true) => consent::grant(server, &session, &request, &to_client).await,
        (session, _) if request.prompt.silent => Ok(to_client.error(&silent(session.as_ref()))),
        (session, _) => ask(server, headers, request, session.is_some()).await,
    }
}

/// Saves the request for this browser, and shows the next page.
async fn ask(
    server: &Server,
    headers: &HeaderMap,
    request: AuthorizationRequest,
    logged_in: bool,
) -> Result<Response, Problem> {
    let browser = server.cookies.browser(headers);
    let interaction = Interaction::begin(server, browser.clone(), request).await?;
    let page = if logged_in { "/consent" } else { "/login" };
    let mut response = see_other(&interaction.page(server, page));
    server.cookies.keep_browser(response.headers_mut(), &browser);
    Ok(response)
}

/// OpenID Connect Core §3.1.2.6: what would have to be asked, and may not.
fn silent(session: Option<&SessionRow>) -> OAuthError {
    match session {
        None => OAuthError::new(
            ErrorCode::from("login_required"),
            "nobody is logged in with this browser, and prompt=none forbids to ask",
        ),
        Some(_) => OAuthError::new(
            ErrorCode::from("consent_required"),
            "consent is needed, and prompt=none forbids to ask",
        ),
    }
}
