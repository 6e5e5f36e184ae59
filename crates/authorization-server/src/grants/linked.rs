//! What hangs on a person's session at a third party: without it, tokens for a server that acts there are good for nothing, and
//! there are none.

use hallpass_protocol::scope::ScopeSet;

use super::Refusal;
use crate::checks::Resources;
use crate::server::Inner;
use crate::vault::{Acting, NoToken, ThirdParty, Vault};

/// That the sessions live, as far as the third parties say: one whose time has come is renewed by this. One that does not answer is
/// no reason to refuse. Gives the names under which the end of each is told: what is issued without a grant hangs on them.
pub(super) async fn check(
    server: &Inner,
    user_id: &str,
    resources: &Resources,
    scopes: &ScopeSet,
) -> Result<Vec<String>, Refusal> {
    let mut sessions = Vec::new();
    for party in needed(server, resources, scopes) {
        // By the database: what is remembered may be a second old, and a code would be spent for nothing.
        let row = party.session(&server.store, user_id).await?.ok_or_else(|| not_linked(server, party))?;
        match Vault::of(server, party).token(user_id).await {
            Ok(_) | Err(NoToken::Unavailable(_)) => sessions.push(row.id),
            Err(NoToken::NotAgreed(shown)) => return Err(Refusal::NotAgreed(shown)),
            Err(NoToken::NotLinked(_)) => return Err(not_linked(server, party)),
            Err(NoToken::Store(error)) => return Err(error.into()),
        }
    }
    Ok(sessions)
}

/// That the person was told of each third party at which a server acts with this grant, and with no more scopes, on the page
/// where they agreed to it: it may be older than what is configured by now.
pub(super) fn check_agreed(
    server: &Inner,
    acts_at: &str,
    resources: &Resources,
    scopes: &ScopeSet,
) -> Result<(), Refusal> {
    let told = Acting::parse(acts_at)?;
    for party in &server.settings.third_parties {
        let needed = party.needed(resources, scopes);
        if needed.is_some_and(|needed| !told.covers(party, &needed)) {
            return Err(Refusal::NotAgreed(party.shown.clone()));
        }
    }
    Ok(())
}

/// That the sessions live once the grant has begun: one that has ended since the above has ended no grant that was not there yet.
pub(super) async fn check_again(
    server: &Inner,
    user_id: &str,
    resources: &Resources,
    scopes: &ScopeSet,
    grant_id: &str,
) -> Result<(), Refusal> {
    for party in needed(server, resources, scopes) {
        if party.session(&server.store, user_id).await?.is_none() {
            server.store.revoke_grant(grant_id).await?;
            return Err(not_linked(server, party));
        }
    }
    Ok(())
}

fn needed<'a>(
    server: &'a Inner,
    resources: &Resources,
    scopes: &ScopeSet,
) -> impl Iterator<Item = &'a ThirdParty> {
    server.settings.third_parties.iter().filter(|party| party.needed(resources, scopes).is_some())
}

fn not_linked(server: &Inner, party: &ThirdParty) -> Refusal {
    let link = Vault::of(server, party).link().clone();
    Refusal::NotLinked { party: party.shown.clone(), link }
}
