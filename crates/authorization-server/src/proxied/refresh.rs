//! A refresh token of this server's for the provider's next access token.
//!
//! However often the client sends its token, and to whichever replica, the provider is asked once: one statement says who asks,
//! and everybody else waits for what comes of it. Whoever asks goes on though its client hangs up: what the provider has
//! rotated would be lost otherwise.

use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::asked::Asked;
use super::handed_on::{HandedUnder, note};
use super::{Given, NotGiven, Proxied, ProxiedResource, behind, redeem};
use crate::grants::{Refusal, alive, newest, successor_key};
use crate::provider::ProviderError;
use crate::random::{digest, token};
use crate::server::Inner;
use crate::settings::Lifetimes;
use crate::store::{NewRefreshToken, RefreshTokenRow, Rotation, Store, StoreError};

/// Whoever asks the provider has so long. A process that is killed meanwhile holds nobody up for longer.
const TURN: Duration = Duration::from_secs(60);
/// How often the others look.
const LOOK: Duration = Duration::from_millis(50);
/// How long the provider may take. With what comes after, it is less than a turn: nobody else asks with the same token meanwhile.
const ANSWER: Duration = Duration::from_secs(20);
/// How often, and how far apart, it is tried to store what the provider has given.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// What a used refresh token yields: the next one, and the access token that came with it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Next {
    pub(crate) successor: Secret,
    pub(crate) given: Given,
}

/// The last step, once every check of the refresh token was made.
pub(crate) async fn refresh(
    server: &Inner,
    proxied: &Proxied,
    presented: Secret,
    row: &RefreshTokenRow,
) -> Result<TokenResponse, Refusal> {
    if row.behind.is_none() {
        return Err(Refusal::OtherArrangement);
    }
    let resource = crate::checks::Resources::try_from(row.grant.resource.clone());
    let resource = resource.ok().and_then(|resources| proxied.resource(&resources));
    let resource = resource.ok_or_else(|| Refusal::ResourceGone(row.grant.resource.clone()))?;
    let hash = digest(presented.expose());
    let until = Instant::now() + proxied.patience;
    loop {
        let row = server.store.find_refresh_token(&hash).await?.ok_or(Refusal::UnknownRefreshToken)?;
        alive(server, &row)?;
        if row.used_at.is_some() {
            return hand_over(server, presented, &row).await;
        }
        let turn_ends = server.store.now().after(TURN);
        if let Some(behind) = server.store.take_turn_at_provider(&hash, turn_ends).await? {
            let row = RefreshTokenRow { behind: Some(behind), ..row };
            by(until, ask(server, proxied, resource, &presented, row)).await?;
        } else if Instant::now() < until {
            sleep(LOOK).await;
        } else {
            return Err(Refusal::ProviderAway);
        }
    }
}

/// What comes of it in time. A client hears early that it may try again: what was begun goes on, and is there for it then.
async fn by(until: Instant, asking: impl Future<Output = Result<(), Refusal>>) -> Result<(), Refusal> {
    timeout_at(until, asking).await.unwrap_or(Err(Refusal::ProviderAway))
}

/// The newest of the chain, with the access token that came with it.
async fn hand_over(
    server: &Inner,
    presented: Secret,
    row: &RefreshTokenRow,
) -> Result<TokenResponse, Refusal> {
    let (newest, given) = newest(server, presented).await?;
    let given = given.ok_or(Refusal::OtherArrangement)?;
    let grant = &row.grant;
    let under = HandedUnder { id: &grant.id, resource: &grant.resource, ends: grant.expires_at };
    let given = note(server, &grant.client_id, under, given).await?;
    redeem::record(server, &row.grant.id, &row.grant.user_id, &row.grant.client_id, &given);
    Ok(given.answer(Some(newest), server.store.now()))
}

async fn ask(
    server: &Inner,
    proxied: &Proxied,
    resource: &ProxiedResource,
    presented: &Secret,
    row: RefreshTokenRow,
) -> Result<(), Refusal> {
    let asks = Asks {
        store: server.store.clone(),
        proxied: proxied.clone(),
        resource: resource.clone(),
        lifetimes: server.settings.lifetimes.clone(),
        presented: presented.clone(),
        row: Arc::new(row),
    };
    tokio::spawn(asks.go()).await.unwrap_or(Err(Refusal::ProviderAway))
}

/// Whose turn it is. It depends on nobody who waits.
struct Asks {
    store: Store,
    proxied: Proxied,
    resource: ProxiedResource,
    lifetimes: Lifetimes,
    presented: Secret,
    row: Arc<RefreshTokenRow>,
}

impl Asks {
    async fn go(self) -> Result<(), Refusal> {
        let Self { store, proxied, resource, presented, row, .. } = &self;
        let hash = digest(presented.expose());
        let sealed = row.behind.as_deref().ok_or(Refusal::OtherArrangement)?;
        let theirs = behind::open(presented, sealed)?;
        let scopes =
            ScopeSet::parse(&row.grant.scopes).map_err(|_| StoreError::Unreadable { what: "scope" })?;
        let asked = Asked::of(proxied, resource, &scopes);
        let form = crate::provider::TokenRequest::Refresh { token: &theirs, scopes: &asked.scopes };
        let answer = timeout(ANSWER, proxied.provider.tokens(form, asked.resource, store.now())).await;
        let tokens = match answer.unwrap_or(Err(ProviderError::Slow)) {
            Ok(tokens) => tokens,
            Err(error) if error.ends_session() => {
                tracing::info!(grant = row.grant.id, %error, "the provider has ended a session, and its grant ends");
                store.revoke_grant(&row.grant.id).await?;
                return Err(Refusal::ProviderEnded);
            }
            Err(error) => {
                tracing::warn!(%error, "the provider does not refresh; nothing is lost, and it is asked again");
                store.end_turn_at_provider(&hash, sealed).await?;
                return Err(Refusal::ProviderAway);
            }
        };
        // RFC 6749 §6: where there is no new one, the old one goes on.
        let theirs = tokens.refresh_token.clone().unwrap_or(theirs);
        let profile = &proxied.provider.settings().profile;
        match Given::of(tokens, &scopes, resource, profile, store.now()).await {
            Ok(given) => self.keep(&hash, given, &theirs).await,
            Err(refused) => {
                let refused: NotGiven = refused;
                store.end_turn_at_provider(&hash, &behind::seal(presented, &theirs)?).await?;
                Err(Refusal::NotGiven(refused))
            }
        }
    }

    /// Persist before use. The provider has rotated: a database that is away for a moment must not cost the session.
    async fn keep(&self, hash: &str, mut given: Given, theirs: &Secret) -> Result<(), Refusal> {
        given.refresh_token = None;
        let successor = Secret::new(token());
        let next = Next { successor: successor.clone(), given };
        let text = serde_json::to_vec(&next).map_err(|_| StoreError::Sealed)?;
        let sealed = successor_key(&self.presented).seal(hash, &text).map_err(StoreError::from)?;
        let idle_ends = self.store.now().after(self.lifetimes.refresh_idle);
        let successor = NewRefreshToken {
            hash: digest(successor.expose()),
            ends: idle_ends.min(self.row.grant.expires_at),
            behind: Some(behind::seal(&successor, theirs)?),
        };
        let rotation = Rotation { hash, sealed_successor: &sealed, successor };
        for attempt in 1..=TRIES {
            match self.store.rotate_refresh_token(&rotation).await {
                Ok(true) => return Ok(()),
                // The grant has ended meanwhile, and what was refreshed for it ends as well.
                Ok(false) => {
                    super::revoke::at_provider(&self.proxied, theirs, "refresh_token", self.store.now())
                        .await;
                    return Err(Refusal::Revoked);
                }
                Err(error) => tracing::warn!(%error, attempt, "what the provider gave is not stored yet"),
            }
            sleep(BETWEEN_TRIES).await;
        }
        Err(Refusal::ProviderAway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_hears_in_time_that_it_may_try_again() {
        let now = Instant::now();
        let heard = by(now, std::future::pending()).await;
        assert!(matches!(heard, Err(Refusal::ProviderAway)));
        let heard = by(now + Proxied::PATIENCE, std::future::ready(Err(Refusal::Revoked))).await;
        assert!(matches!(heard, Err(Refusal::Revoked)), "what comes in time is told as it is");
        assert!(Proxied::PATIENCE < Duration::from_secs(10), "after which many clients give up");
    }

    /// Or another process would send the provider the token that is being spent.
    #[test]
    fn a_turn_is_longer_than_all_that_is_done_in_it() {
        assert!(ANSWER + crate::proxied::introspect::PATIENCE + BETWEEN_TRIES * TRIES < TURN);
    }
}
