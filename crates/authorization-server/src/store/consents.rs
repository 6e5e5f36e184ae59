//! What a person has agreed to before.

use super::{Result, Store};

/// Whose consent to what.
#[derive(Copy, Clone)]
pub(crate) struct Consent<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) resource: &'a str,
    /// Who gets the answer: another site or app of the same client is asked about anew.
    pub(crate) receiver: &'a str,
}

/// What was agreed to, as it was stored.
#[derive(Default)]
pub(crate) struct Agreed {
    pub(crate) scopes: String,
    /// Where the person was told that servers act for them.
    pub(crate) acts_at: String,
}

impl Store {
    pub(crate) async fn find_consent(&self, consent: Consent<'_>) -> Result<Option<Agreed>> {
        let row: Option<(String, String)> = sqlx::query_as(
            "SELECT scopes, acts_at FROM consents
             WHERE user_id = $1 AND client_id = $2 AND resource = $3 AND receiver = $4",
        )
        .bind(consent.user_id)
        .bind(consent.client_id)
        .bind(consent.resource)
        .bind(consent.receiver)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(scopes, acts_at)| Agreed { scopes, acts_at }))
    }

    pub(crate) async fn save_consent(&self, consent: Consent<'_>, agreed: &Agreed) -> Result<()> {
        sqlx::query(
            "INSERT INTO consents (user_id, client_id, resource, receiver, scopes, acts_at, granted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (user_id, client_id, resource, receiver)
             DO UPDATE SET scopes = excluded.scopes, acts_at = excluded.acts_at, granted_at = excluded.granted_at",
        )
        .bind(consent.user_id)
        .bind(consent.client_id)
        .bind(consent.resource)
        .bind(consent.receiver)
        .bind(&agreed.scopes)
        .bind(&agreed.acts_at)
        .bind(self.now().unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }
}
