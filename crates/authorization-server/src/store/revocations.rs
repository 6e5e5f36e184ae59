//! Which grants and access tokens no resource server may accept any more.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

impl Store {
    /// Revokes one access token, by its id.
    pub(crate) async fn revoke_access_token(&self, token_id: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO revocations (revoked, expires_at) VALUES ($1, $2)
             ON CONFLICT (revoked) DO NOTHING",
        )
        .bind(token_id)
        .bind(self.revocation_ends().unix())
        .execute(self.writer())
        .await?;
        self.remember_revoked(vec![token_id.to_owned()]);
        Ok(())
    }

    /// Brings the memory of revocations up to date with what other processes wrote.
    pub(crate) async fn read_revocations(&self) -> Result<()> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT revoked, expires_at FROM revocations WHERE expires_at > $1")
                .bind(self.now().unix())
                .fetch_all(self.reader())
                .await?;
        self.revoked()
            .insert(rows.into_iter().map(|(revoked, until)| (revoked, Timestamp::from_unix(until))));
        Ok(())
    }
}
