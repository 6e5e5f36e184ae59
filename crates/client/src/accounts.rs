//! What is stored, without the secrets.

use hallpass_protocol::{scope::ScopeSet, time::Timestamp};

use crate::{
    client::TokenType,
    error::printable,
    store::{Account, StoreError, TokenStore},
};

/// One login, fit to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountSummary {
    /// The MCP server's URL.
    pub server: String,
    /// The name of the login, where the server has several; empty for the usual one.
    pub account: String,
    /// The resource that the token is for.
    pub resource: String,
    /// The authorization server.
    pub issuer: String,
    /// The client id in use.
    pub client_id: String,
    /// What was granted.
    pub scopes: ScopeSet,
    /// Under which scheme the access token is sent: whether it is bound to a key.
    pub token_type: TokenType,
    /// When the access token ends, if known.
    pub expires_at: Option<Timestamp>,
    /// Whether it is renewed without a person.
    pub refreshable: bool,
}

impl AccountSummary {
    pub(crate) fn of(account: &Account) -> Self {
        Self {
            server: account.server.clone(),
            account: account.account.clone(),
            resource: account.key.resource.clone(),
            issuer: account.key.issuer.clone(),
            client_id: printable(&account.client.client_id),
            scopes: account.granted.clone(),
            token_type: TokenType::of(account),
            expires_at: account.expires_at,
            refreshable: account.refresh_token.is_some(),
        }
    }
}

/// Every login in a store.
///
/// # Errors
/// When the store cannot be read.
pub fn accounts(store: &dyn TokenStore) -> Result<Vec<AccountSummary>, StoreError> {
    Ok(store.read()?.accounts().iter().map(AccountSummary::of).collect())
}
