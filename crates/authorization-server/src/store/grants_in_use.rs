//! Grants as people see them: connected apps.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// No list is longer.
const MOST: i64 = 500;

/// An installation of a client that can still get in.
pub(crate) struct GrantInUse {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) client_name: Option<String>,
    pub(crate) user_name: String,
    pub(crate) resource: String,
    pub(crate) scopes: String,
    /// The browser and system at which the person agreed.
    pub(crate) device: Option<String>,
    pub(crate) created_at: Timestamp,
    /// When it last renewed its access.
    pub(crate) used_at: Option<Timestamp>,
}

type Row = (String, String, Option<String>, String, String, String, Option<String>, i64, Option<i64>);

/// Alive are those that can still be refreshed, and those so young ($2) that their first access token may be.
const GRANTS: &str =
    "SELECT grants.id, grants.client_id, clients.name, users.name, grants.resource, grants.scopes,
            grants.device, grants.created_at,
            (SELECT MAX(refresh_tokens.used_at) FROM refresh_tokens WHERE refresh_tokens.grant_id = grants.id)
     FROM grants JOIN users ON users.id = grants.user_id LEFT JOIN clients ON clients.id = grants.client_id
     WHERE grants.revoked_at IS NULL AND grants.expires_at > $1
       AND (grants.created_at > $2
            OR EXISTS (SELECT 1 FROM refresh_tokens
                       WHERE refresh_tokens.grant_id = grants.id AND refresh_tokens.used_at IS NULL
                         AND refresh_tokens.expires_at > $1))
       AND (grants.user_id = $3 OR $3 = '')
     ORDER BY grants.created_at DESC, grants.id LIMIT $4";

impl Store {
    /// The person's grants, or with an empty id everybody's, the newest first. Those that began before `young` have to be
    /// refreshable.
    pub(crate) async fn list_grants(&self, user_id: &str, young: Timestamp) -> Result<Vec<GrantInUse>> {
        let rows: Vec<Row> = sqlx::query_as(GRANTS)
            .bind(self.now().unix())
            .bind(young.unix())
            .bind(user_id)
            .bind(MOST)
            .fetch_all(self.reader())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| GrantInUse {
                id: row.0,
                client_id: row.1,
                client_name: row.2,
                user_name: row.3,
                resource: row.4,
                scopes: row.5,
                device: row.6,
                created_at: Timestamp::from_unix(row.7),
                used_at: row.8.map(Timestamp::from_unix),
            })
            .collect())
    }

    /// Whether the grant is this person's.
    pub(crate) async fn is_grant_of(&self, id: &str, user_id: &str) -> Result<bool> {
        let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM grants WHERE id = $1 AND user_id = $2")
            .bind(id)
            .bind(user_id)
            .fetch_one(self.reader())
            .await?;
        Ok(found == 1)
    }

    /// Forgets what the grant's person agreed to for its client and resource, so that it is asked anew.
    pub(crate) async fn forget_consent_of_grant(&self, id: &str) -> Result<()> {
        sqlx::query(
            "DELETE FROM consents WHERE EXISTS
               (SELECT 1 FROM grants
                WHERE grants.id = $1 AND grants.user_id = consents.user_id
                  AND grants.client_id = consents.client_id AND grants.resource = consents.resource)",
        )
        .bind(id)
        .execute(self.writer())
        .await?;
        Ok(())
    }
}
