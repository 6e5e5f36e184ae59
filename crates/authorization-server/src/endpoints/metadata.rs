//! `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration` (RFC 8414 §3, OpenID Connect
//! Discovery §4): what this server can do, and nothing that it cannot.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hallpass_protocol::jose::Algorithm;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::server_metadata::{AuthorizationServerMetadata, MtlsEndpointAliases};
use http::header::CACHE_CONTROL;
use serde_json::{Map, Value, json};

use super::{Server, device_authorization, introspect, par, register, token};
use crate::checks::OFFLINE_ACCESS;
use crate::clients::Methods;
use crate::delegation::AssertionKind;
use crate::settings::RegistrationPolicy;

/// The places in which clients look for this issuer's metadata; two or three of them.
pub(super) fn router(server: &Server) -> Router<Server> {
    server.settings.issuer.metadata_urls().iter().fold(Router::new(), |router, url| {
        let openid = url.path().contains("/openid-configuration");
        router.route(
            url.path(),
            get(move |State(server): State<Server>| async move { answer(&server, openid) }),
        )
    })
}

fn answer(server: &Server, openid: bool) -> Response {
    let mut metadata = metadata(server);
    if openid {
        // OpenID Connect Discovery §3 requires both, and parsers insist. No ID token is issued: `openid` is no scope here.
        metadata.subject_types_supported = Some(vec!["public".to_owned()]);
        metadata.id_token_signing_alg_values_supported =
            Some(server.keys.algorithms().iter().map(ToString::to_string).collect());
    }
    ([(CACHE_CONTROL, "public, max-age=300")], Json(metadata)).into_response()
}

fn metadata(server: &Server) -> AuthorizationServerMetadata {
    let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect());
    let mutual_tls = server.settings.mutual_tls.as_ref();
    let methods = Methods::of(mutual_tls).names();
    let algorithms = Algorithm::ALL.map(Algorithm::name);
    let issues = server.settings.proxied.is_none();
    AuthorizationServerMetadata {
        issuer: server.settings.issuer.as_str().to_owned(),
        authorization_endpoint: Some(server.url("/authorize")),
        token_endpoint: Some(server.url("/token")),
        registration_endpoint: match server.settings.registration {
            RegistrationPolicy::Open { .. } | RegistrationPolicy::WithToken => {
                Some(server.url(register::PATH))
            }
            RegistrationPolicy::Off => None,
        },
        revocation_endpoint: Some(server.url("/revoke")),
        introspection_endpoint: issues.then(|| server.url(introspect::PATH)),
        pushed_authorization_request_endpoint: Some(server.url(par::PATH)),
        require_pushed_authorization_requests: server.settings.require_pushed_requests,
        device_authorization_endpoint: issues.then(|| server.url(device_authorization::PATH)),
        jwks_uri: Some(server.url("/jwks")),
        scopes_supported: Some(scopes(server)),
        response_types_supported: list(&["code"]),
        response_modes_supported: list(&["query"]),
        grant_types_supported: list(&token::grant_types(&server.settings)),
        token_endpoint_auth_methods_supported: list(&methods),
        token_endpoint_auth_signing_alg_values_supported: list(&algorithms),
        revocation_endpoint_auth_methods_supported: list(&methods),
        // What a provider gives is bound to no key of the client's.
        dpop_signing_alg_values_supported: if issues { list(&algorithms) } else { None },
        code_challenge_methods_supported: list(&[hallpass_protocol::pkce::S256]),
        authorization_response_iss_parameter_supported: true,
        client_id_metadata_document_supported: true,
        tls_client_certificate_bound_access_tokens: issues && mutual_tls.is_some(),
        mtls_endpoint_aliases: aliases(server),
        other: methods_of_others(&algorithms, &methods, issues)
            .into_iter()
            .chain(grant_profiles(server))
            .collect(),
        ..AuthorizationServerMetadata::default()
    }
}

/// RFC 8414 §2: required beside the method that needs it.
fn methods_of_others(algorithms: &[&str], methods: &[&str], issues: bool) -> Map<String, Value> {
    let mut other = Map::from_iter([(
        "revocation_endpoint_auth_signing_alg_values_supported".to_owned(),
        json!(algorithms),
    )]);
    if issues {
        other.extend([
            ("introspection_endpoint_auth_signing_alg_values_supported".to_owned(), json!(algorithms)),
            // RFC 7662 §2.1: authenticated, so without `none`.
            ("introspection_endpoint_auth_methods_supported".to_owned(), json!(methods[1..])),
        ]);
    }
    other
}

/// ID-JAG §7.2, enterprise-managed authorization §6: that such assertions are taken, and not whose (§8.4).
fn grant_profiles(server: &Server) -> Option<(String, serde_json::Value)> {
    let takes = server.settings.trusted_issuers.iter().any(|trusted| trusted.kind == AssertionKind::IdJag);
    let member = "authorization_grant_profiles_supported".to_owned();
    takes.then(|| (member, json!(["urn:ietf:params:oauth:grant-profile:id-jag"])))
}

/// RFC 8705 §5: the endpoints at which clients show certificates, where that is another place.
fn aliases(server: &Server) -> Option<MtlsEndpointAliases> {
    let at = |path: &str| server.alias(path);
    let issues = server.settings.proxied.is_none();
    Some(MtlsEndpointAliases {
        token_endpoint: Some(at(token::PATH)?),
        revocation_endpoint: at("/revoke"),
        introspection_endpoint: at(introspect::PATH).filter(|_| issues),
        pushed_authorization_request_endpoint: at(par::PATH),
        device_authorization_endpoint: at(device_authorization::PATH).filter(|_| issues),
        ..MtlsEndpointAliases::default()
    })
}

/// RFC 8414 §2 lets a server leave scopes out. Some clients ask for all that stand here, so it is what a first login needs,
/// the same that stands in the 401 and in the metadata of the resource; what goes beyond is asked for when it is needed.
fn scopes(server: &Server) -> Vec<String> {
    let least = server.settings.resources.iter().flat_map(|resource| resource.default.iter().cloned());
    let least: ScopeSet = least.collect();
    let names = least.iter().map(|scope| scope.as_str().to_owned());
    names.chain([OFFLINE_ACCESS.to_owned()]).collect()
}
