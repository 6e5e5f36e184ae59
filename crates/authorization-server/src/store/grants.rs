//! Grants, and their end. Revoking one ends its whole family of tokens.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;

use super::{NewRefreshToken, Result, Store, Transaction};

/// No access token lives longer than this, so no revocation needs to be remembered longer. Settings
/// that say more are refused at start.
pub(crate) const LONGEST_ACCESS_TOKEN: Duration = Duration::from_secs(24 * 60 * 60);

/// Resource servers accept tokens this much past their end, at most.
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// What one person gave to one installation of a client.
#[derive(Clone, Debug)]
pub(crate) struct GrantRow {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) client_id: String,
    pub(crate) resource: String,
    pub(crate) scopes: String,
    /// Where the person was told that servers act for them with it.
    pub(crate) acts_at: String,
    /// The key that its refresh tokens are bound to.
    pub(crate) bound_to: Option<String>,
    /// Whether its client has shown more than its id.
    pub(crate) confidential: bool,
    /// When the person has logged in.
    pub(crate) authenticated_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// How a grant begins.
pub(crate) struct BeginsGrant<'a> {
    pub(crate) ends: Timestamp,
    /// The first refresh token, where there is to be one.
    pub(crate) first: Option<NewRefreshToken>,
    /// The key that its refresh tokens are bound to.
    pub(crate) bound_to: Option<&'a str>,
}

/// What a code or a device that was just consumed stood for: grant, user, client, resource, scopes, whether the client is
/// confidential, the browser and system, the login, what that came by, and where servers act with it.
pub(super) type Consumed = (
    String,
    String,
    String,
    String,
    String,
    i64,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    String,
);

impl Store {
    pub(crate) async fn find_grant(&self, id: &str) -> Result<Option<GrantRow>> {
        type Row = (
            String,
            String,
            String,
            String,
            String,
            Option<String>,
            i64,
            Option<i64>,
            i64,
            Option<i64>,
            String,
        );
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, user_id, client_id, resource, scopes, bound_to, confidential, authenticated_at,
                    expires_at, revoked_at, acts_at
             FROM grants WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|row| GrantRow {
            id: row.0,
            user_id: row.1,
            client_id: row.2,
            resource: row.3,
            scopes: row.4,
            acts_at: row.10,
            bound_to: row.5,
            confidential: row.6 != 0,
            authenticated_at: row.7.map(Timestamp::from_unix),
            expires_at: Timestamp::from_unix(row.8),
            revoked_at: row.9.map(Timestamp::from_unix),
        }))
    }

    /// Begins the grant of what this transaction has consumed.
    pub(super) async fn begin_grant(
        &self,
        tx: &mut Transaction,
        of: Consumed,
        begins: BeginsGrant<'_>,
    ) -> Result<()> {
        let (id, user_id, client_id, resource, scopes, confidential, device, login, came_by, sid, acts_at) =
            of;
        sqlx::query(
            "INSERT INTO grants (id, user_id, client_id, resource, scopes, created_at, expires_at, bound_to,
                                 confidential, device, authenticated_at, came_by, sid_hash, acts_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&id)
        .bind(user_id)
        .bind(client_id)
        .bind(resource)
        .bind(scopes)
        .bind(self.now().unix())
        .bind(begins.ends.unix())
        .bind(begins.bound_to)
        .bind(confidential)
        .bind(device)
        .bind(login)
        .bind(came_by)
        .bind(sid)
        .bind(acts_at)
        .execute(&mut **tx)
        .await?;
        match begins.first {
            Some(first) => self.insert_refresh_token(tx, &id, &first).await,
            None => Ok(()),
        }
    }

    /// Ends a grant with all its tokens. Nothing happens to one that has ended before: then it is false.
    pub(crate) async fn revoke_grant(&self, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        let revoked = self.revoke_grant_in(&mut tx, id).await?;
        tx.commit().await?;
        let ended = !revoked.is_empty();
        self.remember_revoked(revoked);
        Ok(ended)
    }

    pub(super) async fn revoke_grant_in(&self, tx: &mut Transaction, id: &str) -> Result<Vec<String>> {
        let update = "UPDATE grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id";
        self.revoke_in(tx, update, id).await
    }

    pub(super) async fn revoke_grants_where_client(
        &self,
        tx: &mut Transaction,
        client_id: &str,
    ) -> Result<Vec<String>> {
        self.revoke_in(
            tx,
            "UPDATE grants SET revoked_at = $2 WHERE client_id = $1 AND revoked_at IS NULL RETURNING id",
            client_id,
        )
        .await
    }

    pub(super) async fn revoke_all_grants(&self, tx: &mut Transaction) -> Result<Vec<String>> {
        // No grant has an empty name.
        let all = "UPDATE grants SET revoked_at = $2 WHERE id <> $1 AND revoked_at IS NULL RETURNING id";
        self.revoke_in(tx, all, "").await
    }

    pub(super) async fn revoke_grants_where_user(
        &self,
        tx: &mut Transaction,
        user_id: &str,
    ) -> Result<Vec<String>> {
        self.revoke_in(
            tx,
            "UPDATE grants SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL RETURNING id",
            user_id,
        )
        .await
    }

    async fn revoke_in(
        &self,
        tx: &mut Transaction,
        update: &'static str,
        value: &str,
    ) -> Result<Vec<String>> {
        let revoked: Vec<String> =
            sqlx::query_scalar(update).bind(value).bind(self.now().unix()).fetch_all(&mut **tx).await?;
        for id in &revoked {
            self.write_revocation(tx, id).await?;
        }
        Ok(revoked)
    }

    /// One grant, or whatever else stands in the ids of tokens.
    pub(super) async fn write_revocation(&self, tx: &mut Transaction, id: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO revocations (revoked, expires_at) VALUES ($1, $2)
             ON CONFLICT (revoked) DO NOTHING",
        )
        .bind(id)
        .bind(revocation_ends(self.now()).unix())
        .execute(&mut **tx)
        .await?;
        self.tell_revoked(tx, id).await
    }

    /// Only after the commit: what memory says must be true after a restart.
    pub(super) fn remember_revoked(&self, revoked: Vec<String>) {
        let until = revocation_ends(self.now());
        self.revoked().insert(revoked.into_iter().map(|id| (id, until)));
    }
}

/// When the last access token is dead that was alive at this time.
pub(crate) fn revocation_ends(revoked_at: Timestamp) -> Timestamp {
    revoked_at.after(LONGEST_ACCESS_TOKEN).after(LEEWAY)
}
