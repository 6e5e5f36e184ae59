//! `[authorization_server]`: what the configuration says of the embedded authorization server.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use hallpass_protocol::Algorithm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::delegation::{Exchange, TrustedIssuer};
use super::duration::Span;
use super::hosts::{MetadataDocuments, Redirect};
use super::mutual_tls::MutualTls;
use super::provider::SignIn;

/// The embedded authorization server.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthorizationServer {
    /// How long an access token is good for. Default: 10 minutes.
    pub(crate) access_token_lifetime: Span,
    /// How long an unused refresh token is good for. Default: 30 days.
    pub(crate) refresh_token_idle: Span,
    /// Whether clients may register themselves (RFC 7591). Default: `open`.
    pub(crate) registration: Registration,
    /// How many clients may register themselves in an hour, where anyone may; one address may have a fifth of them.
    /// Default: 100.
    pub(crate) registrations_per_hour: NonZeroU32,
    /// Where codes of clients that register themselves may go: hosts, and apps by their schemes. Default: anywhere.
    #[serde(deserialize_with = "super::lists::some")]
    pub(crate) registration_redirects: Vec<Redirect>,
    /// Whose clients may describe themselves by a metadata document. Default: everybody's.
    pub(crate) metadata_documents: MetadataDocuments,
    /// What access tokens are signed with: `ES256` (the default), `EdDSA`, `RS256` or `PS256`.
    #[schemars(with = "String", extend("enum" = ["ES256", "EdDSA", "RS256", "PS256"]))]
    pub(crate) signing_algorithm: Algorithm,
    /// How long a key signs before another one takes its place. Default: 90 days.
    pub(crate) rotate_keys_every: Span,
    /// How long a key is published before it signs. Default: a day.
    pub(crate) publish_keys_ahead: Span,
    /// How long a grant lasts, however much it is used. Default: 180 days.
    pub(crate) grant_lifetime: Span,
    /// Refuse authorization requests that were not pushed (RFC 9126). Default: false.
    pub(crate) require_pushed_requests: bool,
    /// Have DPoP proofs hold a nonce of this server (RFC 9449 §8). Default: true.
    pub(crate) dpop_nonces: bool,
    /// How long the audit log is kept; what strangers cause, a week. Default: 90 days.
    pub(crate) audit_lifetime: Span,
    /// Certificates of clients. Default: none are looked at.
    pub(crate) mutual_tls: Option<MutualTls>,
    /// Third parties that people may sign in through, each by its name. Default: none.
    pub(crate) sign_in: BTreeMap<String, SignIn>,
    /// Whether people may sign in by password. Default: true.
    pub(crate) passwords: bool,
    /// Whose assertions are exchanged for tokens (RFC 7523). Default: nobody's.
    pub(crate) trusted_issuers: Vec<TrustedIssuer>,
    /// Which tokens may be exchanged for which others (RFC 8693). Default: none.
    pub(crate) exchange: Vec<Exchange>,
    /// The third party whose tokens hallpass hands on, for servers whose arrangement is `proxied`: the name of one of
    /// `[third_parties]`. Register `PUBLIC-URL/provider/callback` there as a redirect URI.
    pub(crate) proxied: Option<String>,
}

impl Default for AuthorizationServer {
    fn default() -> Self {
        Self {
            access_token_lifetime: Span::minutes(10),
            refresh_token_idle: Span::days(30),
            registration: Registration::Open,
            registrations_per_hour: NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN),
            registration_redirects: Vec::new(),
            metadata_documents: MetadataDocuments::default(),
            signing_algorithm: Algorithm::ES256,
            rotate_keys_every: Span::days(90),
            publish_keys_ahead: Span::days(1),
            grant_lifetime: Span::days(180),
            require_pushed_requests: false,
            dpop_nonces: true,
            audit_lifetime: Span::days(90),
            mutual_tls: None,
            sign_in: BTreeMap::new(),
            passwords: true,
            trusted_issuers: Vec::new(),
            exchange: Vec::new(),
            proxied: None,
        }
    }
}

/// Whether clients may register themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registration {
    /// Anyone may, within a bound per hour.
    Open,
    /// Whoever has a token that `hallpass client token issue` has printed.
    Token,
    /// No one may: clients are added by hand, or name themselves by a metadata document.
    Off,
}
