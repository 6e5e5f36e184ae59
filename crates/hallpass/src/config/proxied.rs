//! `[authorization_server.proxied]` and `[server.proxied]`: a provider whose tokens are handed on, and what a server is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The one client that hallpass is at the provider of servers whose arrangement is `proxied`. Register
/// `PUBLIC-URL/provider/callback` there as its redirect URI.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProxiedClient {
    /// Who hallpass is there.
    pub(crate) client_id: String,
    /// A file with the client secret.
    pub(crate) secret_file: Option<PathBuf>,
    /// How the secret is sent: `basic`, `post`, or as the provider's metadata wants it. Default: that.
    pub(crate) secret: Option<SecretSent>,
    /// A file with a private key in PEM, in place of a secret (`private_key_jwt`).
    pub(crate) key_file: Option<PathBuf>,
    /// What is asked for at each login, beside what a client asks for. Default: `openid`, so that the provider says who the
    /// person is; nothing, where it has no ID tokens.
    pub(crate) scopes: Option<Vec<String>>,
}

/// How a client secret is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretSent {
    /// In a header (`client_secret_basic`).
    Basic,
    /// As a parameter (`client_secret_post`).
    Post,
}

/// What a server is at the provider whose tokens are handed on.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProxiedServer {
    /// What the provider calls it, as in `api://notes`: asked for as `resource`, or in the provider's own way. Default: the
    /// first of the issuer's `audiences`, or the server's URL.
    pub(crate) called: Option<String>,
    /// Scopes that have another name at the provider. One whose name is empty is not asked for.
    pub(crate) scopes: BTreeMap<String, String>,
    /// Further parameters of authorization requests.
    pub(crate) parameters: BTreeMap<String, String>,
}
