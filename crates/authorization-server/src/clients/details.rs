//! What a client may be configured with beyond its id, its redirect URIs and its secret.

use hallpass_protocol::jose::JwkSet;
use serde::{Deserialize, Serialize};

use super::CertificateName;

/// Stored as JSON with the client. Names are those of the client metadata (RFC 7591 §2, RFC 8705, RFC 9126, RFC 9449).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientDetails {
    /// Its keys, by value: for `private_key_jwt` and `self_signed_tls_client_auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwkSet>,
    /// Where its keys are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The resources that it may ask tokens for; all, where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// It gets tokens that are bound to a DPoP key, or none (RFC 9449 §5.2).
    #[serde(skip_serializing_if = "is_false")]
    pub dpop_bound_access_tokens: bool,
    /// It shows itself by a certificate with this name (`tls_client_auth`, RFC 8705 §2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth: Option<CertificateName>,
    /// It shows itself by a certificate with one of its keys, and signs nothing (`self_signed_tls_client_auth`, RFC 8705
    /// §2.2).
    #[serde(skip_serializing_if = "is_false")]
    pub self_signed_tls_client_auth: bool,
    /// It gets tokens that are bound to its certificate, or none (RFC 8705 §3.4).
    #[serde(skip_serializing_if = "is_false")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// It pushes its authorization requests, or they are refused (RFC 9126 §6).
    #[serde(skip_serializing_if = "is_false")]
    pub require_pushed_authorization_requests: bool,
}

// serde asks for a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}
