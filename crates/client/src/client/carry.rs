//! Send, notice a refusal, cure it, send again: whoever it is that sends.

use super::{Client, Outcome, Want, Wish, exchange::Exchange, step_up};
use crate::{
    discover::Refusal,
    error::{Error, Rule, Step},
    mode::Mode,
};

impl Client {
    /// Carries out an exchange, as often as it takes to be let in.
    pub(crate) async fn carry<X: Exchange>(
        &self,
        operation: &str,
        exchange: &mut X,
    ) -> Result<X::Answer, X::Error> {
        let inner = &self.inner;
        let (_, url) = exchange.target().ok_or(Error::NotRepeatable)?;
        inner.ensure_own(url)?;
        match &inner.mode {
            Mode::None => return exchange.send(None).await,
            Mode::Bearer(source) => return inner.carry_given(source, exchange).await,
            Mode::OAuth if inner.account_for_request().await?.is_none() => self.login_unasked().await?,
            _ => {}
        }
        let mut cure = Cure::Any;
        loop {
            let account = inner.account_for_request().await?;
            let answer = inner.attempt(account.as_deref(), exchange).await?;
            let (status, headers) = X::head(&answer);
            let Some(refusal) = Refusal::of(status, headers) else {
                inner.step_ups.succeeded(operation);
                return Ok(answer);
            };
            // Its connection is wanted for the next request.
            drop(answer);
            let sent = account.as_ref().map(|account| account.access_token.clone());
            cure = match refusal {
                Refusal::Unauthorized(challenge) => {
                    cure.after_401(inner.server.as_str())?;
                    // RFC 9470 §4: what a refresh brings is of the same old login.
                    let stale = challenge.as_ref().is_some_and(step_up::wants_new_login);
                    let want = Want::Token { login: stale || cure == Cure::Login };
                    cure.next(inner.obtain(Wish { sent, want, attended: self.attended }, challenge).await?)
                }
                Refusal::InsufficientScope(challenge) => {
                    let scopes = challenge.scope().unwrap_or_default();
                    let server = inner.server.as_str();
                    step_up::ensure_lacking(operation, server, &scopes, account.as_deref())?;
                    let want = Want::Scopes { scopes, operation: operation.to_owned() };
                    inner.obtain(Wish { sent, want, attended: self.attended }, Some(challenge)).await?;
                    cure
                }
            };
        }
    }
}

/// What may still be tried after a 401. Each step is tried once, so a request ends after three refusals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// Adopt a newer token, refresh, or log in.
    Any,
    /// A refresh did not help: log in.
    Login,
    /// A token that was just issued by a login was refused.
    Nothing,
}

impl Cure {
    fn after_401(self, server: &str) -> Result<(), Error> {
        if self != Self::Nothing {
            return Ok(());
        }
        Err(Error::Misconfigured {
            step: Step::Send,
            url: server.to_owned(),
            rule: Rule::FreshTokenRefused(". Its audience or issuer may be set up wrongly".into()),
        })
    }

    fn next(self, outcome: Outcome) -> Self {
        match (self, outcome) {
            (Self::Any, Outcome::Adopted | Outcome::Refreshed) => Self::Login,
            _ => Self::Nothing,
        }
    }
}
