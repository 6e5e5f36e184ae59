//! `/register/{client_id}`: a client reads, changes and removes what it has registered (RFC 7592), by the token that came
//! with the registration.
//!
//! Each change brings a new token (RFC 7592 §2.2, §5). The one before it counts until the client has used the new one: an
//! answer that was lost locks nobody out.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::registration::{ClientInformation, ClientMetadata};
use hallpass_protocol::secret::Secret;
use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::super::Server;
use super::super::oauth_answer::json;
use super::bearer::{bearer, error, refused_token};
use super::{counted, described, failure, fault, information, note, off, quota, registered, row, too_many};
use crate::audit::AuditKind;
use crate::clients::read_registration;
use crate::endpoints::address::CameFrom;
use crate::random::{digest, token};
use crate::settings::RegistrationPolicy;
use crate::store::{ClientRow, Registered};

/// The path of one registration.
pub(in crate::endpoints) const PATH: &str = "/register/{client_id}";

/// A client that has shown the token of its registration. Only [`open`] makes one.
struct Owned {
    row: ClientRow,
    token: Secret,
}

pub(in crate::endpoints) async fn get(
    State(server): State<Server>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match read(&server, &id, &headers).await {
        Ok(information) => json(StatusCode::OK, &information),
        Err(refused) => error(&refused),
    }
}

pub(in crate::endpoints) async fn put(
    State(server): State<Server>,
    Path(id): Path<String>,
    CameFrom(address): CameFrom,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match change(&server, &id, address, &headers, &body).await {
        Ok(information) => json(StatusCode::OK, &information),
        Err(refused) => error(&refused),
    }
}

pub(in crate::endpoints) async fn delete(
    State(server): State<Server>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match remove(&server, &id, &headers).await {
        Ok(()) => {
            let headers = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
            (StatusCode::NO_CONTENT, headers).into_response()
        }
        Err(refused) => error(&refused),
    }
}

/// RFC 7592 §2: the token has to be that of this very registration. One of another client opens nothing, and is not told
/// from a wrong one.
async fn open(server: &Server, id: &str, headers: &HeaderMap) -> Result<Owned, OAuthError> {
    let token = bearer(headers)?.ok_or_else(refused_token)?;
    let hash = digest(token.expose());
    let row = server.store.find_registration(id, &hash).await.map_err(|failed| failure(&failed))?;
    let row = row.ok_or_else(refused_token)?;
    if row.disabled {
        return Err(OAuthError::new(
            ErrorCode::AccessDenied,
            "the operator of this server has switched this client off",
        ));
    }
    let retired = server.store.retire_former_registration_token(id, &hash).await;
    retired.map_err(|failed| failure(&failed))?;
    Ok(Owned { row, token })
}

/// RFC 7592 §2.1. The secret is not told again: only its hash is kept.
async fn read(server: &Server, id: &str, headers: &HeaderMap) -> Result<ClientInformation, OAuthError> {
    let Owned { row, token } = open(server, id, headers).await?;
    Ok(ClientInformation {
        client_id_issued_at: Some(row.created_at),
        registration_client_uri: Some(server.url(&format!("{}/{}", super::PATH, row.id))),
        registration_access_token: Some(token),
        ..ClientInformation::public(row.id.clone(), registered(&row))
    })
}

/// RFC 7592 §2.2: what is sent takes the place of all that was there, by the rules of a registration. Where anyone may
/// register, a change counts as one.
async fn change(
    server: &Server,
    id: &str,
    address: Option<IpAddr>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ClientInformation, OAuthError> {
    let owned = open(server, id, headers).await?;
    if server.settings.registration == RegistrationPolicy::Off {
        return Err(off());
    }
    let asked = read_registration(body).map_err(fault)?;
    check_client_id(&asked, id)?;
    check_untold(&asked)?;
    check_secret(server, &asked, &owned.row)?;
    let described = described(server, &asked)?;
    // A client that begins to have a secret gets one; one that has one keeps it.
    let secret = (described.has_secret() && owned.row.secret_hash.is_none()).then(|| Secret::new(token()));
    let hash = |secret: &Secret| server.store.key().client_secret_hash(secret.expose());
    let changed = ClientRow {
        secret_hash: secret.as_ref().map(hash).or(owned.row.secret_hash).filter(|_| described.has_secret()),
        created_at: owned.row.created_at,
        ..row(server, owned.row.id, &described)
    };
    let next = Secret::new(token());
    let (presented, next_hash) = (digest(owned.token.expose()), digest(next.expose()));
    let address = counted(server, address);
    let quota = match server.settings.registration {
        RegistrationPolicy::Open { per_hour } => Some(quota(server, per_hour, address.as_deref())),
        _ => None,
    };
    match server.store.update_registration(&changed, &presented, &next_hash, quota).await {
        Ok(Registered::Done(_)) => {
            note(server, AuditKind::ClientChanged, &changed, None);
            Ok(information(server, &changed, &described, secret, next))
        }
        Ok(Registered::NotAdmitted) => Err(refused_token()),
        Ok(Registered::TooMany) => Err(too_many()),
        Err(failed) => Err(failure(&failed)),
    }
}

/// RFC 7592 §2.3: the client ends, with all that was granted to it.
async fn remove(server: &Server, id: &str, headers: &HeaderMap) -> Result<(), OAuthError> {
    let owned = open(server, id, headers).await?;
    server.store.remove_client(&owned.row.id).await.map_err(|failed| failure(&failed))?;
    note(server, AuditKind::ClientRemoved, &owned.row, Some("by itself".to_owned()));
    Ok(())
}

/// RFC 7592 §2.2: `client_id` is there, and is this client's.
fn check_client_id(asked: &ClientMetadata, id: &str) -> Result<(), OAuthError> {
    let same = member(asked, "client_id") == Some(id);
    same.then_some(())
        .ok_or_else(|| invalid("client_id has to be there, and to be that of this registration"))
}

/// RFC 7592 §2.2: what only the server says is not sent.
fn check_untold(asked: &ClientMetadata) -> Result<(), OAuthError> {
    const OURS: [&str; 4] = [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ];
    match OURS.iter().find(|name| asked.other.contains_key(**name)) {
        Some(name) => Err(invalid(&format!("{name} is the server's to say; leave it out"))),
        None => Ok(()),
    }
}

/// RFC 7592 §2.2: a secret that is sent is the one that the client has. Nobody chooses one.
fn check_secret(server: &Server, asked: &ClientMetadata, row: &ClientRow) -> Result<(), OAuthError> {
    let Some(sent) = asked.other.get("client_secret") else { return Ok(()) };
    let sent = sent.as_str().map(|secret| server.store.key().client_secret_hash(secret));
    let same = match (&sent, &row.secret_hash) {
        (Some(sent), Some(known)) => sent.as_bytes().ct_eq(known.as_bytes()).into(),
        _ => false,
    };
    if same {
        Ok(())
    } else {
        Err(invalid("client_secret is not the one that this client has; leave it out"))
    }
}

fn member<'a>(asked: &'a ClientMetadata, name: &str) -> Option<&'a str> {
    asked.other.get(name).and_then(Value::as_str)
}

fn invalid(why: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, why)
}
