//! Browsers that are logged in.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// A browser session whose person may still log in.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    /// Whether the person runs the server.
    pub(crate) is_admin: bool,
    /// When this browser logged in.
    pub(crate) authenticated_at: Timestamp,
}

/// A browser session, as its person sees it.
pub(crate) struct OpenSession {
    /// The hash that the row goes by; it opens nothing.
    pub(crate) token_hash: String,
    pub(crate) authenticated_at: Timestamp,
    pub(crate) device: Option<String>,
}

impl Store {
    pub(crate) async fn insert_session(
        &self,
        token_hash: &str,
        user_id: &str,
        device: Option<&str>,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO sessions (token_hash, user_id, authenticated_at, expires_at, device)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(token_hash)
        .bind(user_id)
        .bind(self.now().unix())
        .bind(expires_at.unix())
        .bind(device)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    pub(crate) async fn find_session(&self, token_hash: &str) -> Result<Option<SessionRow>> {
        let row: Option<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT users.id, users.name, users.is_admin, sessions.authenticated_at
             FROM sessions JOIN users ON users.id = sessions.user_id
             WHERE sessions.token_hash = $1 AND sessions.expires_at > $2
               AND users.disabled_at IS NULL",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(user_id, user_name, is_admin, authenticated_at)| SessionRow {
            user_id,
            user_name,
            is_admin: is_admin != 0,
            authenticated_at: Timestamp::from_unix(authenticated_at),
        }))
    }

    /// The person's sessions, the newest first.
    pub(crate) async fn list_sessions(&self, user_id: &str) -> Result<Vec<OpenSession>> {
        let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
            "SELECT token_hash, authenticated_at, device FROM sessions
             WHERE user_id = $1 AND expires_at > $2 ORDER BY authenticated_at DESC, token_hash LIMIT 50",
        )
        .bind(user_id)
        .bind(self.now().unix())
        .fetch_all(self.reader())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(token_hash, authenticated_at, device)| OpenSession {
                token_hash,
                authenticated_at: Timestamp::from_unix(authenticated_at),
                device,
            })
            .collect())
    }

    pub(crate) async fn delete_session(&self, token_hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Ends one session of this person, whichever browser has it.
    pub(crate) async fn delete_session_of(&self, user_id: &str, token_hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash = $2")
            .bind(user_id)
            .bind(token_hash)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Ends every session of this person but this one.
    pub(crate) async fn delete_other_sessions(&self, user_id: &str, token_hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2")
            .bind(user_id)
            .bind(token_hash)
            .execute(self.writer())
            .await?;
        Ok(())
    }
}
