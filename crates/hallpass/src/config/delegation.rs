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
    /// The platform whose workloads it speaks for: `github-actions`, `kubernetes`, `aws`, `gcp` or `azure`. Default: what the
    /// issuer tells.
    pub(crate) profile: Option<String>,
    /// Where the issuer publishes its keys. Default: what the platform says, where that is one place.
    pub(crate) jwks_uri: Option<String>,
    /// A file with the issuer's keys (a JSON Web Key Set), in place of `jwks_uri`.
    pub(crate) jwks: Option<PathBuf>,
    /// What the assertions are.
    pub(crate) kind: AssertionKind,
    /// What the assertions' `aud` says of this server, where it cannot be its issuer. Default: the issuer; of workloads the
    /// token endpoint, too.
    pub(crate) audience: Option<String>,
    /// Who this server is at the issuer (its client id there): then its logout tokens are taken at `/backchannel_logout` (OpenID
    /// Connect Back-Channel Logout 1.0). Default: none are.
    pub(crate) logout_client_id: Option<String>,
    /// Who this server is to the issuer's transmitter of shared signals, the `aud` of its security events: then they are taken at
    /// `/security_events` (RFC 8935; OpenID CAEP 1.0, session revoked). Default: none are.
    pub(crate) signals_audience: Option<String>,
    /// Whether each counts once, by its `jti`. Default: true, except for platforms whose tokens have none.
    pub(crate) once: Option<bool>,
    /// The accounts that people of this issuer have here. Default: `none`.
    #[serde(default)]
    pub(crate) accounts: Accounts,
    /// Domains of addresses that this issuer may speak for: a verified one is linked to the account of that name. Default:
    /// none.
    #[serde(default, deserialize_with = "super::lists::some")]
    pub(crate) email_domains: Vec<String>,
    /// Who gets what for them.
    #[serde(deserialize_with = "super::lists::some")]
    pub(crate) rules: Vec<AssertionRule>,
}

/// What accounts people of an issuer have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Accounts {
    /// None: a token is about `ISSUER#SUBJECT`.
    #[default]
    None,
    /// Those that are linked, by issuer and subject or else by address. Others get no token.
    Linked,
    /// The same, and whoever has none gets one.
    Created,
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
    /// Further claims that have to be there with exactly this text, or with it in their list.
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
