//! An OAuth 2.1 authorization server for MCP, as an axum router.
//!
//! | room | what is in it |
//! |---|---|
//! | `endpoints` | one file for each URL |
//! | `checks` | the authorization request: a table of small rules |
//! | `delegation` | whose word, and which token, is exchanged for a token here |
//! | `grants` | codes and refresh tokens, exchanged for tokens |
//! | `issued` | access tokens that were issued, signed or opaque |
//! | `clients` | configured, registered, or described by a metadata document |
//! | `proxied` | the users and the tokens are a provider's, and this server fronts it |
//! | `login` | people, passwords, sessions |
//! | [`provider`] | somebody else's authorization server, of which this one is a client |
//! | `logout` | somebody has logged out elsewhere |
//! | `browser` | cookies, form tokens, where a form came from |
//! | `pages` | what people see |
//! | `keys` | the master key, what it seals, what signs tokens |
//! | `scim` | people come and go as an identity provider says |
//! | `signals` | others say that somebody's logins have ended |
//! | `audit` | what was decided, by whom and about what |
//! | `vault` | tokens of third parties, with which servers act for people |
//! | `store` | SQLite or PostgreSQL, one file of queries for each table |
//!
//! # Which clients get refresh tokens
//! Those whose `grant_types` name `refresh_token`, and those that name no `grant_types` at all: RFC 7591 lets the
//! server choose a default, and an MCP client that has to send its person through a login every ten minutes is of no
//! use. `offline_access` may be asked for (SEP-2207), changes nothing for such a client, and is left out of the answer
//! for a client that has registered without the grant.
//!
//! # Who is at the other end
//! Attempts to log in are counted for each address. The address is taken from the request extension
//! [`axum::extract::ConnectInfo`]`<SocketAddr>`, or from [`ClientAddress`](hallpass_protocol::forwarded::ClientAddress) before it,
//! which the one who serves the router puts there. Where that is a proxy's address, [`Settings::count_addresses`] has to be false; then, and without the extension, only accounts are counted.
//!
//! # Example
//! ```no_run
//! # async fn example(issuer: hallpass_protocol::issuer::Issuer) -> Result<(), Box<dyn std::error::Error>> {
//! use std::{path::Path, time::SystemTime};
//! use hallpass_authorization_server::{AuthorizationServer, MasterKey, Settings, Store};
//! use hallpass_guarded_fetch::{Fetcher, Policy};
//! use hallpass_protocol::time::Clock;
//!
//! let clock = Clock::new(|| SystemTime::now().into());
//! let key = MasterKey::load_or_create(Path::new("data/master.key"))?;
//! let store = Store::open(Path::new("data/hallpass.db"), key, clock).await?;
//! let settings = Settings::new(issuer, vec![/* resources */]);
//! let server = AuthorizationServer::start(settings, store, Fetcher::new(Policy::default())?).await?;
//! let router: axum::Router = server.router();
//! # Ok(())
//! # }
//! ```

mod audit;
mod browser;
mod checks;
mod clients;
mod delegation;
mod endpoints;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod grants;
mod hosts;
mod issued;
mod keys;
mod login;
mod logout;
mod pages;
pub mod provider;
mod proxied;
mod random;
mod revocations;
mod scim;
mod server;
mod settings;
mod signals;
mod store;
mod vault;

pub use audit::{AuditEvent, AuditFilter, AuditKind, AuditLog, Recorded};
pub use clients::{
    AddClientError, CertificateName, ClientDetails, Clients, DocumentDomains, NewClient, RegisteredClient,
};
pub use delegation::{
    AccountLinking, AssertionKind, AssertionRule, ExchangeRule, IssuerKeys, KnownIssuer, PinsTooLittle,
    TrustedIssuer, TrustedIssuers, WORKLOADS, Workload,
};
pub use hosts::{HostPattern, HostPatternError, RedirectPattern};
pub use issued::OpaqueTokens;
pub use keys::{KeyHandle, KeyState, MasterKey, MasterKeyError, PublishedKey, Rotation, SigningKeys};
pub use login::{
    AddUserError, GroupRules, LinkError, SetPasswordError, SignIn, UserNameError, Users, WeakPassword,
    WhoEnters,
};
pub use pages::plain_page;
pub use proxied::{Agreement, HandedOn, Introspect, NotTaken, Proxied, ProxiedResource};
pub use revocations::{OutOfDate, Revocations};
pub use scim::{ProvisioningToken, ProvisioningTokens};
pub use server::{AuthorizationServer, Signer, StartError};
pub use settings::{Lifetimes, MutualTls, RegistrationPolicy, Resource, Settings, TokenForm};
pub use store::{
    BackupError, DatabaseUrl, DatabaseUrlError, InitialAccessToken, Restoring, SealedAccounts,
    ServiceAccount, Store, StoreError, User,
};
pub use vault::{ActsFor, NoToken, ThirdParty, Vault};
