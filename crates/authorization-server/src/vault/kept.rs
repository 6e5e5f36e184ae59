//! What is sealed: the tokens, and whose they are, under the row's id. A sealed value in another row opens nothing, and neither does
//! a row that somebody has put under another name.

use std::time::Duration;

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use serde::{Deserialize, Serialize};

use super::ThirdParty;
use crate::store::{Ends, Store, StoreError, VAULT};

/// How long before its end an access token is renewed, at most; a quarter of its life where that is less.
const AHEAD: Duration = Duration::from_secs(60);

/// A session's tokens.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    /// What was asked for, where the third party wants to be told at each refresh.
    pub(super) asked: ScopeSet,
    pub(super) whose: Whose,
}

/// A person at a third party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whose {
    pub(super) user_id: String,
    pub(super) party: String,
    pub(super) issuer: String,
}

impl Whose {
    pub(super) fn of(user_id: &str, party: &ThirdParty) -> Self {
        let (user_id, issuer) = (user_id.to_owned(), party.issuer().to_owned());
        Self { user_id, party: party.name.clone(), issuer }
    }
}

impl Kept {
    pub(super) fn seal(&self, store: &Store, row: &str) -> Result<String, StoreError> {
        let plain = serde_json::to_vec(self).map_err(|_| unreadable())?;
        Ok(store.key().sealing(VAULT).seal(row, &plain)?)
    }

    pub(super) fn open(store: &Store, row: &str, sealed: &str, whose: &Whose) -> Result<Self, StoreError> {
        let plain = store.key().sealing(VAULT).open(row, sealed)?;
        let kept: Self = serde_json::from_slice(&plain).map_err(|_| unreadable())?;
        if kept.whose == *whose { Ok(kept) } else { Err(unreadable()) }
    }
}

/// RFC 6749 §5.1. Without a refresh token there is nothing to renew before the end.
pub(super) fn ends(tokens: &TokenResponse, renewable: bool, now: Timestamp) -> Ends {
    let Some(life) = tokens.expires_in.map(Duration::from_secs) else { return Ends::default() };
    let ahead = if renewable { AHEAD.min(life / 4) } else { Duration::ZERO };
    Ends { renew_at: Some(now.after(life.saturating_sub(ahead))), ends_at: Some(now.after(life)) }
}

fn unreadable() -> StoreError {
    StoreError::Unreadable { what: "token of a third party" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_its_end_if_it_can_be() {
        let now = Timestamp::from_unix(1_000);
        let times = |life: Option<u64>, renewable| {
            let tokens = TokenResponse { expires_in: life, ..TokenResponse::bearer(Secret::new("t")) };
            let ends = ends(&tokens, renewable, now);
            (ends.renew_at.map(Timestamp::unix), ends.ends_at.map(Timestamp::unix))
        };
        assert_eq!(times(Some(3_600), true), (Some(4_540), Some(4_600)));
        assert_eq!(times(Some(40), true), (Some(1_030), Some(1_040)));
        assert_eq!(times(Some(3_600), false), (Some(4_600), Some(4_600)));
        assert_eq!(times(None, true), (None, None));
    }
}
