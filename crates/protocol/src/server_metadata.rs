//! Authorization server metadata (RFC 8414 §2, OpenID Connect Discovery 1.0 §3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::issuer::Issuer;
use crate::json::null_is_default;

/// What an authorization server says about itself.
///
/// Texts stand as they were sent; what is a URL is checked by whoever follows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationServerMetadata {
    /// The issuer. REQUIRED. Check it with [`Self::check_issuer`] before anything else is used.
    pub issuer: String,
    /// Where the user is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where codes become tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Where clients register (RFC 7591).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// Where opaque tokens are looked up (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// Where authorization requests are pushed (RFC 9126).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Whether authorization requests must be pushed (RFC 9126 §5).
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub require_pushed_authorization_requests: bool,
    /// Where devices start (RFC 8628).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// OpenID Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_endpoint: Option<String>,
    /// Where the keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Scopes to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// `code`, and with others more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_types_supported: Option<Vec<String>>,
    /// `query`, `fragment`, `form_post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_modes_supported: Option<Vec<String>>,
    /// Absent means `authorization_code` and `implicit` (RFC 8414 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_types_supported: Option<Vec<String>>,
    /// Absent means `client_secret_basic` (RFC 8414 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// For `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// How clients authenticate at the revocation endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Absent means that PKCE is not supported, and MCP clients must then refuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether `iss` is in every authorization response (RFC 9207 §3).
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a URL may be a client id (Client ID Metadata Document).
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub client_id_metadata_document_supported: bool,
    /// OpenID Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_types_supported: Option<Vec<String>>,
    /// OpenID Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signing_alg_values_supported: Option<Vec<String>>,
    /// Algorithms for DPoP proofs (RFC 9449 §5.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether access tokens can be bound to the client's certificate (RFC 8705 §3.3).
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Where clients go that show a certificate (RFC 8705 §5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls_endpoint_aliases: Option<MtlsEndpointAliases>,
    /// A page for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
    /// Whatever else was said.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Endpoints for clients that show a certificate, in place of those of the same name (RFC 8705 §5). A browser
/// shows none, so there is no authorization endpoint among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtlsEndpointAliases {
    /// Where codes become tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Where clients register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Where tokens are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// Where opaque tokens are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// Where authorization requests are pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Where devices start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// OpenID Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_endpoint: Option<String>,
}

// serde asks for a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

/// The document speaks for another issuer (RFC 8414 §3.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata is that of issuer {found:?}, not of {expected}; it must not be used (RFC 8414 §3.3)")]
pub struct WrongIssuer {
    /// Who was asked.
    pub expected: String,
    /// Whom the document speaks for.
    pub found: String,
}

impl AuthorizationServerMetadata {
    /// RFC 8414 §3.3, OpenID Connect Discovery §4.3: `issuer` is identical to the issuer that the
    /// URL was built from, character by character.
    ///
    /// # Errors
    /// [`WrongIssuer`].
    pub fn check_issuer(&self, expected: &Issuer) -> Result<(), WrongIssuer> {
        if self.issuer == expected.as_str() {
            return Ok(());
        }
        Err(WrongIssuer { expected: expected.to_string(), found: self.issuer.clone() })
    }

    /// The endpoints as a client uses them that shows a certificate: the aliases, where there are any. It MUST use
    /// them (RFC 8705 §5).
    pub fn use_mtls_endpoint_aliases(&mut self) {
        let Some(aliases) = self.mtls_endpoint_aliases.take() else { return };
        for (endpoint, alias) in [
            (&mut self.token_endpoint, aliases.token_endpoint),
            (&mut self.registration_endpoint, aliases.registration_endpoint),
            (&mut self.revocation_endpoint, aliases.revocation_endpoint),
            (&mut self.introspection_endpoint, aliases.introspection_endpoint),
            (&mut self.pushed_authorization_request_endpoint, aliases.pushed_authorization_request_endpoint),
            (&mut self.device_authorization_endpoint, aliases.device_authorization_endpoint),
            (&mut self.userinfo_endpoint, aliases.userinfo_endpoint),
        ] {
            if alias.is_some() {
                *endpoint = alias;
            }
        }
    }

    /// Whether PKCE with S256 is announced. MCP clients refuse to go on where it is not (MCP
    /// 2026-07-28, security considerations, "Authorization Code Protection").
    pub fn supports_s256(&self) -> bool {
        let methods = self.code_challenge_methods_supported.as_deref().unwrap_or_default();
        methods.iter().any(|method| method == crate::pkce::S256)
    }
}
