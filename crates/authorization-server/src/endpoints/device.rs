//! `/device`: a person says which device is theirs, and decides what it gets (RFC 8628 §3.3).
//!
//! The page belongs to a login. Whoever opens a code first is the only one who decides on it.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::scope::ScopeSet;
use http::{HeaderMap, StatusCode};

use super::destination::THEN;
use super::redirect::see_other;
use super::{Server, acts};
use crate::audit::{AuditKind, NewEvent};
use crate::browser::{FormToken, came_from_here};
use crate::checks::Resources;
use crate::clients::{ClientKind, resolve};
use crate::grants::UserCode;
use crate::login::current_session;
use crate::pages::{
    DeviceConsentPage, DeviceDonePage, DevicePage, FormTarget, Problem, ScopeInWords, Stays, answer, shown,
};
use crate::random::digest;
use crate::settings::names;
use crate::store::{Attempt, Decision, DeviceRow, SessionRow};
use crate::vault::{Acting, acts_at};

pub(super) const PATH: &str = "/device";

const PURPOSE: &str = "device";
/// Wrong codes of one person before waits begin.
const FREE: i64 = 5;

pub(super) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    show(&server, &headers, query.as_deref().unwrap_or_default()).await.unwrap_or_else(Problem::into_response)
}

pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    decide(&server, &headers, &body).await.unwrap_or_else(Problem::into_response)
}

async fn show(server: &Server, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::lost_interaction())?;
    let typed = parameters.get("user_code").ok().flatten();
    let code = typed.and_then(UserCode::parse);
    let Some(session) = current_session(server, headers).await? else {
        // Only a code goes along: what was typed could be anything.
        let then = code.map_or(PATH.to_owned(), |code| format!("{PATH}?user_code={}", code.shown()));
        let then: String = url::form_urlencoded::byte_serialize(then.as_bytes()).collect();
        return Ok(see_other(&server.path(&format!("/login?{THEN}={then}"))));
    };
    match (typed, code) {
        (None, _) => Ok(ask(server, None, StatusCode::OK)),
        (Some(_), None) => Ok(ask(server, Some(WRONG), StatusCode::NOT_FOUND)),
        (Some(_), Some(code)) => open(server, headers, &session, &code).await,
    }
}

const WRONG: &str = "No device waits under this code. Look at the device again: codes end after a while.";

/// Looks the code up for this person. Guesses are counted before they are looked at.
async fn open(
    server: &Server,
    headers: &HeaderMap,
    session: &SessionRow,
    code: &UserCode,
) -> Result<Response, Problem> {
    let guesses = digest(&format!("device\0{}", session.user_id));
    if let Attempt::TooEarly(until) = server.store.begin_attempt(&guesses, FREE).await? {
        let wait = server.store.now().until(until);
        let page = ask(
            server,
            Some("There were too many wrong codes. Wait a minute."),
            StatusCode::TOO_MANY_REQUESTS,
        );
        return Ok(crate::pages::retry_after(page, wait));
    }
    let Some(row) = claim(server, session, code).await? else {
        return Ok(ask(server, Some(WRONG), StatusCode::NOT_FOUND));
    };
    // Not forgotten: whoever has a device of their own could guess at others' for ever.
    server.store.take_back_attempt(&guesses).await?;
    consent(server, headers, session, code, &row).await
}

/// The device, which is this person's from now on. Somebody else's is refused.
async fn claim(server: &Server, session: &SessionRow, code: &UserCode) -> Result<Option<DeviceRow>, Problem> {
    let row = server.store.claim_device(&digest(code.as_str()), &session.user_id).await?;
    match row {
        Some(row) if row.user_id.as_deref() != Some(session.user_id.as_str()) => {
            Err(Problem::anothers_device())
        }
        row => Ok(row),
    }
}

async fn decide(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let field = |name| form.get(name).ok().flatten();
    let code = field("user_code").and_then(UserCode::parse).ok_or_else(Problem::foreign_form)?;
    let session = current_session(server, headers).await?.ok_or_else(Problem::foreign_form)?;
    let fits = form_token(server, headers).fits(PURPOSE, code.as_str(), field("csrf"));
    if !fits || !came_from_here(headers, server.settings.issuer.url()) {
        return Err(Problem::foreign_form());
    }
    // Whatever is not a clear yes is a no.
    let allowed = field("decision") == Some("allow");
    let decision = if allowed { Decision::Allowed } else { Decision::Denied };
    // Nothing is claimed here, or codes could be guessed past the count: the page has done that.
    let hash = digest(code.as_str());
    let row = server.store.find_claimed_device(&hash, &session.user_id).await?;
    let acting = acting(server, &session, &row.ok_or_else(Problem::lost_interaction)?)?;
    if allowed && field("acts") != acting.mark().as_deref() {
        // More is configured by now than the page has said.
        return Ok(see_other(&server.path(&format!("{PATH}?user_code={}", code.shown()))));
    }
    let decided = server.store.decide_device(&hash, &session, decision, &acting.to_string()).await?;
    let client = decided.ok_or_else(Problem::lost_interaction)?;
    tracing::info!(user = session.user_id, client, allowed, "a person has decided on a device");
    let kind = if allowed { AuditKind::ConsentGiven } else { AuditKind::ConsentDenied };
    let event = NewEvent::new(kind).user(&session.user_id).client(&client).detail("on a device");
    server.store.record(event);
    Ok(answer(StatusCode::OK, &DeviceDonePage { allowed }, &FormTarget::None))
}

/// Where servers act for the person with what the device asks for.
fn acting(server: &Server, session: &SessionRow, row: &DeviceRow) -> Result<Acting, Problem> {
    let resources = Resources::try_from(row.resource.clone()).map_err(|_| Problem::lost_interaction())?;
    let scopes = ScopeSet::parse(&row.scopes).unwrap_or_default();
    Ok(Acting::of(server, &resources, &session.bounds(&scopes)))
}

/// Depends on the login: another one's form does not count.
fn form_token(server: &Server, headers: &HeaderMap) -> FormToken {
    FormToken::new(&server.cookies.browser(headers), server.cookies.session(headers).as_deref())
}

fn ask(server: &Server, error: Option<&'static str>, status: StatusCode) -> Response {
    answer(status, &DevicePage { error, action: server.path(PATH) }, &FormTarget::Own)
}

async fn consent(
    server: &Server,
    headers: &HeaderMap,
    session: &SessionRow,
    code: &UserCode,
    row: &DeviceRow,
) -> Result<Response, Problem> {
    let client = resolve(server, &row.client_id).await.map_err(|unresolved| {
        let what = format!("The app “{}” cannot be let in: {unresolved}.", shown(&row.client_id));
        Problem::client(unresolved.rule(), what).of_client(&row.client_id)
    })?;
    let resources = Resources::try_from(row.resource.clone()).map_err(|_| Problem::lost_interaction())?;
    let configured = resources.configured(&server.settings);
    let scopes = ScopeSet::parse(&row.scopes).unwrap_or_default();
    let back = ("user_code", code.shown());
    if let Some(link) = acts::needed(server, session, &resources, &scopes, (back.0, &back.1)).await? {
        return Ok(link);
    }
    let asked = session.bounds(&scopes);
    let acts = acts_at(server, &resources, &asked);
    let scopes = configured.iter().flat_map(|resource| &resource.scopes);
    let page = DeviceConsentPage {
        client: client.shown_name(),
        domain: match &client.kind {
            ClientKind::Document { domain } => Some(domain.clone()),
            _ => None,
        },
        is_configured: client.kind == ClientKind::Configured,
        resource: names(&configured),
        resource_identifier: resources.to_string(),
        acts,
        shown: acting(server, session, row)?.mark(),
        scopes: scopes
            .filter(|(scope, _)| asked.contains(scope))
            .map(|(scope, says)| ScopeInWords { name: scope.to_string(), says: says.clone() })
            .collect(),
        stays: Stays::new(row.refreshable, &server.settings.lifetimes),
        action: server.path(PATH),
        code: code.shown(),
        csrf: form_token(server, headers).issue(PURPOSE, code.as_str()),
        username: session.user_name.clone(),
    };
    Ok(answer(StatusCode::OK, &page, &FormTarget::Own))
}
