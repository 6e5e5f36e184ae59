//! `/device_authorization`: a device without a browser begins (RFC 8628 §3.1, §3.2).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::StatusCode;
use serde_json::json as value;

use super::Server;
use super::asked::Asked;
use super::oauth_answer::{client, error, form, json};
use crate::checks::{resource, scope};
use crate::clients::{AuthenticatedClient, Client, DEVICE_CODE, Unresolved, resolve};
use crate::grants::{MustBind, UserCode, storage};
use crate::random::{digest, id, token};
use crate::store::{DeviceRow, StoreError};

pub(super) const PATH: &str = "/device_authorization";

/// RFC 8628 §3.2: seconds between two questions.
const PAUSE: i64 = 5;
/// So many wait for a person at once; beyond that the oldest make room.
const MOST: i64 = 5_000;
/// Two codes alike are rare; three times in a row they are a fault.
const TRIES: usize = 3;

pub(super) async fn post(State(server): State<Server>, asked: Asked, body: Bytes) -> Response {
    begin(&server, &asked, &body).await.unwrap_or_else(|refused| refused)
}

/// Form → client → what it asks for → two codes.
async fn begin(server: &Server, asked: &Asked, body: &[u8]) -> Result<Response, Response> {
    let form = form(&asked.headers, body).map_err(|refused| error(&refused))?;
    let authenticated = client(server, asked, &form).await?;
    let client = whole(server, &authenticated).await.map_err(|refused| error(&refused))?;
    check_allowed(&client).map_err(|refused| error(&refused))?;
    let row = device(server, &form, &client).map_err(|refused| error(&refused))?;
    let (device_code, user_code) = stored(server, &row).await.map_err(|failed| {
        tracing::error!(error = %failed, "the store failed");
        error(&storage())
    })?;
    let page = server.url("/device");
    Ok(json(
        StatusCode::OK,
        &value!({
            "device_code": device_code,
            "user_code": user_code.shown(),
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={}", user_code.shown()),
            "expires_in": server.settings.lifetimes.device.as_secs(),
            "interval": PAUSE,
        }),
    ))
}

/// The client's name and what it may ask for are needed here, so a metadata document is fetched.
async fn whole(server: &Server, authenticated: &AuthenticatedClient) -> Result<Client, OAuthError> {
    if let Some(client) = authenticated.client() {
        return Ok(client.clone());
    }
    match resolve(server, authenticated.id()).await {
        // Its document may say by now that it has a key; then an id alone does not do.
        Ok(client) if client.is_public() => Ok(client),
        Ok(_) => Err(OAuthError::new(ErrorCode::InvalidClient, "this client has to show its key")),
        Err(Unresolved::Store(failed)) => {
            tracing::error!(error = %failed, "the store failed");
            Err(storage())
        }
        Err(unresolved) => Err(OAuthError::new(ErrorCode::InvalidClient, unresolved.to_string())),
    }
}

/// A client that registered itself with a list of grants uses those.
fn check_allowed(client: &Client) -> Result<(), OAuthError> {
    match client.may_begin(DEVICE_CODE) {
        true => Ok(()),
        false => Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            format!("this client is not registered for the grant '{DEVICE_CODE}'"),
        )),
    }
}

fn device(server: &Server, form: &Parameters, client: &Client) -> Result<DeviceRow, OAuthError> {
    let resources = resource::requested(form, &server.settings, client)?;
    let scopes = scope::requested(form, &resources.configured(&server.settings), client)?;
    Ok(DeviceRow {
        grant_id: id(),
        client_id: client.id.clone(),
        resource: resources.as_str().to_owned(),
        scopes: scopes.to_string(),
        acts_at: String::new(),
        refreshable: client.may_refresh,
        confidential: !client.is_public(),
        user_id: None,
        decision: None,
        must_bind: MustBind::of(&client.details),
        authenticated_at: None,
        redeemed_at: None,
        sealed_token: None,
        expires_at: server.store.now().after(server.settings.lifetimes.device),
    })
}

async fn stored(server: &Server, row: &DeviceRow) -> Result<(String, UserCode), StoreError> {
    for _ in 0..TRIES {
        let (device_code, user_code) = (token(), UserCode::new());
        let (device_hash, user_hash) = (digest(&device_code), digest(user_code.as_str()));
        if server.store.insert_device(&device_hash, &user_hash, row, PAUSE).await? {
            server.store.bound_unopened_devices(MOST, &device_hash).await?;
            return Ok((device_code, user_code));
        }
    }
    Err(StoreError::Unreadable { what: "free user code" })
}
