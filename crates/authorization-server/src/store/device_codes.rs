//! Devices that wait for a person (RFC 8628).

use hallpass_protocol::time::Timestamp;

use super::grants::Consumed;
use super::{BeginsGrant, CameBy, Result, SessionRow, Store};
use crate::grants::MustBind;

/// What a device asked for, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRow {
    /// The grant that the device gets.
    pub(crate) grant_id: String,
    pub(crate) client_id: String,
    pub(crate) resource: String,
    pub(crate) scopes: String,
    /// Where the person who has decided was told that servers act for them with it.
    pub(crate) acts_at: String,
    pub(crate) refreshable: bool,
    /// Whether its client shows more than its id.
    pub(crate) confidential: bool,
    /// Who has opened it.
    pub(crate) user_id: Option<String>,
    /// What that person has decided.
    pub(crate) decision: Option<Decision>,
    /// What its tokens have to be bound to.
    pub(crate) must_bind: MustBind,
    /// When the person who has decided had logged in.
    pub(crate) authenticated_at: Option<Timestamp>,
    /// When the tokens were given, and the refresh token among them, sealed under a key that only the code yields.
    pub(crate) redeemed_at: Option<Timestamp>,
    pub(crate) sealed_token: Option<String>,
    pub(crate) expires_at: Timestamp,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    Denied,
    /// The tokens were given.
    Redeemed,
}

impl Decision {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Redeemed => "redeemed",
        }
    }

    fn read(text: &str) -> Self {
        match text {
            "allowed" => Self::Allowed,
            "redeemed" => Self::Redeemed,
            _ => Self::Denied,
        }
    }
}

/// Whether a device may ask now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    InTime,
    TooSoon,
}

type Columns = (
    String,
    String,
    String,
    String,
    i64,
    i64,
    Option<String>,
    Option<String>,
    i64,
    String,
    Option<i64>,
    Option<i64>,
    Option<String>,
    String,
);

/// In the order of the above.
macro_rules! columns {
    () => {
        "grant_id, client_id, resource, scopes, refreshable, confidential, user_id, decision, expires_at, must_bind,
         authenticated_at, redeemed_at, given_token, acts_at"
    };
}

fn read(row: Columns) -> DeviceRow {
    DeviceRow {
        grant_id: row.0,
        client_id: row.1,
        resource: row.2,
        scopes: row.3,
        acts_at: row.13,
        refreshable: row.4 != 0,
        confidential: row.5 != 0,
        user_id: row.6,
        decision: row.7.as_deref().map(Decision::read),
        expires_at: Timestamp::from_unix(row.8),
        must_bind: MustBind::read(&row.9),
        authenticated_at: row.10.map(Timestamp::from_unix),
        redeemed_at: row.11.map(Timestamp::from_unix),
        sealed_token: row.12,
    }
}

pub(super) const REDEEM: &str =
    "UPDATE device_codes SET decision = 'redeemed', redeemed_at = $2, given_token = $3
     WHERE device_hash = $1 AND decision = 'allowed' AND expires_at > $2
       AND EXISTS (SELECT 1 FROM users WHERE users.id = device_codes.user_id AND disabled_at IS NULL)
     RETURNING grant_id, user_id, client_id, resource, scopes, confidential, CAST(NULL AS TEXT) AS device,
               authenticated_at, came_by, sid_hash, acts_at";

impl Store {
    /// False where the user code is taken by another device.
    pub(crate) async fn insert_device(
        &self,
        device_hash: &str,
        user_code_hash: &str,
        device: &DeviceRow,
        pause: i64,
    ) -> Result<bool> {
        let made = sqlx::query(
            "INSERT INTO device_codes (device_hash, user_code_hash, grant_id, client_id, resource, scopes,
                                       refreshable, confidential, pause, expires_at, must_bind)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (user_code_hash) DO NOTHING",
        )
        .bind(device_hash)
        .bind(user_code_hash)
        .bind(&device.grant_id)
        .bind(&device.client_id)
        .bind(&device.resource)
        .bind(&device.scopes)
        .bind(i64::from(device.refreshable))
        .bind(i64::from(device.confidential))
        .bind(pause)
        .bind(device.expires_at.unix())
        .bind(device.must_bind.as_str())
        .execute(self.writer())
        .await?;
        Ok(made.rows_affected() == 1)
    }

    /// Leaves as many devices that nobody has opened yet: anyone can begin them. The oldest go, and never the one that has
    /// just begun.
    pub(crate) async fn bound_unopened_devices(&self, most: i64, just_begun: &str) -> Result<()> {
        let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM device_codes WHERE user_id IS NULL")
            .fetch_one(self.reader())
            .await?;
        if there > most {
            sqlx::query(
                "DELETE FROM device_codes WHERE user_id IS NULL AND device_hash IN
                   (SELECT device_hash FROM device_codes WHERE user_id IS NULL AND device_hash <> $1
                    ORDER BY expires_at LIMIT $2)",
            )
            .bind(just_begun)
            .bind(there - most)
            .execute(self.writer())
            .await?;
        }
        Ok(())
    }

    pub(crate) async fn find_device(&self, device_hash: &str) -> Result<Option<DeviceRow>> {
        let row: Option<Columns> =
            sqlx::query_as(concat!("SELECT ", columns!(), " FROM device_codes WHERE device_hash = $1",))
                .bind(device_hash)
                .fetch_optional(self.reader())
                .await?;
        Ok(row.map(read))
    }

    /// The device that waits under this code, for the person who opens it. The first who does is the only one: a code
    /// that somebody else has opened yields the row with their name. One that was decided on is not found.
    pub(crate) async fn claim_device(
        &self,
        user_code_hash: &str,
        user_id: &str,
    ) -> Result<Option<DeviceRow>> {
        let row: Option<Columns> = sqlx::query_as(concat!(
            "UPDATE device_codes SET user_id = COALESCE(user_id, $2)
             WHERE user_code_hash = $1 AND decision IS NULL AND expires_at > $3
             RETURNING ",
            columns!(),
        ))
        .bind(user_code_hash)
        .bind(user_id)
        .bind(self.now().unix())
        .fetch_optional(self.writer())
        .await?;
        Ok(row.map(read))
    }

    /// The device that this person has opened by this code, and not decided on yet.
    pub(crate) async fn find_claimed_device(
        &self,
        user_code_hash: &str,
        user_id: &str,
    ) -> Result<Option<DeviceRow>> {
        let row: Option<Columns> = sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM device_codes
             WHERE user_code_hash = $1 AND user_id = $2 AND decision IS NULL AND expires_at > $3",
        ))
        .bind(user_code_hash)
        .bind(user_id)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(read))
    }

    /// Notes what the person who has opened it has decided, and where they were told that servers act for them; says whose it
    /// is: once.
    pub(crate) async fn decide_device(
        &self,
        user_code_hash: &str,
        session: &SessionRow,
        decision: Decision,
        acts_at: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "UPDATE device_codes SET decision = $3, authenticated_at = $5, came_by = $6, sid_hash = $7,
                                     acts_at = $8
             WHERE user_code_hash = $1 AND user_id = $2 AND decision IS NULL AND expires_at > $4
             RETURNING client_id",
        )
        .bind(user_code_hash)
        .bind(&session.user_id)
        .bind(decision.as_str())
        .bind(self.now().unix())
        .bind(session.authenticated_at.unix())
        .bind(session.came_by.as_ref().map(CameBy::identity_id))
        .bind(session.came_by.as_ref().and_then(CameBy::sid_hash))
        .bind(acts_at)
        .fetch_optional(self.writer())
        .await?)
    }

    /// Notes that the device has asked. One that asks too soon has to wait longer from then on (RFC 8628 §3.5).
    pub(crate) async fn poll_device(&self, device_hash: &str) -> Result<Poll> {
        let now = self.now().unix();
        let in_time = sqlx::query(
            "UPDATE device_codes SET polled_at = $2
             WHERE device_hash = $1 AND (polled_at IS NULL OR polled_at + pause <= $2)",
        )
        .bind(device_hash)
        .bind(now)
        .execute(self.writer())
        .await?;
        if in_time.rows_affected() == 1 {
            return Ok(Poll::InTime);
        }
        sqlx::query("UPDATE device_codes SET polled_at = $2, pause = pause + 5 WHERE device_hash = $1")
            .bind(device_hash)
            .bind(now)
            .execute(self.writer())
            .await?;
        Ok(Poll::TooSoon)
    }

    /// Consumes what was allowed and begins its grant, as [`Store::redeem_code`] does for a code.
    pub(crate) async fn redeem_device(
        &self,
        device_hash: &str,
        begins: BeginsGrant<'_>,
        sealed_token: Option<&str>,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        // Or someone could disable the account meanwhile, and end all its grants but this one.
        self.hold_user_of_device(&mut tx, device_hash).await?;
        let update = sqlx::query_as(REDEEM).bind(device_hash).bind(self.now().unix()).bind(sealed_token);
        let consumed: Option<Consumed> = update.fetch_optional(&mut *tx).await?;
        let Some(consumed) = consumed else { return Ok(false) };
        self.begin_grant(&mut tx, consumed, begins).await?;
        tx.commit().await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn the_oldest_that_nobody_has_opened_make_room() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_user("u", "Ada", "ada", "h").await.unwrap();
        for n in 0..6 {
            let row = DeviceRow {
                grant_id: n.to_string(),
                client_id: "c".to_owned(),
                resource: "r".to_owned(),
                scopes: String::new(),
                acts_at: String::new(),
                refreshable: false,
                confidential: false,
                user_id: None,
                decision: None,
                must_bind: MustBind::default(),
                authenticated_at: None,
                redeemed_at: None,
                sealed_token: None,
                expires_at: Timestamp::from_unix(2_000 + n),
            };
            let hash = n.to_string();
            store.insert_device(&hash, &hash, &row, 5).await.unwrap();
            if n == 0 {
                store.claim_device(&hash, "u").await.unwrap().unwrap();
            }
            store.bound_unopened_devices(2, &hash).await.unwrap();
        }
        for n in 0..6 {
            let there = store.find_device(&n.to_string()).await.unwrap().is_some();
            assert_eq!(there, [0, 4, 5].contains(&n), "{n}");
        }
    }
}
