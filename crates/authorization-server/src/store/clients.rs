//! Clients that were configured by hand or registered themselves.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store, from_json, to_json};

/// How a client came to be known.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientOrigin {
    /// By the operator's hand.
    Configured,
    /// By dynamic registration (RFC 7591).
    Dynamic,
}

impl ClientOrigin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Dynamic => "dynamic",
        }
    }
}

/// A stored client.
#[derive(Clone, Debug)]
pub(crate) struct ClientRow {
    pub(crate) id: String,
    pub(crate) origin: ClientOrigin,
    pub(crate) name: Option<String>,
    pub(crate) auth_method: String,
    pub(crate) secret_hash: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) grant_types: Vec<String>,
    pub(crate) scopes: Option<String>,
    pub(crate) created_at: Timestamp,
}

type Columns = (String, String, Option<String>, String, Option<String>, String, String, Option<String>, i64);

impl ClientRow {
    fn read(row: Columns) -> Result<Self> {
        Ok(Self {
            id: row.0,
            origin: if row.1 == ClientOrigin::Configured.as_str() {
                ClientOrigin::Configured
            } else {
                ClientOrigin::Dynamic
            },
            name: row.2,
            auth_method: row.3,
            secret_hash: row.4,
            redirect_uris: from_json(&row.5, "list of redirect URIs")?,
            grant_types: from_json(&row.6, "list of grant types")?,
            scopes: row.7,
            created_at: Timestamp::from_unix(row.8),
        })
    }
}

impl Store {
    /// False where the id is taken.
    pub(crate) async fn insert_client(&self, client: &ClientRow) -> Result<bool> {
        let made = sqlx::query(
            "INSERT INTO clients (id, origin, name, auth_method, secret_hash, redirect_uris,
                                  grant_types, scopes, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&client.id)
        .bind(client.origin.as_str())
        .bind(&client.name)
        .bind(&client.auth_method)
        .bind(&client.secret_hash)
        .bind(to_json(&client.redirect_uris))
        .bind(to_json(&client.grant_types))
        .bind(&client.scopes)
        .bind(client.created_at.unix())
        .execute(self.writer())
        .await?;
        Ok(made.rows_affected() == 1)
    }

    pub(crate) async fn find_client(&self, id: &str) -> Result<Option<ClientRow>> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, origin, name, auth_method, secret_hash, redirect_uris, grant_types, scopes,
                    created_at
             FROM clients WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.reader())
        .await?;
        row.map(ClientRow::read).transpose()
    }

    pub(crate) async fn list_clients(&self) -> Result<Vec<ClientRow>> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, origin, name, auth_method, secret_hash, redirect_uris, grant_types, scopes,
                    created_at
             FROM clients ORDER BY origin, created_at, id",
        )
        .fetch_all(self.reader())
        .await?;
        rows.into_iter().map(ClientRow::read).collect()
    }

    /// How many clients have registered themselves since then.
    pub(crate) async fn count_registrations(&self, since: Timestamp) -> Result<u64> {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM clients WHERE origin = 'dynamic' AND created_at > $1")
                .bind(since.unix())
                .fetch_one(self.reader())
                .await?;
        Ok(count.unsigned_abs())
    }

    /// Takes the client away, with its grants and what people agreed to. False where nobody has the id.
    pub(crate) async fn remove_client(&self, id: &str) -> Result<bool> {
        self.revoke_grants_of_client(id).await?;
        let mut tx = self.begin().await?;
        for delete in ["DELETE FROM consents WHERE client_id = $1", "DELETE FROM codes WHERE client_id = $1"]
        {
            sqlx::query(delete).bind(id).execute(&mut *tx).await?;
        }
        let removed = sqlx::query("DELETE FROM clients WHERE id = $1").bind(id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(removed.rows_affected() == 1)
    }
}
