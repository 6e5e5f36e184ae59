//! `/link`: a person sets a password, by a link that works once.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::secret::Secret;
use http::{HeaderMap, StatusCode};

use super::Server;
use crate::audit::{AuditKind, NewEvent};
use crate::browser::{Browser, FormToken, came_from_here};
use crate::login::check_strength;
use crate::pages::{FormTarget, LinkDonePage, LinkPage, Problem, answer, sentence};
use crate::random::digest;

const PURPOSE: &str = "link";

/// A link that works, and whose it is.
struct Live {
    token: String,
    username: String,
}

pub(super) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    show(&server, &headers, query.as_deref().unwrap_or_default()).await.unwrap_or_else(Problem::into_response)
}

pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    set(&server, &headers, &body).await.unwrap_or_else(Problem::into_response)
}

async fn show(server: &Server, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::dead_link())?;
    let link = live_link(server, &parameters).await?;
    let browser = server.cookies.browser(headers);
    let mut response = answer(StatusCode::OK, &page(server, &browser, link, None), &FormTarget::Own);
    server.cookies.keep_browser(response.headers_mut(), &browser);
    Ok(response)
}

async fn set(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let link = live_link(server, &form).await?;
    let browser = server.cookies.browser(headers);
    let csrf = form.get("csrf").ok().flatten();
    let fits = FormToken::new(&browser, None).fits(PURPOSE, &digest(&link.token), csrf);
    if !fits || !came_from_here(headers, server.settings.issuer.url()) {
        return Err(Problem::foreign_form());
    }
    let password = Secret::new(form.get("password").ok().flatten().unwrap_or_default());
    if let Err(why) = check_strength(&password) {
        let page = page(server, &browser, link, Some(sentence(&why)));
        return Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, &page, &FormTarget::Own));
    }
    let hash = server.passwords.hash(password).await.map_err(|_| Problem::busy())?;
    if !server.store.use_user_link(&digest(&link.token), &hash).await? {
        return Err(Problem::dead_link());
    }
    tracing::info!(user = link.username, "a password was set by a link");
    let user = server.store.subject(&link.username).await?;
    server.store.record(NewEvent::new(AuditKind::PasswordSet).user(&user).detail("by a link"));
    let done = LinkDonePage { username: link.username, account: server.path("/account") };
    Ok(answer(StatusCode::OK, &done, &FormTarget::None))
}

async fn live_link(server: &Server, parameters: &Parameters) -> Result<Live, Problem> {
    let token = parameters.get("token").ok().flatten().unwrap_or_default();
    let username = server.store.find_user_link(&digest(token)).await?.ok_or_else(Problem::dead_link)?;
    Ok(Live { token: token.to_owned(), username })
}

fn page(server: &Server, browser: &Browser, link: Live, error: Option<String>) -> LinkPage {
    LinkPage {
        error,
        action: server.path("/link"),
        csrf: FormToken::new(browser, None).issue(PURPOSE, &digest(&link.token)),
        token: link.token,
        username: link.username,
    }
}
