//! What an operator decides about an authorization server.

use std::net::IpAddr;
use std::time::Duration;

use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::{Scope, ScopeSet};

use rustls_pki_types::CertificateDer;
use url::Url;

use crate::clients::DocumentDomains;
use crate::delegation::{ExchangeRule, TrustedIssuer};
use crate::hosts::RedirectPattern;
use crate::keys::Rotation;
use crate::login::SignIn;
use crate::proxied::Proxied;
use crate::server::StartError;
use crate::vault::ThirdParty;

/// The settings of one authorization server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this server is (RFC 8414 §2). Endpoint URLs are this, with a path appended.
    pub issuer: Issuer,
    /// What access tokens can be asked for. The first is taken where a request names none.
    pub resources: Vec<Resource>,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Which keys sign access tokens, and for how long.
    pub rotation: Rotation,
    /// Whether clients may register themselves (RFC 7591).
    pub registration: RegistrationPolicy,
    /// Where codes of clients that register themselves may go: anywhere, where the list is empty.
    pub registration_redirects: Vec<RedirectPattern>,
    /// Whose metadata documents are taken: everybody's.
    pub document_domains: DocumentDomains,
    /// Whose assertions are exchanged for tokens (RFC 7523 §2.1): nobody's.
    pub trusted_issuers: Vec<TrustedIssuer>,
    /// Which tokens may be exchanged for which others (RFC 8693): none.
    pub exchange: Vec<ExchangeRule>,
    /// Whose users and tokens they are, where they are a provider's: nobody logs in here then, and no token is issued. Its own.
    pub proxied: Option<Proxied>,
    /// Whether authorization requests have to be pushed (RFC 9126 §5): false.
    pub require_pushed_requests: bool,
    /// Whether a DPoP proof has to hold a nonce of this server (RFC 9449 §8): true. Clients get one with the first
    /// refusal and go on by themselves; what they sign ahead of time is then of no use to anyone.
    pub dpop_nonces: bool,
    /// How long the audit log is kept: 90 days. What strangers cause, a week.
    pub audit_lifetime: Duration,
    /// Whether the address at the other end of a connection is the person's own, so that it may be counted. False where
    /// TLS ends in front: there everybody comes from the proxy's address, and a counter of it lets one stranger keep
    /// all others out. Accounts are counted in any case.
    pub count_addresses: bool,
    /// Certificates of clients (RFC 8705): none are looked at.
    pub mutual_tls: Option<MutualTls>,
    /// Providers that people may sign in through: none.
    pub sign_in: Vec<SignIn>,
    /// Third parties at which servers act for people: none.
    pub third_parties: Vec<ThirdParty>,
    /// Whether people may sign in by password: true. Without, there is no link for the first user either.
    pub passwords: bool,
    /// How long a request may take before it is answered with 503: 20 seconds. It ends the wait for a database that
    /// answers nothing, and is longer than any wait that has a limit of its own.
    pub patience: Duration,
}

impl Settings {
    /// Default lifetimes, open registration, and no proxy in front.
    #[must_use]
    pub fn new(issuer: Issuer, resources: Vec<Resource>) -> Self {
        Self {
            issuer,
            resources,
            lifetimes: Lifetimes::default(),
            rotation: Rotation::default(),
            registration: RegistrationPolicy::default(),
            registration_redirects: Vec::new(),
            document_domains: DocumentDomains::default(),
            trusted_issuers: Vec::new(),
            exchange: Vec::new(),
            proxied: None,
            require_pushed_requests: false,
            dpop_nonces: true,
            audit_lifetime: Duration::from_secs(90 * 24 * 60 * 60),
            count_addresses: true,
            mutual_tls: None,
            sign_in: Vec::new(),
            third_parties: Vec::new(),
            passwords: true,
            patience: Duration::from_secs(20),
        }
    }

    /// Whether a server could start with them; what [`AuthorizationServer::start`](crate::AuthorizationServer::start)
    /// checks first.
    ///
    /// # Errors
    /// One variant of [`StartError`] for each rule that they break.
    pub fn check(&self) -> Result<(), StartError> {
        crate::server::check(self)
    }
}

/// How certificates of clients come here, and which count (RFC 8705). The connection's own is in the request extension
/// [`PeerCertificate`](hallpass_protocol::certificate::PeerCertificate), which the one who ends TLS puts there.
#[derive(Clone, Debug, Default)]
pub struct MutualTls {
    /// Authorities whose certificates show who a client is (`tls_client_auth`); they must have issued them directly, for
    /// client authentication. Where there are none, that method is off.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Whether a client may be known by the key of its certificate, whoever has issued it (`self_signed_tls_client_auth`).
    /// It needs a connection that takes any certificate.
    pub self_signed: bool,
    /// Proxies that end TLS and are believed when they say `Client-Cert` (RFC 9440).
    pub proxies: Vec<IpAddr>,
    /// Where clients go that show a certificate, if it is another host or port than the issuer's (RFC 8705 §5).
    pub aliases: Option<Url>,
}

/// A protected resource that this server issues access tokens for.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The resource identifier, which becomes the tokens' `aud` (RFC 8707 §2).
    pub identifier: ResourceIdentifier,
    /// What people call it; shown at consent.
    pub name: String,
    /// Every scope, with what it allows in words that finish "it may …".
    pub scopes: Vec<(Scope, String)>,
    /// What a request without `scope` gets.
    pub default: ScopeSet,
    /// What its access tokens are.
    pub access_tokens: TokenForm,
}

/// What access tokens are (RFC 6749 §1.4 leaves it open).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenForm {
    /// They say in themselves what they are good for, and are signed (RFC 9068).
    #[default]
    Jwt,
    /// They say nothing to anybody but this server, which knows them by their hash: a resource server asks it
    /// ([`OpaqueTokens`](crate::OpaqueTokens), or RFC 7662). A token for several resources is opaque where one of them
    /// wants it so.
    Opaque,
}

/// What people call them.
pub(crate) fn names(resources: &[&Resource]) -> String {
    let names: Vec<&str> = resources.iter().map(|resource| resource.name.as_str()).collect();
    names.join(" and ")
}

/// How long things live.
#[derive(Clone, Debug)]
pub struct Lifetimes {
    /// An authorization code: 60 seconds. OAuth 2.1 §4.1.2 allows ten minutes at most.
    pub code: Duration,
    /// An access token: ten minutes.
    pub access_token: Duration,
    /// A refresh token that is not used: 30 days.
    pub refresh_idle: Duration,
    /// A grant, however much it is used: 180 days.
    pub grant: Duration,
    /// How long a refresh token that was just used may be sent again: 60 seconds.
    pub refresh_grace: Duration,
    /// A browser session: twelve hours.
    pub session: Duration,
    /// An authorization request that waits for its person: thirty minutes.
    pub interaction: Duration,
    /// A device that waits for its person: fifteen minutes.
    pub device: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        Self {
            code: Duration::from_secs(60),
            access_token: Duration::from_secs(10 * MINUTE),
            refresh_idle: Duration::from_secs(30 * DAY),
            grant: Duration::from_secs(180 * DAY),
            refresh_grace: Duration::from_secs(60),
            session: Duration::from_secs(12 * 60 * MINUTE),
            interaction: Duration::from_secs(30 * MINUTE),
            device: Duration::from_secs(15 * MINUTE),
        }
    }
}

/// Whether clients may register themselves (RFC 7591).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Anyone may, so many times an hour in all. Whoever has a token of the operator's is not counted.
    Open {
        /// How many registrations an hour are taken before the rest is turned away.
        per_hour: u32,
    },
    /// Whoever has a token of the operator's (RFC 7591 §1.2, "initial access token").
    WithToken,
    /// Nobody may; the metadata does not name the endpoint.
    Off,
}

impl Default for RegistrationPolicy {
    fn default() -> Self {
        Self::Open { per_hour: 100 }
    }
}
