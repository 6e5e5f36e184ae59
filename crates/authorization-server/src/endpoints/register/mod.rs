//! `/register`: clients register themselves (RFC 7591). Below it, each manages what it has registered (RFC 7592).

mod bearer;
pub(super) mod management;

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::registration::{ClientInformation, ClientMetadata};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::Server;
use super::oauth_answer::json;
use crate::audit::{AuditKind, NewEvent};
use crate::clients::{CertificateName, Described, Methods, RegistrationFault, read_registration};
use crate::endpoints::address::CameFrom;
use crate::grants::storage;
use crate::login::network;
use crate::random::{digest, id, token};
use crate::settings::RegistrationPolicy;
use crate::store::{Admission, ClientOrigin, ClientRow, Registered, RegistrationQuota, StoreError};
pub(crate) use bearer::bearer;
use bearer::refused_token;

pub(super) const PATH: &str = "/register";

const HOUR: Duration = Duration::from_secs(60 * 60);
/// One address may have this part of the hour's registrations.
const SHARE: u32 = 5;

pub(super) async fn post(
    State(server): State<Server>,
    CameFrom(address): CameFrom,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match register(&server, address, &headers, &body).await {
        Ok(information) => json(StatusCode::CREATED, &information),
        Err(refused) => bearer::error(&refused),
    }
}

async fn register(
    server: &Server,
    address: Option<IpAddr>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ClientInformation, OAuthError> {
    let initial = bearer(headers)?;
    let policy = server.settings.registration;
    check_policy(policy, initial.is_some())?;
    let described = described(server, &read_registration(body).map_err(fault)?)?;
    let (secret, manages) = (described.has_secret().then(|| Secret::new(token())), Secret::new(token()));
    let row = ClientRow {
        secret_hash: secret.as_ref().map(|secret| server.store.key().client_secret_hash(secret.expose())),
        ..row(server, id(), &described)
    };
    let address = counted(server, address);
    let initial = initial.map(|token| digest(token.expose()));
    let admission = match (policy, &initial) {
        (_, Some(hash)) => Admission::Token(hash),
        (RegistrationPolicy::Open { per_hour }, None) => {
            Admission::Quota(quota(server, per_hour, address.as_deref()))
        }
        _ => return Err(refused_token()),
    };
    match server.store.register_client(&row, &digest(manages.expose()), admission).await {
        Ok(Registered::Done(by)) => {
            let how = by.map(|id| format!("with the token {id}"));
            note(server, AuditKind::ClientRegistered, &row, how);
            Ok(information(server, &row, &described, secret, manages))
        }
        Ok(Registered::NotAdmitted) => Err(refused_token()),
        Ok(Registered::TooMany) => Err(too_many()),
        Err(failed) => Err(failure(&failed)),
    }
}

/// RFC 7591 §3: open, for those with a token of the operator's, or nobody.
fn check_policy(policy: RegistrationPolicy, has_token: bool) -> Result<(), OAuthError> {
    match policy {
        RegistrationPolicy::Off => Err(off()),
        RegistrationPolicy::WithToken if !has_token => Err(refused_token()),
        _ => Ok(()),
    }
}

fn quota<'a>(server: &Server, per_hour: u32, address: Option<&'a str>) -> RegistrationQuota<'a> {
    RegistrationQuota {
        ends: server.store.now().after(HOUR),
        in_all: per_hour,
        from: address.map(|address| (address, (per_hour / SHARE).max(1))),
    }
}

fn too_many() -> OAuthError {
    OAuthError::new(
        ErrorCode::TemporarilyUnavailable,
        "too many clients have registered within an hour; try again later, or use a client ID metadata document",
    )
}

fn off() -> OAuthError {
    OAuthError::new(
        ErrorCode::AccessDenied,
        "clients cannot register themselves here; use a client ID metadata document, or ask the operator to add the client",
    )
}

fn described(server: &Server, asked: &ClientMetadata) -> Result<Described, OAuthError> {
    let methods = Methods::of(server.settings.mutual_tls.as_ref());
    Described::check(asked, &server.settings.registration_redirects, methods).map_err(fault)
}

fn fault(fault: RegistrationFault) -> OAuthError {
    fault.to_oauth()
}

fn failure(failed: &StoreError) -> OAuthError {
    tracing::error!(error = %failed, "the store failed");
    storage()
}

/// All together may register so many, and one address a fifth of them, where addresses are people's own. This machine
/// has no share: whoever is on it could register from anywhere on it.
fn counted(server: &Server, address: Option<IpAddr>) -> Option<String> {
    address
        .filter(|address| server.settings.count_addresses && !address.to_canonical().is_loopback())
        .map(|address| digest(&format!("registration\0{}", network(address))))
}

/// A new client without a secret.
fn row(server: &Server, id: String, described: &Described) -> ClientRow {
    ClientRow {
        id,
        origin: ClientOrigin::Dynamic,
        name: described.name().map(str::to_owned),
        auth_method: described.method().to_owned(),
        secret_hash: None,
        redirect_uris: described.redirect_uris().to_vec(),
        grant_types: described.grant_types().to_vec(),
        // What a client may ask for is up to its person, at consent: clients register before they know the scopes.
        scopes: None,
        created_at: server.store.now(),
        disabled: false,
        own_grant: crate::random::id(),
        details: described.details().clone(),
    }
}

/// For the audit log. The client chose its name: quoted, it cannot look like the words around it.
fn note(server: &Server, kind: AuditKind, row: &ClientRow, how: Option<String>) {
    let name = row.name.as_deref().filter(|name| !name.is_empty()).map(|name| format!("name {name:?}"));
    let uris = row.redirect_uris.join(" ");
    let uris = (!uris.is_empty()).then(|| format!("to {uris}"));
    let words: Vec<String> = [how, name, uris].into_iter().flatten().collect();
    server.store.record(NewEvent::new(kind).client(&row.id).detail(words.join(", ")));
}

/// RFC 7591 §3.2.1, RFC 7592 §3.
fn information(
    server: &Server,
    row: &ClientRow,
    described: &Described,
    secret: Option<Secret>,
    manages: Secret,
) -> ClientInformation {
    let metadata = ClientMetadata {
        application_type: described.application_type().map(str::to_owned),
        ..registered(row)
    };
    ClientInformation {
        client_id_issued_at: Some(row.created_at),
        // Required with a secret; zero is for ever.
        client_secret_expires_at: secret.as_ref().map(|_| Timestamp::from_unix(0)),
        client_secret: secret,
        registration_client_uri: Some(server.url(&format!("{PATH}/{}", row.id))),
        registration_access_token: Some(manages),
        ..ClientInformation::public(row.id.clone(), metadata)
    }
}

/// RFC 7591 §3.2.1: what is registered is told, which may be less than what was asked for.
fn registered(row: &ClientRow) -> ClientMetadata {
    let flags = [
        ("dpop_bound_access_tokens", row.details.dpop_bound_access_tokens),
        ("require_pushed_authorization_requests", row.details.require_pushed_authorization_requests),
        (
            "tls_client_certificate_bound_access_tokens",
            row.details.tls_client_certificate_bound_access_tokens,
        ),
    ];
    let flags = flags.into_iter().filter(|(_, set)| *set).map(|(name, set)| (name, Value::Bool(set)));
    let name = row.details.tls_client_auth.as_ref().map(CertificateName::member);
    let name = name.map(|(name, value)| (name, Value::String(value)));
    ClientMetadata {
        redirect_uris: row.redirect_uris.clone(),
        token_endpoint_auth_method: Some(row.auth_method.clone()),
        grant_types: Some(row.grant_types.clone()),
        response_types: Some(vec!["code".to_owned()]),
        client_name: row.name.clone(),
        jwks: row.details.jwks.as_ref().and_then(|keys| serde_json::to_value(keys).ok()),
        jwks_uri: row.details.jwks_uri.clone(),
        other: flags.chain(name).map(|(name, value)| (name.to_owned(), value)).collect(),
        ..ClientMetadata::default()
    }
}
