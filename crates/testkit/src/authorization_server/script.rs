//! What goes wrong at a peer, and what came in there.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::providers::Recorded;

/// What the peer does; at first all as it should be.
#[derive(Clone, Debug)]
pub struct Script {
    /// Whether the MCP server wants a token at all.
    pub protected: bool,
    /// The `WWW-Authenticate` of a 401; `{origin}` is replaced.
    pub challenge: Option<String>,
    /// `resource` in the resource metadata; `None` for no such document.
    pub resource: Option<String>,
    /// `resource` in the metadata at the root of the host; `None` for no such document.
    pub root_resource: Option<String>,
    /// `authorization_servers` in the resource metadata, in place of this peer.
    pub authorization_servers: Option<Vec<String>>,
    /// Whether tokens come with an ID token that alone is good at the MCP server.
    pub id_token: bool,
    /// Whether the tool `write` is refused whatever the token's scopes.
    pub forbid: bool,
    /// Without this token nobody registers (RFC 7591 §1.2).
    pub registration_token: Option<&'static str>,
    /// Where the MCP endpoint redirects to, in place of an answer.
    pub redirect: Option<String>,
    /// `issuer` in the server metadata; `None` for no such document.
    pub issuer: Option<String>,
    /// The authorization endpoint in the metadata.
    pub authorization_endpoint: String,
    /// Members of the server metadata to add or replace; null removes one.
    pub metadata: Value,
    /// Further documents, by their path: keys, metadata at other places.
    pub documents: HashMap<String, Value>,
    /// The provider whose recorded behaviour this peer has, if any.
    pub provider: Option<Arc<Recorded>>,
    /// Parameters to replace in the authorization response; `None` removes one.
    pub response: Vec<(&'static str, Option<String>)>,
    /// Lifetime of access tokens, in seconds.
    pub expires_in: u64,
    /// Whether access tokens cannot be revoked (RFC 7009 §2.2.1).
    pub keeps_access: bool,
    /// What the revocation endpoint answers, in place of revoking.
    pub revocation: Option<(u16, Value)>,
    /// The status of every answer of the MCP server, in place of what it would say.
    pub status: Option<u16>,
    /// What `initialize` is answered with, in place of a session.
    pub initialize: Option<(u16, Value)>,
    /// What a refresh is answered with, in place of tokens.
    pub refresh: Option<(u16, Value)>,
    /// Members of the token response to add or replace.
    pub token: Value,
    /// How long after its use a refresh token is still good for the newest one of its chain, as with hallpass's own
    /// authorization server; without it, a replayed token is refused.
    pub grace: Option<Duration>,
    /// How long the token endpoint thinks.
    pub delay: Duration,
    /// Whether codes for other devices (RFC 8628) are made, and what each question about one is answered with
    /// before there are tokens.
    pub device: Option<Vec<&'static str>>,
    /// The status of a refusal by the token endpoint. RFC 6749 §5.2 says 400; GitHub says 200.
    pub refusal: StatusCode,
    /// The scopes of every token, in place of those asked for.
    pub granted: Option<String>,
    /// Members of the resource metadata to add or replace.
    pub resource_metadata: Value,
    /// The content type of the resource metadata.
    pub resource_type: &'static str,
    /// `token_type` of every token; the MCP server takes a token under that scheme alone.
    pub token_type: &'static str,
    /// The nonce that both servers want in a DPoP proof.
    pub nonce: Option<&'static str>,
    /// Whether every nonce is old by the time it comes back.
    pub nonce_is_always_old: bool,
    /// What grants without a person are answered with, in place of tokens.
    pub grant: Option<(u16, Value)>,
    /// What a token exchange (RFC 8693) says that it has issued.
    pub issued_token_type: &'static str,
    /// Whether tokens are bound to the certificate that was shown when they were asked for (RFC 8705 §3).
    pub certificate_bound: bool,
    /// What the authorization endpoint answers for a client that was [forgotten](Peer::forget_clients); with `None`
    /// it notices nothing.
    pub forgotten: Option<(u16, &'static str)>,
}

impl Script {
    pub(super) fn sound(origin: &str) -> Self {
        Self {
            protected: true,
            challenge: Some(
                "Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\", scope=\"read\"".into(),
            ),
            resource: Some(format!("{origin}/mcp")),
            root_resource: None,
            authorization_servers: None,
            id_token: false,
            forbid: false,
            registration_token: None,
            redirect: None,
            issuer: Some(origin.to_owned()),
            authorization_endpoint: format!("{origin}/authorize"),
            metadata: json!({}),
            documents: HashMap::new(),
            provider: None,
            response: Vec::new(),
            expires_in: 3600,
            keeps_access: false,
            revocation: None,
            status: None,
            initialize: None,
            refresh: None,
            grace: None,
            token: json!({}),
            delay: Duration::ZERO,
            device: None,
            refusal: StatusCode::BAD_REQUEST,
            granted: None,
            resource_metadata: json!({}),
            resource_type: "application/json",
            token_type: "Bearer",
            nonce: None,
            nonce_is_always_old: false,
            grant: None,
            issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
            certificate_bound: false,
            forgotten: Some((400, r#"{"error":"invalid_client"}"#)),
        }
    }
}

/// What came in.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Queries of the authorization endpoint.
    pub authorizations: Vec<HashMap<String, String>>,
    /// Queries of the same for clients that were forgotten.
    pub refused_authorizations: Vec<HashMap<String, String>>,
    /// Bodies of the registration endpoint.
    pub registrations: Vec<Value>,
    /// `Authorization` of all that came there, refused or not.
    pub registration_fields: Vec<Option<String>>,
    /// Forms of the token endpoint.
    pub token_requests: Vec<HashMap<String, String>>,
    /// Header fields of the same.
    pub token_headers: Vec<HeaderMap>,
    /// Forms of pushed authorization requests; each `request_uri` is `urn:pushed:` and its place here.
    pub pushed: Vec<HashMap<String, String>>,
    /// Tokens that were revoked.
    pub revoked: Vec<String>,
    /// Requests for metadata, by path.
    pub metadata_requests: Vec<String>,
    /// HTTP requests to the MCP endpoint: HTTP method, JSON-RPC method, headers.
    pub mcp: Vec<(String, String, HeaderMap)>,
    /// Over TLS: host and path of every request, and whether a client certificate was shown.
    pub shown: Vec<(String, bool)>,
}

impl Seen {
    /// How many token requests used a grant type.
    #[must_use]
    pub fn grants(&self, grant_type: &str) -> usize {
        self.token_requests
            .iter()
            .filter(|form| form.get("grant_type").is_some_and(|g| g == grant_type))
            .count()
    }
}
