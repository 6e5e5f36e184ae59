//! Tokens of third parties: one row for each person and third party.
//!
//! A row that is replaced or forgotten is written among the revocations under its id: whoever keeps its token in memory hears of
//! it as of a revoked grant.

use hallpass_protocol::time::Timestamp;

use super::locks::Turn;
use super::{Result, Store};

/// What the rows are sealed as.
pub(crate) const KIND: &str = "tokens of a third party";

/// Nobody who is disabled has one.
pub(super) const FIND: &str =
    "SELECT vault.id, vault.issuer, vault.scopes, vault.sealed, vault.linked_at, vault.renew_at,
            vault.ends_at, vault.version, vault.lease, vault.lease_ends
     FROM vault JOIN users ON users.id = vault.user_id
     WHERE vault.user_id = $1 AND vault.party = $2 AND users.disabled_at IS NULL";

/// For one of all replicas, and for what it has read.
pub(super) const LEASE: &str = "UPDATE vault SET lease = $3, lease_ends = $4
     WHERE id = $1 AND version = $2 AND lease_ends <= $5";

/// A session of a person at a third party.
#[derive(Clone, Debug)]
pub(crate) struct VaultRow {
    pub(crate) id: String,
    /// Who the third party was when it began.
    pub(crate) issuer: String,
    /// What was asked for there.
    pub(crate) scopes: String,
    pub(crate) sealed: String,
    pub(crate) linked_at: Timestamp,
    pub(crate) ends: Ends,
    pub(crate) version: i64,
    /// Whether somebody renews it at this moment.
    pub(crate) is_leased: bool,
    /// Until when nobody else does.
    pub(crate) lease_ends: Timestamp,
}

/// When an access token ends; never, where the third party says nothing.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Ends {
    /// When it is time for another one.
    pub(crate) renew_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
}

/// A session that begins.
pub(crate) struct NewInVault<'a> {
    pub(crate) id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) party: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) scopes: &'a str,
    pub(crate) sealed: &'a str,
    pub(crate) ends: Ends,
}

impl Store {
    /// Keeps a session in place of the one that was there, which is returned by id and sealed value. What was leased of that one
    /// is nothing any more.
    pub(crate) async fn put_into_vault(&self, new: &NewInVault<'_>) -> Result<Option<(String, String)>> {
        let mut tx = self.begin().await?;
        self.hold_user_alone(&mut tx, new.user_id).await?;
        let former: Option<(String, String)> =
            sqlx::query_as("DELETE FROM vault WHERE user_id = $1 AND party = $2 RETURNING id, sealed")
                .bind(new.user_id)
                .bind(new.party)
                .fetch_optional(&mut *tx)
                .await?;
        sqlx::query(
            "INSERT INTO vault (id, user_id, party, issuer, scopes, sealed, linked_at, renew_at, ends_at, version, lease_ends)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)",
        )
        .bind(new.id)
        .bind(new.user_id)
        .bind(new.party)
        .bind(new.issuer)
        .bind(new.scopes)
        .bind(new.sealed)
        .bind(self.now().unix())
        .bind(new.ends.renew_at.map(Timestamp::unix))
        .bind(new.ends.ends_at.map(Timestamp::unix))
        .execute(&mut *tx)
        .await?;
        if let Some((id, _)) = &former {
            self.write_revocation(&mut tx, id).await?;
        }
        tx.commit().await?;
        self.remember_revoked(former.iter().map(|(id, _)| id.clone()).collect());
        Ok(former)
    }

    /// The session of a person who is not disabled.
    pub(crate) async fn find_in_vault(&self, user_id: &str, party: &str) -> Result<Option<VaultRow>> {
        type Row = (String, String, String, String, i64, Option<i64>, Option<i64>, i64, Option<String>, i64);
        let row: Option<Row> =
            sqlx::query_as(FIND).bind(user_id).bind(party).fetch_optional(self.reader()).await?;
        Ok(row.map(|row| VaultRow {
            id: row.0,
            issuer: row.1,
            scopes: row.2,
            sealed: row.3,
            linked_at: Timestamp::from_unix(row.4),
            ends: Ends {
                renew_at: row.5.map(Timestamp::from_unix),
                ends_at: row.6.map(Timestamp::from_unix),
            },
            version: row.7,
            is_leased: row.8.is_some(),
            lease_ends: Timestamp::from_unix(row.9),
        }))
    }

    /// One statement: true for exactly one of all replicas, and for what they have read alone.
    pub(crate) async fn lease_in_vault(&self, row: &VaultRow, lease: &str, until: Timestamp) -> Result<bool> {
        let taken = sqlx::query(LEASE)
            .bind(&row.id)
            .bind(row.version)
            .bind(lease)
            .bind(until.unix())
            .bind(self.now().unix())
            .execute(self.writer())
            .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// What the lease was for. It is the version that counts: whoever comes back late has what the third party gave for it. False
    /// where there is another one by now. Nobody asks for the next one before that time.
    pub(crate) async fn renew_in_vault(
        &self,
        row: &VaultRow,
        sealed: &str,
        ends: Ends,
        not_before: Timestamp,
    ) -> Result<bool> {
        let renewed = sqlx::query(
            "UPDATE vault SET sealed = $3, renew_at = $4, ends_at = $5, version = version + 1,
                              lease = NULL, lease_ends = $6
             WHERE id = $1 AND version = $2",
        )
        .bind(&row.id)
        .bind(row.version)
        .bind(sealed)
        .bind(ends.renew_at.map(Timestamp::unix))
        .bind(ends.ends_at.map(Timestamp::unix))
        .bind(not_before.unix())
        .execute(self.writer())
        .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Gives the lease back; nobody tries before that time.
    pub(crate) async fn release_in_vault(&self, id: &str, lease: &str, not_before: Timestamp) -> Result<()> {
        sqlx::query("UPDATE vault SET lease = NULL, lease_ends = $3 WHERE id = $1 AND lease = $2")
            .bind(id)
            .bind(lease)
            .bind(not_before.unix())
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Forgets the session, and ends what was granted in the name of its person for these: a resource, with the scope that has to be
    /// among the grant's where there is one. All or nothing. `only` is the version that it is about: another one has taken its
    /// place otherwise. What was sealed, where something was there.
    pub(crate) async fn end_in_vault(
        &self,
        user_id: &str,
        party: &str,
        only: Option<&VaultRow>,
        stands_on_it: &[(&str, Option<&str>)],
    ) -> Result<Option<(String, String)>> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        self.hold_user_alone(&mut tx, user_id).await?;
        let gone: Option<(String, String)> = sqlx::query_as(
            "DELETE FROM vault
             WHERE user_id = $1 AND party = $2 AND ($3 = '' OR (id = $3 AND version = $4)) RETURNING id, sealed",
        )
        .bind(user_id)
        .bind(party)
        .bind(only.map(|row| row.id.as_str()).unwrap_or_default())
        .bind(only.map(|row| row.version).unwrap_or_default())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(gone) = gone else { return Ok(None) };
        let grants: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT id, resource, scopes FROM grants WHERE user_id = $1 AND revoked_at IS NULL",
        )
        .bind(user_id)
        .fetch_all(&mut *tx)
        .await?;
        self.write_revocation(&mut tx, &gone.0).await?;
        let mut revoked = vec![gone.0.clone()];
        for (id, resources, scopes) in grants {
            let has = |words: &str, word: &str| words.split(' ').any(|one| one == word);
            let stands = |(resource, scope): &(&str, Option<&str>)| {
                has(&resources, resource) && scope.is_none_or(|scope| has(&scopes, scope))
            };
            if stands_on_it.iter().any(stands) {
                revoked.extend(self.revoke_grant_in(&mut tx, &id).await?);
            }
        }
        tx.commit().await?;
        self.remember_revoked(revoked);
        Ok(Some(gone))
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::CodeRow;
    use crate::store::testing::open;

    const NEW: NewInVault<'static> = NewInVault {
        id: "row",
        user_id: "u",
        party: "hub",
        issuer: "https://hub.example",
        scopes: "repo",
        sealed: "first",
        ends: Ends { renew_at: None, ends_at: None },
    };

    /// As soon as anybody likes.
    const NOW: Timestamp = Timestamp::from_unix(0);

    async fn two(database: &TestDatabase, clock: &FakeClock) -> (Store, Store) {
        let (here, there) = (open(database, clock.clock()).await, open(database, clock.clock()).await);
        here.insert_user("u", "u", "u", "h").await.unwrap();
        (here, there)
    }

    async fn find(store: &Store) -> Option<VaultRow> {
        store.find_in_vault("u", "hub").await.unwrap()
    }

    #[tokio::test]
    async fn one_of_many_renews_and_whoever_comes_late_has_what_counts() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let (here, there) = two(&database, &clock).await;
        here.put_into_vault(&NEW).await.unwrap();
        let row = find(&here).await.unwrap();
        let until = Timestamp::from_unix(1_060);
        assert!(here.lease_in_vault(&row, "a", until).await.unwrap());
        assert!(!there.lease_in_vault(&row, "b", until).await.unwrap());
        // Whoever had it has died, or seems to have.
        clock.set(until);
        assert!(there.lease_in_vault(&row, "b", Timestamp::from_unix(1_120)).await.unwrap());
        assert!(here.renew_in_vault(&row, "second", Ends::default(), NOW).await.unwrap(), "late, and good");
        assert!(!there.renew_in_vault(&row, "other", Ends::default(), NOW).await.unwrap());
        // What the other one hears, that the token is spent, is about another version.
        assert!(there.end_in_vault("u", "hub", Some(&row), &[]).await.unwrap().is_none());
        let again = Timestamp::from_unix(2_000);
        assert!(!here.lease_in_vault(&row, "c", again).await.unwrap(), "it was read before that");
        let row = find(&here).await.unwrap();
        assert_eq!((row.sealed.as_str(), row.version, row.is_leased), ("second", 1, false));
        assert!(here.lease_in_vault(&row, "d", again).await.unwrap());
        // Another try not before that time, and by whoever has the lease alone.
        there.release_in_vault("row", "x", Timestamp::from_unix(0)).await.unwrap();
        assert!(!there.lease_in_vault(&row, "e", again).await.unwrap());
        here.release_in_vault("row", "d", Timestamp::from_unix(1_065)).await.unwrap();
        assert!(!there.lease_in_vault(&row, "e", again).await.unwrap());
        clock.set(Timestamp::from_unix(1_065));
        assert!(there.lease_in_vault(&row, "e", again).await.unwrap());
        // The person has linked anew while it was being renewed.
        let anew = NewInVault { id: "anew", sealed: "third", ..NEW };
        assert_eq!(here.put_into_vault(&anew).await.unwrap().unwrap().1, "second");
        assert!(!there.renew_in_vault(&row, "fourth", Ends::default(), NOW).await.unwrap());
        assert!(there.end_in_vault("u", "hub", Some(&row), &[]).await.unwrap().is_none());
        assert_eq!(find(&here).await.unwrap().sealed, "third");
        assert_eq!(here.revoked().is_revoked("row"), Ok(true), "whoever keeps its token hears of it");
        assert_eq!(here.end_in_vault("u", "hub", None, &[]).await.unwrap().unwrap().0, "anew");
        assert!(find(&here).await.is_none());
        assert_eq!(here.revoked().is_revoked("anew"), Ok(true));
    }

    #[tokio::test]
    async fn with_a_session_ends_what_stands_on_it_and_nothing_else() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let (here, there) = two(&database, &clock).await;
        here.insert_user("v", "v", "v", "h").await.unwrap();
        for (code, user, resource, scopes) in [
            ("on", "u", "https://a.example/mcp https://b.example/mcp", "x"),
            ("scoped", "u", "https://c.example/mcp", "x hub"),
            ("unscoped", "u", "https://c.example/mcp", "x hubs"),
            ("off", "u", "https://a.example/mcp2", "hub"),
            ("others", "v", "https://a.example/mcp", "x"),
        ] {
            let row = CodeRow {
                grant_id: code.to_owned(),
                resource: resource.to_owned(),
                scopes: scopes.to_owned(),
                ..CodeRow::sample(user, 1_060)
            };
            here.insert_code(code, &row).await.unwrap();
            assert!(here.redeem_code(code, Timestamp::from_unix(9_000), None, None).await.unwrap());
        }
        here.put_into_vault(&NEW).await.unwrap();
        let stands = [("https://a.example/mcp", None), ("https://c.example/mcp", Some("hub"))];
        assert!(there.end_in_vault("u", "other", None, &stands).await.unwrap().is_none());
        assert!(there.end_in_vault("u", "hub", None, &stands).await.unwrap().is_some());
        for (grant, ended) in
            [("on", true), ("scoped", true), ("unscoped", false), ("off", false), ("others", false)]
        {
            let row = here.find_grant(grant).await.unwrap().unwrap();
            assert_eq!(row.revoked_at.is_some(), ended, "{grant}");
        }
    }

    #[tokio::test]
    async fn whoever_is_disabled_has_none_and_whoever_is_gone_leaves_none() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let (here, _there) = two(&database, &clock).await;
        here.put_into_vault(&NEW).await.unwrap();
        assert!(here.disable_user("u").await.unwrap());
        assert!(find(&here).await.is_none());
        assert!(here.remove_user("u").await.unwrap());
        let left: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM vault").fetch_one(here.reader()).await.unwrap();
        assert_eq!(left, 0);
    }
}
