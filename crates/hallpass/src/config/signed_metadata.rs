//! `[server.signed_metadata]`: the protected resource metadata, signed.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The protected resource metadata is also there as a JWT (`signed_metadata`, RFC 9728 §2.2), for clients that know the public
/// key from elsewhere.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedMetadata {
    /// A file with the private key in PEM (PKCS #8): EC P-256, Ed25519 or RSA.
    pub(crate) key_file: PathBuf,
    /// The key's name (`kid`). Default: its thumbprint (RFC 7638).
    #[serde(default)]
    pub(crate) kid: Option<String>,
    /// Who vouches for the metadata (`iss`). Default: the endpoint's URL.
    #[serde(default)]
    pub(crate) issuer: Option<String>,
}
