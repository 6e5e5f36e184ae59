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

impl Store {
    /// The scopes agreed to, as they were stored.
    pub(crate) async fn find_consent(&self, consent: Consent<'_>) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "SELECT scopes FROM consents
             WHERE user_id = $1 AND client_id = $2 AND resource = $3 AND receiver = $4",
        )
        .bind(consent.user_id)
        .bind(consent.client_id)
        .bind(consent.resource)
        .bind(consent.receiver)
        .fetch_optional(self.reader())
        .await?)
    }

    pub(crate) async fn save_consent(&self, consent: Consent<'_>, scopes: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO consents (user_id, client_id, resource, receiver, scopes, granted_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (user_id, client_id, resource, receiver)
             DO UPDATE SET scopes = excluded.scopes, granted_at = excluded.granted_at",
        )
        .bind(consent.user_id)
        .bind(consent.client_id)
        .bind(consent.resource)
        .bind(consent.receiver)
        .bind(scopes)
        .bind(self.now().unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }
}
