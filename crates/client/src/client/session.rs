//! Logging in and out on purpose, and the token for scripts.

use hallpass_protocol::{dpop, oauth_error::OAuthError, secret::Secret, time::Timestamp};
use http::StatusCode;

use super::{Client, Want, Wish, probe::Probed};
use crate::{
    accounts::AccountSummary,
    dpop::Binding,
    error::{Error, Rule, Step, printable},
    fetched,
    mode::Mode,
    store::Account,
};

/// RFC 7009 §2.2.1.
const UNSUPPORTED_TOKEN_TYPE: &str = "unsupported_token_type";

/// What a login on purpose came to.
#[derive(Clone, Debug)]
pub enum Login {
    /// A person logged in, or a client that needs none was granted a token.
    Done(AccountSummary),
    /// The server does not ask for a login.
    NotNeeded,
}

/// What a logout came to. The tokens are gone from the store in any case, whether or not the server knows.
#[derive(Clone, Debug)]
pub struct LoggedOut {
    /// Which login.
    pub account: AccountSummary,
    /// Whether the server knows.
    pub revocation: Revocation,
}

/// Whether tokens were revoked at their authorization server (RFC 7009).
#[derive(Clone, Debug)]
pub enum Revocation {
    /// They are of no use to anyone any more.
    Done,
    /// The refresh token is; the server revokes no access tokens (RFC 7009 §2.2.1), so that one works until it ends.
    RefreshTokenOnly,
    /// The server has no revocation endpoint, or not for such tokens: a copy of them works until they end.
    NotOffered,
    /// The server could not be reached, or refused.
    Failed(Error),
}

/// The type of an access token (RFC 6749 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenType {
    /// Whoever has it may use it (RFC 6750).
    Bearer,
    /// It is of use only with a proof, made for each request with the key that this client holds (RFC 9449 §7.1):
    /// see [`Client::headers`].
    Dpop,
}

impl TokenType {
    pub(crate) fn of(account: &Account) -> Self {
        if account.dpop_key.is_some() { Self::Dpop } else { Self::Bearer }
    }

    /// The name of the scheme, as `token_type` and `Authorization` have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => dpop::SCHEME,
        }
    }
}

/// An access token, for a script's `Authorization: Bearer` header. One that is bound to a key (RFC 9449) is of no
/// use without this client.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// Under which scheme it is sent.
    pub token_type: TokenType,
    /// When it ends, if the server said so.
    pub expires_at: Option<Timestamp>,
}

impl Client {
    /// Logs in, also where a login is stored already. Asks the server first whether, and how, it wants that.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn login(&self) -> Result<Login, Error> {
        if matches!(self.inner.mode, Mode::None | Mode::Bearer(_)) {
            return Ok(Login::NotNeeded);
        }
        let probed = match self.probe().await {
            // Strangers may be kept out in any way: who asks for a login knows that there is one.
            Err(Error::Misconfigured { rule: Rule::NotAnMcpServer(_), .. })
                if matches!(self.inner.mode, Mode::OAuth) =>
            {
                Probed::Open
            }
            probed => probed?,
        };
        let challenge = match (probed, &self.inner.mode) {
            (Probed::Refused(challenge), _) => challenge,
            (Probed::Open, Mode::OAuth) => None,
            (Probed::Open, _) => return Ok(Login::NotNeeded),
        };
        let sent = self.inner.account().await?.map(|account| account.access_token.clone());
        let wish = Wish { sent, want: Want::Token { login: true }, attended: self.attended };
        self.inner.obtain(wish, challenge).await?;
        Ok(self
            .inner
            .account()
            .await?
            .map_or(Login::NotNeeded, |account| Login::Done(AccountSummary::of(&account))))
    }

    /// The login of a caller who wants one before the server asks.
    pub(super) async fn login_unasked(&self) -> Result<(), Error> {
        self.login().await.map(drop)
    }

    /// The access token, refreshed if it is about to end. Never asks a person; a [`Mode`] that needs none fetches one.
    ///
    /// # Errors
    /// [`Error::LoginNeeded`] where none is stored or it cannot be refreshed, and in [`Mode::None`].
    pub async fn token(&self) -> Result<AccessToken, Error> {
        if let Mode::Bearer(source) = &self.inner.mode {
            return self.inner.given(source).await.map(|token| AccessToken {
                token,
                token_type: TokenType::Bearer,
                expires_at: None,
            });
        }
        let account = self.usable_account().await?;
        Ok(AccessToken {
            token: account.access_token.clone(),
            token_type: TokenType::of(&account),
            expires_at: account.expires_at,
        })
    }

    /// Revokes what is stored for this server and account name, where its authorization server can, and forgets it.
    ///
    /// # Errors
    /// When the store fails. A revocation that fails is part of the result.
    pub async fn logout(&self) -> Result<Vec<LoggedOut>, Error> {
        // A refresh under way would bring back what is forgotten here. A login at the browser is not waited for.
        let _lock = self.inner.lock_for_now().await?;
        let unsaved = self.inner.save_again().await;
        let document = self.inner.read().await?;
        let (server, name) = (self.inner.server.to_string(), self.inner.account_name.clone());
        let stored = document.accounts().iter().filter(|a| a.is(&server, &name));
        // Of a login that could not be stored, the tokens here are the ones that are good.
        let stored = stored.filter(|a| unsaved.as_ref().is_none_or(|newer| newer.key != a.key));
        let accounts: Vec<Account> = stored.chain(&unsaved).cloned().collect();
        let mut ended = Vec::new();
        for account in &accounts {
            ended.push(LoggedOut {
                account: AccountSummary::of(account),
                revocation: self.revoke(account).await,
            });
        }
        self.inner.unsaved.forget();
        self.inner.update(move |document| drop(document.remove(&server, &name))).await?;
        self.inner.learn(None);
        Ok(ended)
    }

    /// RFC 7009 §2.1: the refresh token, and with it, at most servers, the access tokens made from it; then
    /// the access token itself.
    async fn revoke(&self, account: &Account) -> Revocation {
        let Some(endpoint) = &account.revocation_endpoint else { return Revocation::NotOffered };
        let refresh = match &account.refresh_token {
            Some(token) => self.revoke_one(account, endpoint, token, "refresh_token").await,
            None => Ok(false),
        };
        let access = self.revoke_one(account, endpoint, &account.access_token, "access_token").await;
        match (refresh, access) {
            (Err(error), _) | (_, Err(error)) => Revocation::Failed(error),
            (_, Ok(true)) => Revocation::Done,
            (Ok(true), Ok(false)) => Revocation::RefreshTokenOnly,
            (Ok(false), Ok(false)) => Revocation::NotOffered,
        }
    }

    /// Whether the server revokes tokens of that kind, and so this one.
    async fn revoke_one(
        &self,
        account: &Account,
        endpoint: &str,
        token: &Secret,
        hint: &str,
    ) -> Result<bool, Error> {
        let parameters = [("token", token.expose()), ("token_type_hint", hint)];
        let requester = self.inner.requester(&account.client, &account.key.issuer, None, Binding::None);
        let answer = requester.post(Step::Revoke, endpoint, &parameters).await?;
        if let Some(error) = fetched::redirected(Step::Revoke, endpoint, &answer) {
            return Err(error);
        }
        if answer.status.is_success() {
            return Ok(true);
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            let rule = Rule::LoginForgotten(answer.status.to_string());
            return Err(Error::Misconfigured { step: Step::Revoke, url: printable(endpoint), rule });
        }
        match serde_json::from_slice::<OAuthError>(&answer.body) {
            Ok(refusal) if refusal.error.to_string() == UNSUPPORTED_TOKEN_TYPE => Ok(false),
            _ => Err(fetched::transient(Step::Revoke, endpoint, &answer)),
        }
    }
}
