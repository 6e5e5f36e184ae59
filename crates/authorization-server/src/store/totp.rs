//! The second factor: one-time codes by time, recovery codes, and logins that wait for one.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// Who has given the right password and not yet the second factor.
pub(crate) struct HalfLoginRow {
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    pub(crate) name_key: String,
    /// Of the password that was given: where another is set, the waiting ends.
    pub(crate) password_hash: String,
}

impl Store {
    /// Turns the second factor on, with its recovery codes, or replaces it. The code of this step has been used.
    pub(crate) async fn save_totp(
        &self,
        user_id: &str,
        sealed: &str,
        step: i64,
        recovery: &[String],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM totp WHERE user_id = $1").bind(user_id).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO totp (user_id, sealed, last_step, created_at) VALUES ($1, $2, $3, $4)")
            .bind(user_id)
            .bind(sealed)
            .bind(step)
            .bind(self.now().unix())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user_id).execute(&mut *tx).await?;
        for code in recovery {
            sqlx::query("INSERT INTO recovery_codes (code_hash, user_id) VALUES ($1, $2)")
                .bind(code)
                .bind(user_id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn find_totp(&self, user_id: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT sealed FROM totp WHERE user_id = $1")
            .bind(user_id)
            .fetch_optional(self.reader())
            .await?)
    }

    /// Consumes a time step (RFC 6238 §5.2: a code counts once), and with it all before. True for exactly one caller.
    pub(crate) async fn use_totp_step(&self, user_id: &str, step: i64) -> Result<bool> {
        let used: Option<String> = sqlx::query_scalar(
            "UPDATE totp SET last_step = $2, wrong = 0 WHERE user_id = $1 AND last_step < $2 RETURNING user_id",
        )
        .bind(user_id)
        .bind(step)
        .fetch_optional(self.writer())
        .await?;
        Ok(used.is_some())
    }

    /// Counts a code before it is looked at; a right one takes the count back. False where so many were wrong already:
    /// codes are of six digits, so that whoever has the password and may guess for ever gets in.
    pub(crate) async fn count_guess(&self, user_id: &str, most: i64) -> Result<bool> {
        let counted: Option<String> = sqlx::query_scalar(
            "UPDATE totp SET wrong = wrong + 1 WHERE user_id = $1 AND wrong < $2 RETURNING user_id",
        )
        .bind(user_id)
        .bind(most)
        .fetch_optional(self.writer())
        .await?;
        Ok(counted.is_some())
    }

    /// A login has come to its end: the guesses before it count no more.
    pub(crate) async fn forget_guesses(&self, user_id: &str) -> Result<()> {
        sqlx::query("UPDATE totp SET wrong = 0 WHERE user_id = $1 AND wrong > 0")
            .bind(user_id)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Consumes a recovery code. True for exactly one caller.
    pub(crate) async fn use_recovery_code(&self, user_id: &str, code_hash: &str) -> Result<bool> {
        let used: Option<String> = sqlx::query_scalar(
            "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2 RETURNING user_id",
        )
        .bind(user_id)
        .bind(code_hash)
        .fetch_optional(self.writer())
        .await?;
        Ok(used.is_some())
    }

    pub(crate) async fn count_recovery_codes(&self, user_id: &str) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1")
            .bind(user_id)
            .fetch_one(self.reader())
            .await?)
    }

    /// Turns the second factor off. False where it was off.
    pub(crate) async fn delete_totp(&self, user_id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM totp WHERE user_id = $1").bind(user_id).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user_id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// False where the password is another one by now, or the person was disabled.
    pub(crate) async fn insert_half_login(
        &self,
        token_hash: &str,
        user_id: &str,
        password_hash: &str,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        self.hold_user(&mut tx, user_id).await?;
        let made = sqlx::query(
            "INSERT INTO half_logins (token_hash, user_id, expires_at)
             SELECT $1, id, $3 FROM users WHERE id = $2 AND disabled_at IS NULL AND password_hash = $4",
        )
        .bind(token_hash)
        .bind(user_id)
        .bind(expires_at.unix())
        .bind(password_hash)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(made.rows_affected() == 1)
    }

    pub(crate) async fn find_half_login(&self, token_hash: &str) -> Result<Option<HalfLoginRow>> {
        let row: Option<(String, String, String, String)> = sqlx::query_as(
            "SELECT users.id, users.name, users.name_key, users.password_hash
             FROM half_logins JOIN users ON users.id = half_logins.user_id
             WHERE half_logins.token_hash = $1 AND half_logins.expires_at > $2
               AND users.disabled_at IS NULL",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(user_id, user_name, name_key, password_hash)| HalfLoginRow {
            user_id,
            user_name,
            name_key,
            password_hash,
        }))
    }

    /// Ends the waiting. True for exactly one of several callers.
    pub(crate) async fn finish_half_login(&self, token_hash: &str) -> Result<bool> {
        let ended: Option<String> =
            sqlx::query_scalar("DELETE FROM half_logins WHERE token_hash = $1 RETURNING user_id")
                .bind(token_hash)
                .fetch_optional(self.writer())
                .await?;
        Ok(ended.is_some())
    }
}
