//! A client, wherever its description came from.

use hallpass_protocol::jose::JwkSet;
use hallpass_protocol::redirect::RedirectUri;
use hallpass_protocol::scope::ScopeSet;

use super::{CertificateName, ClientDetails};
use crate::store::{ClientOrigin, ClientRow, StoreError};

/// The grant type of OAuth 2.1 §4.1.
pub(crate) const AUTHORIZATION_CODE: &str = "authorization_code";
/// The grant type of OAuth 2.1 §4.3.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
/// The grant type of OAuth 2.1 §4.2.
pub(crate) const CLIENT_CREDENTIALS: &str = "client_credentials";

/// The grant type of RFC 8628 §3.4.
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The grant type of RFC 7523 §2.1.
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The grant type of RFC 8693 §2.1.
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Who asks for access.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) kind: ClientKind,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) authentication: Authentication,
    /// The grants that it may use.
    pub(crate) grant_types: Vec<String>,
    /// Whether it may have refresh tokens.
    pub(crate) may_refresh: bool,
    /// What it may ask for; all, where nothing is said.
    pub(crate) scopes: Option<ScopeSet>,
    /// The grant under which tokens are issued to the client itself.
    pub(crate) own_grant: String,
    pub(crate) details: ClientDetails,
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
pub(crate) enum Authentication {
    /// Nothing: a public client (OAuth 2.1 §2.1).
    None,
    /// A secret, of which this is the keyed hash (`client_secret_basic`, `client_secret_post`).
    Secret(String),
    /// A signature by one of its keys (`private_key_jwt`, RFC 7523 §2.2).
    PrivateKey(KeySource),
    /// A certificate with this name (`tls_client_auth`, RFC 8705 §2.1).
    Certificate(CertificateName),
    /// A certificate with one of these keys (`self_signed_tls_client_auth`, RFC 8705 §2.2).
    CertificateKey(KeySource),
}

/// Where a client's public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// Here.
    Value(JwkSet),
    /// At a URL that the client has chosen, so it is fetched with care.
    Uri(String),
}

/// The name of `private_key_jwt` (OpenID Connect Core §9).
pub(crate) const PRIVATE_KEY_JWT: &str = "private_key_jwt";
/// RFC 8705 §2.1.1.
pub(crate) const TLS: &str = "tls_client_auth";
/// RFC 8705 §2.2.1.
pub(crate) const SELF_SIGNED_TLS: &str = "self_signed_tls_client_auth";

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
            authentication: authentication(&row.auth_method, row.secret_hash, &row.details)?,
            may_refresh: row.grant_types.iter().any(|grant| grant == REFRESH_TOKEN),
            grant_types: row.grant_types,
            scopes,
            own_grant: row.own_grant,
            details: row.details,
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
        self.authentication == Authentication::None
    }

    /// RFC 7591 §2: a client uses the grants that it is registered for.
    pub(crate) fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|grant| grant == grant_type)
    }

    /// The same of grants that clients have who say nothing of grants: metadata documents may.
    pub(crate) fn may_begin(&self, grant_type: &str) -> bool {
        self.grant_types.is_empty() || self.may_use(grant_type)
    }

    /// Whether all its redirect URIs lead to the person's own machine.
    pub(crate) fn is_loopback_only(&self) -> bool {
        self.redirect_uris.iter().all(RedirectUri::is_loopback)
    }
}

/// From what is stored. A row that says less than its method needs opens nothing.
fn authentication(
    method: &str,
    secret_hash: Option<String>,
    details: &ClientDetails,
) -> Result<Authentication, StoreError> {
    let keys = || match (&details.jwks, &details.jwks_uri) {
        (Some(keys), _) => Ok(KeySource::Value(keys.clone())),
        (None, Some(uri)) => Ok(KeySource::Uri(uri.clone())),
        (None, None) => Err(StoreError::Unreadable { what: "client without keys" }),
    };
    match (method, secret_hash) {
        (PRIVATE_KEY_JWT, _) => keys().map(Authentication::PrivateKey),
        (SELF_SIGNED_TLS, _) => keys().map(Authentication::CertificateKey),
        (TLS, _) => {
            let name = details.tls_client_auth.clone().map(Authentication::Certificate);
            name.ok_or(StoreError::Unreadable { what: "client without the name of its certificate" })
        }
        (_, Some(hash)) => Ok(Authentication::Secret(hash)),
        ("none", None) => Ok(Authentication::None),
        _ => Err(StoreError::Unreadable { what: "client without a secret" }),
    }
}
