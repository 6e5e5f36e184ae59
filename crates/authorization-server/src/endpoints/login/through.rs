//! `/login/with/{name}`: to somebody else's provider, to sign in there. `/providers/{name}/callback`: and back.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::authorization::AuthorizationResponse;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::acts::{self, Acts};
use super::super::address::CameFrom;
use super::super::destination::{CSRF, Destination};
use super::super::redirect::see_other;
use super::super::{Server, account};
use super::{enter, page};
use crate::audit::{AuditKind, NewEvent};
use crate::browser::{Browser, came_from_here};
use crate::login::{NotAdmitted, SignIn, current_session, log_in_through};
use crate::pages::Problem;
use crate::provider::{AuthorizationRequest, Identity, Leg, LegKind, ProviderError, TokenRequest};
use crate::store::StoreError;

/// How far a provider's clock may be apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// What somebody was sent to a provider for.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::endpoints) enum Purpose {
    /// To let servers act for them there.
    Act(Acts),
    /// To sign in, and to go on there: the field that names it.
    SignIn { field: String, value: String, at: Timestamp },
    /// To link who they are there to this account.
    Link { user_id: String },
}

pub(in crate::endpoints) async fn begin(
    State(server): State<Server>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    send_away(&server, &name, &query, &headers).await.unwrap_or_else(Problem::into_response)
}

pub(in crate::endpoints) async fn callback(
    State(server): State<Server>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    CameFrom(address): CameFrom,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let address = address.filter(|_| server.settings.count_addresses);
    come_back(&server, &name, &query, &headers, address).await.unwrap_or_else(Problem::into_response)
}

pub(in crate::endpoints) fn way<'a>(server: &'a Server, name: &str) -> Result<&'a SignIn, Problem> {
    let mut all = server.settings.sign_in.iter();
    all.find(|way| way.name == name).ok_or_else(Problem::no_such_provider)
}

/// From a page of ours alone, which has put its token into the link: another site must not have people sign in unasked.
async fn send_away(
    server: &Server,
    name: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::lost_interaction())?;
    let way = way(server, name)?;
    let destination = Destination::of(server, headers, &parameters).await?;
    let is_ours = destination.fits(&purpose_of(way), &parameters);
    if !is_ours || !came_from_here(headers, server.settings.issuer.url()) {
        return Ok(see_other(&destination.page(server, "/login")));
    }
    let (field, value) = destination.field();
    let purpose = Purpose::SignIn { field: field.to_owned(), value, at: server.store.now() };
    let fresh = Fresh::of(server, headers, &destination).await?;
    match to_provider(server, way, destination.browser(), &purpose, &fresh).await? {
        Ok(url) => Ok(see_other(&url)),
        Err(error) => failed(server, way, &destination, &error, None).await,
    }
}

/// The link to sign in there, for a page of this browser's. It is a link and no form: where a form of that page may lead stays
/// this server.
pub(super) fn link(server: &Server, destination: &Destination, way: &SignIn) -> String {
    let page = destination.page(server, &format!("/login/with/{}", way.name));
    format!("{page}&{CSRF}={}", destination.issue_form_token(&purpose_of(way)))
}

fn purpose_of(way: &SignIn) -> String {
    format!("sign in through {}", way.name)
}

/// How recent the login has to be.
struct Fresh {
    again: bool,
    max_age: Option<u64>,
}

impl Fresh {
    /// What the client asked for is passed on. Whoever is logged in and comes from one of our own pages was sent to show
    /// anew that it is them: a login that goes on at the provider would let in whoever sits at the browser.
    async fn of(server: &Server, headers: &HeaderMap, destination: &Destination) -> Result<Self, StoreError> {
        let Destination::Interaction(interaction) = destination else {
            let again = current_session(server, headers).await?.is_some();
            return Ok(Self { again, max_age: None });
        };
        let (request, now) = (&interaction.request, server.store.now());
        let max_age = request.earliest_login.map(|earliest| earliest.until(now).as_secs());
        Ok(Self { again: request.prompt.login, max_age })
    }
}

/// Where the browser goes. Of two errors, the outer one is ours.
async fn to_provider(
    server: &Server,
    way: &SignIn,
    browser: &Browser,
    purpose: &Purpose,
    fresh: &Fresh,
) -> Result<Result<String, ProviderError>, Problem> {
    let kind = match purpose {
        Purpose::SignIn { .. } => LegKind::SignIn,
        Purpose::Link { .. } => LegKind::Link,
        Purpose::Act(_) => LegKind::Act,
    };
    let purpose = serde_json::to_string(purpose).map_err(|_| unreadable())?;
    let leg = Leg::begin(&server.store, &secret(browser), &way.name, kind, &purpose).await?;
    let max_age = fresh.max_age.map(|seconds| seconds.to_string());
    let again = fresh.again.then_some(("prompt", "login"));
    let max_age = max_age.as_deref().map(|seconds| ("max_age", seconds));
    let extra: Vec<_> = again.into_iter().chain(max_age).collect();
    let request = AuthorizationRequest {
        redirect_uri: &callback_uri(server, &way.name),
        state: &leg.state,
        verifier: &leg.verifier,
        nonce: Some(&leg.nonce),
        scopes: &way.provider.settings().scopes,
        resource: None,
        offline: false,
        extra: &extra,
    };
    Ok(way.provider.authorization_url(&request, server.store.now()).await.map(String::from))
}

/// To link, from the account page.
pub(in crate::endpoints) async fn link_at(
    server: &Server,
    way: &SignIn,
    browser: &Browser,
    user_id: &str,
) -> Result<Response, Problem> {
    let purpose = Purpose::Link { user_id: user_id.to_owned() };
    let fresh = Fresh { again: false, max_age: None };
    match to_provider(server, way, browser, &purpose, &fresh).await? {
        Ok(url) => Ok(see_other(&url)),
        Err(error) => Err(problem(way, &error)),
    }
}

/// Where people come back to from the provider of that name, whatever they went there for.
pub(in crate::endpoints) fn callback_uri(server: &Server, name: &str) -> String {
    server.url(&format!("/providers/{name}/callback"))
}

/// First of all one statement: this browser has begun this, at this provider, and it comes back once. Only then is looked at
/// what the answer says, and who says it.
async fn come_back(
    server: &Server,
    name: &str,
    query: &str,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<Response, Problem> {
    if server.third_party(name).is_none() {
        way(server, name)?;
    }
    let answer = AuthorizationResponse::parse(query).map_err(|_| Problem::lost_leg())?;
    let browser = server.cookies.browser(headers);
    let state = answer.state().unwrap_or_default();
    let leg = Leg::finish(&server.store, &secret(&browser), name, state).await?;
    let leg = leg.ok_or_else(Problem::lost_leg)?;
    let purpose: Purpose = serde_json::from_str(&leg.purpose).map_err(|_| unreadable())?;
    match purpose {
        Purpose::Act(acts) => acts::come_back(server, headers, name, &answer, &leg, acts).await,
        Purpose::Link { user_id } => {
            let way = way(server, name)?;
            let identity =
                identity(server, way, &answer, &leg, None).await.map_err(|error| problem(way, &error))?;
            account::providers::link(server, headers, way, &identity, &user_id).await
        }
        Purpose::SignIn { field, value, at } => {
            let way = way(server, name)?;
            let parameters = Parameters::parse(&as_query(&field, &value));
            let parameters = parameters.map_err(|_| Problem::lost_interaction())?;
            let mut destination = Destination::of(server, headers, &parameters).await?;
            let fresh = Fresh::of(server, headers, &destination).await?;
            let identity = match identity(server, way, &answer, &leg, fresh.max_age).await {
                Ok(identity) if fresh.again && is_older(&identity, at) => Err(ProviderError::LongAgo),
                other => other,
            };
            match identity {
                Ok(identity) => admit(server, headers, way, &mut destination, &identity, address).await,
                Err(error) => failed(server, way, &destination, &error, address).await,
            }
        }
    }
}

/// A new login was wanted, and the provider says that there was none.
fn is_older(identity: &Identity, than: Timestamp) -> bool {
    let at = identity.claim("auth_time").and_then(Value::as_i64).map(Timestamp::from_unix);
    at.is_some_and(|at| at.after(LEEWAY) < than)
}

async fn identity(
    server: &Server,
    way: &SignIn,
    answer: &AuthorizationResponse,
    leg: &Leg,
    max_age: Option<u64>,
) -> Result<Identity, ProviderError> {
    let (provider, now) = (&way.provider, server.store.now());
    let code = provider.code(answer, &leg.state, now).await?;
    let redirect_uri = callback_uri(server, &way.name);
    let request = TokenRequest::Code { code: &code, redirect_uri: &redirect_uri, verifier: &leg.verifier };
    let tokens = provider.tokens(request, None, now).await?;
    provider.identity(&tokens, &leg.nonce, max_age, &way.wanted(), now).await
}

async fn admit(
    server: &Server,
    headers: &HeaderMap,
    way: &SignIn,
    destination: &mut Destination,
    identity: &Identity,
    address: Option<IpAddr>,
) -> Result<Response, Problem> {
    match log_in_through(server, way, destination.browser(), identity).await {
        Ok(person) => enter(server, headers, destination, &person).await,
        Err(NotAdmitted::Store(error)) => Err(error.into()),
        Err(why) => {
            let account = server.store.find_identity(identity.issuer(), identity.subject()).await?;
            let event = refused(way, &format!("{why} (sub {})", identity.subject())).address(address);
            server.store.record(account.iter().fold(event, |event, account| event.user(&account.user_id)));
            let error = format!(
                "Your account at {} opens nothing here. Ask whoever runs this server, or sign in another way.",
                way.shown
            );
            page(server, destination, StatusCode::FORBIDDEN, String::new(), Some(error)).await
        }
    }
}

/// Back to the page of login, which says so.
async fn failed(
    server: &Server,
    way: &SignIn,
    destination: &Destination,
    error: &ProviderError,
    address: Option<IpAddr>,
) -> Result<Response, Problem> {
    server.store.record(refused(way, &error.to_string()).address(address));
    let (status, says) = in_words(way, error);
    page(server, destination, status, String::new(), Some(says)).await
}

fn refused(way: &SignIn, why: &str) -> NewEvent {
    tracing::warn!(provider = way.name, why, "a login through a provider was refused");
    NewEvent::new(AuditKind::LoginRefused).detail(format!("through {}: {why}", way.name))
}

fn in_words(way: &SignIn, error: &ProviderError) -> (StatusCode, String) {
    let shown = &way.shown;
    match error {
        ProviderError::LongAgo => {
            (StatusCode::FORBIDDEN, format!("You have to sign in anew, and {shown} did not ask you."))
        }
        error => why_not(shown, error, format!("{shown} did not sign you in.")),
    }
}

/// Why nothing came of it at a provider, and what to do; `no` is what a no there comes to. What the provider said may be an attacker's
/// words; it stands in the log alone.
pub(in crate::endpoints) fn why_not(shown: &str, error: &ProviderError, no: String) -> (StatusCode, String) {
    match error {
        error if error.is_outage() => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{shown} does not answer right now. Try again in a moment."),
        ),
        ProviderError::Denied(_) => (StatusCode::FORBIDDEN, no),
        _ => (
            StatusCode::BAD_GATEWAY,
            format!(
                "What {shown} answered cannot be used. Whoever runs this server finds the reason in its log."
            ),
        ),
    }
}

fn problem(way: &SignIn, error: &ProviderError) -> Problem {
    let (status, says) = in_words(way, error);
    Problem::provider(status, says, error.to_string())
}

fn as_query(field: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(field, value).finish()
}

fn secret(browser: &Browser) -> Secret {
    Secret::new(browser.token.as_str())
}

fn unreadable() -> StoreError {
    StoreError::Unreadable { what: "purpose of a sign-in" }
}
