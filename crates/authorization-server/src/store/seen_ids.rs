//! Ids of assertions and proofs: each counts once.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;

use super::{Result, Store, Transaction};
use crate::random::digest;

/// What counts once is remembered for so long after its end: a clock that is an hour ahead for a while sweeps what is alive,
/// and when it is right again nothing may count anew.
pub(super) const CLOCK_MAY_BE_AHEAD: Duration = Duration::from_secs(65 * 60);

/// Whose memory an id belongs to: the same text from two senders is two ids.
#[derive(Copy, Clone, Debug)]
pub(crate) enum SeenBy {
    /// A client assertion, by its client.
    ClientAssertion,
    /// An assertion that is exchanged for a token, by its issuer.
    Assertion,
    /// Word of a logout elsewhere, by its issuer.
    LogoutToken,
    /// A security event, by its issuer.
    SecurityEvent,
    /// A DPoP proof, by its key.
    DpopProof,
    /// What a resource server takes once, by the party that sent it.
    ResourceServer,
}

impl SeenBy {
    /// How much longer than it counts an id is remembered. At a protected resource there is one for each request, so it is
    /// no longer.
    fn longer(self) -> Duration {
        match self {
            Self::ClientAssertion
            | Self::Assertion
            | Self::LogoutToken
            | Self::SecurityEvent
            | Self::DpopProof => CLOCK_MAY_BE_AHEAD,
            Self::ResourceServer => Duration::ZERO,
        }
    }
}

const SEE: &str = "INSERT INTO seen_ids (seen, expires_at) VALUES ($1, $2) ON CONFLICT (seen) DO NOTHING";

fn seen(by: SeenBy, sender: &str, id: &str) -> String {
    digest(&format!("{by:?}\0{sender}\0{id}"))
}

impl Store {
    /// Whether a protected server of this house sees an id of that party for the first time. It is noted until `expires_at`,
    /// for every replica.
    ///
    /// # Errors
    /// Where the store fails: then nobody knows.
    pub async fn see_once(&self, party: &str, id: &str, expires_at: Timestamp) -> Result<bool> {
        self.see_id(SeenBy::ResourceServer, party, id, expires_at).await
    }

    /// Remembers an id until it could not be used any more. One statement decides: true for exactly one of several
    /// callers, whichever replica they ask.
    pub(crate) async fn see_id(
        &self,
        by: SeenBy,
        sender: &str,
        id: &str,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let made = sqlx::query(SEE)
            .bind(seen(by, sender, id))
            .bind(expires_at.after(by.longer()).unix())
            .execute(self.writer())
            .await?;
        Ok(made.rows_affected() == 1)
    }

    /// The same together with what it is good for: where that fails, the id was not seen.
    pub(super) async fn see_id_in(
        &self,
        tx: &mut Transaction,
        by: SeenBy,
        sender: &str,
        id: &str,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let made = sqlx::query(SEE)
            .bind(seen(by, sender, id))
            .bind(expires_at.after(by.longer()).unix())
            .execute(&mut **tx)
            .await?;
        Ok(made.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn what_counts_once_outlives_a_clock_that_is_an_hour_ahead_for_a_while() {
        let database = TestDatabase::new();
        let right = Timestamp::from_unix(1_000_000);
        let clock = FakeClock::at(right);
        let store = open(&database, clock.clock()).await;
        let ends = right.after(Duration::from_secs(60));
        for by in [SeenBy::ClientAssertion, SeenBy::Assertion, SeenBy::DpopProof] {
            assert!(store.see_id(by, "party", "id", ends).await.unwrap());
        }
        clock.advance(Duration::from_secs(60 * 60));
        store.sweep().await.unwrap();
        clock.set(right);
        for by in [SeenBy::ClientAssertion, SeenBy::Assertion, SeenBy::DpopProof] {
            assert!(!store.see_id(by, "party", "id", ends).await.unwrap(), "{by:?}");
        }
        clock.advance(Duration::from_secs(60) + CLOCK_MAY_BE_AHEAD);
        assert_eq!(store.sweep().await.unwrap(), 3, "and not for ever");
    }
}
