//! Authorization requests that were pushed (RFC 9126), each for one use.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

impl Store {
    pub(crate) async fn insert_pushed_request(
        &self,
        request_hash: &str,
        client_id: &str,
        parameters: &str,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO pushed_requests (request_hash, client_id, parameters, expires_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(request_hash)
        .bind(client_id)
        .bind(parameters)
        .bind(expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Takes the request out. One statement decides: it is there for exactly one caller, and for its client alone.
    pub(crate) async fn take_pushed_request(
        &self,
        request_hash: &str,
        client_id: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "DELETE FROM pushed_requests WHERE request_hash = $1 AND client_id = $2 AND expires_at > $3
             RETURNING parameters",
        )
        .bind(request_hash)
        .bind(client_id)
        .bind(self.now().unix())
        .fetch_optional(self.writer())
        .await?)
    }
}
