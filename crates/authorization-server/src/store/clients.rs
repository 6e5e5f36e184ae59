//! Clients that were configured by hand or registered themselves.

use hallpass_protocol::time::Timestamp;

use super::locks::Turn;
use super::{Result, Store, StoreError, Transaction, from_json, to_json};
use crate::clients::ClientDetails;
use crate::random::digest;

/// How a client came to be known.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientOrigin {
    /// By the operator's hand.
    Configured,
    /// By dynamic registration (RFC 7591).
    Dynamic,
}

impl ClientOrigin {
    pub(super) fn as_str(self) -> &'static str {
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
    /// The operator has switched it off.
    pub(crate) disabled: bool,
    /// The grant under which tokens are issued to the client itself.
    pub(crate) own_grant: String,
    pub(crate) details: ClientDetails,
}

pub(super) type Columns = (
    String,
    String,
    Option<String>,
    String,
    Option<String>,
    String,
    String,
    Option<String>,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
);

impl ClientRow {
    pub(super) fn read(row: Columns) -> Result<Self> {
        let unreadable = |_| StoreError::Unreadable { what: "client" };
        let details = row.11.as_deref().map(serde_json::from_str).transpose().map_err(unreadable)?;
        Ok(Self {
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
            disabled: row.9.is_some(),
            own_grant: row.10.unwrap_or_else(|| digest(&format!("own grant\0{}", row.0))),
            details: details.unwrap_or_default(),
            id: row.0,
        })
    }
}

impl Store {
    /// False where the id is taken.
    pub(crate) async fn insert_client(&self, client: &ClientRow) -> Result<bool> {
        let made = sqlx::query(
            "INSERT INTO clients (id, origin, name, auth_method, secret_hash, redirect_uris,
                                  grant_types, scopes, created_at, own_grant, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING",
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
        .bind(&client.own_grant)
        .bind(details_to_json(&client.details)?)
        .execute(self.writer())
        .await?;
        Ok(made.rows_affected() == 1)
    }

    /// Nobody's id holds a control character, and PostgreSQL would refuse the question.
    pub(crate) async fn find_client(&self, id: &str) -> Result<Option<ClientRow>> {
        if id.chars().any(char::is_control) {
            return Ok(None);
        }
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, origin, name, auth_method, secret_hash, redirect_uris, grant_types, scopes,
                    created_at, disabled_at, own_grant, details
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
                    created_at, disabled_at, own_grant, details
             FROM clients ORDER BY origin, created_at, id",
        )
        .fetch_all(self.reader())
        .await?;
        rows.into_iter().map(ClientRow::read).collect()
    }

    /// Takes the client away, with its grants and what people agreed to, all or nothing. A client with a metadata document
    /// has no row, and can have all the rest. False where there was nothing to end.
    pub(crate) async fn remove_client(&self, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        let mut ended = false;
        // Codes before grants: a code that is being redeemed at this moment is waited for, and its grant ends too.
        let own = self.revoke_own_grant(&mut tx, id).await?;
        for delete in [
            "DELETE FROM clients WHERE id = $1",
            "DELETE FROM codes WHERE client_id = $1",
            "DELETE FROM device_codes WHERE client_id = $1",
            "DELETE FROM pushed_requests WHERE client_id = $1",
            "DELETE FROM consents WHERE client_id = $1",
        ] {
            ended |= sqlx::query(delete).bind(id).execute(&mut *tx).await?.rows_affected() > 0;
        }
        let revoked = self.revoke_grants_where_client(&mut tx, id).await?;
        ended |= !revoked.is_empty();
        tx.commit().await?;
        self.remember_revoked(revoked.into_iter().chain(own).collect());
        Ok(ended)
    }

    /// Switches the client off, and ends all that was granted to it and by its codes, all or nothing. False where nobody
    /// has the id.
    pub(crate) async fn disable_client(&self, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        let disabled =
            sqlx::query("UPDATE clients SET disabled_at = COALESCE(disabled_at, $2) WHERE id = $1")
                .bind(id)
                .bind(self.now().unix())
                .execute(&mut *tx)
                .await?;
        if disabled.rows_affected() == 0 {
            return Ok(false);
        }
        // Codes before grants, as above.
        for delete in [
            "DELETE FROM codes WHERE client_id = $1",
            "DELETE FROM device_codes WHERE client_id = $1",
            "DELETE FROM pushed_requests WHERE client_id = $1",
        ] {
            sqlx::query(delete).bind(id).execute(&mut *tx).await?;
        }
        let revoked = self.revoke_grants_where_client(&mut tx, id).await?;
        let own = self.revoke_own_grant(&mut tx, id).await?;
        tx.commit().await?;
        self.remember_revoked(revoked.into_iter().chain(own).collect());
        Ok(true)
    }

    /// Switches the client on again. What was granted before stays dead. False where nobody has the id.
    pub(crate) async fn enable_client(&self, id: &str) -> Result<bool> {
        let enabled = sqlx::query("UPDATE clients SET disabled_at = NULL WHERE id = $1")
            .bind(id)
            .execute(self.writer())
            .await?;
        Ok(enabled.rows_affected() > 0)
    }

    /// Ends the tokens that were issued to any client itself.
    pub(super) async fn revoke_all_own_grants(&self, tx: &mut Transaction) -> Result<Vec<String>> {
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM clients").fetch_all(&mut **tx).await?;
        let mut ended = Vec::new();
        for id in ids {
            ended.extend(self.revoke_own_grant(tx, &id).await?);
        }
        Ok(ended)
    }

    /// Ends the tokens that were issued to the client itself; what it gets later is under another name.
    async fn revoke_own_grant(&self, tx: &mut Transaction, id: &str) -> Result<Option<String>> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, origin, name, auth_method, secret_hash, redirect_uris, grant_types, scopes,
                    created_at, disabled_at, own_grant, details
             FROM clients WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(row) = row.map(ClientRow::read).transpose()? else { return Ok(None) };
        // A client that registered itself never gets tokens of its own, and anyone can make one: nothing is to be remembered.
        if row.origin == ClientOrigin::Dynamic {
            return Ok(None);
        }
        sqlx::query("UPDATE clients SET own_grant = $2 WHERE id = $1")
            .bind(id)
            .bind(crate::random::id())
            .execute(&mut **tx)
            .await?;
        self.write_revocation(tx, &row.own_grant).await?;
        Ok(Some(row.own_grant))
    }
}

pub(super) fn details_to_json(details: &ClientDetails) -> Result<String> {
    serde_json::to_string(details).map_err(|_| StoreError::Unreadable { what: "client" })
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;

    #[tokio::test]
    async fn removing_ends_what_a_client_without_a_row_has() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(HOUR));
        let store = open(&database, clock.clock()).await;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        let code = crate::store::CodeRow::sample("u", HOUR + 60);
        let code = crate::store::CodeRow { client_id: "https://app.example/c".to_owned(), ..code };
        store.insert_code("c", &code).await.unwrap();
        assert!(store.redeem_code("c", Timestamp::from_unix(9 * DAY), None, None).await.unwrap());
        assert!(store.remove_client("https://app.example/c").await.unwrap(), "its grant has ended");
        assert_eq!(store.revoked().is_revoked("x.token"), Ok(true));
        assert!(!store.remove_client("https://app.example/c").await.unwrap());
    }
}
