//! Putting a client together.

mod credentials;
mod error;
mod way;

pub use error::BuildError;

use std::{
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use hallpass_guarded_fetch::{Fetcher, Identity as ClientCertificate, Policy, Proxies};
use hallpass_protocol::{
    is_loopback, issuer::Issuer, resource::ResourceIdentifier, scope::ScopeSet, secret::Secret, time::Clock,
};
use http::HeaderMap;
use reqwest::Certificate;

use self::way::{own_host, own_http};
use super::{Client, Flights, Inner, Known, Rest, StepUps, Unsaved};
use crate::{
    dpop::{DpopUse, Nonces},
    interaction::{Interaction, Never},
    mode::Mode,
    profile::{Endpoints, Profile, Profiles},
    register::{Identity, Preregistered, RegistrationToken},
    store::{MemoryStore, TokenStore},
    token_endpoint::AssertionSigner,
};

/// What a login sets itself (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9126 §4, RFC 9449 §10), and what
/// would change where the answer comes (RFC 9101 §5, OAuth 2.0 Multiple Response Types §2.1).
const RESERVED: [&str; 12] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// Settings of a [`Client`]. Each has a safe default.
#[must_use]
pub struct Builder {
    server: ResourceIdentifier,
    headers: HeaderMap,
    connect_timeout: Duration,
    scopes: ScopeSet,
    account_name: String,
    login_command: Option<String>,
    client_id: Option<String>,
    authorization_server: Option<Issuer>,
    profiles: Profiles,
    authorization_parameters: Vec<(String, String)>,
    http: Option<reqwest::Client>,
    policy: Policy,
    certificate: Option<ClientCertificate>,
    proxies: Proxies,
    store: Arc<dyn TokenStore>,
    interaction: Arc<dyn Interaction>,
    identity: Identity,
    clock: Clock,
    mode: Mode,
    dpop: DpopUse,
    registration_token: Option<Secret>,
}

impl Builder {
    pub(super) fn new(server: &str) -> Result<Self, BuildError> {
        let given = server;
        let server = ResourceIdentifier::parse(given).map_err(|source| BuildError::server(given, source))?;
        let loopback = is_loopback(server.url());
        if server.url().scheme() != "https" && !loopback {
            return Err(BuildError::plain_http(given));
        }
        Ok(Self {
            headers: HeaderMap::new(),
            connect_timeout: Duration::from_secs(30),
            scopes: ScopeSet::new(),
            http: None,
            // A server on this machine may have its authorization server here too; one elsewhere has no
            // business with what listens here.
            policy: Policy { allow_loopback: loopback, opened_hosts: own_host(&server), ..Policy::default() },
            server,
            certificate: None,
            proxies: Proxies::environment(),
            account_name: String::new(),
            login_command: None,
            client_id: None,
            authorization_server: None,
            profiles: Profiles::default(),
            authorization_parameters: Vec::new(),
            store: Arc::new(MemoryStore::new()),
            interaction: Arc::new(Never),
            identity: Identity {
                client_name: "hallpass".into(),
                metadata_document: None,
                preregistered: None,
                signer: None,
                has_certificate: false,
                registration_token: None,
            },
            registration_token: None,
            clock: Clock::new(|| SystemTime::now().into()),
            mode: Mode::Auto,
            dpop: DpopUse::WhenAsked,
        })
    }

    /// Where tokens are kept; in memory unless set.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// A name for the login, for a person who has several at one server. Logins of different names share no
    /// token; without a name there is one usual login.
    pub fn account(mut self, name: impl Into<String>) -> Self {
        self.account_name = name.into();
        self
    }

    /// What a person runs to log in, for the messages of [`Error`](crate::Error).
    pub fn login_command(mut self, command: impl Into<String>) -> Self {
        self.login_command = Some(command.into());
        self
    }

    /// The authorization server to take: of several that the MCP server names, and where it names none. A server
    /// that names others, and not this one, is refused (RFC 9728 §7.6).
    pub fn authorization_server(mut self, issuer: Issuer) -> Self {
        self.authorization_server = Some(issuer);
        self
    }

    /// What an authorization server does differently, and where its endpoints are if it publishes nothing. Comes
    /// before the built-in profiles.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profiles.add(profile);
        self
    }

    /// Where the endpoints of an authorization server are, for one that publishes no metadata. What else its
    /// [`profile`](Self::profile) says stays so; give that one first.
    pub fn endpoints(mut self, issuer: &Issuer, endpoints: Endpoints) -> Self {
        let known = self.profiles.of(issuer.as_str()).clone();
        let issuers = vec![issuer.to_string()];
        self.profiles.add(Profile { issuers, endpoints: Some(endpoints), ..known });
        self
    }

    /// A parameter to add to authorization requests (RFC 6749 §8.2): `prompt`, `login_hint`, whatever the
    /// authorization server takes.
    ///
    /// # Errors
    /// Where it is one that the login sets itself.
    pub fn authorization_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, BuildError> {
        let name = name.into();
        if name.is_empty() || RESERVED.contains(&name.as_str()) {
            return Err(BuildError::ReservedParameter(name));
        }
        self.authorization_parameters.push((name, value.into()));
        Ok(self)
    }

    /// How a person logs in; [`Never`] unless set.
    pub fn interaction(mut self, interaction: impl Interaction) -> Self {
        self.interaction = Arc::new(interaction);
        self
    }

    /// The name that a person sees on the consent page.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.identity.client_name = name.into();
        self
    }

    /// The https URL of this client's own metadata document, which then is its client id
    /// (draft-ietf-oauth-client-id-metadata-document §2).
    pub fn metadata_document(mut self, url: impl Into<String>) -> Self {
        self.identity.metadata_document = Some(url.into());
        self
    }

    /// A client that was registered by hand with one authorization server, and is used with no other.
    pub fn preregistered(mut self, client: Preregistered) -> Self {
        self.identity.preregistered = Some(client);
        self
    }

    /// The id of a public client that was registered by hand: it has no secret, so whichever authorization server
    /// the MCP server names may see it. A [`preregistered`](Self::preregistered) client comes before it.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// A token that lets this client register itself where not everybody may (RFC 7591 §1.2, "initial access token"). It is
    /// shown to an authorization server on the MCP server's own host, or one that the caller
    /// [names](Self::authorization_server), and to no other.
    pub fn registration_token(mut self, token: Secret) -> Self {
        self.registration_token = Some(token);
        self
    }

    /// How tokens are obtained; [`Mode::Auto`] unless set. Modes that need no person keep them in memory.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether tokens are bound to a key of this client (RFC 9449); where the server asks for it unless set.
    pub fn dpop(mut self, dpop: DpopUse) -> Self {
        self.dpop = dpop;
        self
    }

    /// Signs the assertions of a client that was [registered by hand](Self::preregistered) without a secret
    /// (`private_key_jwt`).
    pub fn assertion_signer(mut self, signer: impl AssertionSigner) -> Self {
        self.identity.signer = Some(Arc::new(signer));
        self
    }

    /// What time it is; the system's clock unless set.
    ///
    /// ```
    /// use hallpass_client::{Client, protocol::time::{Clock, Timestamp}};
    ///
    /// let stopped = Clock::new(|| Timestamp::from_unix(1_800_000_000));
    /// Client::builder("https://mcp.example.com/mcp")?.clock(stopped).build()?;
    /// # Ok::<(), hallpass_client::BuildError>(())
    /// ```
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Fields to send to the MCP server with every request, and to nobody else. An [`http`](Self::http) client of
    /// one's own has its own.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// How long connecting to the MCP server may take; 30 seconds unless set.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Scopes to ask for beside those that the server names.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// Trusts these certificates (PEM, one or more) beside the system's: for the MCP server and for everything
    /// that it names.
    ///
    /// # Errors
    /// When there is no certificate in `pem`.
    pub fn trust(mut self, pem: &[u8]) -> Result<Self, BuildError> {
        match Certificate::from_pem_bundle(pem) {
            Ok(found) if !found.is_empty() => self.policy.trusted.extend_from_slice(pem),
            _ => return Err(BuildError::Certificates),
        }
        Ok(self)
    }

    /// Shows a certificate (PEM, with those that lead to its authority) and proves to have its private key (PEM,
    /// without a passphrase) to servers that ask for one in the TLS handshake: the MCP server, the endpoints of the
    /// authorization server that the client is registered with, and everything at an issuer that is named here
    /// by the caller. Nobody else sees it.
    ///
    /// It authenticates a client that is [registered by hand](Self::preregistered) without a secret or signer
    /// (`tls_client_auth`, `self_signed_tls_client_auth`; RFC 8705 §2), tokens may be bound to it (§3), and the
    /// endpoints in `mtls_endpoint_aliases` are used (§5).
    ///
    /// # Errors
    /// [`BuildError::ClientCertificate`] when one of the two is not what it should be. Whether they belong together
    /// shows in [`build`](Self::build).
    pub fn client_certificate(mut self, chain: &[u8], key: &Secret) -> Result<Self, BuildError> {
        let certificate = ClientCertificate::from_pem(chain, key)
            .map_err(|error| BuildError::ClientCertificate(error.to_string()))?;
        self.certificate = Some(certificate);
        self.identity.has_certificate = true;
        Ok(self)
    }

    /// Goes through this HTTP proxy, `http://[user:password@]host:port` or with `https`, in place of those that the
    /// environment names; `NO_PROXY` holds as it does for those. This machine is never reached through a proxy.
    /// Behind a proxy, the addresses that names of servers lead to are the proxy's to judge ([`Proxies`]).
    ///
    /// # Errors
    /// [`BuildError::Proxy`] when it is no such URL.
    pub fn proxy(mut self, url: &str) -> Result<Self, BuildError> {
        self.proxies = Proxies::one(url).map_err(|error| BuildError::Proxy(error.to_string()))?;
        Ok(self)
    }

    /// Goes through no proxy, whatever the environment says. Unless this or [`proxy`](Self::proxy) is set,
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` hold.
    pub fn no_proxy(mut self) -> Self {
        self.proxies = Proxies::none();
        self
    }

    /// The HTTP client for the MCP server itself, which has its own proxies, certificates and time limits. It must
    /// not follow redirects to other hosts.
    pub fn http(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// How URLs that servers name are fetched; by default over https, and to this machine only where the MCP
    /// server is on it. Its proxies and its client certificate are those of this builder.
    pub fn fetch_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// When the HTTP client cannot be made, or a secret is for no authorization server in particular.
    pub fn build(self) -> Result<Client, BuildError> {
        self.ensure_secrets_are_bound()?;
        self.ensure_certificate()?;
        let origins = self.own_origins();
        let mut identity = self.identity;
        identity.registration_token =
            self.registration_token.map(|token| RegistrationToken { token, origins: origins.clone() });
        let policy = Policy {
            identity_origins: origins,
            identity: self.certificate,
            proxies: self.proxies,
            ..self.policy
        };
        let (http, proxies) = match self.http {
            Some(http) => (http, Proxies::none()),
            None => {
                let http = own_http(&self.server, self.headers, self.connect_timeout, &policy)?;
                (http, policy.proxies.clone())
            }
        };
        let inner = Inner {
            server: self.server,
            scopes: self.scopes,
            endpoint: RwLock::default(),
            account_name: self.account_name,
            login_command: self.login_command,
            client_id: self.client_id,
            authorization_server: self.authorization_server,
            profiles: self.profiles,
            authorization_parameters: self.authorization_parameters,
            http,
            proxies,
            fetcher: Fetcher::new(policy).map_err(|error| BuildError::Http(error.to_string()))?,
            // See [`Mode`]: nothing of these is worth the risk of a file.
            store: if self.mode.machine().is_some() { Arc::new(MemoryStore::new()) } else { self.store },
            interaction: self.interaction,
            identity,
            clock: self.clock,
            mode: self.mode,
            dpop: self.dpop,
            nonces: Nonces::default(),
            known: RwLock::new(Known::Unread),
            flights: Flights::default(),
            step_ups: StepUps::default(),
            rest: Rest::default(),
            unsaved: Unsaved::default(),
        };
        Ok(Client { inner: Arc::new(inner), attended: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_has_no_business_with_this_machine() {
        let policy = |server| Builder::new(server).unwrap().policy;
        assert!(!policy("https://mcp.example.com/mcp").allow_loopback);
        assert_eq!(policy("https://mcp.example.com/mcp").opened_hosts, ["mcp.example.com"]);
        assert!(policy("http://localhost:8080/mcp").allow_loopback);
        assert!(policy("http://127.0.0.1:8080/mcp").opened_hosts.is_empty());
    }

    #[test]
    fn tokens_do_not_travel_in_plain_text() {
        assert!(matches!(Builder::new("http://mcp.example.com/mcp"), Err(BuildError::PlainHttp(_))));
        assert!(matches!(Builder::new("mcp.example.com"), Err(BuildError::Server { .. })));
    }

    #[test]
    fn what_a_login_sets_itself_is_nobodys_to_add() {
        let builder = || Builder::new("https://mcp.example.com/mcp").unwrap();
        for name in RESERVED.into_iter().chain([""]) {
            let refused = builder().authorization_parameter(name, "x");
            assert!(matches!(refused, Err(BuildError::ReservedParameter(_))), "{name}");
        }
        assert!(builder().authorization_parameter("prompt", "login").is_ok());
    }
}
