//! Clients that register themselves (RFC 7591), and manage what they have registered (RFC 7592).

use hallpass_protocol::time::Timestamp;

use super::clients::{Columns, details_to_json};
use super::locks::Turn;
use super::{ClientOrigin, ClientRow, Result, Store, Transaction, to_json};

/// How often clients may register themselves, or change what they registered, in a while.
#[derive(Copy, Clone)]
pub(crate) struct RegistrationQuota<'a> {
    /// When what is done now ceases to count.
    pub(crate) ends: Timestamp,
    /// All together.
    pub(crate) in_all: u32,
    /// One address (hashed), and its share.
    pub(crate) from: Option<(&'a str, u32)>,
}

/// Why a client may register.
#[derive(Copy, Clone)]
pub(crate) enum Admission<'a> {
    /// Anyone may, so many in a while.
    Quota(RegistrationQuota<'a>),
    /// It has shown a token of the operator's, of which this is the hash.
    Token(&'a str),
}

/// What came of a registration, or of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    /// It is stored; by the operator's token of this id, if it took one.
    Done(Option<String>),
    /// The quota is used up.
    TooMany,
    /// The token is not known, has ended, or is used up; or the client was switched off.
    NotAdmitted,
}

impl Store {
    /// Inserts a client that registers itself, with the hash of the token that manages it.
    pub(crate) async fn register_client(
        &self,
        client: &ClientRow,
        registration_token: &str,
        admission: Admission<'_>,
    ) -> Result<Registered> {
        let mut tx = self.begin().await?;
        let by = match admission {
            Admission::Quota(quota) => match self.count_registration(&mut tx, quota).await? {
                true => None,
                false => return Ok(Registered::TooMany),
            },
            Admission::Token(token) => match self.use_initial_access_token(&mut tx, token).await? {
                Some(id) => Some(id),
                None => return Ok(Registered::NotAdmitted),
            },
        };
        sqlx::query(
            "INSERT INTO clients (id, origin, name, auth_method, secret_hash, redirect_uris,
                                  grant_types, scopes, created_at, own_grant, details, registration_token)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(&client.id)
        .bind(ClientOrigin::Dynamic.as_str())
        .bind(&client.name)
        .bind(&client.auth_method)
        .bind(&client.secret_hash)
        .bind(to_json(&client.redirect_uris))
        .bind(to_json(&client.grant_types))
        .bind(&client.scopes)
        .bind(client.created_at.unix())
        .bind(&client.own_grant)
        .bind(details_to_json(&client.details)?)
        .bind(registration_token)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Registered::Done(by))
    }

    /// Counts one more. One statement counts and decides, one caller after the other, so that many at once cannot slip
    /// through together. False where the quota is used up.
    async fn count_registration(&self, tx: &mut Transaction, quota: RegistrationQuota<'_>) -> Result<bool> {
        self.take_turn(tx, Turn::Registration).await?;
        let (from, share) = quota.from.unzip();
        let in_all = i64::from(quota.in_all);
        let counted = sqlx::query(
            "INSERT INTO registrations (id, made_from, expires_at)
             SELECT $1, $2, $3
             WHERE (SELECT COUNT(*) FROM registrations WHERE expires_at > $4) < $5
               AND (SELECT COUNT(*) FROM registrations WHERE expires_at > $4 AND made_from = $2) < $6",
        )
        .bind(crate::random::id())
        .bind(from)
        .bind(quota.ends.unix())
        .bind(self.now().unix())
        .bind(in_all)
        .bind(share.map_or(in_all, i64::from))
        .execute(&mut **tx)
        .await?;
        Ok(counted.rows_affected() == 1)
    }

    /// The client that registered itself under this id, for whoever has its token; the token before the newest counts until
    /// the newest was used.
    pub(crate) async fn find_registration(
        &self,
        id: &str,
        registration_token: &str,
    ) -> Result<Option<ClientRow>> {
        if id.chars().any(char::is_control) {
            return Ok(None);
        }
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, origin, name, auth_method, secret_hash, redirect_uris, grant_types, scopes,
                    created_at, disabled_at, own_grant, details
             FROM clients
             WHERE id = $1 AND origin = $3
               AND (registration_token = $2 OR former_registration_token = $2)",
        )
        .bind(id)
        .bind(registration_token)
        .bind(ClientOrigin::Dynamic.as_str())
        .fetch_optional(self.reader())
        .await?;
        row.map(ClientRow::read).transpose()
    }

    /// The client has its newest token, so the one before it is of no more use.
    pub(crate) async fn retire_former_registration_token(
        &self,
        id: &str,
        registration_token: &str,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE clients SET former_registration_token = NULL
             WHERE id = $1 AND registration_token = $2 AND former_registration_token IS NOT NULL",
        )
        .bind(id)
        .bind(registration_token)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Changes what a client has registered, and its token; not where `registration_token` has ceased to count in the
    /// meantime, or the client was switched off.
    pub(crate) async fn update_registration(
        &self,
        client: &ClientRow,
        registration_token: &str,
        next_token: &str,
        quota: Option<RegistrationQuota<'_>>,
    ) -> Result<Registered> {
        let mut tx = self.begin().await?;
        if let Some(quota) = quota
            && !self.count_registration(&mut tx, quota).await?
        {
            return Ok(Registered::TooMany);
        }
        let changed = sqlx::query(
            "UPDATE clients
             SET name = $3, auth_method = $4, secret_hash = $5, redirect_uris = $6, grant_types = $7, details = $8,
                 registration_token = $9, former_registration_token = $2
             WHERE id = $1 AND disabled_at IS NULL
               AND (registration_token = $2 OR former_registration_token = $2)",
        )
        .bind(&client.id)
        .bind(registration_token)
        .bind(&client.name)
        .bind(&client.auth_method)
        .bind(&client.secret_hash)
        .bind(to_json(&client.redirect_uris))
        .bind(to_json(&client.grant_types))
        .bind(details_to_json(&client.details)?)
        .bind(next_token)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(Registered::NotAdmitted);
        }
        tx.commit().await?;
        Ok(Registered::Done(None))
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::clients::ClientDetails;
    use crate::store::InitialAccessToken;
    use crate::store::testing::open;

    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;

    fn row(id: &str, now: i64) -> ClientRow {
        ClientRow {
            id: id.to_owned(),
            origin: ClientOrigin::Dynamic,
            name: None,
            auth_method: "none".to_owned(),
            secret_hash: None,
            redirect_uris: Vec::new(),
            grant_types: Vec::new(),
            scopes: None,
            created_at: Timestamp::from_unix(now),
            disabled: false,
            own_grant: id.to_owned(),
            details: ClientDetails::default(),
        }
    }

    fn quota(in_all: u32) -> Admission<'static> {
        Admission::Quota(RegistrationQuota { ends: Timestamp::from_unix(2 * HOUR), in_all, from: None })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_at_once_as_many_register_as_may() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(HOUR));
        let store = open(&database, clock.clock()).await;
        let callers: Vec<_> = (0..32)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    store.register_client(&row(&n.to_string(), HOUR), "t", quota(10)).await
                })
            })
            .collect();
        let mut registered = 0;
        for caller in callers {
            registered += usize::from(caller.await.unwrap().unwrap() == Registered::Done(None));
        }
        assert_eq!(registered, 10);
    }

    /// The same without chance, where two may count at a time.
    #[tokio::test]
    async fn whoever_registers_waits_for_whoever_has_counted() {
        let database = TestDatabase::postgres_alone();
        let clock = FakeClock::at(Timestamp::from_unix(HOUR));
        let store = open(&database, clock.clock()).await;
        // As another replica does it: it has counted, and adds the one that may be.
        let mut first = store.begin().await.unwrap();
        store.take_turn(&mut first, Turn::Registration).await.unwrap();
        let insert = "INSERT INTO registrations (id, expires_at) VALUES ('first', 7200)";
        sqlx::query(insert).execute(&mut *first).await.unwrap();
        let second = tokio::spawn({
            let store = store.clone();
            async move { store.register_client(&row("second", HOUR), "t", quota(1)).await.unwrap() }
        });
        crate::store::locks::tests::waits(&mut first, &second).await;
        first.commit().await.unwrap();
        assert!(second.await.unwrap() != Registered::Done(None), "one is all that may be, and is there");
    }

    #[tokio::test]
    async fn one_address_has_its_share() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(HOUR));
        let store = open(&database, clock.clock()).await;
        let register = async |id: &str, from| {
            let ends = Timestamp::from_unix(2 * HOUR);
            let quota = RegistrationQuota { ends, in_all: 3, from: Some((from, 2)) };
            let done = store.register_client(&row(id, HOUR), "t", Admission::Quota(quota)).await;
            done.unwrap() == Registered::Done(None)
        };
        assert!(register("1", "a").await && register("2", "a").await);
        assert!(!register("3", "a").await, "the share of one");
        assert!(register("4", "b").await, "is not taken from others");
        assert!(!register("5", "b").await, "three in all");
        for id in ["1", "2", "4"] {
            assert!(store.remove_client(id).await.unwrap());
            assert_eq!(store.revoked().is_revoked(id), Ok(false), "nothing that it could have had is left");
        }
        assert!(!register("6", "c").await, "what was done counts, not what is left of it");
        clock.set(Timestamp::from_unix(2 * HOUR));
        store.sweep().await.unwrap();
        assert!(register("6", "c").await, "for an hour");
    }

    #[tokio::test]
    async fn a_client_that_nobody_uses_is_forgotten() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(HOUR));
        let store = open(&database, clock.clock()).await;
        let at = Timestamp::from_unix;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        for id in ["unused", "used", "granted"] {
            let done = store.register_client(&row(id, HOUR), "t", quota(10)).await.unwrap();
            assert_eq!(done, Registered::Done(None));
        }
        let configured = ClientRow { origin: ClientOrigin::Configured, ..row("configured", HOUR) };
        assert!(store.insert_client(&configured).await.unwrap());
        for id in ["used", "granted"] {
            let code = crate::store::CodeRow::sample("u", HOUR + 60);
            let code = crate::store::CodeRow { client_id: id.to_owned(), grant_id: id.to_owned(), ..code };
            store.insert_code(id, &code).await.unwrap();
        }
        assert!(store.redeem_code("granted", at(HOUR + 200 * DAY), None, None).await.unwrap());
        let left = async |now: i64| {
            clock.set(at(now));
            store.sweep().await.unwrap();
            let mut ids = Vec::new();
            for id in ["unused", "used", "granted", "configured"] {
                ids.extend(store.find_client(id).await.unwrap().map(|row| row.id));
            }
            ids.join(" ")
        };
        assert_eq!(left(HOUR + DAY - 1).await, "unused used granted configured");
        assert_eq!(left(HOUR + DAY).await, "used granted configured");
        assert_eq!(left(HOUR + 90 * DAY).await, "granted configured");
        assert_eq!(left(HOUR + 200 * DAY).await, "configured");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_token_lets_as_many_register_as_it_may() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(HOUR));
        let store = open(&database, clock.clock()).await;
        let issue = async |id: &str, uses| {
            let token = InitialAccessToken {
                id: id.to_owned(),
                note: String::new(),
                uses,
                used: 0,
                created_at: Timestamp::from_unix(HOUR),
                expires_at: Timestamp::from_unix(2 * HOUR),
            };
            store.insert_initial_access_token(&token, id).await.unwrap();
        };
        issue("three", Some(3)).await;
        let callers: Vec<_> = (0..16)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let row = row(&n.to_string(), HOUR);
                    store.register_client(&row, "t", Admission::Token("three")).await.unwrap()
                })
            })
            .collect();
        let mut registered = 0;
        for caller in callers {
            match caller.await.unwrap() {
                Registered::Done(by) => registered += usize::from(by.as_deref() == Some("three")),
                other => assert_eq!(other, Registered::NotAdmitted),
            }
        }
        assert_eq!(registered, 3);
        assert_eq!(store.list_initial_access_tokens().await.unwrap()[0].used, 3);
        issue("any", None).await;
        let ask = async |id: &str, token| {
            store.register_client(&row(id, HOUR), "t", Admission::Token(token)).await.unwrap()
        };
        assert!(matches!(ask("a", "any").await, Registered::Done(_)));
        assert_eq!(ask("b", "unknown").await, Registered::NotAdmitted);
        clock.set(Timestamp::from_unix(2 * HOUR));
        assert_eq!(ask("b", "any").await, Registered::NotAdmitted, "it has ended");
        assert!(store.sweep().await.unwrap() >= 2);
    }
}
