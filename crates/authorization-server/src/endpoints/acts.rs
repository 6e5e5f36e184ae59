//! `/acts/{name}`: a person lets servers act for them at a third party, and goes there by its form. They come back to
//! `/providers/{name}/callback`.
//!
//! The page says in words what it is for: nobody is sent to a third party, which may ask nothing any more, without a click here.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::authorization::AuthorizationResponse;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::destination::THEN;
use super::interaction::Interaction;
use super::login::through::{Purpose, callback_uri, why_not};
use super::member::is_recent;
use super::redirect::see_other;
use super::{Server, account, device};
use crate::browser::{FormToken, came_from_here};
use crate::checks::{OFFLINE_ACCESS, Resources};
use crate::grants::UserCode;
use crate::login::current_session;
use crate::pages::{ActsPage, FormTarget, Problem, answer};
use crate::provider::{AuthorizationRequest, Leg, LegKind, ProviderError, TokenRequest};
use crate::random::digest;
use crate::settings::Resource;
use crate::store::{DeviceRow, SessionRow, StoreError};
use crate::vault::{ThirdParty, first_missing, keep};

const PURPOSE: &str = "acts";

/// What somebody was sent to a third party for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Acts {
    /// Whose account it is.
    user_id: String,
    /// What is needed there.
    scopes: ScopeSet,
    /// What was asked for: that, and what yields refresh tokens.
    asked: ScopeSet,
    /// What names the page that it leads back to.
    field: Option<(String, String)>,
}

/// What it is asked for.
enum For {
    /// A client waits.
    App(Box<Interaction>),
    /// A device waits.
    Device(UserCode),
    /// The person looks after their account.
    Account,
}

pub(super) async fn get(
    State(server): State<Server>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    show(&server, &headers, &name, &query, None).await.unwrap_or_else(Problem::into_response)
}

pub(super) async fn post(
    State(server): State<Server>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    send_away(&server, &headers, &name, &body).await.unwrap_or_else(Problem::into_response)
}

/// The page where this person says that it shall be so, if something is missing that such a grant needs.
pub(super) async fn needed(
    server: &Server,
    session: &SessionRow,
    resources: &Resources,
    scopes: &ScopeSet,
    (field, value): (&str, &str),
) -> Result<Option<Response>, StoreError> {
    let granted = session.bounds(scopes);
    let missing = first_missing(server, &session.user_id, resources, &granted).await?;
    Ok(missing.map(|(party, _)| {
        let query = in_query(Some((field, value)));
        see_other(&server.path(&format!("/acts/{}?{query}", party.name)))
    }))
}

impl For {
    async fn of(server: &Server, headers: &HeaderMap, parameters: &Parameters) -> Result<Self, Problem> {
        if parameters.is_present("interaction") {
            return Ok(Self::App(Box::new(Interaction::resume(server, headers, parameters).await?)));
        }
        match parameters.get("user_code").ok().flatten() {
            Some(code) => UserCode::parse(code).map(Self::Device).ok_or_else(Problem::lost_interaction),
            None => Ok(Self::Account),
        }
    }

    fn field(&self) -> Option<(String, String)> {
        match self {
            Self::App(interaction) => Some(("interaction".to_owned(), interaction.id.clone())),
            Self::Device(code) => Some(("user_code".to_owned(), code.shown())),
            Self::Account => None,
        }
    }

    /// What its form is about.
    fn subject(&self, party: &ThirdParty) -> String {
        format!("{}?{}", party.name, self.query())
    }

    fn query(&self) -> String {
        in_query(self.field())
    }

    /// Whose login counts.
    fn takes(&self, server: &Server, session: &SessionRow) -> bool {
        match self {
            Self::App(interaction) => interaction.request.takes(session),
            Self::Device(_) => true,
            // It takes the place of who was linked: whoever finds an open browser must not put themselves there.
            Self::Account => is_recent(server, session),
        }
    }

    /// The page of login, which leads back to this one.
    fn login(&self, server: &Server, party: &ThirdParty) -> Response {
        if let Self::App(interaction) = self {
            return see_other(&interaction.page(server, "/login"));
        }
        let query = self.query();
        let mark = if query.is_empty() { "" } else { "?" };
        let page = format!("/acts/{}{mark}{query}", party.name);
        let then = in_query(Some((THEN, page)));
        see_other(&server.path(&format!("/login?{then}")))
    }

    /// Where it leads back to.
    fn back(&self, server: &Server) -> String {
        match self {
            Self::App(interaction) => interaction.page(server, "/consent"),
            Self::Device(_) => server.path(&format!("{}?{}", device::PATH, self.query())),
            Self::Account => server.path(account::PATH),
        }
    }

    /// What has to be asked for; `None` where nothing is missing.
    async fn missing(
        &self,
        server: &Server,
        session: &SessionRow,
        party: &ThirdParty,
    ) -> Result<Option<ScopeSet>, StoreError> {
        let (store, user_id) = (&server.store, &session.user_id);
        match self {
            Self::App(interaction) => {
                let request = &interaction.request;
                let needed = party.needed(&request.resource, &session.bounds(&request.scopes));
                match needed {
                    Some(needed) => party.missing(store, user_id, &needed).await,
                    None => Ok(None),
                }
            }
            Self::Device(code) => {
                let row = store.find_claimed_device(&digest(code.as_str()), user_id).await?;
                match row.and_then(|row| needed_by_device(party, session, row)) {
                    Some(needed) => party.missing(store, user_id, &needed).await,
                    None => Ok(None),
                }
            }
            // Whoever links anew has a reason.
            Self::Account => {
                let needed = party.needed_by(server, user_id).await?;
                let asked = party.asked(store, user_id).await?.unwrap_or_default();
                Ok(Some(asked.union(&needed)))
            }
        }
    }
}

fn needed_by_device(party: &ThirdParty, session: &SessionRow, row: DeviceRow) -> Option<ScopeSet> {
    let resources = Resources::try_from(row.resource).ok()?;
    party.needed(&resources, &session.bounds(&ScopeSet::parse(&row.scopes).ok()?))
}

fn third_party<'a>(server: &'a Server, name: &str) -> Result<&'a ThirdParty, Problem> {
    server.third_party(name).ok_or_else(Problem::no_such_provider)
}

async fn show(
    server: &Server,
    headers: &HeaderMap,
    name: &str,
    query: &str,
    error: Option<(StatusCode, String)>,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::lost_interaction())?;
    let (party, what) = (third_party(server, name)?, For::of(server, headers, &parameters).await?);
    let session = current_session(server, headers).await?.filter(|session| what.takes(server, session));
    let Some(session) = session else { return Ok(what.login(server, party)) };
    let Some(scopes) = what.missing(server, &session, party).await? else {
        return Ok(see_other(&what.back(server)));
    };
    let acting = |one: &Resource| party.servers.iter().any(|server| server.resource == one.identifier);
    let (status, error) = error.map_or((StatusCode::OK, None), |(status, says)| (status, Some(says)));
    let page = ActsPage {
        party: party.shown.clone(),
        servers: server
            .settings
            .resources
            .iter()
            .filter(|one| acting(one))
            .map(|one| one.name.clone())
            .collect(),
        scopes: scopes.iter().map(Scope::to_string).collect(),
        error,
        action: server.path(&format!("/acts/{name}")),
        csrf: form_token(server, headers).issue(PURPOSE, &what.subject(party)),
        field: what.field(),
        account: server.path(account::PATH),
        username: session.user_name,
    };
    let target = FormTarget::providers(std::iter::once(&party.provider.settings().issuer));
    Ok(answer(status, &page, &target))
}

/// By the page's form alone: another site must not have people link anything unasked, theirs or its own.
async fn send_away(
    server: &Server,
    headers: &HeaderMap,
    name: &str,
    body: &[u8],
) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let (party, what) = (third_party(server, name)?, For::of(server, headers, &form).await?);
    let fits =
        form_token(server, headers).fits(PURPOSE, &what.subject(party), form.get("csrf").ok().flatten());
    if !fits || !came_from_here(headers, server.settings.issuer.url()) {
        return Err(Problem::foreign_form());
    }
    let session = current_session(server, headers).await?.filter(|session| what.takes(server, session));
    let Some(session) = session else { return Ok(what.login(server, party)) };
    let Some(scopes) = what.missing(server, &session, party).await? else {
        return Ok(see_other(&what.back(server)));
    };
    match to_third_party(server, headers, party, &session, scopes, what.field()).await? {
        Ok(url) => Ok(see_other(&url)),
        Err(error) => failed(server, headers, party, &what.query(), &error).await,
    }
}

/// Depends on the login: another one's form does not count.
fn form_token(server: &Server, headers: &HeaderMap) -> FormToken {
    FormToken::new(&server.cookies.browser(headers), server.cookies.session(headers).as_deref())
}

/// Where the browser goes. Of two errors, the outer one is ours.
async fn to_third_party(
    server: &Server,
    headers: &HeaderMap,
    party: &ThirdParty,
    session: &SessionRow,
    scopes: ScopeSet,
    field: Option<(String, String)>,
) -> Result<Result<String, ProviderError>, Problem> {
    let (provider, now) = (&party.provider, server.store.now());
    let discovered = match provider.discovered(now).await {
        Ok(discovered) => discovered,
        Err(error) => return Ok(Err(error)),
    };
    let listed = discovered.metadata().scopes_supported.iter().flatten().any(|one| one == OFFLINE_ACCESS);
    let mut asked = scopes.clone();
    // OpenID Connect Core §11, where the profile knows no other way.
    if listed && provider.settings().profile.offline_parameters.is_empty() {
        asked.extend(Scope::parse(OFFLINE_ACCESS));
    }
    let purpose =
        Purpose::Act(Acts { user_id: session.user_id.clone(), scopes, asked: asked.clone(), field });
    let purpose = serde_json::to_string(&purpose).map_err(|_| unreadable())?;
    let leg =
        Leg::begin(&server.store, &browser(server, headers), &party.name, LegKind::Act, &purpose).await?;
    let request = AuthorizationRequest {
        redirect_uri: &callback_uri(server, &party.name),
        state: &leg.state,
        verifier: &leg.verifier,
        nonce: asked.contains("openid").then_some(leg.nonce.as_str()),
        scopes: &asked,
        resource: None,
        offline: true,
        extra: &[],
    };
    Ok(provider.authorization_url(&request, now).await.map(String::from))
}

/// The answer came back to the browser that began it, and to nobody twice. The same person has to be logged in still.
pub(super) async fn come_back(
    server: &Server,
    headers: &HeaderMap,
    name: &str,
    answer: &AuthorizationResponse,
    leg: &Leg,
    acts: Acts,
) -> Result<Response, Problem> {
    let party = third_party(server, name)?;
    let session = current_session(server, headers).await?;
    let session = session.filter(|session| session.user_id == acts.user_id).ok_or_else(Problem::lost_leg)?;
    let query = in_query(acts.field);
    let tokens = match tokens(server, party, answer, leg, &acts.asked).await {
        Ok(tokens) => tokens,
        Err(error) => return failed(server, headers, party, &query, &error).await,
    };
    keep(&server.store, party, &session.user_id, &acts.scopes, &acts.asked, tokens).await?;
    let parameters = Parameters::parse(&query).map_err(|_| Problem::lost_interaction())?;
    Ok(see_other(&For::of(server, headers, &parameters).await?.back(server)))
}

async fn tokens(
    server: &Server,
    party: &ThirdParty,
    answer: &AuthorizationResponse,
    leg: &Leg,
    asked: &ScopeSet,
) -> Result<TokenResponse, ProviderError> {
    let (provider, now) = (&party.provider, server.store.now());
    let code = provider.code(answer, &leg.state, now).await?;
    let redirect_uri = callback_uri(server, &party.name);
    let request = TokenRequest::Code { code: &code, redirect_uri: &redirect_uri, verifier: &leg.verifier };
    let tokens = provider.tokens(request, None, now).await?;
    // OpenID Connect Core §3.1.3.7, rule 11: of this very request. Who it is does not matter here.
    if asked.contains("openid") && provider.settings().profile.people.is_none() {
        provider.identity(&tokens, &leg.nonce, None, &[], now).await?;
    }
    Ok(tokens)
}

/// Back to the page, which says so.
async fn failed(
    server: &Server,
    headers: &HeaderMap,
    party: &ThirdParty,
    query: &str,
    error: &ProviderError,
) -> Result<Response, Problem> {
    tracing::warn!(third_party = party.name, %error, "an account at a third party was not linked");
    let no = format!("{} says no, or you did. Nothing was linked.", party.shown);
    show(server, headers, &party.name, query, Some(why_not(&party.shown, error, no))).await
}

fn in_query(field: Option<(impl AsRef<str>, impl AsRef<str>)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(field).finish()
}

fn browser(server: &Server, headers: &HeaderMap) -> Secret {
    Secret::new(server.cookies.browser(headers).token.as_str())
}

fn unreadable() -> StoreError {
    StoreError::Unreadable { what: "purpose of a link" }
}
