//! Protected resource metadata (RFC 9728 §2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::null_is_default;
use crate::resource::ResourceIdentifier;

/// What a protected resource says about itself.
///
/// Texts stand as they were sent; what is a URL is checked by whoever follows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProtectedResourceMetadata {
    /// The resource's identifier. REQUIRED.
    pub resource: String,
    /// The issuers that the resource takes tokens from. MCP asks for at least one.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// Scopes to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// How a token may be sent: `header`, `body`, `query`. MCP knows `header` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_methods_supported: Option<Vec<String>>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// A page for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
    /// A page about the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_policy_uri: Option<String>,
    /// A page about the terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_tos_uri: Option<String>,
    /// The resource's own keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// How the resource signs its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether tokens bound to a client certificate (RFC 8705) are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_certificate_bound_access_tokens: Option<bool>,
    /// Types of `authorization_details` (RFC 9396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details_types_supported: Option<Vec<String>>,
    /// Algorithms for DPoP proofs (RFC 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether only DPoP-bound tokens are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_bound_access_tokens_required: Option<bool>,
    /// Whatever else was said.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The document is about another resource (RFC 9728 §3.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata is about {found:?}, not about {expected}; it must not be used (RFC 9728 §3.3)")]
pub struct WrongResource {
    /// What was asked about.
    pub expected: String,
    /// What the document is about.
    pub found: String,
}

impl ProtectedResourceMetadata {
    /// Metadata with nothing but the resource and its issuers.
    pub fn new(resource: &ResourceIdentifier, issuers: impl IntoIterator<Item = impl ToString>) -> Self {
        Self {
            resource: resource.to_string(),
            authorization_servers: issuers.into_iter().map(|issuer| issuer.to_string()).collect(),
            ..Self::default()
        }
    }

    /// RFC 9728 §3.3: `resource` is the identifier that the metadata was asked for with. Compared
    /// in canonical form, since `https://h` and `https://h/` have sent clients into loops.
    ///
    /// # Errors
    /// [`WrongResource`].
    pub fn check_resource(&self, expected: &ResourceIdentifier) -> Result<(), WrongResource> {
        match ResourceIdentifier::parse(&self.resource) {
            Ok(found) if found == *expected => Ok(()),
            _ => Err(WrongResource { expected: expected.to_string(), found: self.resource.clone() }),
        }
    }
}
