//! Ids of assertions and proofs: each counts once.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};
use crate::random::digest;

/// Whose memory an id belongs to: the same text from two senders is two ids.
#[derive(Copy, Clone, Debug)]
pub(crate) enum SeenBy {
    /// A client assertion, by its client.
    ClientAssertion,
    /// An assertion that is exchanged for a token, by its issuer.
    Assertion,
    /// A DPoP proof, by its key.
    DpopProof,
    /// What a resource server takes once, by the party that sent it.
    ResourceServer,
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
        let seen = digest(&format!("{by:?}\0{sender}\0{id}"));
        let made = sqlx::query(
            "INSERT INTO seen_ids (seen, expires_at) VALUES ($1, $2) ON CONFLICT (seen) DO NOTHING",
        )
        .bind(seen)
        .bind(expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(made.rows_affected() == 1)
    }
}
