//! The account at a glance.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::member::{Away, Member};
use super::PATH;
use crate::checks::OFFLINE_ACCESS;
use crate::login::passkeys::RelyingParty;
use crate::pages::{AccountPage, App, FormTarget, PasskeyLine, SessionLine, ago, answer, shown};
use crate::settings::{Resource, names};
use crate::store::{GrantInUse, StoreError};

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let member = Member::of(server, headers, PATH).await?;
    let user_id = &member.session.user_id;
    let now = server.store.now();
    let here = member.session_hash();
    let sessions = server.store.list_sessions(user_id).await?.into_iter().map(|session| SessionLine {
        is_this: session.token_hash == here,
        device: session.device.unwrap_or_else(|| "Another browser".to_owned()),
        since: ago(session.authenticated_at, now),
        id: session.token_hash,
    });
    let passkeys = server.store.list_passkeys(user_id).await?.into_iter().map(|passkey| PasskeyLine {
        name: passkey.name,
        since: ago(passkey.created_at, now),
        used: passkey.used_at.map(|at| ago(at, now)),
        id: passkey.credential_id,
    });
    let providers = super::providers::lines(server, user_id).await?;
    let linked = providers.iter().find(|provider| provider.id.is_some());
    let page = AccountPage {
        signs_in_with: linked.map(|provider| provider.name.clone()),
        username: member.session.user_name.clone(),
        is_admin: member.session.is_admin,
        account: server.path(PATH),
        csrf: member.form_token(PATH),
        apps: apps(server, user_id).await?,
        sessions: sessions.collect(),
        passkeys: passkeys.collect(),
        passwords: server.settings.passwords,
        providers,
        acts: super::third_parties::lines(server, user_id).await?,
        offers_passkeys: RelyingParty::of(&server.settings.issuer).is_some(),
        second_factor: server.store.find_totp(user_id).await?.is_some(),
        recovery_codes: server.store.count_recovery_codes(user_id).await?,
        admin: server.path("/admin"),
    };
    let ways = server.settings.sign_in.iter().map(|way| &way.provider.settings().issuer);
    Ok(answer(StatusCode::OK, &page, &FormTarget::providers(ways)))
}

/// The connected apps of a person, or with an empty id of all.
pub(in crate::endpoints) async fn apps(server: &Server, user_id: &str) -> Result<Vec<App>, StoreError> {
    let now = server.store.now();
    let young = now.before(server.settings.lifetimes.access_token);
    let grants = server.store.list_grants(user_id, young).await?;
    Ok(grants.into_iter().map(|grant| app(server, grant)).collect())
}

fn app(server: &Server, grant: GrantInUse) -> App {
    let now = server.store.now();
    let known = &server.settings.resources;
    let granted: Vec<&Resource> = grant
        .resource
        .split(' ')
        .filter_map(|name| known.iter().find(|resource| resource.identifier.as_str() == name))
        .collect();
    let in_words = |scope: &str| {
        if scope == OFFLINE_ACCESS {
            return "stay connected while you are away".to_owned();
        }
        let mut described = granted.iter().flat_map(|resource| &resource.scopes);
        let described = described.find(|(known, _)| known.as_str() == scope).map(|(_, says)| says.clone());
        described.unwrap_or_else(|| scope.to_owned())
    };
    App {
        name: name(&grant),
        // One that is configured no more goes by its identifier.
        resource: if granted.is_empty() { grant.resource.clone() } else { names(&granted) },
        may: grant.scopes.split(' ').filter(|scope| !scope.is_empty()).map(in_words).collect(),
        device: grant.device,
        since: ago(grant.created_at, now),
        used: ago(grant.used_at.unwrap_or(grant.created_at), now),
        username: grant.user_name,
        client_id: shown(&grant.client_id),
        id: grant.id,
    }
}

/// What the app calls itself; one that is a metadata document, the domain that vouches for it.
fn name(grant: &GrantInUse) -> String {
    let name = shown(grant.client_name.as_deref().unwrap_or_default());
    let domain = url::Url::parse(&grant.client_id).ok().and_then(|url| url.domain().map(str::to_owned));
    match (name.is_empty(), domain) {
        (false, _) => name,
        (true, Some(domain)) => domain,
        (true, None) => shown(&grant.client_id),
    }
}
