//! What comes back from the provider becomes a code of this server's, in the browser that was sent there and once.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::authorization::AuthorizationResponse;
use hallpass_protocol::oauth_error::OAuthError;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use http::HeaderMap;

use super::asked::Asked;
use super::leave::told;
use super::person::{Person, max_age};
use super::{Given, LEG, Proxied};
use crate::audit::{AuditKind, NewEvent};
use crate::checks::{AuthorizationRequest, prove_again};
use crate::endpoints::{Server, ToClient};
use crate::login::device;
use crate::pages::Problem;
use crate::provider::{Leg, ProviderError, TokenRequest};
use crate::random::{digest, id, token};
use crate::server::Inner;
use crate::store::{CodeRow, StoreError};

/// Where the provider sends people back to: the redirect URI that is registered there.
pub(crate) const PATH: &str = "/provider/callback";

pub(crate) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    come_back(&server, &headers, query.as_deref().unwrap_or_default())
        .await
        .unwrap_or_else(Problem::into_response)
}

/// State and browser → the request that was agreed to → its client, as it is now → the provider's code → ours.
async fn come_back(server: &Inner, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let proxied = server.settings.proxied.as_ref().ok_or_else(Problem::lost_interaction)?;
    let answer = AuthorizationResponse::parse(query).map_err(|_| Problem::lost_interaction())?;
    let state = answer.state().ok_or_else(Problem::lost_interaction)?;
    let browser = Secret::new(server.cookies.browser(headers).token);
    let leg = Leg::finish(&server.store, &browser, LEG, state).await?;
    let leg = leg.ok_or_else(Problem::lost_interaction)?;
    let request: AuthorizationRequest = serde_json::from_str(&leg.purpose)
        .map_err(|_| StoreError::Unreadable { what: "waiting authorization request" })?;
    let proven = prove_again(server, &request.client_id, &request.redirect_uri).await?;
    let to_client = ToClient::new(&proven, request.state.as_deref(), &server.settings.issuer);
    let came = Came { server, proxied, request: &request, leg: &leg };
    match came.code(&answer, device(headers)).await {
        Ok(code) => Ok(to_client.code(code.expose())),
        Err(Stopped::Told(refused)) => Ok(to_client.error(&refused)),
        Err(Stopped::Shown(problem)) => Err(problem),
    }
}

/// A person who came back, in the right browser.
struct Came<'a> {
    server: &'a Inner,
    proxied: &'a Proxied,
    request: &'a AuthorizationRequest,
    leg: &'a Leg,
}

/// Why there is no code.
enum Stopped {
    /// The client hears it.
    Told(OAuthError),
    /// The person does.
    Shown(Problem),
}

impl From<ProviderError> for Stopped {
    fn from(error: ProviderError) -> Self {
        Self::Told(told(&error))
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Shown(error.into())
    }
}

impl Came<'_> {
    async fn code(&self, answer: &AuthorizationResponse, device: Option<String>) -> Result<Secret, Stopped> {
        let Self { server, proxied, request, leg } = self;
        let now = server.store.now();
        let resource = proxied.resource(&request.resource);
        let resource = resource.ok_or_else(|| Stopped::Shown(Problem::lost_interaction()))?;
        let theirs = proxied.provider.code(answer, &leg.state, now).await?;
        let tokens = self.redeem(&theirs, now).await?;
        let person = Person::of(proxied, &tokens, leg, max_age(request, now), now).await?;
        let profile = &proxied.provider.settings().profile;
        let given = Given::of(tokens, &request.scopes, resource, profile, now).await;
        let mut given = given.map_err(|refused| Stopped::Told(refused.to_oauth()))?;
        if !request.refreshable {
            given.refresh_token = None;
        }
        let code = Secret::new(token());
        let row = CodeRow {
            grant_id: id(),
            user_id: person.account(&server.store).await?,
            client_id: request.client_id.clone(),
            redirect_uri: request.redirect_uri.as_str().to_owned(),
            challenge: request.challenge.as_str().to_owned(),
            resource: request.resource.as_str().to_owned(),
            scopes: given.agreed().to_string(),
            acts_at: String::new(),
            refreshable: given.refresh_token.is_some(),
            bound_to: request.dpop_key.clone(),
            confidential: request.confidential,
            must_bind: request.must_bind,
            authenticated_at: None,
            device,
            given: Some(given.seal(&code)?),
            expires_at: now.after(server.settings.lifetimes.code),
            used_at: None,
        };
        server.store.insert_code(&digest(code.expose()), &row).await?;
        let event = NewEvent::new(AuditKind::LoggedIn).user(&row.user_id).client(&row.client_id);
        server.store.record(event.detail("at the provider"));
        Ok(code)
    }

    /// By the one client that this server is there, with the verifier of this leg.
    async fn redeem(&self, code: &Secret, now: Timestamp) -> Result<TokenResponse, Stopped> {
        let Self { server, proxied, request, leg } = self;
        let resource = proxied.resource(&request.resource);
        let asked = resource.map(|resource| Asked::of(proxied, resource, &request.scopes));
        let form = TokenRequest::Code { code, redirect_uri: &server.url(PATH), verifier: &leg.verifier };
        Ok(proxied.provider.tokens(form, asked.and_then(|asked| asked.resource), now).await?)
    }
}
