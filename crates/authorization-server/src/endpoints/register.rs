//! `/register`: clients register themselves (RFC 7591).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::redirect::RedirectUri;
use hallpass_protocol::registration::{ClientInformation, ClientMetadata};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::StatusCode;

use super::Server;
use super::oauth_answer::{error, json};
use crate::clients::{AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN};
use crate::grants::storage;
use crate::login::network;
use crate::random::{digest, id, token};
use crate::settings::RegistrationPolicy;
use crate::store::{ClientOrigin, ClientRow, RegistrationQuota};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// One address may have this part of the hour's registrations.
const SHARE: u32 = 5;
const MOST_REDIRECT_URIS: usize = 20;
/// Names are cut when they are shown; this only bounds the row.
const LONGEST_NAME: usize = 200;

pub(super) async fn post(
    State(server): State<Server>,
    connection: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Bytes,
) -> Response {
    let address = connection.map(|Extension(ConnectInfo(address))| address.ip());
    match register(&server, address, &body).await {
        Ok(information) => json(StatusCode::CREATED, &information),
        Err(refused) => error(&refused),
    }
}

async fn register(
    server: &Server,
    address: Option<IpAddr>,
    body: &[u8],
) -> Result<ClientInformation, OAuthError> {
    let per_hour = per_hour(server)?;
    let asked = metadata(body)?;
    let grant_types = grant_types(&asked)?;
    check_redirect_uris(&asked, &grant_types)?;
    let method = auth_method(&asked)?;
    check_response_types(&asked)?;
    let secret = (method != "none").then(|| Secret::new(token()));
    let name = asked.client_name.as_deref().map(cut);
    let row = ClientRow {
        id: id(),
        origin: ClientOrigin::Dynamic,
        name: name.clone(),
        auth_method: method.to_owned(),
        secret_hash: secret.as_ref().map(|secret| server.store.key().client_secret_hash(secret.expose())),
        redirect_uris: asked.redirect_uris.clone(),
        grant_types: grant_types.clone(),
        // What a client may ask for is up to its person, at consent: clients register before they know the scopes.
        scopes: None,
        created_at: server.store.now(),
        disabled: false,
        own_grant: id(),
        details: crate::clients::ClientDetails::default(),
    };
    insert(server, &row, per_hour, address).await?;
    Ok(ClientInformation {
        client_id_issued_at: Some(row.created_at),
        // RFC 7591 §3.2.1: required with a secret; zero is for ever.
        client_secret_expires_at: secret.as_ref().map(|_| Timestamp::from_unix(0)),
        client_secret: secret,
        ..ClientInformation::public(row.id, registered(asked, method, grant_types, name))
    })
}

/// RFC 7591 §3.2.1: what is registered is told, which may be less than what was asked for.
fn registered(
    asked: ClientMetadata,
    method: &str,
    grant_types: Vec<String>,
    client_name: Option<String>,
) -> ClientMetadata {
    ClientMetadata {
        redirect_uris: asked.redirect_uris,
        token_endpoint_auth_method: Some(method.to_owned()),
        grant_types: Some(grant_types),
        response_types: Some(vec!["code".to_owned()]),
        client_name,
        application_type: asked.application_type,
        ..ClientMetadata::default()
    }
}

fn per_hour(server: &Server) -> Result<u32, OAuthError> {
    match server.settings.registration {
        RegistrationPolicy::Open { per_hour } => Ok(per_hour),
        RegistrationPolicy::Off => Err(OAuthError::new(
            ErrorCode::AccessDenied,
            "clients cannot register themselves here; use a client ID metadata document, or ask the operator to add the client",
        )),
    }
}

/// All together may register so many, and one address a fifth of them, where addresses are people's own. This machine
/// has no share: whoever is on it could register from anywhere on it.
async fn insert(
    server: &Server,
    row: &ClientRow,
    per_hour: u32,
    address: Option<IpAddr>,
) -> Result<(), OAuthError> {
    let address = address
        .filter(|address| server.settings.count_addresses && !address.to_canonical().is_loopback())
        .map(|address| digest(&format!("registration\0{}", network(address))));
    let quota = RegistrationQuota {
        since: server.store.now().before(HOUR),
        in_all: per_hour,
        from: address.as_deref().map(|address| (address, (per_hour / SHARE).max(1))),
    };
    match server.store.register_client(row, quota).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "too many clients have registered within an hour; try again later, or use a client ID metadata document",
        )),
        Err(failed) => {
            tracing::error!(error = %failed, "the store failed");
            Err(storage())
        }
    }
}

fn metadata(body: &[u8]) -> Result<ClientMetadata, OAuthError> {
    from_slice_unique(body)
        .and_then(serde_json::from_value)
        .map_err(|error| invalid(&format!("the body is not client metadata in JSON: {error}")))
}

/// RFC 7591 §2: required for the grants that redirect.
fn check_redirect_uris(asked: &ClientMetadata, grant_types: &[String]) -> Result<(), OAuthError> {
    let refused = |why: &str| OAuthError::new(ErrorCode::InvalidRedirectUri, why);
    if asked.redirect_uris.is_empty() && grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE) {
        return Err(refused("redirect_uris is missing or empty"));
    }
    if asked.redirect_uris.len() > MOST_REDIRECT_URIS {
        return Err(refused(&format!("there are more than {MOST_REDIRECT_URIS} redirect_uris")));
    }
    for uri in &asked.redirect_uris {
        RedirectUri::parse_claimed(uri).map_err(|error| refused(&format!("{uri}: {error}")))?;
    }
    Ok(())
}

/// RFC 7591 §2: the default is `client_secret_basic`.
fn auth_method(asked: &ClientMetadata) -> Result<&'static str, OAuthError> {
    match asked.token_endpoint_auth_method.as_deref() {
        Some("none") => Ok("none"),
        None | Some("client_secret_basic") => Ok("client_secret_basic"),
        Some("client_secret_post") => Ok("client_secret_post"),
        Some(other) => Err(invalid(&format!(
            "token_endpoint_auth_method '{other}' is not supported; use none, client_secret_basic or client_secret_post"
        ))),
    }
}

/// RFC 7591 §2 lets the server leave out what it does not have: clients list others in passing. Where nothing is said,
/// the grants of the code flow are given.
fn grant_types(asked: &ClientMetadata) -> Result<Vec<String>, OAuthError> {
    let code_flow = [AUTHORIZATION_CODE, REFRESH_TOKEN];
    let Some(asked) = &asked.grant_types else {
        return Ok(code_flow.map(str::to_owned).to_vec());
    };
    let kept: Vec<String> = [AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE]
        .into_iter()
        .filter(|grant| asked.iter().any(|name| name == grant))
        .map(str::to_owned)
        .collect();
    match kept.iter().any(|grant| grant != REFRESH_TOKEN) {
        true => Ok(kept),
        false => Err(invalid(&format!(
            "grant_types has to name authorization_code or {DEVICE_CODE}, the grants that a client which registers itself can begin with"
        ))),
    }
}

fn check_response_types(asked: &ClientMetadata) -> Result<(), OAuthError> {
    match &asked.response_types {
        Some(types) if !types.iter().any(|name| name == "code") => {
            Err(invalid("response_types has to name code, the one response type there is"))
        }
        _ => Ok(()),
    }
}

fn cut(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

fn invalid(why: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, why)
}
