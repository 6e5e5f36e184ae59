//! `[server.proxied]`: what a server is at the provider whose tokens are handed on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a server is at the provider whose tokens are handed on.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProxiedServer {
    /// What the provider calls it, as in `api://notes`: asked for as `resource`, or in the provider's own way. Default: the
    /// first of the issuer's `audiences`, or the server's URL.
    pub(crate) called: Option<String>,
    /// Scopes that have another name at the provider. One whose name is empty is not asked for: the provider's tokens say it by
    /// a role or group.
    pub(crate) scopes: BTreeMap<String, String>,
    /// Further parameters of authorization requests.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Take tokens of the provider's other clients as well, such as machines: at their own word, since nobody has agreed to
    /// anything here. Default: only tokens that hallpass has handed on are taken.
    pub(crate) other_tokens: bool,
}
