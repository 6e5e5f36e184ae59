//! What an operator does with clients, from the command line or elsewhere.

use std::time::Duration;

use hallpass_protocol::redirect::{RedirectUri, RedirectUriError};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;

use super::ClientDetails;
use super::client::{
    AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, PRIVATE_KEY_JWT, REFRESH_TOKEN,
    SELF_SIGNED_TLS, TLS, TOKEN_EXCHANGE,
};
use crate::audit::{AuditKind, By, NewEvent};
use crate::random::{digest, id, token};
use crate::store::{ClientOrigin, ClientRow, InitialAccessToken, Store, StoreError};

/// Adds, lists and removes clients. Works on a bare store, while a server runs on it too.
#[derive(Clone, Debug)]
pub struct Clients {
    store: Store,
    by: By,
}

/// A client to be added by hand.
#[derive(Clone, Debug, Default)]
pub struct NewClient {
    /// Its id.
    pub id: String,
    /// Its secret; a client without one is public.
    pub secret: Option<Secret>,
    /// Where codes may go; on loopback hosts any port will do.
    pub redirect_uris: Vec<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code`; the first
    /// two where the list is empty.
    pub grant_types: Vec<String>,
    /// What it may ask for; everything where nothing is said.
    pub scopes: Option<ScopeSet>,
    /// Its keys, the resources that it may ask for, and what else there is to say. With keys it shows itself by
    /// `private_key_jwt`.
    pub details: ClientDetails,
}

/// A client as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Its id.
    pub id: String,
    /// What it calls itself.
    pub name: Option<String>,
    /// Whether it registered itself (RFC 7591).
    pub dynamic: bool,
    /// Whether it has a secret.
    pub confidential: bool,
    /// Where codes may go.
    pub redirect_uris: Vec<String>,
    /// What it may use.
    pub grant_types: Vec<String>,
    /// Since when it is known.
    pub created_at: Timestamp,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// Why a client cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddClientError {
    /// The id is empty, too long, or holds what no header could carry.
    #[error("a client id is 1 to 2048 printable ASCII characters, without spaces")]
    Id,
    /// The id is taken.
    #[error("there is a client with this id already: remove it first, or choose another id")]
    Taken,
    /// An empty secret.
    #[error("the client secret is empty: give a random one, or none for a public client")]
    EmptySecret,
    /// No redirect URI.
    #[error("the client has no redirect URI, so no code could ever reach it; give one (--redirect-uri)")]
    NoRedirectUri,
    /// A redirect URI that may not be registered.
    #[error("the redirect URI {uri} is not allowed: {source}")]
    RedirectUri {
        /// The URI.
        uri: String,
        /// The rule that it breaks.
        source: RedirectUriError,
    },
    /// A grant that does not exist here.
    #[error(
        "the grant {0:?} does not exist here; there are {grants}",
        grants = [AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE].join(", ")
    )]
    GrantType(String),
    /// A client that could never begin.
    #[error("a client needs a grant that begins (--grant); refresh_token alone never gets a first token")]
    NoAuthorizationCode,
    /// OAuth 2.1 §4.2: confidential clients only.
    #[error(
        "client_credentials and token-exchange need a client that can show who it is: give it a secret (--secret-stdin) or keys (--jwks, --jwks-uri)"
    )]
    PublicClientCredentials,
    /// Several ways to show who it is.
    #[error(
        "a client shows itself in one way: by a secret, by keys (--jwks), by the place of its keys (--jwks-uri), or by a certificate"
    )]
    SeveralCredentials,
    /// A name that no certificate has.
    #[error(
        "no certificate has such a name: a subject is written as in CN=robot,O=Acme (RFC 4514), other names without spaces"
    )]
    CertificateName,
    /// Keys of which none is of use.
    #[error(
        "there is no usable key in the client's jwks: ES256, EdDSA, RS256 and PS256 keys are, and their public halves only"
    )]
    NoKeys,
    /// A place for keys that is no https URL.
    #[error("the client's jwks_uri has to be an https URL")]
    KeysUri,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Clients {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, by: By::Operator }
    }

    /// The same at the wish of an administrator, whose id this is.
    pub(crate) fn by_admin(self, id: &str) -> Self {
        Self { by: By::Admin(id.to_owned()), ..self }
    }

    /// What was done, where it was, for the audit log.
    async fn noted(&self, done: bool, kind: AuditKind, client: &str) -> bool {
        if done {
            self.store.record_now(NewEvent::new(kind).client(client).by(&self.by)).await;
        }
        done
    }

    async fn note_token(&self, kind: AuditKind, token: &str) {
        self.store.record_now(NewEvent::new(kind).by(&self.by).detail(token)).await;
    }

    /// Adds a client.
    ///
    /// # Errors
    /// One variant of [`AddClientError`] for each rule that the client breaks.
    pub async fn add(&self, client: NewClient) -> Result<(), AddClientError> {
        let printable = client.id.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || client.id.is_empty() || client.id.len() > 2048 {
            return Err(AddClientError::Id);
        }
        if client.secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
            return Err(AddClientError::EmptySecret);
        }
        let grant_types = grant_types(client.grant_types)?;
        if client.redirect_uris.is_empty() && grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE) {
            return Err(AddClientError::NoRedirectUri);
        }
        let auth_method = auth_method(client.secret.is_some(), &client.details)?;
        let confidential = [CLIENT_CREDENTIALS, TOKEN_EXCHANGE];
        if auth_method == "none" && grant_types.iter().any(|grant| confidential.contains(&grant.as_str())) {
            return Err(AddClientError::PublicClientCredentials);
        }
        for uri in &client.redirect_uris {
            RedirectUri::parse(uri)
                .map_err(|source| AddClientError::RedirectUri { uri: uri.clone(), source })?;
        }
        let row = ClientRow {
            origin: ClientOrigin::Configured,
            name: None,
            auth_method: auth_method.to_owned(),
            secret_hash: client.secret.map(|secret| self.store.key().client_secret_hash(secret.expose())),
            redirect_uris: client.redirect_uris,
            grant_types,
            scopes: client.scopes.map(|scopes| scopes.to_string()),
            created_at: self.store.now(),
            disabled: false,
            own_grant: crate::random::id(),
            details: client.details,
            id: client.id,
        };
        match self.noted(self.store.insert_client(&row).await?, AuditKind::ClientAdded, &row.id).await {
            true => Ok(()),
            false => Err(AddClientError::Taken),
        }
    }

    /// All clients that are stored, configured ones first. Clients with a metadata document are not.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<RegisteredClient>, StoreError> {
        let rows = self.store.list_clients().await?;
        Ok(rows
            .into_iter()
            .map(|row| RegisteredClient {
                dynamic: row.origin == ClientOrigin::Dynamic,
                confidential: row.auth_method != "none",
                disabled: row.disabled,
                id: row.id,
                name: row.name.map(|name| crate::pages::shown(&name)),
                redirect_uris: row.redirect_uris,
                grant_types: row.grant_types,
                created_at: row.created_at,
            })
            .collect())
    }

    /// Issues a token by which clients may register (RFC 7591 §1.2), so many times, or any number until it ends. It is told
    /// once: only its hash is kept. Says its id, too.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn issue_initial_access_token(
        &self,
        note: &str,
        uses: Option<u64>,
        lifetime: Duration,
    ) -> Result<(String, Secret), StoreError> {
        let secret = Secret::new(token());
        let issued = InitialAccessToken {
            id: id(),
            note: crate::pages::shown(note),
            uses,
            used: 0,
            created_at: self.store.now(),
            expires_at: self.store.now().after(lifetime),
        };
        self.store.insert_initial_access_token(&issued, &digest(secret.expose())).await?;
        self.note_token(AuditKind::InitialTokenIssued, &issued.id).await;
        Ok((issued.id, secret))
    }

    /// The tokens that have not ended, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn initial_access_tokens(&self) -> Result<Vec<InitialAccessToken>, StoreError> {
        self.store.list_initial_access_tokens().await
    }

    /// Ends a token; clients that have registered by it stay. False where there is none with this id.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn revoke_initial_access_token(&self, id: &str) -> Result<bool, StoreError> {
        let done = self.store.delete_initial_access_token(id).await?;
        if done {
            self.note_token(AuditKind::InitialTokenRevoked, id).await;
        }
        Ok(done)
    }

    /// Switches a client off: it gets nothing more, and all tokens that were issued to it end at once. False where nobody
    /// has the id.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn disable(&self, id: &str) -> Result<bool, StoreError> {
        let done = self.store.disable_client(id).await?;
        Ok(self.noted(done, AuditKind::ClientDisabled, id).await)
    }

    /// Switches it on again. What was granted before stays dead. False where nobody has the id.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn enable(&self, id: &str) -> Result<bool, StoreError> {
        let done = self.store.enable_client(id).await?;
        Ok(self.noted(done, AuditKind::ClientEnabled, id).await)
    }

    /// Removes a client, and ends all that was granted to it. False where nobody has the id.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn remove(&self, id: &str) -> Result<bool, StoreError> {
        let done = self.store.remove_client(id).await?;
        Ok(self.noted(done, AuditKind::ClientRemoved, id).await)
    }
}

/// RFC 7591 §2: how the client shows itself.
fn auth_method(has_secret: bool, details: &ClientDetails) -> Result<&'static str, AddClientError> {
    if details.jwks_uri.as_deref().is_some_and(|uri| !uri.starts_with("https://")) {
        return Err(AddClientError::KeysUri);
    }
    if details.jwks.as_ref().is_some_and(|set| set.keys.is_empty()) {
        return Err(AddClientError::NoKeys);
    }
    if details.tls_client_auth.as_ref().is_some_and(|name| !name.is_usable()) {
        return Err(AddClientError::CertificateName);
    }
    let by_key = if details.self_signed_tls_client_auth { SELF_SIGNED_TLS } else { PRIVATE_KEY_JWT };
    let ways = [
        (has_secret, "client_secret_basic"),
        (details.jwks.is_some(), by_key),
        (details.jwks_uri.is_some(), by_key),
        (details.tls_client_auth.is_some(), TLS),
    ];
    let mut ways = ways.into_iter().filter(|(there, _)| *there);
    match (ways.next(), ways.next()) {
        (None, _) if details.self_signed_tls_client_auth => Err(AddClientError::NoKeys),
        (None, _) => Ok("none"),
        (Some((_, way)), None) => Ok(way),
        (Some(_), Some(_)) => Err(AddClientError::SeveralCredentials),
    }
}

fn grant_types(asked: Vec<String>) -> Result<Vec<String>, AddClientError> {
    const BEGIN: [&str; 5] =
        [AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE];
    if asked.is_empty() {
        return Ok(vec![AUTHORIZATION_CODE.to_owned(), REFRESH_TOKEN.to_owned()]);
    }
    let unknown = |grant: &&String| grant.as_str() != REFRESH_TOKEN && !BEGIN.contains(&grant.as_str());
    if let Some(grant) = asked.iter().find(unknown) {
        return Err(AddClientError::GrantType(grant.clone()));
    }
    if !asked.iter().any(|grant| BEGIN.contains(&grant.as_str())) {
        return Err(AddClientError::NoAuthorizationCode);
    }
    Ok(asked)
}
