//! `/setup`: the first user, by a link that works once.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::secret::Secret;
use http::{HeaderMap, StatusCode};

use super::Server;
use crate::audit::{AuditKind, NewEvent};
use crate::browser::{Browser, FormToken, came_from_here};
use crate::login::{UserName, check_strength};
use crate::pages::{FormTarget, Problem, SetupDonePage, SetupPage, answer, sentence, shown};
use crate::random::{digest, id};

const PURPOSE: &str = "setup";

pub(super) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    show(&server, &headers, query.as_deref().unwrap_or_default()).await.unwrap_or_else(Problem::into_response)
}

pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    create(&server, &headers, &body).await.unwrap_or_else(Problem::into_response)
}

async fn show(server: &Server, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::dead_setup_link())?;
    let link = live_link(server, &parameters).await?;
    let browser = server.cookies.browser(headers);
    let page = page(server, &browser, link, String::new(), None);
    let mut response = answer(StatusCode::OK, &page, &FormTarget::Own);
    server.cookies.keep_browser(response.headers_mut(), &browser);
    Ok(response)
}

async fn create(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let link = live_link(server, &form).await?;
    let browser = server.cookies.browser(headers);
    let csrf = form.get("csrf").ok().flatten();
    let fits = FormToken::new(&browser, None).fits(PURPOSE, &digest(&link), csrf);
    if !fits || !came_from_here(headers, server.settings.issuer.url()) {
        return Err(Problem::foreign_form());
    }
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let (typed, password) = (field("username"), Secret::new(field("password")));
    let again = |why: String| {
        let page = page(server, &browser, link.clone(), shown(typed), Some(why));
        Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, &page, &FormTarget::Own))
    };
    let name = match UserName::parse(typed) {
        Ok(name) => name,
        Err(why) => return again(sentence(&why)),
    };
    if let Err(why) = check_strength(&password) {
        return again(sentence(&why));
    }
    let hash = server.passwords.hash(password).await.map_err(|_| Problem::busy())?;
    let user = (id(), name.shown.as_str(), name.key.as_str());
    let user = (user.0.as_str(), user.1, user.2);
    if !server.store.use_setup_link(&digest(&link), user, &hash).await? {
        return Err(dead_link(server).await?);
    }
    tracing::info!(user = name.shown, "the first user was created by the set-up link");
    server.store.record(NewEvent::new(AuditKind::UserAdded).user(user.0).detail("by the set-up link"));
    let done = SetupDonePage {
        username: name.shown,
        resources: server.settings.resources.iter().map(|resource| resource.identifier.to_string()).collect(),
    };
    Ok(answer(StatusCode::OK, &done, &FormTarget::None))
}

/// The link's secret, if it still opens anything.
async fn live_link(server: &Server, parameters: &Parameters) -> Result<String, Problem> {
    let token = parameters.get("token").ok().flatten().unwrap_or_default();
    match server.store.setup_link_is_live(&digest(token)).await? {
        true => Ok(token.to_owned()),
        false => Err(dead_link(server).await?),
    }
}

/// Why it opens nothing: somebody was here, or its time is over.
async fn dead_link(server: &Server) -> Result<Problem, Problem> {
    Ok(match server.store.count_users().await? {
        0 => Problem::dead_setup_link(),
        _ => Problem::used_setup_link(),
    })
}

fn page(
    server: &Server,
    browser: &Browser,
    link: String,
    username: String,
    error: Option<String>,
) -> SetupPage {
    SetupPage {
        error,
        action: server.path("/setup"),
        csrf: FormToken::new(browser, None).issue(PURPOSE, &digest(&link)),
        token: link,
        username,
    }
}
