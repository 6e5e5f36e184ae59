//! From a token response to what is stored.

use std::time::Duration;

use hallpass_protocol::{dpop, scope::ScopeSet, time::Timestamp, token::TokenResponse};

use crate::{
    dpop::DpopKey,
    store::{Account, AccountKey, Registration},
};

/// What a login knows beside the tokens.
pub(crate) struct Login {
    pub(crate) key: AccountKey,
    pub(crate) server: String,
    pub(crate) account: String,
    pub(crate) client: Registration,
    pub(crate) token_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) requested: ScopeSet,
    /// The key that was shown when the tokens were asked for.
    pub(crate) dpop_key: Option<DpopKey>,
    /// Whether plain tokens are wanted.
    pub(crate) bearer_only: bool,
}

/// A new account. RFC 6749 §5.1: no `scope` in the answer means what was asked for.
pub(crate) fn logged_in(login: Login, tokens: TokenResponse, now: Timestamp) -> Account {
    Account {
        key: login.key,
        server: login.server,
        account: login.account,
        client: login.client,
        token_endpoint: login.token_endpoint,
        revocation_endpoint: login.revocation_endpoint,
        granted: tokens.scope.unwrap_or_else(|| login.requested.clone()),
        requested: login.requested,
        expires_at: end(tokens.expires_in, now),
        // RFC 9449 §5: only this type says that the token is bound.
        dpop_key: login.dpop_key.filter(|_| tokens.token_type.eq_ignore_ascii_case(dpop::SCHEME)),
        bearer_only: login.bearer_only,
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        issued_at: now,
    }
}

/// The same account with new tokens. RFC 6749 §6: without a new refresh token, the old one goes on.
pub(crate) fn refreshed(account: &Account, tokens: TokenResponse, now: Timestamp) -> Account {
    Account {
        granted: tokens.scope.unwrap_or_else(|| account.granted.clone()),
        expires_at: end(tokens.expires_in, now),
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token.or_else(|| account.refresh_token.clone()),
        issued_at: now,
        ..account.clone()
    }
}

fn end(expires_in: Option<u64>, now: Timestamp) -> Option<Timestamp> {
    expires_in.map(|seconds| now.after(Duration::from_secs(seconds)))
}
