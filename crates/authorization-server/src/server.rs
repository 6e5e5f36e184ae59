//! The server as a whole: started once, then handed around.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::scope::ScopeSet;
use tokio::time::timeout;
use url::Url;

use crate::audit::AuditLog;
use crate::browser::Cookies;
use crate::clients::{ClientKeys, Clients, DocumentCache, RememberedClients};
use crate::keys::{KeyHandle, KeyRing, SigningKeys};
use crate::login::{Passwords, Users};
use crate::random::{digest, token};
use crate::revocations::Revocations;
use crate::settings::Settings;
use crate::store::{LONGEST_ACCESS_TOKEN, Store, StoreError};
use crate::vault::{Agreed, Remembered};

/// How often other processes' revocations are read.
const REVOCATIONS_EVERY: Duration = Duration::from_secs(1);
/// How often all of them are read again and keys are looked after, in rounds of the above.
const KEYS_EVERY_ROUNDS: u32 = 60;
/// How long after a sweep of expired rows the next one begins.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long one round of housekeeping may take. A database that answers nothing must not end it for good.
const ROUND: Duration = Duration::from_secs(10);
/// How long the link for the first user works.
const SETUP_LINK_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// A running authorization server. Clones are the same server; when the last one is dropped, its housekeeping ends.
#[derive(Clone)]
pub struct AuthorizationServer(Arc<Inner>);

/// What every endpoint works with.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) fetcher: Fetcher,
    pub(crate) documents: DocumentCache,
    pub(crate) client_keys: ClientKeys,
    pub(crate) remembered_clients: RememberedClients,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) cookies: Cookies,
    pub(crate) remembered: Arc<Remembered>,
    pub(crate) agreed: Arc<Agreed>,
    setup_link: Option<Url>,
}

/// What outlasts a change of the settings.
struct Lasting {
    store: Store,
    keys: Arc<KeyRing>,
    fetcher: Fetcher,
    passwords: Arc<Passwords>,
    remembered: Arc<Remembered>,
    setup_link: Option<Url>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing to protect.
    #[error("there is no resource: an authorization server needs at least one to issue tokens for")]
    NoResource,
    /// The same resource twice.
    #[error("the resource {0} is there twice")]
    ResourceTwice(String),
    /// Nobody would know what to ask the provider for.
    #[error("it is not said what the resource {0} is at the provider whose tokens are handed on")]
    NotProxied(String),
    /// Default scopes that the resource does not have.
    #[error(
        "the default scopes '{scopes}' of {resource} are not among its scopes: describe them, or leave them out"
    )]
    UnknownDefault {
        /// Whose defaults.
        resource: String,
        /// The ones that are not described.
        scopes: ScopeSet,
    },
    /// Access tokens that live too long to be revoked.
    #[error(
        "access tokens may live a day at most, since a revocation is remembered that long; ten minutes is usual"
    )]
    LongAccessTokens,
    /// It stands in an address.
    #[error("a way to sign in is called '{0}'; give each a name of its own, of letters, digits, '-' and '_'")]
    SignInName(String),
    /// It stands in an address.
    #[error("a third party is called '{0}'; give each a name of its own, of letters, digits, '-' and '_'")]
    ThirdPartyName(String),
    /// Nobody could log in.
    #[error("passwords are off, and there is no provider to sign in through: nobody could log in")]
    NoWayIn,
    /// A key whose successor would have to be published before the key itself signs.
    #[error("signing keys have to be rotated less often than they are published ahead of their use")]
    HastyRotation,
    /// Another issuer is another server.
    #[error("the issuer cannot become {0} while the server runs")]
    OtherIssuer(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl std::fmt::Debug for AuthorizationServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AuthorizationServer")
            .field("issuer", &self.0.settings.issuer)
            .finish_non_exhaustive()
    }
}

impl AuthorizationServer {
    /// Starts the server: makes the signing key at the first start, and the set-up link while there is no user. The
    /// time is the store's. Housekeeping runs as a task, so this has to be called inside a Tokio runtime.
    ///
    /// # Errors
    /// Where the settings contradict themselves, and where the store fails.
    pub async fn start(settings: Settings, store: Store, fetcher: Fetcher) -> Result<Self, StartError> {
        check(&settings)?;
        let keys = Arc::new(KeyRing::load_or_create(&store, settings.rotation.algorithm).await?);
        let setup_link = new_setup_link(&settings, &store).await?;
        store.save_issuer(settings.issuer.as_str()).await?;
        let passwords = Arc::new(Passwords::new());
        let remembered = Arc::default();
        Self::with(Lasting { store, keys, fetcher, passwords, remembered, setup_link }, settings).await
    }

    /// The same server with other settings: its router answers by them, while requests under way end by those that they
    /// began with. Keys, users and grants are the same, and so is the issuer; a resource that is not there any more gets no
    /// tokens. Clients' documents are judged anew.
    ///
    /// # Errors
    /// Where the settings contradict themselves or name another issuer, and where the store fails.
    pub async fn with_settings(&self, settings: Settings) -> Result<Self, StartError> {
        check(&settings)?;
        if settings.issuer != self.0.settings.issuer {
            return Err(StartError::OtherIssuer(settings.issuer.to_string()));
        }
        let lasting = Lasting {
            store: self.0.store.clone(),
            keys: Arc::clone(&self.0.keys),
            fetcher: self.0.fetcher.clone(),
            passwords: Arc::clone(&self.0.passwords),
            remembered: Arc::clone(&self.0.remembered),
            setup_link: self.0.setup_link.clone(),
        };
        Self::with(lasting, settings).await
    }

    async fn with(lasting: Lasting, settings: Settings) -> Result<Self, StartError> {
        let Lasting { store, keys, fetcher, passwords, remembered, setup_link } = lasting;
        for trusted in &settings.trusted_issuers {
            store.note_trusted_issuer(trusted.issuer.as_str()).await?;
        }
        store.audit().keep_for(settings.audit_lifetime);
        let inner = Arc::new(Inner {
            cookies: Cookies::new(&settings.issuer),
            passwords,
            remembered,
            agreed: Arc::default(),
            documents: DocumentCache::default(),
            client_keys: ClientKeys::default(),
            remembered_clients: RememberedClients::default(),
            settings,
            store,
            keys,
            fetcher,
            setup_link,
        });
        tokio::spawn(housekeeping(Arc::downgrade(&inner)));
        tokio::spawn(sweeping(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// All endpoints: those of the issuer under its path, the metadata documents where clients look for them.
    pub fn router(&self) -> axum::Router {
        crate::endpoints::router(Arc::clone(&self.0))
    }

    /// The keys that access tokens verify with.
    #[must_use]
    pub fn verifying_keys(&self) -> KeyHandle {
        self.0.keys.handle().clone()
    }

    /// Signs with its keys what is no token. It goes on where this server is replaced by one with other settings.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer { keys: Arc::clone(&self.0.keys), store: self.0.store.clone() }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// What [`OpaqueTokens`](crate::OpaqueTokens) work with.
    pub(crate) fn store_and_patience(&self) -> (Store, Duration) {
        (self.0.store.clone(), self.0.settings.patience)
    }

    /// Which access tokens must be refused although they have not expired.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        self.0.store.revoked().clone()
    }

    /// The people who may log in.
    #[must_use]
    pub fn users(&self) -> Users {
        self.0.store.users()
    }

    /// The clients.
    #[must_use]
    pub fn clients(&self) -> Clients {
        self.0.store.clients()
    }

    /// The signing keys.
    #[must_use]
    pub fn signing_keys(&self) -> SigningKeys {
        self.0.store.signing_keys_in_line()
    }

    /// The one-time link for the first user, if there was none at the start. To be shown to the operator.
    #[must_use]
    pub fn setup_link(&self) -> Option<Url> {
        self.0.setup_link.clone()
    }

    /// The audit log.
    #[must_use]
    pub fn audit_log(&self) -> AuditLog {
        self.0.store.audit_log()
    }

    /// Writes what the audit log has not written yet. To be called once the last request was answered.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.0.store.write_events().await
    }

    /// Does at once what housekeeping does by itself: reads what other processes revoked, and sweeps expired rows.
    /// Says how many rows that were.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn keep_house(&self) -> Result<u64, StoreError> {
        self.0.store.write_events().await?;
        self.0.store.read_all_revocations().await?;
        self.0.keep_keys().await?;
        self.0.store.sweep().await
    }
}

impl Store {
    /// The people who may log in.
    #[must_use]
    pub fn users(&self) -> Users {
        Users::new(self.clone())
    }

    /// The clients.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients::new(self.clone())
    }

    /// The signing keys.
    #[must_use]
    pub fn signing_keys_in_line(&self) -> SigningKeys {
        SigningKeys::new(self.clone())
    }
}

impl Inner {
    /// The URL of an endpoint, for clients.
    pub(crate) fn url(&self, path: &str) -> String {
        let issuer = self.settings.issuer.as_str().trim_end_matches('/');
        format!("{issuer}{path}")
    }

    /// The same for clients that show certificates, where that is another place (RFC 8705 §5).
    pub(crate) fn alias(&self, path: &str) -> Option<String> {
        let place = self.settings.mutual_tls.as_ref()?.aliases.as_ref()?;
        Some(format!("{}{}{path}", place.as_str().trim_end_matches('/'), self.base()))
    }

    /// The path of a page, for browsers: whatever host they came by, they stay there.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }

    /// Makes and removes signing keys when it is time.
    async fn keep_keys(&self) -> Result<(), StoreError> {
        self.store.signing_keys_in_line().keep(&self.settings.rotation).await?;
        self.keys.follow(&self.store).await
    }

    /// What has to be known within a second: what other processes revoked, and which keys there are.
    async fn follow(&self) -> Result<(), StoreError> {
        self.store.read_new_revocations().await?;
        self.keys.follow(&self.store).await
    }

    async fn keep(&self) -> Result<(), StoreError> {
        self.store.read_all_revocations().await?;
        self.keep_keys().await
    }

    /// The issuer's own path, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        self.settings.issuer.url().path().trim_end_matches('/')
    }
}

pub(crate) fn check(settings: &Settings) -> Result<(), StartError> {
    if settings.resources.is_empty() {
        return Err(StartError::NoResource);
    }
    for (at, resource) in settings.resources.iter().enumerate() {
        let same = |other: &&crate::Resource| other.identifier == resource.identifier;
        if settings.resources.iter().take(at).any(|other| same(&other)) {
            return Err(StartError::ResourceTwice(resource.identifier.to_string()));
        }
        let known: ScopeSet = resource.scopes.iter().map(|(scope, _)| scope.clone()).collect();
        let scopes = resource.default.difference(&known);
        if !scopes.is_empty() {
            let resource = resource.identifier.to_string();
            return Err(StartError::UnknownDefault { resource, scopes });
        }
    }
    if let Some(missing) = settings.proxied.as_ref().and_then(|proxied| proxied.missing(settings)) {
        return Err(StartError::NotProxied(missing.to_string()));
    }
    if settings.lifetimes.access_token > LONGEST_ACCESS_TOKEN {
        return Err(StartError::LongAccessTokens);
    }
    if let Some(name) = wrong_name(settings.sign_in.iter().map(|way| way.name.as_str())) {
        return Err(StartError::SignInName(name.to_owned()));
    }
    if let Some(name) = wrong_name(settings.third_parties.iter().map(|party| party.name.as_str())) {
        return Err(StartError::ThirdPartyName(name.to_owned()));
    }
    if !settings.passwords && settings.sign_in.is_empty() {
        return Err(StartError::NoWayIn);
    }
    if settings.rotation.every <= settings.rotation.ahead {
        return Err(StartError::HastyRotation);
    }
    Ok(())
}

/// The first that cannot stand in an address, or is there twice.
fn wrong_name<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let mut known = HashSet::new();
    let mut names = names;
    names.find(|name| name.is_empty() || !name.bytes().all(plain) || !known.insert(*name))
}

async fn new_setup_link(settings: &Settings, store: &Store) -> Result<Option<Url>, StoreError> {
    if settings.proxied.is_some() || !settings.passwords || store.count_users().await? > 0 {
        return Ok(None);
    }
    let token = token();
    let ends = store.now().after(SETUP_LINK_LIFETIME);
    store.replace_setup_link(&digest(&token), ends).await?;
    let issuer = settings.issuer.as_str().trim_end_matches('/');
    // An issuer with a path is a URL still.
    Ok(Url::parse(&format!("{issuer}/setup?token={token}")).ok())
}

/// Ends by itself when the server is gone.
async fn housekeeping(server: Weak<Inner>) {
    let mut round: u32 = 0;
    loop {
        tokio::time::sleep(REVOCATIONS_EVERY).await;
        let Some(server) = server.upgrade() else { return };
        round = round.wrapping_add(1);
        let kept = match round.is_multiple_of(KEYS_EVERY_ROUNDS) {
            true => timeout(ROUND, server.keep()).await,
            false => timeout(ROUND, server.follow()).await,
        };
        // Not after a failure of the above: they have nothing to do with each other.
        let written = timeout(ROUND, server.store.write_events()).await;
        for kept in [kept, written] {
            match kept {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "housekeeping failed; it is tried again"),
                Err(_) => tracing::warn!("housekeeping got no answer from the database; it is tried again"),
            }
        }
    }
}

/// Beside the above: a sweep of a million rows takes minutes, and revocations do not wait for it.
async fn sweeping(server: Weak<Inner>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(server) = server.upgrade() else { return };
        if let Err(error) = server.store.sweep().await {
            tracing::warn!(%error, "expired rows are left; they are swept the next time");
        }
    }
}

/// Signs with the keys of an authorization server.
pub struct Signer {
    keys: Arc<KeyRing>,
    store: Store,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Signer")
    }
}

impl Signer {
    /// A JWT of that type, signed with the key whose time it is; `None` where there is none that can be used.
    #[must_use]
    pub fn sign(&self, typ: &str, claims: &impl serde::Serialize) -> Option<String> {
        self.keys.signing(self.store.now()).ok()?.sign(typ, claims).ok()
    }
}
