//! What is stored, and every way in which it may change.

use std::collections::BTreeMap;

use hallpass_protocol::{scope::ScopeSet, secret::Secret, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::dpop::DpopKey;

/// Which account: tokens are bound to the issuer that made them and the resource they are for, and
/// none is ever used across that line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    /// The authorization server's issuer identifier, exactly as published (RFC 8414 §2).
    pub issuer: String,
    /// The resource identifier that was sent as `resource` (RFC 8707 §2).
    pub resource: String,
}

/// How a client shows who it is at the token endpoint (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuth {
    /// A public client: the client id alone, in the form.
    None,
    /// Id and secret in an `Authorization: Basic` header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Id and secret in the form.
    ClientSecretPost,
    /// A signed assertion (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A certificate of an authority that the server trusts (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate that was registered as it is (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
}

impl TokenEndpointAuth {
    /// The name in the registry of RFC 7591.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
        }
    }

    /// Whether the client shows who it is by its certificate.
    #[must_use]
    pub fn is_by_certificate(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }

    /// The method of that name, if it is one that this client speaks.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost].into_iter().find(|m| m.as_str() == name)
    }
}

/// A client id, and what belongs to it. Bound to one issuer by where it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// The client identifier.
    pub client_id: String,
    /// The client secret, for a confidential client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// When the secret stops working; `None` means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_expires_at: Option<Timestamp>,
    /// How the client authenticates at the token endpoint.
    pub auth: TokenEndpointAuth,
    /// The redirect URIs that were registered; empty where the client is not ours to register.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
}

/// One login: its tokens, and everything that a refresh needs after a restart without discovery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Issuer and resource.
    #[serde(flatten)]
    pub key: AccountKey,
    /// The MCP server's URL, as the person gave it.
    pub server: String,
    /// The name that the person gave this login, where one server has several; empty for the usual one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The client that the tokens were issued to.
    pub client: Registration,
    /// Where to redeem and refresh.
    pub token_endpoint: String,
    /// Where to revoke (RFC 7009), if the server can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// The access token.
    pub access_token: Secret,
    /// The key that the tokens are bound to, where they are (RFC 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_key: Option<DpopKey>,
    /// Whether plain tokens were asked for, bound to no key: a later login keeps to that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bearer_only: bool,
    /// The refresh token, if one was issued and is still good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// When the access token ends, if the server said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What was granted.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub granted: ScopeSet,
    /// What was asked for, over all step-ups: the base of the next union.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub requested: ScopeSet,
    /// When the tokens were last issued.
    pub issued_at: Timestamp,
}

impl Account {
    /// Whether this is a login for that server under that account name.
    #[must_use]
    pub fn is(&self, server: &str, account: &str) -> bool {
        self.server == server && self.account == account
    }
}

/// All that is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The format's version.
    pub(crate) version: u32,
    /// Dynamic registrations, by issuer.
    #[serde(default)]
    registrations: BTreeMap<String, Registration>,
    /// Logins; the newest for a server is the one in use.
    #[serde(default)]
    accounts: Vec<Account>,
}

impl Document {
    /// The format that this code writes. Version 1 knew no named accounts, and no encryption.
    pub const VERSION: u32 = 2;

    /// The same in the format of today: every earlier one is read as it is, for all that was added may be missing.
    pub(super) fn migrated(self) -> Self {
        Self { version: Self::VERSION, ..self }
    }

    /// Every login.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The login in use for an MCP server and a named account: the latest one. A server that moved to another issuer leaves
    /// older ones behind, which are never used again but can still be revoked.
    #[must_use]
    pub fn current(&self, server: &str, account: &str) -> Option<&Account> {
        self.accounts.iter().filter(|a| a.is(server, account)).max_by_key(|a| a.issued_at)
    }

    /// The dynamic registration at an issuer.
    #[must_use]
    pub fn registration(&self, issuer: &str) -> Option<&Registration> {
        self.registrations.get(issuer)
    }

    /// Keeps a login, in place of the one with the same key for the same server and account name.
    pub fn put(&mut self, account: Account) {
        self.accounts.retain(|a| !(a.key == account.key && a.is(&account.server, &account.account)));
        self.accounts.push(account);
    }

    /// Keeps new tokens of a login that is still there. Whether it was: who logged out stays logged out.
    pub fn renew(&mut self, account: Account) -> bool {
        let same = |a: &&mut Account| a.key == account.key && a.is(&account.server, &account.account);
        let known = self.accounts.iter_mut().find(same);
        let is_known = known.is_some();
        if let Some(known) = known {
            *known = account;
        }
        is_known
    }

    /// Keeps a dynamic registration for an issuer.
    pub fn put_registration(&mut self, issuer: &str, registration: Registration) {
        self.registrations.insert(issuer.to_owned(), registration);
    }

    /// Forgets a registration, if it is still that of `client_id`.
    pub fn forget_registration(&mut self, issuer: &str, client_id: &str) {
        if self.registration(issuer).is_some_and(|r| r.client_id == client_id) {
            self.registrations.remove(issuer);
        }
    }

    /// Forgets a refresh token, if it is still the very one that was refused. A newer one, stored by
    /// another task or process in the meantime, stays.
    pub fn forget_refresh_token(&mut self, of: &Account, refused: &Secret) {
        for account in &mut self.accounts {
            if account.is(&of.server, &of.account)
                && account.key == of.key
                && account.refresh_token.as_ref() == Some(refused)
            {
                account.refresh_token = None;
            }
        }
    }

    /// Forgets every login for an MCP server and account name, with whatever issuer, and returns them.
    pub fn remove(&mut self, server: &str, account: &str) -> Vec<Account> {
        let (gone, kept) =
            std::mem::take(&mut self.accounts).into_iter().partition(|a| a.is(server, account));
        self.accounts = kept;
        gone
    }
}

impl Default for Document {
    fn default() -> Self {
        Self { version: Self::VERSION, registrations: BTreeMap::new(), accounts: Vec::new() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn account(server: &str, issuer: &str, refresh: &str, at: i64) -> Account {
        Account {
            key: AccountKey { issuer: issuer.into(), resource: server.into() },
            server: server.into(),
            account: String::new(),
            client: Registration {
                client_id: "c".into(),
                client_secret: None,
                secret_expires_at: None,
                auth: TokenEndpointAuth::None,
                redirect_uris: vec![],
            },
            token_endpoint: format!("{issuer}/token"),
            revocation_endpoint: None,
            access_token: Secret::new(format!("access-{at}")),
            dpop_key: None,
            bearer_only: false,
            refresh_token: Some(Secret::new(refresh)),
            expires_at: Some(Timestamp::from_unix(at + 60)),
            granted: ScopeSet::default(),
            requested: ScopeSet::default(),
            issued_at: Timestamp::from_unix(at),
        }
    }

    #[test]
    fn only_the_refused_refresh_token_is_forgotten() {
        let mut document = Document::default();
        let old = account("https://a/mcp", "https://as", "old", 1);
        document.put(account("https://a/mcp", "https://as", "new", 2));
        document.put(account("https://b/mcp", "https://as", "old", 1));
        document.forget_refresh_token(&old, &Secret::new("old"));
        assert!(
            document.current("https://a/mcp", "").unwrap().refresh_token.is_some(),
            "a newer token stays"
        );
        assert!(
            document.current("https://b/mcp", "").unwrap().refresh_token.is_some(),
            "another resource's token stays"
        );
        document.forget_refresh_token(&old, &Secret::new("new"));
        assert!(document.current("https://a/mcp", "").unwrap().refresh_token.is_none());
    }

    #[test]
    fn a_server_that_changed_its_issuer_uses_the_new_login() {
        let mut document = Document::default();
        document.put(account("https://a/mcp", "https://as2", "two", 20));
        document.put(account("https://a/mcp", "https://as1", "one", 10));
        assert_eq!(document.current("https://a/mcp", "").unwrap().key.issuer, "https://as2");
        assert_eq!(document.remove("https://a/mcp", "").len(), 2);
        assert!(document.accounts().is_empty());
    }

    #[test]
    fn a_login_that_was_ended_does_not_come_back_with_new_tokens() {
        let mut document = Document::default();
        document.put(account("https://a/mcp", "https://as", "old", 1));
        assert!(document.renew(account("https://a/mcp", "https://as", "new", 2)));
        assert_eq!(document.accounts(), [account("https://a/mcp", "https://as", "new", 2)]);
        document.remove("https://a/mcp", "");
        assert!(!document.renew(account("https://a/mcp", "https://as", "newer", 3)));
        assert!(document.accounts().is_empty());
    }

    #[test]
    fn a_registration_is_forgotten_only_for_the_client_that_was_refused() {
        let mut document = Document::default();
        document.put_registration("https://as", account("s", "i", "r", 1).client);
        document.forget_registration("https://as", "another");
        assert!(document.registration("https://as").is_some());
        document.forget_registration("https://as", "c");
        assert!(document.registration("https://as").is_none());
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", account("https://a/mcp", "https://as", "refresh-canary", 7));
        assert!(!shown.contains("refresh-canary") && !shown.contains("access-7"), "{shown}");
    }

    #[test]
    fn accounts_of_one_server_do_not_meet() {
        let mut document = Document::default();
        let work = Account { account: "work".into(), ..account("https://a/mcp", "https://as", "w", 9) };
        document.put(account("https://a/mcp", "https://as", "usual", 1));
        document.put(work.clone());
        let refresh = |document: &Document, name| {
            document.current("https://a/mcp", name).and_then(|a| a.refresh_token.clone())
        };
        assert_eq!(refresh(&document, ""), Some(Secret::new("usual")));
        assert_eq!(refresh(&document, "work"), Some(Secret::new("w")));
        assert_eq!(refresh(&document, "home"), None);
        document.forget_refresh_token(&work, &Secret::new("usual"));
        assert_eq!(refresh(&document, ""), Some(Secret::new("usual")));
        assert_eq!(document.remove("https://a/mcp", "work").len(), 1);
        assert_eq!(refresh(&document, ""), Some(Secret::new("usual")));
    }
}
