//! Dynamic registration (RFC 7591), as a native application.

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{
    oauth_error::OAuthError,
    registration::{ClientInformation, ClientMetadata},
    secret::Secret,
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Map;
use url::Url;

use super::{Identity, misconfigured};
use crate::{
    device,
    discover::AuthorizationServer,
    error::{Error, Rule, Step, printable},
    fetched,
    store::{Registration, TokenEndpointAuth},
    token_endpoint,
};

pub(super) async fn register(
    fetcher: &Fetcher,
    endpoint: &str,
    server: &AuthorizationServer,
    identity: &Identity,
    redirect_uri: &str,
) -> Result<Registration, Error> {
    let url = Url::parse(endpoint)
        .map_err(|error| misconfigured(endpoint, Rule::Malformed(printable(&error.to_string()))))?;
    let auth = token_endpoint::auth_to_register(server.metadata())?;
    let asked = metadata(server, identity, redirect_uri, auth);
    let mut headers = HeaderMap::new();
    if let Some(known) = &identity.registration_token {
        let token = known.at(server, &url).map_err(|rule| misconfigured(endpoint, rule))?;
        let field = bearer(token).ok_or_else(|| misconfigured(endpoint, Rule::RegistrationToken))?;
        headers.insert(AUTHORIZATION, field);
    }
    let answer = fetcher
        .showing_identity()
        .post_json(&url, &asked, headers)
        .await
        .map_err(|error| fetched::failed(Step::Register, endpoint, error))?;
    if fetched::is_transient(answer.status) {
        return Err(fetched::transient(Step::Register, endpoint, &answer));
    }
    if let Some(error) = fetched::redirected(Step::Register, endpoint, &answer) {
        return Err(error);
    }
    if !answer.status.is_success() {
        return Err(misconfigured(endpoint, refused(answer.status, &answer.body)));
    }
    let information: ClientInformation = serde_json::from_slice(&answer.body)
        .map_err(|error| misconfigured(endpoint, Rule::Malformed(printable(&error.to_string()))))?;
    accepted(information, auth, redirect_uri).map_err(|rule| misconfigured(endpoint, rule))
}

/// RFC 7591 §3, RFC 6750 §2.1. None where it holds what no field may hold.
fn bearer(token: &Secret) -> Option<HeaderValue> {
    let mut field = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
    field.set_sensitive(true);
    Some(field)
}

fn metadata(
    server: &AuthorizationServer,
    identity: &Identity,
    redirect_uri: &str,
    auth: TokenEndpointAuth,
) -> ClientMetadata {
    let supported = server.metadata().grant_types_supported.as_deref();
    let named = |grant: &str| supported.is_some_and(|grants| grants.iter().any(|known| known == grant));
    let grants = [
        ("authorization_code", true),
        ("refresh_token", supported.is_none() || named("refresh_token")),
        (device::GRANT_TYPE, named(device::GRANT_TYPE)),
    ];
    let binds = identity.has_certificate && server.metadata().tls_client_certificate_bound_access_tokens;
    let grants = grants.into_iter().filter(|(_, wanted)| *wanted).map(|(grant, _)| grant);
    ClientMetadata {
        redirect_uris: vec![redirect_uri.to_owned()],
        token_endpoint_auth_method: Some(auth.as_str().to_owned()),
        grant_types: Some(grants.map(str::to_owned).collect()),
        response_types: Some(vec!["code".to_owned()]),
        client_name: Some(identity.client_name.clone()),
        // OpenID Connect Registration §2: left out it means `web`, and loopback redirects are refused.
        application_type: Some("native".to_owned()),
        software_id: Some("hallpass".to_owned()),
        software_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        // RFC 8705 §3.4.
        other: Map::from_iter(
            binds.then(|| ("tls_client_certificate_bound_access_tokens".to_owned(), true.into())),
        ),
        ..ClientMetadata::default()
    }
}

/// RFC 7591 §3.2.1: the server may change what was asked for, and its answer counts.
fn accepted(
    information: ClientInformation,
    asked: TokenEndpointAuth,
    redirect_uri: &str,
) -> Result<Registration, Rule> {
    let named = information.metadata.token_endpoint_auth_method.as_deref();
    let auth = match named {
        None => asked,
        Some(name) => {
            TokenEndpointAuth::from_name(name).ok_or_else(|| Rule::NoTokenEndpointAuth(printable(name)))?
        }
    };
    Ok(Registration {
        client_id: information.client_id,
        client_secret: information.client_secret,
        // RFC 7591 §3.2.1: zero means never.
        secret_expires_at: information.client_secret_expires_at.filter(|end| end.unix() != 0),
        auth,
        redirect_uris: vec![redirect_uri.to_owned()],
    })
}

fn refused(status: http::StatusCode, body: &[u8]) -> Rule {
    let (error, description) = match serde_json::from_slice::<OAuthError>(body) {
        Ok(error) => (printable(error.error.as_str()), error.error_description),
        Err(_) => (status.to_string(), None),
    };
    match status {
        http::StatusCode::UNAUTHORIZED | http::StatusCode::FORBIDDEN => {
            Rule::RegistrationClosed { error, description }
        }
        _ => Rule::RegistrationRefused { error, description },
    }
}
