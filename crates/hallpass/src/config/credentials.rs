//! How callers may show who they are, and whose tokens are taken beside hallpass's own.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::lists;

/// Ways of showing who calls. Bearer tokens are always taken, and always named first.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Credentials {
    /// The realm of every challenge. Default: the endpoint's URL. Passwords for Digest are bound to it.
    pub(crate) realm: Option<String>,
    /// Take API keys (`hallpass key add`), as Bearer or in `X-API-Key`.
    pub(crate) api_keys: bool,
    /// Offer Basic, over https and on loopback (`hallpass key add --as basic`).
    pub(crate) basic: bool,
    /// Offer Digest with these algorithms, the first one first (`hallpass key add --as digest`).
    #[serde(deserialize_with = "lists::some")]
    pub(crate) digest: Vec<DigestName>,
    /// Tokens that are bound to a key of the client (RFC 9449). Default: `accept`.
    pub(crate) dpop: DpopMode,
    /// Ask for a nonce in each proof (RFC 9449 §9).
    pub(crate) dpop_nonces: bool,
    /// Addresses of proxies that end TLS and are believed when they say `Client-Cert` (RFC 9440).
    #[serde(deserialize_with = "lists::addresses")]
    pub(crate) proxies: Vec<IpAddr>,
    /// Client certificates that are a credential by themselves.
    pub(crate) certificates: Vec<Certificate>,
}

/// Algorithms of HTTP Digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum DigestName {
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-512/256.
    #[serde(rename = "SHA-512-256")]
    Sha512Trunc256,
    /// MD5: for clients that know nothing else. It is broken.
    #[serde(rename = "MD5")]
    Md5,
}

/// What becomes of tokens that are bound to a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DpopMode {
    /// They are taken with a proof; other tokens are taken without.
    #[default]
    Accept,
    /// Only they are taken.
    Require,
    /// They are refused.
    Off,
}

/// Client certificates of one authority.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    /// A file with the authority's certificate, in PEM.
    pub(crate) authority: PathBuf,
    /// What a name in the certificate (URI or DNS name) must be; `*` stands for any run of characters.
    pub(crate) name: String,
    /// What its holder may do.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) scopes: Vec<String>,
}

/// An authorization server whose tokens are taken, too.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issuer {
    /// A provider whose tokens hallpass knows how to read: `entra`, `okta`, `auth0`, `keycloak`, `cognito`, `google`,
    /// `github-actions` or `kubernetes`. What else is said here comes before what the profile says.
    #[serde(default)]
    pub(crate) profile: Option<String>,
    /// Its issuer identifier, exactly as its metadata and tokens say it. Default: what the profile says.
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    /// Take the tokens of these tenants and no others. With a profile whose tenants have an issuer each, one for each.
    /// Default: of all.
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) tenants: Vec<String>,
    /// Scopes that each of its tokens has, whatever it says: for issuers whose tokens have none.
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) grants: Vec<String>,
    /// What stands before each scope where clients ask for it, and not in the token: `api://notes/` of Entra. Scopes and rules
    /// here are then written with it. Default: nothing.
    #[serde(default)]
    pub(crate) scope_prefix: String,
    /// Where its keys are. Default: where its metadata says.
    #[serde(default)]
    pub(crate) jwks_uri: Option<Url>,
    /// The signature algorithms that are taken. Default: ES256, EdDSA, RS256, PS256.
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) algorithms: Vec<String>,
    /// The token types (`typ` of the header) that are taken; `""` is a token that says none. Default: what the profile
    /// says, or `at+jwt` (RFC 9068).
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) types: Vec<String>,
    /// A claim that tells access tokens from other tokens of this issuer. Default: what the profile says.
    #[serde(default)]
    pub(crate) kind: Option<Kind>,
    /// Audiences that mean this server, beside its URL.
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) audiences: Vec<String>,
    /// Take tokens without a name of their own (`jti`). They cannot be revoked here one by one.
    #[serde(default)]
    pub(crate) without_id: bool,
    /// What its claims are called.
    #[serde(default)]
    pub(crate) claims: Claims,
    /// Ask it about tokens that are no JWTs (RFC 7662).
    #[serde(default)]
    pub(crate) introspection: Option<Introspection>,
}

/// What tells access tokens from others: `{ claim = "token_use", values = ["access"] }`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kind {
    /// The claim's name.
    pub(crate) claim: String,
    /// What it is in an access token: one of these.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) values: Vec<String>,
}

/// What an issuer's claims are called; each may be a path with dots.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Claims {
    /// The user. Default: `sub`.
    pub(crate) subject: Option<String>,
    /// The client; the first that is there. Default: `client_id`, `azp`, `appid`, `cid`.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) client: Vec<String>,
    /// Whose words count as scopes, roles and groups among them. Default: `scope`, `scp`.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) scopes: Vec<String>,
    /// The tenant. Default: none.
    pub(crate) tenant: Option<String>,
}

/// How an issuer is asked about tokens.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Introspection {
    /// Where to ask. Default: where its metadata says.
    #[serde(default)]
    pub(crate) endpoint: Option<Url>,
    /// Who this server is there.
    pub(crate) client_id: String,
    /// A file with the client secret.
    #[serde(default)]
    pub(crate) secret_file: Option<PathBuf>,
    /// A file with a private key in PEM (`private_key_jwt`).
    #[serde(default)]
    pub(crate) key_file: Option<PathBuf>,
    /// Take answers that name no audience: then a token for any resource of that issuer is good here.
    #[serde(default)]
    pub(crate) any_audience: bool,
}
