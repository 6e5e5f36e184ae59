//! `/par`: a client pushes its authorization request here and gets a name for it (RFC 9126).

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::StatusCode;
use serde_json::json as value;
use url::form_urlencoded;

use super::asked::Asked;
use super::authorize::LONGEST_QUERY;
use super::oauth_answer::{client, error, form, json};
use super::{Server, dpop};
use crate::checks::{Proven, check, prove};
use crate::clients::AuthenticatedClient;
use crate::grants::storage;
use crate::pages::Problem;
use crate::random::{digest, token};

pub(super) const PATH: &str = "/par";

/// What names a pushed request (RFC 9126 §2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// RFC 9126 §2.2: short. The person's browser comes right after.
const LIFETIME: Duration = Duration::from_secs(90);
/// So many wait at once; beyond that the oldest make room. Anyone can push in the name of a public client.
const MOST: i64 = 5_000;
/// What shows who the client is; no part of its request.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

pub(super) async fn post(State(server): State<Server>, asked: Asked, body: Bytes) -> Response {
    let mut response = push(&server, &asked, &body).await.unwrap_or_else(|refused| refused);
    dpop::with_nonce(&server, &asked.headers, response.headers_mut());
    response
}

/// Form → client → key → every check that `/authorize` makes → stored (RFC 9126 §2.1). The proof is not remembered: whoever
/// sends it again gets a request that only the key's holder can use.
async fn push(server: &Server, asked: &Asked, body: &[u8]) -> Result<Response, Response> {
    let form = form(&asked.headers, body).map_err(|refused| error(&refused))?;
    let client = client(server, asked, &form).await?;
    let proof = dpop::proof(server, &asked.headers, PATH).map_err(|refused| error(&refused))?;
    let key = proof.as_ref().map(|proof| proof.thumbprint.as_str());
    check_key(&form, key).map_err(|refused| error(&refused))?;
    let request = request(&form, client.id(), key);
    check_length(&request).map_err(|refused| error(&refused))?;
    let parameters = Parameters::parse(&request).map_err(|_| error(&ErrorCode::InvalidRequest.into()))?;
    let proven = prove(server, &parameters).await.map_err(|problem| error(&said(&problem)))?;
    check_shown(&proven, &client).map_err(|refused| error(&refused))?;
    check(&parameters, &proven, &server.settings, server.store.now()).map_err(|refused| error(&refused))?;
    let name = token();
    let ends = server.store.now().after(LIFETIME);
    let hash = digest(&name);
    let kept = match server.store.insert_pushed_request(&hash, client.id(), &request, ends).await {
        Ok(()) => server.store.bound_pushed_requests(MOST, &hash).await,
        failed => failed,
    };
    match kept {
        Ok(()) => Ok(json(
            StatusCode::CREATED,
            &value!({"request_uri": format!("{PREFIX}{name}"), "expires_in": LIFETIME.as_secs()}),
        )),
        Err(failed) => {
            tracing::error!(error = %failed, "the store failed");
            Err(error(&storage()))
        }
    }
}

/// RFC 9126 §2.1: whoever authenticates at the token endpoint does so here. A metadata document is looked at only now, so
/// its client may have come with its id alone.
fn check_shown(proven: &Proven, client: &AuthenticatedClient) -> Result<(), OAuthError> {
    match proven.client().is_public() || client.is_proven() {
        true => Ok(()),
        false => Err(OAuthError::new(ErrorCode::InvalidClient, "this client has to show its key")),
    }
}

/// What would be refused at `/authorize` is not stored here.
fn check_length(request: &str) -> Result<(), OAuthError> {
    match request.len() <= LONGEST_QUERY {
        true => Ok(()),
        false => Err(OAuthError::new(ErrorCode::InvalidRequest, "the request is too long")),
    }
}

/// RFC 9449 §10.1: both a proof and `dpop_jkt` may be there, and name one key.
fn check_key(form: &Parameters, key: Option<&str>) -> Result<(), OAuthError> {
    match (form.get("dpop_jkt").ok().flatten(), key) {
        (Some(named), Some(key)) if named != key => {
            Err(OAuthError::new(ErrorCode::InvalidRequest, "dpop_jkt is not the key of the DPoP proof"))
        }
        _ => Ok(()),
    }
}

/// The request as it will be read again: without credentials, with the client's id and the key.
fn request(form: &Parameters, client_id: &str, key: Option<&str>) -> String {
    let mut request = form_urlencoded::Serializer::new(String::new());
    let own = |name: &str| name == "client_id" || (name == "dpop_jkt" && key.is_some());
    let kept = form.iter().filter(|(name, _)| !CREDENTIALS.contains(name) && !own(name));
    request.extend_pairs(kept).append_pair("client_id", client_id);
    if let Some(key) = key {
        request.append_pair("dpop_jkt", key);
    }
    request.finish()
}

/// What a page would tell, told to the client.
fn said(problem: &Problem) -> OAuthError {
    match problem.is_ours() {
        true => storage(),
        false => OAuthError::new(ErrorCode::InvalidRequest, problem.what()),
    }
}

/// The request that `request_uri` names, which is used up by that; none, where nothing that was pushed is named. Any other
/// `request_uri` is refused by the checks, as a request object that nobody here fetches.
pub(super) async fn take(server: &Server, parameters: &Parameters) -> Result<Option<Parameters>, Problem> {
    let named = parameters.get("request_uri").ok().flatten();
    let Some(name) = named.and_then(|name| name.strip_prefix(PREFIX)) else {
        return Ok(None);
    };
    let lost = Problem::spent_request;
    let client_id = parameters.get("client_id").ok().flatten().ok_or_else(lost)?;
    let request = server.store.take_pushed_request(&digest(name), client_id).await?.ok_or_else(lost)?;
    Parameters::parse(&request).map(Some).map_err(|_| lost())
}
