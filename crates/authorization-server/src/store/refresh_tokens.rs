//! Refresh tokens: stored hashed, each used once, each with its successor.

use hallpass_protocol::time::Timestamp;

use super::{GrantRow, Result, Store, Transaction};

/// A refresh token with the grant that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct RefreshTokenRow {
    pub(crate) expires_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
    /// The next token, sealed under a key that only this token yields.
    pub(crate) successor: Option<String>,
    /// The provider's refresh token that stands behind this one, sealed under it.
    pub(crate) behind: Option<String>,
    pub(crate) grant: GrantRow,
}

/// A refresh token that is to be given out.
pub(crate) struct NewRefreshToken {
    pub(crate) hash: String,
    pub(crate) ends: Timestamp,
    /// The provider's refresh token that stands behind it, sealed under it.
    pub(crate) behind: Option<String>,
}

/// A refresh token that is used.
pub(crate) struct Rotation<'a> {
    pub(crate) hash: &'a str,
    /// What the used token yields.
    pub(crate) sealed_successor: &'a str,
    pub(crate) successor: NewRefreshToken,
}

pub(super) const ROTATE: &str = "UPDATE refresh_tokens SET used_at = $2, successor = $3
     WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
       AND EXISTS (SELECT 1 FROM grants
                   WHERE grants.id = refresh_tokens.grant_id AND revoked_at IS NULL AND grants.expires_at > $2)
     RETURNING grant_id";

impl Store {
    pub(crate) async fn find_refresh_token(&self, token_hash: &str) -> Result<Option<RefreshTokenRow>> {
        type Row = (
            i64,
            Option<i64>,
            Option<String>,
            String,
            String,
            String,
            String,
            String,
            Option<String>,
            i64,
            i64,
            Option<i64>,
            Option<i64>,
            Option<String>,
            String,
        );
        let row: Option<Row> = sqlx::query_as(
            "SELECT refresh_tokens.expires_at AS token_ends, refresh_tokens.used_at, refresh_tokens.successor,
                    grants.id, grants.user_id, grants.client_id, grants.resource, grants.scopes,
                    grants.bound_to, grants.confidential, grants.expires_at AS grant_ends, grants.revoked_at,
                    grants.authenticated_at, refresh_tokens.behind, grants.acts_at
             FROM refresh_tokens JOIN grants ON grants.id = refresh_tokens.grant_id
             WHERE refresh_tokens.token_hash = $1",
        )
        .bind(token_hash)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|row| RefreshTokenRow {
            expires_at: Timestamp::from_unix(row.0),
            used_at: row.1.map(Timestamp::from_unix),
            successor: row.2,
            behind: row.13,
            grant: GrantRow {
                id: row.3,
                user_id: row.4,
                client_id: row.5,
                resource: row.6,
                scopes: row.7,
                acts_at: row.14,
                bound_to: row.8,
                confidential: row.9 != 0,
                expires_at: Timestamp::from_unix(row.10),
                revoked_at: row.11.map(Timestamp::from_unix),
                authenticated_at: row.12.map(Timestamp::from_unix),
            },
        }))
    }

    /// Consumes a token and stores its successor. One statement decides: true for exactly one
    /// caller, however many come at once. False where the grant has ended, too.
    pub(crate) async fn rotate_refresh_token(&self, rotation: &Rotation<'_>) -> Result<bool> {
        let mut tx = self.begin().await?;
        let grant_id: Option<String> = sqlx::query_scalar(ROTATE)
            .bind(rotation.hash)
            .bind(self.now().unix())
            .bind(rotation.sealed_successor)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(grant_id) = grant_id else { return Ok(false) };
        self.insert_refresh_token(&mut tx, &grant_id, &rotation.successor).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub(super) async fn insert_refresh_token(
        &self,
        tx: &mut Transaction,
        grant_id: &str,
        new: &NewRefreshToken,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO refresh_tokens (token_hash, grant_id, expires_at, behind) VALUES ($1, $2, $3, $4)",
        )
        .bind(&new.hash)
        .bind(grant_id)
        .bind(new.ends.unix())
        .bind(new.behind.as_deref())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
impl Store {
    /// The same with plain words.
    pub(super) async fn rotate(&self, hash: &str, next: &str, sealed: &str, ends: Timestamp) -> Result<bool> {
        let successor = NewRefreshToken { hash: next.to_owned(), ends, behind: None };
        self.rotate_refresh_token(&Rotation { hash, sealed_successor: sealed, successor }).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CodeRow, StoreError};
    use super::*;
    use crate::store::testing::open;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    /// Row 2, without the reading that comes before: the statement alone has to decide.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_of_64_callers_rotates_a_token() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000)).clock();
        let store = open(&database, clock).await;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        store.insert_code("c", &CodeRow::sample("u", 1_060)).await.unwrap();
        let ends = Timestamp::from_unix(9_000);
        assert!(store.redeem_code("c", ends, Some(("first", ends)), None).await.unwrap());
        let callers: Vec<_> = (0..64)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let next = format!("next {n}");
                    store.rotate("first", &next, &next, ends).await.unwrap()
                })
            })
            .collect();
        let mut won = 0;
        for caller in callers {
            won += usize::from(caller.await.unwrap());
        }
        assert_eq!(won, 1);
    }

    /// `max_page_count` is SQLite's own way to have no more room: statements fail as on a full disk (SQLITE_FULL).
    #[tokio::test]
    async fn a_full_disk_consumes_nothing() {
        let database = TestDatabase::sqlite();
        let clock = FakeClock::at(Timestamp::from_unix(1_000)).clock();
        let store = open(&database, clock).await;
        let ends = Timestamp::from_unix(9_000);
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        for id in ["c", "d"] {
            let code = CodeRow { grant_id: id.to_owned(), ..CodeRow::sample("u", 1_060) };
            store.insert_code(id, &code).await.unwrap();
        }
        assert!(store.redeem_code("c", ends, Some(("first", ends)), None).await.unwrap());
        let long = "s".repeat(100_000);
        let no_room = async || {
            // No fewer pages than there are: the next one is too many. It holds for the connection that is told so.
            let pragma = sqlx::raw_sql("PRAGMA max_page_count = 1");
            pragma.execute(store.writer()).await.unwrap();
        };
        no_room().await;
        let rotated = store.rotate("first", "second", &long, ends).await;
        assert!(matches!(rotated, Err(StoreError::Database(_))), "{rotated:?}");
        no_room().await;
        let redeemed = store.redeem_code("d", ends, Some((&long, ends)), None).await;
        assert!(matches!(redeemed, Err(StoreError::Database(_))), "{redeemed:?}");
        assert!(store.rotate("first", "second", "s", ends).await.unwrap());
        assert!(store.redeem_code("d", ends, None, None).await.unwrap());
    }
}
