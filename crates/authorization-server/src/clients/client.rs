//! A client, wherever its description came from.

use hallpass_protocol::redirect::RedirectUri;
use hallpass_protocol::scope::ScopeSet;

use crate::store::{ClientOrigin, ClientRow, StoreError};

/// The grant type of OAuth 2.1 §4.1.
pub(crate) const AUTHORIZATION_CODE: &str = "authorization_code";
/// The grant type of OAuth 2.1 §4.3.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";

/// Who asks for access.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) kind: ClientKind,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) secret: ClientSecret,
    /// Whether it may have refresh tokens.
    pub(crate) may_refresh: bool,
    /// What it may ask for; all, where nothing is said.
    pub(crate) scopes: Option<ScopeSet>,
}

/// How a client came to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientKind {
    /// The operator configured it.
    Configured,
    /// It registered itself.
    Dynamic,
    /// Its id is the URL of its description, so the domain vouches for it.
    Document {
        /// The host of that URL.
        domain: String,
    },
}

/// What a client has to show at the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientSecret {
    /// Nothing: a public client (OAuth 2.1 §2.1).
    None,
    /// A secret, of which this is the keyed hash.
    Hashed(String),
}

impl Client {
    pub(crate) fn from_row(row: ClientRow) -> Result<Self, StoreError> {
        let unreadable = |what| StoreError::Unreadable { what };
        let redirect_uris = row
            .redirect_uris
            .iter()
            .map(|uri| RedirectUri::parse(uri).map_err(|_| unreadable("redirect URI")))
            .collect::<Result<_, _>>()?;
        let scopes =
            row.scopes.map(|scopes| ScopeSet::parse(&scopes).map_err(|_| unreadable("scope"))).transpose()?;
        Ok(Self {
            name: row.name,
            kind: match row.origin {
                ClientOrigin::Configured => ClientKind::Configured,
                ClientOrigin::Dynamic => ClientKind::Dynamic,
            },
            redirect_uris,
            secret: row.secret_hash.map_or(ClientSecret::None, ClientSecret::Hashed),
            may_refresh: row.grant_types.iter().any(|grant| grant == REFRESH_TOKEN),
            scopes,
            id: row.id,
        })
    }

    /// What people are told that it is called.
    pub(crate) fn shown_name(&self) -> String {
        let name = crate::pages::shown(self.name.as_deref().unwrap_or_default());
        if name.is_empty() { crate::pages::shown(&self.id) } else { name }
    }

    /// A public client can be imitated by whoever can receive at its redirect URI.
    pub(crate) fn is_public(&self) -> bool {
        self.secret == ClientSecret::None
    }

    /// Whether all its redirect URIs lead to the person's own machine.
    pub(crate) fn is_loopback_only(&self) -> bool {
        self.redirect_uris.iter().all(RedirectUri::is_loopback)
    }
}
