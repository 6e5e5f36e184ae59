//! Public keys that people log in with.

use hallpass_protocol::time::Timestamp;

use super::seen_ids::CLOCK_MAY_BE_AHEAD;
use super::{Result, Store};

const USE_CHALLENGE: &str =
    "INSERT INTO used_challenges (challenge, expires_at) VALUES ($1, $2) ON CONFLICT (challenge) DO NOTHING";

/// A passkey as it was registered.
pub(crate) struct NewPasskey<'a> {
    pub(crate) credential_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) algorithm: i64,
    pub(crate) public_key: &'a str,
    pub(crate) sign_count: i64,
}

/// What a login with a passkey needs to know.
pub(crate) struct PasskeyRow {
    pub(crate) user_id: String,
    pub(crate) name_key: String,
    pub(crate) algorithm: i64,
    pub(crate) public_key: String,
}

/// A passkey as its owner sees it.
pub(crate) struct PasskeyOfUser {
    pub(crate) credential_id: String,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
}

impl Store {
    /// False where somebody has registered it before.
    pub(crate) async fn insert_passkey(&self, user_id: &str, passkey: &NewPasskey<'_>) -> Result<bool> {
        let made = sqlx::query(
            "INSERT INTO passkeys (credential_id, user_id, name, algorithm, public_key, sign_count, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (credential_id) DO NOTHING",
        )
        .bind(passkey.credential_id)
        .bind(user_id)
        .bind(passkey.name)
        .bind(passkey.algorithm)
        .bind(passkey.public_key)
        .bind(passkey.sign_count)
        .bind(self.now().unix())
        .execute(self.writer())
        .await?;
        Ok(made.rows_affected() == 1)
    }

    /// The passkey, where its owner may log in.
    pub(crate) async fn find_passkey(&self, credential_id: &str) -> Result<Option<PasskeyRow>> {
        let row: Option<(String, String, i64, String)> = sqlx::query_as(
            "SELECT users.id, users.name_key, passkeys.algorithm, passkeys.public_key
             FROM passkeys JOIN users ON users.id = passkeys.user_id
             WHERE passkeys.credential_id = $1 AND users.disabled_at IS NULL",
        )
        .bind(credential_id)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(user_id, name_key, algorithm, public_key)| PasskeyRow {
            user_id,
            name_key,
            algorithm,
            public_key,
        }))
    }

    pub(crate) async fn list_passkeys(&self, user_id: &str) -> Result<Vec<PasskeyOfUser>> {
        let rows: Vec<(String, String, i64, Option<i64>)> = sqlx::query_as(
            "SELECT credential_id, name, created_at, used_at FROM passkeys
             WHERE user_id = $1 ORDER BY created_at, credential_id",
        )
        .bind(user_id)
        .fetch_all(self.reader())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(credential_id, name, created_at, used_at)| PasskeyOfUser {
                credential_id,
                name,
                created_at: Timestamp::from_unix(created_at),
                used_at: used_at.map(Timestamp::from_unix),
            })
            .collect())
    }

    /// Consumes the challenge and moves the counter on, both or neither. WebAuthn §7.2 step 22: a counter that does not
    /// grow means that the key was copied; one that is always zero counts nothing. True for exactly one caller.
    pub(crate) async fn use_passkey(
        &self,
        credential_id: &str,
        sign_count: i64,
        challenge: &str,
        challenge_ends: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let fresh = sqlx::query(USE_CHALLENGE)
            .bind(challenge)
            .bind(challenge_ends.after(CLOCK_MAY_BE_AHEAD).unix())
            .execute(&mut *tx)
            .await?;
        if fresh.rows_affected() == 0 {
            return Ok(false);
        }
        let used: Option<String> = sqlx::query_scalar(
            "UPDATE passkeys SET sign_count = $2, used_at = $3
             WHERE credential_id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0))
             RETURNING credential_id",
        )
        .bind(credential_id)
        .bind(sign_count)
        .bind(self.now().unix())
        .fetch_optional(&mut *tx)
        .await?;
        // The challenge is used up in any case.
        tx.commit().await?;
        Ok(used.is_some())
    }

    /// Consumes the challenge of a registration. True for exactly one caller.
    pub(crate) async fn use_challenge(&self, challenge: &str, ends: Timestamp) -> Result<bool> {
        let fresh = sqlx::query(USE_CHALLENGE)
            .bind(challenge)
            .bind(ends.after(CLOCK_MAY_BE_AHEAD).unix())
            .execute(self.writer())
            .await?;
        Ok(fresh.rows_affected() == 1)
    }

    /// False where the person has no such passkey.
    pub(crate) async fn delete_passkey(&self, user_id: &str, credential_id: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM passkeys WHERE user_id = $1 AND credential_id = $2")
            .bind(user_id)
            .bind(credential_id)
            .execute(self.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
