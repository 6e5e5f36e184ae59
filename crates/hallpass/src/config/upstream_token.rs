//! `[server.upstream_token]`: where a token for the server behind is had in exchange for the caller's.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::FieldName;

/// Where a token for the server behind is had in exchange for the caller's own (RFC 8693), for `tells = "token"`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamToken {
    /// The token endpoint of the authorization server that takes the caller's tokens.
    pub(crate) token_endpoint: Url,
    /// Who this server is there.
    pub(crate) client_id: String,
    /// A file with the client secret.
    pub(crate) secret_file: Option<PathBuf>,
    /// A file with a private key in PEM (`private_key_jwt`), in place of a secret.
    pub(crate) key_file: Option<PathBuf>,
    /// The authorization server's issuer identifier, which what is signed with that key is for.
    pub(crate) issuer: Option<String>,
    /// The URL of what the token is for (`resource`). Default: none is named.
    pub(crate) resource: Option<String>,
    /// The name of what the token is for (`audience`). Default: none is named.
    pub(crate) audience: Option<String>,
    /// The scopes that are asked for. Default: none are named.
    #[serde(default, deserialize_with = "super::lists::some")]
    pub(crate) scopes: Vec<String>,
    /// The field it is in; behind `Bearer` in `authorization`. Default: `authorization`.
    pub(crate) field: Option<FieldName>,
}
