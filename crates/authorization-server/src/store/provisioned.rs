//! People as an identity provider describes them (SCIM): everybody who may log in, and what it has said of some.

use hallpass_protocol::time::Timestamp;

use super::locks::Turn;
use super::{Result, Store, StoreError, Transaction};
use crate::login::{UserName, unknown_password};
use crate::scim::Attributes;

/// Somebody who may log in, and what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProvisionedUser {
    pub(crate) id: String,
    pub(crate) attributes: Attributes,
    pub(crate) created_at: Timestamp,
    pub(crate) changed_at: Timestamp,
}

/// Who is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeopleFilter {
    All,
    /// By the name to log in with, in lower case.
    Name(String),
    /// By what the identity provider calls them.
    ExternalId(String),
    Id(String),
}

/// Why nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotChanged<E> {
    /// There is nobody with this id.
    Gone,
    /// The name is another's.
    Taken,
    /// Whoever decides on the change has refused it.
    Refused(E),
}

macro_rules! people {
    ($where:literal) => {
        concat!(
            "SELECT users.id, users.name, users.created_at, users.deactivated_at, provisioned.attributes,
                    provisioned.changed_at
             FROM users LEFT JOIN provisioned ON provisioned.user_id = users.id ",
            $where
        )
    };
}

const BY_ID: &str = people!("WHERE users.id = $1");

type Columns = (String, String, i64, Option<i64>, Option<String>, Option<i64>);

/// Whether somebody is active is the identity provider's own word; whom the operator has disabled stays out beside it.
fn read((id, name, created_at, deactivated_at, attributes, changed_at): Columns) -> Result<ProvisionedUser> {
    let mut read = Attributes::named(&name, deactivated_at.is_none());
    if let Some(text) = attributes {
        let unreadable = |_| StoreError::Unreadable { what: "description of a person" };
        let kept: Attributes = serde_json::from_str(&text).map_err(unreadable)?;
        read = Attributes { user_name: read.user_name, active: read.active, ..kept };
    }
    let changed = [Some(created_at), deactivated_at, changed_at].into_iter().flatten().max();
    Ok(ProvisionedUser {
        id,
        attributes: read,
        created_at: Timestamp::from_unix(created_at),
        changed_at: Timestamp::from_unix(changed.unwrap_or(created_at)),
    })
}

impl Store {
    pub(crate) async fn find_provisioned(&self, id: &str) -> Result<Option<ProvisionedUser>> {
        let row: Option<Columns> = sqlx::query_as(BY_ID).bind(id).fetch_optional(self.reader()).await?;
        row.map(read).transpose()
    }

    /// Some of them, the oldest first; and how many there are in all.
    pub(crate) async fn list_provisioned(
        &self,
        filter: &PeopleFilter,
        skip: usize,
        most: usize,
    ) -> Result<(Vec<ProvisionedUser>, u64)> {
        let (select, count, value) = match filter {
            PeopleFilter::All => (
                people!("WHERE users.id <> $1 ORDER BY users.created_at, users.id LIMIT $2 OFFSET $3"),
                "SELECT COUNT(*) FROM users WHERE id <> $1",
                // Nobody has an empty id.
                "",
            ),
            PeopleFilter::Name(key) => (
                people!("WHERE users.name_key = $1 ORDER BY users.created_at, users.id LIMIT $2 OFFSET $3"),
                "SELECT COUNT(*) FROM users WHERE name_key = $1",
                key.as_str(),
            ),
            PeopleFilter::ExternalId(id) => (
                people!(
                    "WHERE provisioned.external_id = $1 ORDER BY users.created_at, users.id LIMIT $2 OFFSET $3"
                ),
                "SELECT COUNT(*) FROM provisioned WHERE external_id = $1",
                id.as_str(),
            ),
            PeopleFilter::Id(id) => (
                people!("WHERE users.id = $1 ORDER BY users.created_at, users.id LIMIT $2 OFFSET $3"),
                "SELECT COUNT(*) FROM users WHERE id = $1",
                id.as_str(),
            ),
        };
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let rows: Vec<Columns> = sqlx::query_as(select)
            .bind(value)
            .bind(number(most))
            .bind(number(skip))
            .fetch_all(self.reader())
            .await?;
        let total: i64 = sqlx::query_scalar(count).bind(value).fetch_one(self.reader()).await?;
        Ok((rows.into_iter().map(read).collect::<Result<_>>()?, total.unsigned_abs()))
    }

    /// False where the name is taken.
    pub(crate) async fn insert_provisioned(
        &self,
        id: &str,
        name: &UserName,
        attributes: &Attributes,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        if !self.insert_user_in(&mut tx, (id, &name.shown, &name.key), &unknown_password()).await? {
            return Ok(false);
        }
        if !attributes.active {
            self.set_active(&mut tx, id, false).await?;
        }
        self.describe(&mut tx, id, attributes).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Reads somebody, has it decided what is to be, and writes it: all in one transaction, so that nobody writes in between.
    /// Whoever is inactive from now on has no session, grant or token any more. Says what was and what is.
    pub(crate) async fn change_provisioned<E>(
        &self,
        id: &str,
        change: impl FnOnce(&ProvisionedUser) -> std::result::Result<(UserName, Attributes), E>,
    ) -> Result<std::result::Result<(ProvisionedUser, ProvisionedUser), NotChanged<E>>> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        self.hold_user_alone(&mut tx, id).await?;
        let row: Option<Columns> = sqlx::query_as(BY_ID).bind(id).fetch_optional(&mut *tx).await?;
        let Some(before) = row.map(read).transpose()? else { return Ok(Err(NotChanged::Gone)) };
        let (name, attributes) = match change(&before) {
            Ok(changed) => changed,
            Err(refused) => return Ok(Err(NotChanged::Refused(refused))),
        };
        let taken: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users WHERE name_key = $1 AND id <> $2")
            .bind(&name.key)
            .bind(id)
            .fetch_one(&mut *tx)
            .await?;
        if taken > 0 {
            return Ok(Err(NotChanged::Taken));
        }
        sqlx::query("UPDATE users SET name = $2, name_key = $3 WHERE id = $1")
            .bind(id)
            .bind(&name.shown)
            .bind(&name.key)
            .execute(&mut *tx)
            .await?;
        let mut revoked = Vec::new();
        match (before.attributes.active, attributes.active) {
            (true, false) => {
                revoked = self.end_all_of(&mut tx, id).await?;
                self.set_active(&mut tx, id, false).await?;
            }
            (false, true) => self.set_active(&mut tx, id, true).await?,
            _ => {}
        }
        self.describe(&mut tx, id, &attributes).await?;
        let row: Columns = sqlx::query_as(BY_ID).bind(id).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        self.remember_revoked(revoked);
        Ok(Ok((before, read(row)?)))
    }

    /// Removes somebody with all that hangs on them, all or nothing. False where there is nobody with this id.
    pub(crate) async fn remove_provisioned(&self, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        self.hold_user_alone(&mut tx, id).await?;
        let revoked = self.end_all_of(&mut tx, id).await?;
        let gone = sqlx::query("DELETE FROM users WHERE id = $1").bind(id).execute(&mut *tx).await?;
        tx.commit().await?;
        self.remember_revoked(revoked);
        Ok(gone.rows_affected() > 0)
    }

    /// Who has this address, as the name to log in with or by the word of an identity provider: the id, and whether disabled.
    /// Two, where it is not one person's.
    pub(crate) async fn find_by_address(&self, address: &str) -> Result<Vec<(String, bool)>> {
        let rows: Vec<(String, Option<i64>)> = sqlx::query_as(
            "SELECT id, disabled_at FROM users WHERE name_key = $1
             UNION
             SELECT users.id, users.disabled_at FROM provisioned
             JOIN users ON users.id = provisioned.user_id WHERE provisioned.address = $1
             LIMIT 2",
        )
        .bind(address)
        .fetch_all(self.reader())
        .await?;
        Ok(rows.into_iter().map(|(id, disabled_at)| (id, disabled_at.is_some())).collect())
    }

    pub(crate) async fn is_deactivated(&self, name_key: &str) -> Result<bool> {
        let deactivated: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM users WHERE name_key = $1 AND deactivated_at IS NOT NULL",
        )
        .bind(name_key)
        .fetch_one(self.reader())
        .await?;
        Ok(deactivated > 0)
    }

    async fn set_active(&self, tx: &mut Transaction, id: &str, active: bool) -> Result<()> {
        let update = match active {
            true => {
                sqlx::query("UPDATE users SET deactivated_at = NULL, disabled_at = barred_at WHERE id = $1")
                    .bind(id)
            }
            false => sqlx::query(
                "UPDATE users SET deactivated_at = COALESCE(deactivated_at, $2),
                                  disabled_at = COALESCE(disabled_at, $2) WHERE id = $1",
            )
            .bind(id)
            .bind(self.now().unix()),
        };
        update.execute(&mut **tx).await?;
        Ok(())
    }

    async fn describe(&self, tx: &mut Transaction, id: &str, attributes: &Attributes) -> Result<()> {
        let text = serde_json::to_string(attributes)
            .map_err(|_| StoreError::Unreadable { what: "description of a person" })?;
        sqlx::query(
            "INSERT INTO provisioned (user_id, external_id, address, attributes, changed_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (user_id) DO UPDATE SET external_id = excluded.external_id, address = excluded.address,
               attributes = excluded.attributes, changed_at = excluded.changed_at",
        )
        .bind(id)
        .bind(&attributes.external_id)
        .bind(attributes.address())
        .bind(text)
        .bind(self.now().unix())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}
