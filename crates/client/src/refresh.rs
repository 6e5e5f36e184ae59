//! A refresh token becomes a new access token (RFC 6749 §6), and what a refusal proves.

use hallpass_protocol::oauth_error::ErrorCode;

use crate::{
    error::{Error, Step, printable},
    issued,
    store::Account,
    token_endpoint::{Requester, TokenError},
};

/// Why a refresh brought nothing, told apart by what is proven about the token that was sent.
#[derive(Debug)]
pub(crate) enum RefreshError {
    /// `invalid_grant`: this very token is dead, and may be forgotten.
    TokenDead(String),
    /// The client id is not known any more: the registration may be forgotten. Nothing is known about the token.
    ClientDead(String),
    /// Another refusal. Nothing is known about the token.
    Refused(String),
    /// No verdict at all: network, time, a server in trouble.
    Failed(Error),
}

/// Exchanges the account's refresh token. The result still has to be stored before anyone sees it.
pub(crate) async fn refresh(requester: &Requester<'_>, account: &Account) -> Result<Account, RefreshError> {
    let Some(token) = &account.refresh_token else {
        return Err(RefreshError::Refused("no refresh token is stored".into()));
    };
    let scope = account.requested.to_string();
    let mut grant = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose()),
        ("resource", account.key.resource.as_str()),
    ];
    if requester.profile().refresh_scope && !scope.is_empty() {
        grant.push(("scope", &scope));
    }
    match requester.tokens(Step::Refresh, &account.token_endpoint, &grant).await {
        Ok(tokens) => Ok(issued::refreshed(account, tokens, requester.clock.now())),
        Err(TokenError::Failed(error)) => Err(RefreshError::Failed(error)),
        Err(TokenError::Refused(refusal)) => Err(match refusal.error {
            ErrorCode::InvalidGrant => RefreshError::TokenDead(printable(&refusal.to_string())),
            ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient => {
                RefreshError::ClientDead(printable(&refusal.to_string()))
            }
            ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError => {
                RefreshError::Failed(Error::Transient {
                    step: Step::Refresh,
                    url: printable(&account.token_endpoint),
                    detail: refusal.error.to_string(),
                    retry_after: None,
                })
            }
            _ => RefreshError::Refused(printable(&refusal.to_string())),
        }),
    }
}
