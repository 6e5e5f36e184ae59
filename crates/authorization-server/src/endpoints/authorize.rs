//! `/authorize`: where a client sends its person (OAuth 2.1 §4.1.1).

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::{FormError, Parameters};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::{HeaderMap, StatusCode};
use url::form_urlencoded;

use super::consent::receiver;
use super::interaction::Interaction;
use super::oauth_answer::form;
use super::redirect::{ToClient, see_other};
use super::{Server, consent, par};
use crate::checks::{AuthorizationRequest, Proven, check, prove, state};
use crate::login::current_session;
use crate::pages::{FormTarget, Problem, RefusedPage, ShownProblem, answer};
use crate::proxied;
use crate::random::id;
use crate::store::SessionRow;

/// What fits into a request line everywhere.
pub(super) const LONGEST_QUERY: usize = 16 * 1024;
/// The rule that such a request breaks, for the log.
const UNREADABLE: &str = "unreadable_request";

pub(super) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    match parameters {
        Ok(parameters) => {
            authorize(&server, &headers, &parameters).await.unwrap_or_else(Problem::into_response)
        }
        Err(error) => unreadable(&error).into_response(),
    }
}

/// OpenID Connect Core §3.1.2.1: a request may come as a form. It goes on as a GET: a form that another site sends comes
/// without the browser's cookies (`SameSite=Lax`), and a new one would take the place of the one that is there.
pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    match as_query(&headers, &body) {
        Ok(query) => see_other(&server.path(&format!("/authorize?{query}"))),
        Err(problem) => problem.into_response(),
    }
}

/// Every parameter in its place, one that is there twice too: judging them is not done here.
fn as_query(headers: &HeaderMap, body: &[u8]) -> Result<String, Problem> {
    let refused = |why: &str| Problem::client(UNREADABLE, format!("The request cannot be read: {why}."));
    form(headers, body).map_err(|error| refused(&error.error_description.unwrap_or_default()))?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(form_urlencoded::parse(body)).finish();
    if query.len() > LONGEST_QUERY {
        return Err(refused("it is too long"));
    }
    Ok(query)
}

fn unreadable(error: &FormError) -> Problem {
    Problem::client(UNREADABLE, format!("The request cannot be read: {error}."))
}

/// Parameters → client and redirect URI → all other checks → the person.
async fn authorize(
    server: &Server,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Problem> {
    let pushed = par::take(server, parameters).await?;
    let is_pushed = pushed.is_some();
    let parameters = pushed.as_ref().unwrap_or(parameters);
    let proven = prove(server, parameters).await?;
    let to_client = ToClient::new(&proven, state::of(parameters), &server.settings.issuer);
    let checked = check_pushed(server, &proven, is_pushed)
        .and_then(|()| check(parameters, &proven, &server.settings, server.store.now()));
    let request = match checked {
        Ok(request) => request,
        Err(refused) => return Ok(tell(&proven, &to_client, &refused)),
    };
    if let Some(proxied) = &server.settings.proxied {
        return match proxied::check(proxied, &request) {
            Err(refused) => Ok(tell(&proven, &to_client, &refused)),
            Ok(()) if request.prompt.silent => Ok(tell(&proven, &to_client, &silent(None))),
            Ok(()) => ask(server, headers, request, "/consent").await,
        };
    }
    let session = current_session(server, headers).await?;
    let session = session.filter(|session| request.takes(session));
    let known = consent::is_remembered(server, session.as_ref(), &request, &proven).await?
        && consent::is_linked(server, session.as_ref(), &request).await?;
    match (session, known) {
        (Some(session), true) => consent::grant(server, headers, &session, &request, &to_client).await,
        (session, _) if request.prompt.silent => Ok(tell(&proven, &to_client, &silent(session.as_ref()))),
        (Some(_), false) => ask(server, headers, request, "/consent").await,
        (None, _) => ask(server, headers, request, "/login").await,
    }
}

/// RFC 9126 §5, §6: where requests have to be pushed, no other one counts.
fn check_pushed(server: &Server, proven: &Proven, is_pushed: bool) -> Result<(), OAuthError> {
    let required = server.settings.require_pushed_requests
        || proven.client().details.require_pushed_authorization_requests;
    match is_pushed || !required {
        true => Ok(()),
        false => Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "this request has to be pushed first (RFC 9126), and comes with request_uri alone",
        )),
    }
}

/// Tells the client what is wrong (OAuth 2.1 §4.1.2.1). Where a stranger chose the place, its person goes there only by
/// following a link that names it (RFC 9700 §4.11.2).
fn tell(proven: &Proven, to_client: &ToClient<'_>, refused: &OAuthError) -> Response {
    if proven.is_trusted_unasked() {
        return to_client.error(refused);
    }
    let reference = id();
    let page = RefusedPage {
        reference: &reference,
        client: proven.client().shown_name(),
        error: refused.error.as_str(),
        receiver: receiver(proven.redirect()),
        back: to_client.error_location(refused),
    };
    let mut answer = answer(StatusCode::BAD_REQUEST, &page, &FormTarget::None);
    answer.extensions_mut().insert(ShownProblem {
        reference,
        rule: refused.error.as_str().to_owned(),
        what: refused.error_description.clone().unwrap_or_default(),
        cause: None,
        client: Some(proven.client().id.clone()),
    });
    answer
}

/// Saves the request for this browser, and shows the next page.
async fn ask(
    server: &Server,
    headers: &HeaderMap,
    request: AuthorizationRequest,
    page: &str,
) -> Result<Response, Problem> {
    let browser = server.cookies.browser(headers);
    // Nobody is known before a login here, or one at the provider.
    let logged_in = page == "/consent" && server.settings.proxied.is_none();
    let interaction = Interaction::begin(server, browser.clone(), request, logged_in).await?;
    let mut response = see_other(&interaction.page(server, page));
    server.cookies.keep_browser(response.headers_mut(), &browser);
    Ok(response)
}

/// OpenID Connect Core §3.1.2.6: what would have to be asked, and may not.
fn silent(session: Option<&SessionRow>) -> OAuthError {
    match session {
        None => OAuthError::new(
            ErrorCode::from("login_required"),
            "nobody is logged in with this browser, or not as recently as the client asks, and prompt=none forbids to ask",
        ),
        Some(_) => OAuthError::new(
            ErrorCode::from("consent_required"),
            "consent is needed, and prompt=none forbids to ask",
        ),
    }
}
