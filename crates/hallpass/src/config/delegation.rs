//! `[[authorization_server.trusted_issuers]]` and `[[authorization_server.exchange]]`: whose word, and which token, is
//! exchanged for a token of the embedded authorization server.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An issuer whose assertions are exchanged for tokens.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustedIssuer {
    /// The assertions' `iss`, character by character.
    pub(crate) issuer: String,
    /// Where the issuer publishes its keys.
    pub(crate) jwks_uri: Option<String>,
    /// A file with the issuer's keys (a JSON Web Key Set), in place of `jwks_uri`.
    pub(crate) jwks: Option<PathBuf>,
    /// What the assertions are.
    pub(crate) kind: AssertionKind,
    /// Whether each counts once, by its `jti`. Default: true.
    #[serde(default = "yes")]
    pub(crate) once: bool,
    /// Who gets what for them.
    #[serde(deserialize_with = "super::lists::some")]
    pub(crate) rules: Vec<AssertionRule>,
}

fn yes() -> bool {
    true
}

/// What an assertion is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AssertionKind {
    /// A company's identity provider says that a person may use a client here (ID-JAG).
    IdJag,
    /// The identity of a workload.
    Workload,
}

/// Who gets what for an assertion.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssertionRule {
    /// The client that presents it.
    pub(crate) client_id: String,
    /// The assertion's `sub`; `*` at the end stands for any ending.
    pub(crate) subject: String,
    /// Further claims that have to be there with exactly this text.
    #[serde(default)]
    pub(crate) claims: BTreeMap<String, String>,
    /// The resources that a token may be for. Default: all.
    #[serde(default, deserialize_with = "super::lists::some_of_all")]
    pub(crate) resources: Option<Vec<String>>,
    /// The scopes that a token may hold.
    #[serde(deserialize_with = "super::lists::some")]
    pub(crate) scopes: Vec<String>,
}

/// A token that may be exchanged for another one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// The client that asks.
    pub(crate) client_id: String,
    /// The resource that the token is for which it has.
    pub(crate) from: String,
    /// The resource that the new token is for.
    pub(crate) to: String,
    /// The scopes that the new token may hold.
    #[serde(deserialize_with = "super::lists::some")]
    pub(crate) scopes: Vec<String>,
}
