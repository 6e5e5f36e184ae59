//! A person's session at a third party: begins, is looked for, ends.

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;

use super::ThirdParty;
use super::kept::{Kept, Whose, ends};
use crate::audit::{AuditKind, NewEvent};
use crate::checks::Resources;
use crate::random::id;
use crate::server::Inner;
use crate::store::{NewInVault, Store, StoreError, VaultRow};

impl ThirdParty {
    /// The session of this person, if it is one with the third party that the name stands for today.
    pub(crate) async fn session(&self, store: &Store, user_id: &str) -> Result<Option<VaultRow>, StoreError> {
        let row = store.find_in_vault(user_id, &self.name).await?;
        Ok(row.filter(|row| row.issuer == self.issuer()))
    }

    /// What has to be asked for there before this person can be granted what needs it: what was asked for before, and what is
    /// missing. `None` where nothing is.
    pub(crate) async fn missing(
        &self,
        store: &Store,
        user_id: &str,
        needed: &ScopeSet,
    ) -> Result<Option<ScopeSet>, StoreError> {
        let Some(asked) = self.asked(store, user_id).await? else { return Ok(Some(needed.clone())) };
        Ok((!needed.is_subset(&asked)).then(|| asked.union(needed)))
    }

    /// What was asked for there before, if this person is linked.
    pub(crate) async fn asked(&self, store: &Store, user_id: &str) -> Result<Option<ScopeSet>, StoreError> {
        let row = self.session(store, user_id).await?;
        Ok(row.map(|row| ScopeSet::parse(&row.scopes).unwrap_or_default()))
    }
}

/// The first third party that has to be linked before this person can be granted these scopes of these resources.
pub(crate) async fn first_missing<'a>(
    server: &'a Inner,
    user_id: &str,
    resources: &Resources,
    granted: &ScopeSet,
) -> Result<Option<(&'a ThirdParty, ScopeSet)>, StoreError> {
    for party in &server.settings.third_parties {
        let Some(needed) = party.needed(resources, granted) else { continue };
        if let Some(missing) = party.missing(&server.store, user_id, &needed).await? {
            return Ok(Some((party, missing)));
        }
    }
    Ok(None)
}

/// Keeps what the third party gave for this person, in place of what was there. `scopes` is what the operator wants, `asked` what
/// the third party was told.
pub(crate) async fn keep(
    store: &Store,
    party: &ThirdParty,
    user_id: &str,
    scopes: &ScopeSet,
    asked: &ScopeSet,
    tokens: TokenResponse,
) -> Result<(), StoreError> {
    let row = id();
    let ends = ends(&tokens, tokens.refresh_token.is_some(), store.now());
    if tokens.refresh_token.is_none() && ends.ends_at.is_some() {
        tracing::warn!(
            third_party = party.name,
            servers = party.acts_for(),
            "no refresh token was given: the person has to link again when the access token ends"
        );
    }
    let kept = Kept {
        access: tokens.access_token,
        refresh: tokens.refresh_token,
        asked: asked.clone(),
        whose: Whose::of(user_id, party),
    };
    let sealed = kept.seal(store, &row)?;
    let new = NewInVault {
        id: &row,
        user_id,
        party: &party.name,
        issuer: party.issuer(),
        scopes: &scopes.to_string(),
        sealed: &sealed,
        ends,
    };
    store.put_into_vault(&new).await?;
    tracing::info!(user = user_id, third_party = party.name, "an account at a third party was linked");
    let event = NewEvent::new(AuditKind::ThirdPartyLinked).user(user_id);
    store.record(event.detail(format!("{}: {scopes}", party.name)));
    Ok(())
}

/// The third party has ended the session of that version, and with it ends all that was granted for what stands on it.
pub(super) async fn end(
    store: &Store,
    party: &ThirdParty,
    user_id: &str,
    row: &VaultRow,
    why: &str,
) -> Result<(), StoreError> {
    if store.end_in_vault(user_id, &party.name, Some(row), &party.stands_on_it()).await?.is_some() {
        note(store, party, user_id, why);
    }
    Ok(())
}

/// The person has ended it. The third party is told, as far as it listens.
pub(crate) async fn unlink(store: &Store, party: &ThirdParty, user_id: &str) -> Result<bool, StoreError> {
    let gone = store.end_in_vault(user_id, &party.name, None, &party.stands_on_it()).await?;
    let Some((row, sealed)) = gone else { return Ok(false) };
    note(store, party, user_id, "unlinked by the person");
    match Kept::open(store, &row, &sealed, &Whose::of(user_id, party)) {
        Ok(kept) => drop(tokio::spawn(tell(store.clone(), party.clone(), kept))),
        Err(error) => {
            let (third_party, servers) = (&party.name, party.acts_for());
            tracing::warn!(%error, third_party, servers, "its tokens could not be revoked there")
        }
    }
    Ok(true)
}

/// RFC 7009 §2.1: with a refresh token end the access tokens that came of it.
pub(super) async fn tell(store: Store, party: ThirdParty, kept: Kept) {
    let (token, hint): (&Secret, _) = match &kept.refresh {
        Some(refresh) => (refresh, "refresh_token"),
        None => (&kept.access, "access_token"),
    };
    match party.provider.revoke(token, hint, store.now()).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::info!(
                third_party = party.name,
                "it has no place where tokens are revoked; theirs live on there"
            );
        }
        Err(error) => {
            let (third_party, servers) = (&party.name, party.acts_for());
            tracing::warn!(%error, third_party, servers, "its tokens could not be revoked there")
        }
    }
}

fn note(store: &Store, party: &ThirdParty, user_id: &str, why: &str) {
    tracing::info!(user = user_id, third_party = party.name, why, "a session at a third party has ended");
    let event = NewEvent::new(AuditKind::ThirdPartyEnded).user(user_id);
    store.record(event.detail(format!("{}: {why}", party.name)));
}
