//! `/consent`: the person decides what the client gets.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::redirect::RedirectUri;
use hallpass_protocol::scope::{Scope, ScopeSet};
use http::{HeaderMap, StatusCode};

use super::interaction::Interaction;
use super::redirect::{ToClient, see_other};
use super::{Server, acts};
use crate::audit::{AuditKind, NewEvent};
use crate::checks::{AuthorizationRequest, OFFLINE_ACCESS, Proven};
use crate::clients::ClientKind;
use crate::login::{current_session, device};
use crate::pages::{ConsentPage, FormTarget, Problem, ScopeInWords, Stays, answer};
use crate::proxied::{self, Proxied};
use crate::random::{digest, id, token};
use crate::settings::names;
use crate::store::{Agreed, CodeRow, Consent, SessionRow, StoreError};
use crate::vault::{Acting, acts_at, first_missing};

const PURPOSE: &str = "consent";

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
    let interaction = Interaction::resume(server, headers, &parameters).await?;
    if server.settings.proxied.is_some() {
        return page(server, headers, &interaction, None).await;
    }
    match session(server, headers, &interaction).await? {
        Some(session) => match link_first(server, &session, &interaction).await? {
            Some(link) => Ok(link),
            None => page(server, headers, &interaction, Some(&session)).await,
        },
        None => Ok(see_other(&interaction.page(server, "/login"))),
    }
}

/// To the third party's page, where a server acts at one that is not linked yet.
async fn link_first(
    server: &Server,
    session: &SessionRow,
    interaction: &Interaction,
) -> Result<Option<Response>, StoreError> {
    let request = &interaction.request;
    let back = ("interaction", interaction.id.as_str());
    acts::needed(server, session, &request.resource, &request.scopes, back).await
}

/// Whether each third party is linked at which a server acts with such a grant.
pub(super) async fn is_linked(
    server: &Server,
    session: Option<&SessionRow>,
    request: &AuthorizationRequest,
) -> Result<bool, StoreError> {
    let Some(session) = session else { return Ok(true) };
    let granted = session.bounds(&request.scopes);
    Ok(first_missing(server, &session.user_id, &request.resource, &granted).await?.is_none())
}

async fn decide(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let interaction = Interaction::resume_form(server, headers, &form, PURPOSE).await?;
    let decision = form.get("decision").ok().flatten();
    if let Some(proxied) = &server.settings.proxied {
        return match decision {
            Some("allow") => to_provider(server, proxied, interaction).await,
            _ => deny(server, &interaction, None).await,
        };
    }
    let Some(session) = session(server, headers, &interaction).await? else {
        return Ok(see_other(&interaction.page(server, "/login")));
    };
    match decision {
        Some("allow") => match link_first(server, &session, &interaction).await? {
            Some(link) => Ok(link),
            None if is_shown(server, &session, &interaction.request, &form) => {
                allow(server, headers, &interaction, &session).await
            }
            None => Ok(see_other(&interaction.page(server, "/consent"))),
        },
        Some("switch") => switch(server, headers, &interaction).await,
        // Whatever is not a clear yes is a no.
        _ => deny(server, &interaction, Some(&session)).await,
    }
}

/// Whether the page has said all that is configured by now of where servers act.
fn is_shown(
    server: &Server,
    session: &SessionRow,
    request: &AuthorizationRequest,
    form: &Parameters,
) -> bool {
    form.get("acts").ok().flatten() == acting(server, session, request).mark().as_deref()
}

/// Where servers act for the person with what is asked for.
fn acting(server: &Server, session: &SessionRow, request: &AuthorizationRequest) -> Acting {
    Acting::of(server, &request.resource, &session.bounds(&request.scopes))
}

/// This client, at this place, has been agreed to; now the provider is asked (MCP "Consent Flow Implementation").
async fn to_provider(
    server: &Server,
    proxied: &Proxied,
    interaction: Interaction,
) -> Result<Response, Problem> {
    let proven = interaction.proven(server).await?;
    let given = decided(AuditKind::ConsentGiven, None, &interaction.request);
    let answer = proxied::leave(server, proxied, interaction, &proven).await?;
    server.store.record(given);
    Ok(answer)
}

/// The login that counts for this interaction.
async fn session(
    server: &Server,
    headers: &HeaderMap,
    interaction: &Interaction,
) -> Result<Option<SessionRow>, Problem> {
    let session = current_session(server, headers).await?;
    Ok(session.filter(|session| interaction.request.takes(session)))
}

async fn allow(
    server: &Server,
    headers: &HeaderMap,
    interaction: &Interaction,
    session: &SessionRow,
) -> Result<Response, Problem> {
    let request = &interaction.request;
    let proven = interaction.proven(server).await?;
    interaction.finish(server).await?;
    remember(server, session, request).await?;
    server.store.record(decided(AuditKind::ConsentGiven, Some(session), request));
    let state = request.state.as_deref();
    let to_client = ToClient::new(&proven, state, &server.settings.issuer);
    grant(server, headers, session, request, &to_client).await
}

async fn deny(
    server: &Server,
    interaction: &Interaction,
    session: Option<&SessionRow>,
) -> Result<Response, Problem> {
    let proven = interaction.proven(server).await?;
    interaction.finish(server).await?;
    server.store.record(decided(AuditKind::ConsentDenied, session, &interaction.request));
    let state = interaction.request.state.as_deref();
    let denied = OAuthError::new(ErrorCode::AccessDenied, "the person has denied the request");
    Ok(ToClient::new(&proven, state, &server.settings.issuer).error(&denied))
}

/// What of it the person may be granted.
fn bounds(session: Option<&SessionRow>, request: &AuthorizationRequest) -> ScopeSet {
    session.map_or_else(|| request.scopes.clone(), |session| session.bounds(&request.scopes))
}

/// What a person has decided, for the audit log. Who that is the provider alone knows, where it logs people in.
fn decided(kind: AuditKind, session: Option<&SessionRow>, request: &AuthorizationRequest) -> NewEvent {
    let what = format!("{} for {}", bounds(session, request), request.resource.as_str());
    let event = NewEvent::new(kind).client(&request.client_id).detail(what);
    session.iter().fold(event, |event, session| event.user(&session.user_id))
}

async fn switch(
    server: &Server,
    headers: &HeaderMap,
    interaction: &Interaction,
) -> Result<Response, Problem> {
    if let Some(token) = server.cookies.session(headers) {
        server.store.delete_session(&digest(&token)).await?;
    }
    let mut response = see_other(&interaction.page(server, "/login"));
    server.cookies.drop_session(response.headers_mut());
    Ok(response)
}

/// Whether this person has agreed to all of this before, and whether that may count.
///
/// OAuth 2.1 §7.3.1, RFC 8252 §8.6: a public client on loopback or behind a private-use scheme can be imitated by any
/// program on the person's machine, so it is asked about each time.
pub(super) async fn is_remembered(
    server: &Server,
    session: Option<&SessionRow>,
    request: &AuthorizationRequest,
    proven: &Proven,
) -> Result<bool, Problem> {
    let imitable = proven.client().is_public() && proven.redirect().scheme() != "https";
    let Some(session) = session.filter(|_| !imitable && !request.prompt.consent) else {
        return Ok(false);
    };
    let (scopes, told) = agreed(server, session, request).await?;
    let asked = session.bounds(&request.scopes);
    let is_told = told.includes(&acting(server, session, request));
    Ok(is_told && !asked.is_empty() && asked.is_subset(&scopes))
}

/// What this person has allowed this client before, at the same place, and where they were told that servers act with it. On the
/// page it is told apart from what is new.
async fn agreed(
    server: &Server,
    session: &SessionRow,
    request: &AuthorizationRequest,
) -> Result<(ScopeSet, Acting), Problem> {
    let receiver = request.redirect_uri.receiver();
    let agreed = server.store.find_consent(consent(session, request, &receiver)).await?.unwrap_or_default();
    Ok((ScopeSet::parse(&agreed.scopes).unwrap_or_default(), Acting::parse(&agreed.acts_at)?))
}

/// Adds to what was agreed to before.
async fn remember(
    server: &Server,
    session: &SessionRow,
    request: &AuthorizationRequest,
) -> Result<(), Problem> {
    let (scopes, told) = agreed(server, session, request).await?;
    let scopes = scopes.union(&session.bounds(&request.scopes)).to_string();
    let acts_at = told.and(acting(server, session, request)).to_string();
    let receiver = request.redirect_uri.receiver();
    let consent = consent(session, request, &receiver);
    Ok(server.store.save_consent(consent, &Agreed { scopes, acts_at }).await?)
}

fn consent<'a>(session: &'a SessionRow, request: &'a AuthorizationRequest, receiver: &'a str) -> Consent<'a> {
    let resource = request.resource.as_str();
    Consent { user_id: &session.user_id, client_id: &request.client_id, resource, receiver }
}

/// Issues the code, hashed at rest and bound to everything (OAuth 2.1 §4.1.2), and sends it to the client.
pub(super) async fn grant(
    server: &Server,
    headers: &HeaderMap,
    session: &SessionRow,
    request: &AuthorizationRequest,
    to_client: &ToClient<'_>,
) -> Result<Response, Problem> {
    let scopes = session.bounds(&request.scopes);
    if scopes.is_empty() && !request.scopes.is_empty() {
        let why = "the person's account may be granted none of these scopes";
        return Ok(to_client.error(&OAuthError::new(ErrorCode::AccessDenied, why)));
    }
    let code = token();
    let row = CodeRow {
        grant_id: id(),
        user_id: session.user_id.clone(),
        client_id: request.client_id.clone(),
        redirect_uri: request.redirect_uri.as_str().to_owned(),
        challenge: request.challenge.as_str().to_owned(),
        resource: request.resource.as_str().to_owned(),
        scopes: scopes.to_string(),
        acts_at: acting(server, session, request).to_string(),
        refreshable: request.refreshable,
        bound_to: request.dpop_key.clone(),
        confidential: request.confidential,
        must_bind: request.must_bind,
        authenticated_at: Some(session.authenticated_at),
        device: device(headers),
        given: None,
        expires_at: server.store.now().after(server.settings.lifetimes.code),
        used_at: None,
    };
    server.store.insert_code_of(&digest(&code), &row, session.came_by.as_ref()).await?;
    Ok(to_client.code(&code))
}

/// Who gets the answer. In a private-use URI (RFC 8252 §7.1) only the scheme says so; the host in
/// `evilapp://trusted.example/` is decoration.
pub(super) fn receiver(redirect: &RedirectUri) -> String {
    match redirect.host() {
        _ if redirect.is_private_use() => format!("{}: (an app on this device)", redirect.scheme()),
        Some(host) if redirect.is_loopback() => format!("{host} (this computer)"),
        Some(host) => host.to_owned(),
        None => format!("{}:", redirect.scheme()),
    }
}

async fn page(
    server: &Server,
    headers: &HeaderMap,
    interaction: &Interaction,
    session: Option<&SessionRow>,
) -> Result<Response, Problem> {
    let request = &interaction.request;
    let resources = interaction.resources(server)?;
    let proven = interaction.proven(server).await?;
    let (client, redirect) = (proven.client(), proven.redirect());
    let agreed = match session {
        Some(session) => agreed(server, session, request).await?.0,
        // Who the person is shows at the provider only; each time is the first.
        None => ScopeSet::default(),
    };
    let proxied = server.settings.proxied.as_ref();
    let bounded = bounds(session, request);
    let in_words = |is_of: &dyn Fn(&Scope) -> bool| -> Vec<ScopeInWords> {
        let asked = |scope: &Scope| request.scopes.contains(scope) && scope.as_str() != OFFLINE_ACCESS;
        resources
            .iter()
            .flat_map(|resource| resource.scopes.iter().map(|one| (resource.name.as_str(), one)))
            .filter(|(_, (scope, _))| asked(scope) && is_of(scope))
            .map(|(server, (scope, says))| ScopeInWords {
                name: proxied
                    .map_or_else(|| scope.to_string(), |proxied| proxied.shown_scope(request, scope)),
                // One word may mean something else at each.
                says: if resources.len() > 1 { format!("{server}: {says}") } else { says.clone() },
            })
            .collect()
    };
    let page = ConsentPage {
        client: client.shown_name(),
        domain: match &client.kind {
            ClientKind::Document { domain } => Some(domain.clone()),
            _ => None,
        },
        origin: match client.kind {
            ClientKind::Configured => "added by the operator of this server",
            _ => "registered itself; its name is not verified",
        },
        redirect_host: receiver(redirect),
        redirect_uri: proxied.map(|_| crate::pages::shown(redirect.as_str())),
        loopback_only: client.is_loopback_only() && client.is_public(),
        app_scheme: redirect.is_private_use().then(|| redirect.scheme().to_owned()),
        resource: names(&resources),
        resource_identifier: request.resource.to_string(),
        acts: acts_at(server, &request.resource, &bounded),
        shown: session.and_then(|session| acting(server, session, request).mark()),
        scopes: in_words(&|scope| bounded.contains(scope) && !agreed.contains(scope)),
        agreed: in_words(&|scope| bounded.contains(scope) && agreed.contains(scope)),
        withheld: in_words(&|scope| !bounded.contains(scope)),
        stays: match proxied {
            Some(proxied) => {
                Stays::with_provider(request.refreshable, &server.settings.lifetimes, &proxied.shown_name())
            }
            None => Stays::new(request.refreshable, &server.settings.lifetimes),
        },
        action: server.path("/consent"),
        interaction: interaction.id.clone(),
        csrf: interaction.issue_form_token(server, headers, PURPOSE),
        username: session.map(|session| session.user_name.clone()),
        provider: proxied.map(Proxied::shown_name),
        besides: proxied.map(|proxied| proxied.asked_besides(request)).unwrap_or_default(),
    };
    Ok(answer(StatusCode::OK, &page, &FormTarget::client(redirect)))
}
