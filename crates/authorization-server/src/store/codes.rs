//! Authorization codes: stored hashed, used once.

use hallpass_protocol::time::Timestamp;
use sqlx::Row;

use super::grants::Consumed;
use super::{BeginsGrant, CameBy, NewRefreshToken, Result, Store};
use crate::grants::MustBind;

/// What a code stands for (OAuth 2.1 §4.1.2), and whether it was used.
#[derive(Clone, Debug)]
pub(crate) struct CodeRow {
    /// The grant that redeeming the code begins.
    pub(crate) grant_id: String,
    pub(crate) user_id: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) resource: String,
    pub(crate) scopes: String,
    /// Where the person was told that servers act for them with it.
    pub(crate) acts_at: String,
    pub(crate) refreshable: bool,
    /// The thumbprint of the DPoP key that has to redeem it (RFC 9449 §10).
    pub(crate) bound_to: Option<String>,
    /// Whether its client shows more than its id.
    pub(crate) confidential: bool,
    /// What its tokens have to be bound to.
    pub(crate) must_bind: MustBind,
    /// When the person has logged in.
    pub(crate) authenticated_at: Option<Timestamp>,
    /// The browser and system at which the person agreed.
    pub(crate) device: Option<String>,
    /// What a provider gave, sealed under the code.
    pub(crate) given: Option<String>,
    pub(crate) expires_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
}

pub(super) const REDEEM: &str = "UPDATE codes SET used_at = $2
     WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2
       AND EXISTS (SELECT 1 FROM users WHERE users.id = codes.user_id AND disabled_at IS NULL)
     RETURNING grant_id, user_id, client_id, resource, scopes, confidential, device, authenticated_at, came_by, sid_hash,
               acts_at";

impl Store {
    /// Stores a code, and notes that its client is in use.
    pub(crate) async fn insert_code(&self, code_hash: &str, code: &CodeRow) -> Result<()> {
        self.insert_code_of(code_hash, code, None).await
    }

    /// The same with the login at a provider that it came of.
    pub(crate) async fn insert_code_of(
        &self,
        code_hash: &str,
        code: &CodeRow,
        came_by: Option<&CameBy>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE clients SET used_at = $2 WHERE id = $1 AND origin = 'dynamic'")
            .bind(&code.client_id)
            .bind(self.now().unix())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO codes (code_hash, grant_id, user_id, client_id, redirect_uri, challenge,
                                resource, scopes, refreshable, expires_at, bound_to, confidential, device,
                                must_bind, authenticated_at, given, came_by, sid_hash, acts_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        )
        .bind(code_hash)
        .bind(&code.grant_id)
        .bind(&code.user_id)
        .bind(&code.client_id)
        .bind(&code.redirect_uri)
        .bind(&code.challenge)
        .bind(&code.resource)
        .bind(&code.scopes)
        .bind(i64::from(code.refreshable))
        .bind(code.expires_at.unix())
        .bind(&code.bound_to)
        .bind(i64::from(code.confidential))
        .bind(code.device.as_deref())
        .bind(code.must_bind.as_str())
        .bind(code.authenticated_at.map(Timestamp::unix))
        .bind(code.given.as_deref())
        .bind(came_by.map(CameBy::identity_id))
        .bind(came_by.and_then(CameBy::sid_hash))
        .bind(&code.acts_at)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn find_code(&self, code_hash: &str) -> Result<Option<CodeRow>> {
        let row = sqlx::query(
            "SELECT grant_id, user_id, client_id, redirect_uri, challenge, resource, scopes, acts_at,
                    refreshable, bound_to, confidential, expires_at, used_at, device, must_bind,
                    authenticated_at, given
             FROM codes WHERE code_hash = $1",
        )
        .bind(code_hash)
        .fetch_optional(self.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let time =
            |name: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_unix));
        Ok(Some(CodeRow {
            grant_id: row.try_get("grant_id")?,
            user_id: row.try_get("user_id")?,
            client_id: row.try_get("client_id")?,
            redirect_uri: row.try_get("redirect_uri")?,
            challenge: row.try_get("challenge")?,
            resource: row.try_get("resource")?,
            scopes: row.try_get("scopes")?,
            acts_at: row.try_get("acts_at")?,
            refreshable: row.try_get::<i64, _>("refreshable")? != 0,
            bound_to: row.try_get("bound_to")?,
            confidential: row.try_get::<i64, _>("confidential")? != 0,
            must_bind: MustBind::read(row.try_get("must_bind")?),
            authenticated_at: time("authenticated_at")?,
            device: row.try_get("device")?,
            given: row.try_get("given")?,
            expires_at: Timestamp::from_unix(row.try_get("expires_at")?),
            used_at: time("used_at")?,
        }))
    }

    /// Consumes the code and begins its grant, with the first refresh token where there is to be one, and the key that
    /// its refresh tokens are bound to. One statement decides: true for exactly one caller, however many come at once.
    pub(crate) async fn redeem_code(
        &self,
        code_hash: &str,
        grant_ends: Timestamp,
        refresh_token: Option<(&str, Timestamp)>,
        bound_to: Option<&str>,
    ) -> Result<bool> {
        let first =
            refresh_token.map(|(hash, ends)| NewRefreshToken { hash: hash.to_owned(), ends, behind: None });
        self.redeem_code_for(code_hash, BeginsGrant { ends: grant_ends, first, bound_to }).await
    }

    /// The same with what stands behind the first refresh token.
    pub(crate) async fn redeem_code_for(&self, code_hash: &str, begins: BeginsGrant<'_>) -> Result<bool> {
        let mut tx = self.begin().await?;
        // Or someone could disable the account meanwhile, and end all its grants but this one.
        self.hold_user_of_code(&mut tx, code_hash).await?;
        let consumed: Option<Consumed> =
            sqlx::query_as(REDEEM).bind(code_hash).bind(self.now().unix()).fetch_optional(&mut *tx).await?;
        let Some(consumed) = consumed else { return Ok(false) };
        self.begin_grant(&mut tx, consumed, begins).await?;
        tx.commit().await?;
        Ok(true)
    }
}

#[cfg(test)]
impl CodeRow {
    /// A code of this user that ends then.
    pub(super) fn sample(user_id: &str, expires_at: i64) -> Self {
        let text = || "x".to_owned();
        Self {
            grant_id: text(),
            user_id: user_id.to_owned(),
            client_id: text(),
            redirect_uri: text(),
            challenge: text(),
            resource: text(),
            scopes: text(),
            acts_at: String::new(),
            refreshable: true,
            bound_to: None,
            confidential: false,
            must_bind: MustBind::default(),
            authenticated_at: None,
            device: None,
            given: None,
            expires_at: Timestamp::from_unix(expires_at),
            used_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::open;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    /// Row 1, without the reading that comes before: the statement alone has to decide.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_of_64_callers_redeems_a_code() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000)).clock();
        let store = open(&database, clock).await;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        store.insert_code("c", &CodeRow::sample("u", 1_060)).await.unwrap();
        let ends = Timestamp::from_unix(9_000);
        let callers: Vec<_> = (0..64)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let (token, next) = (format!("token {n}"), format!("next {n}"));
                    let redeemed = store.redeem_code("c", ends, Some((&token, ends)), None).await.unwrap();
                    let rotated = store.rotate(&token, &next, "s", ends);
                    (redeemed, rotated.await.unwrap())
                })
            })
            .collect();
        let mut won = Vec::new();
        for caller in callers {
            won.push(caller.await.unwrap());
        }
        assert_eq!(won.iter().filter(|won| **won == (true, true)).count(), 1);
        assert_eq!(won.iter().filter(|won| **won == (false, false)).count(), 63);
    }

    #[tokio::test]
    async fn an_expired_code_is_not_redeemed_by_the_statement_either() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let store = open(&database, clock.clock()).await;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        store.insert_code("c", &CodeRow::sample("u", 1_060)).await.unwrap();
        clock.set(Timestamp::from_unix(1_060));
        assert!(!store.redeem_code("c", Timestamp::from_unix(9_000), None, None).await.unwrap());
    }
}
