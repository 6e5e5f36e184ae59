//! A new master key: every sealed value is sealed anew, a few at a time. Whoever is interrupted begins again and finds
//! what is left.

use super::{Result, Store, house_secrets, service_accounts, signing_keys, vault};
use crate::audit::{AuditKind, By, NewEvent};
use crate::login::second_factor;

const BATCH: i64 = 100;

/// A column that is sealed under the master key. The context of each value is its row's key.
struct Sealed {
    kind: &'static str,
    /// The next rows that another key than `$1` has sealed, as key and value.
    select: &'static str,
    /// Replaces `$2`, the old value of row `$1`, by `$3`.
    update: &'static str,
    /// How many rows another key than `$1` has sealed.
    count: &'static str,
}

macro_rules! sealed {
    ($kind:expr, $table:literal, $key:literal) => {
        Sealed {
            kind: $kind,
            select: concat!(
                "SELECT ",
                $key,
                ", sealed FROM ",
                $table,
                " WHERE sealed IS NOT NULL AND SUBSTR(sealed, 1, 9) <> $1 LIMIT $2"
            ),
            update: concat!("UPDATE ", $table, " SET sealed = $3 WHERE ", $key, " = $1 AND sealed = $2"),
            count: concat!(
                "SELECT COUNT(*) FROM ",
                $table,
                " WHERE sealed IS NOT NULL AND SUBSTR(sealed, 1, 9) <> $1"
            ),
        }
    };
}

/// Every column called `sealed`; a test looks that none is missing.
const SEALED: [Sealed; 5] = [
    sealed!(house_secrets::KIND, "house_secrets", "name"),
    sealed!(signing_keys::KIND, "signing_keys", "kid"),
    sealed!(second_factor::SEALED, "totp", "user_id"),
    sealed!(service_accounts::KIND, "service_accounts", "id"),
    sealed!(vault::KIND, "vault", "id"),
];

impl Store {
    /// Seals under the newest master key what former ones have sealed, and says how many values that were. Servers may
    /// run meanwhile; what they seal has to be opened by the keys that they know.
    ///
    /// # Errors
    /// Where a value cannot be opened, or the store fails. What was done until then is done.
    pub async fn reseal(&self) -> Result<u64> {
        let mut done = 0;
        for column in &SEALED {
            loop {
                let resealed = self.reseal_batch(column).await?;
                done += resealed;
                if resealed == 0 {
                    break;
                }
            }
        }
        let event = NewEvent::new(AuditKind::MasterKeyRotated).by(&By::Operator);
        self.record_now(event.detail(format!("{done} values"))).await;
        Ok(done)
    }

    /// Notes in the audit log that so many former master keys were dropped.
    pub async fn forgot_master_keys(&self, count: usize) {
        let event = NewEvent::new(AuditKind::MasterKeysForgotten).by(&By::Operator);
        self.record_now(event.detail(count.to_string())).await;
    }

    /// How many values former master keys have sealed: as long as there is one, they are needed.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn sealed_under_former_keys(&self) -> Result<u64> {
        let mut left = 0;
        for column in &SEALED {
            let count: i64 =
                sqlx::query_scalar(column.count).bind(self.prefix()).fetch_one(self.reader()).await?;
            left += count.unsigned_abs();
        }
        Ok(left)
    }

    /// Opens every sealed value: all of them can be read with the keys that there are.
    ///
    /// # Errors
    /// [`StoreError::Sealed`](super::StoreError::Sealed) at the first that cannot, and where the store fails.
    pub(super) async fn check_sealed(&self) -> Result<()> {
        for column in &SEALED {
            let key = self.key().sealing(column.kind);
            let rows: Vec<(String, String)> =
                sqlx::query_as(column.select).bind("").bind(i64::MAX).fetch_all(self.reader()).await?;
            for (row, sealed) in &rows {
                key.open(row, sealed)?;
            }
        }
        Ok(())
    }

    async fn reseal_batch(&self, column: &Sealed) -> Result<u64> {
        let key = self.key().sealing(column.kind);
        let mut tx = self.begin().await?;
        let rows: Vec<(String, String)> =
            sqlx::query_as(column.select).bind(self.prefix()).bind(BATCH).fetch_all(&mut *tx).await?;
        for (row, before) in &rows {
            let after = key.seal(row, &key.open(row, before)?)?;
            // Nothing happens to a value that someone has changed since it was read.
            sqlx::query(column.update).bind(row).bind(before).bind(after).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// The newest key's id and the separator.
    fn prefix(&self) -> String {
        format!("{}.", self.key().newest().0)
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::{Clock, Timestamp};
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::keys::MasterKey;
    use crate::store::NewSigningKey;
    use crate::store::testing::open_with;

    #[tokio::test]
    async fn a_new_master_key_opens_everything_when_the_former_one_is_forgotten() {
        let database = TestDatabase::new();
        let file = database.folder().join("master.key");
        let open = async || {
            let clock = Clock::new(|| Timestamp::from_unix(1_000));
            open_with(&database, clock, MasterKey::load_or_create(&file).unwrap()).await
        };
        let store = open().await.unwrap();
        let active_from = Timestamp::from_unix(1_000);
        let key = NewSigningKey { kid: "k", algorithm: "ES256", pkcs8: b"pkcs8", active_from, place: 1 };
        assert!(store.insert_signing_key(&key).await.unwrap());
        let hash = store.key().client_secret_hash("a client's");
        assert_eq!(store.sealed_under_former_keys().await.unwrap(), 0);

        MasterKey::add(&file).unwrap();
        let store = open().await.unwrap();
        assert_eq!(store.sealed_under_former_keys().await.unwrap(), 2);
        assert_eq!(store.reseal().await.unwrap(), 2);
        assert_eq!(store.reseal().await.unwrap(), 0, "nothing is left to do");

        MasterKey::forget_former(&file).unwrap();
        let store = open().await.unwrap();
        assert_eq!(store.signing_keys().await.unwrap()[0].pkcs8, b"pkcs8");
        assert_eq!(store.key().client_secret_hash("a client's"), hash, "hashes are not made anew");
        let other = MasterKey::from_bytes([1; 32]);
        let refused = open_with(&database, Clock::new(|| Timestamp::from_unix(1_000)), other).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("another master key")));
    }

    /// Whoever adds a sealed column has to put it into the table above.
    #[tokio::test]
    async fn no_sealed_column_is_missing() {
        let database = TestDatabase::sqlite();
        let clock = Clock::new(|| Timestamp::from_unix(1_000));
        let store = open_with(&database, clock, MasterKey::from_bytes([1; 32])).await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT sqlite_schema.name FROM sqlite_schema, pragma_table_info(sqlite_schema.name) AS columns
             WHERE sqlite_schema.type = 'table' AND columns.name LIKE '%sealed%' ORDER BY 1",
        )
        .fetch_all(store.reader())
        .await
        .unwrap();
        let known = |table: &String| {
            SEALED.iter().any(|column| column.update.starts_with(&format!("UPDATE {table} SET sealed")))
        };
        assert!(tables.iter().all(known), "{tables:?}");
        assert_eq!(tables.len(), SEALED.len());
    }
}
