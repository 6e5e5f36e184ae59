//! The audit log's table.

use std::sync::LazyLock;
use std::time::Duration;

use hallpass_protocol::time::Timestamp;
use sqlx::any::AnyArguments;
use sqlx::{Any, AssertSqlSafe};

use super::database::Engine;
use super::{Result, Store, StoreError, Transaction};
use crate::audit::{
    AuditEvent, AuditFilter, NewEvent, Taken, Waiting, first_id_of, id_of, logged_name, number_after,
};
use crate::login::UserName;

/// Written in one transaction: on SQLite, others wait for it.
const BATCH: usize = 500;
/// Written by one statement: each costs a way to the database and back.
const AT_ONCE: usize = 20;
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert(AT_ONCE));
/// Data, integrity, limits: the classes of PostgreSQL's codes that blame what was to be written.
const REFUSED_BY_POSTGRES: [&str; 3] = ["22", "23", "54"];
/// `SQLITE_TOOBIG`, `SQLITE_CONSTRAINT` and `SQLITE_MISMATCH`.
const REFUSED_BY_SQLITE: [u32; 3] = [18, 19, 20];
/// Behind every id.
const END: &str = "x";

type Columns = (
    String,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

impl Store {
    /// Takes an event, to be written within a second. Costs no more than its place in memory.
    pub(crate) fn record(&self, event: NewEvent) {
        self.audit().push(event, self.now());
    }

    /// The same for what a machine may cause a thousand times a second: it stands there once a second, with how often.
    pub(crate) fn record_often(&self, event: NewEvent) {
        self.audit().push_or_count(event, self.now());
    }

    /// Takes an event and writes it, with all that wait: a command ends before a second is over. Where the database fails,
    /// it waits; what was done is done.
    pub(crate) async fn record_now(&self, event: NewEvent) {
        self.record(event);
        if let Err(error) = self.write_events().await {
            tracing::error!(%error, "the audit log cannot be written; it is tried again");
        }
    }

    /// Writes what waits; what somebody else is writing is written when this returns. What could not be written waits
    /// again, and so does what was not when this future is dropped.
    pub(crate) async fn write_events(&self) -> Result<()> {
        let _turn = self.audit().turn().await;
        let mut taken = self.audit().take(self.now());
        loop {
            let count = taken.first(BATCH).len();
            if count == 0 {
                return Ok(());
            }
            let written = self.insert_events(taken.first(BATCH)).await;
            match written {
                Ok(()) => taken.written(count),
                Err(error) if self.refusal(&error).is_some() => self.write_singly(&mut taken, count).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// One of the first so many cannot be written, and must not keep the others waiting for ever.
    async fn write_singly(&self, taken: &mut Taken<'_>, count: usize) -> Result<()> {
        for _ in 0..count {
            let written = self.insert_events(taken.first(1)).await;
            let Err(error) = written else {
                taken.written(1);
                continue;
            };
            let Some(code) = self.refusal(&error) else { return Err(error) };
            // Not the error: it may say what a stranger chose.
            let kind = taken.first(1).first().map_or("", |waiting| waiting.event.kind.name());
            tracing::error!(kind, %code, "the database refused an event of the audit log; it is left out");
            taken.leave_out_first();
        }
        Ok(())
    }

    /// The database's code, where it refused what was to be written. All else passes, and is waited for: no answer, a full
    /// disk, a table that is locked or away.
    fn refusal(&self, error: &StoreError) -> Option<String> {
        let StoreError::Database(sqlx::Error::Database(error)) = error else { return None };
        let code = error.code()?;
        let refused = match self.engine() {
            Engine::Postgres => REFUSED_BY_POSTGRES.iter().any(|class| code.starts_with(class)),
            // The lowest byte is the kind of error, the others say more.
            Engine::Sqlite => {
                code.parse::<u32>().is_ok_and(|code| REFUSED_BY_SQLITE.contains(&(code & 0xff)))
            }
        };
        refused.then(|| code.into_owned())
    }

    async fn insert_events(&self, events: &[Waiting]) -> Result<()> {
        let mut tx = self.begin().await?;
        let ids = ids(&mut tx, events).await?;
        let named: Vec<_> = ids.iter().zip(events).collect();
        let (many, rest) = named.as_chunks::<AT_ONCE>();
        let many = many.iter().map(|rows| (INSERT_MANY.as_str(), rows.as_slice()));
        for (insert, rows) in many.chain(rest.chunks(1).map(|row| (INSERT_ONE.as_str(), row))) {
            rows.iter().fold(sqlx::query(insert), bind).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Newest first.
    pub(crate) async fn list_events(&self, filter: &AuditFilter, most: u32) -> Result<Vec<AuditEvent>> {
        let unstorable =
            |text: &Option<String>| text.as_deref().is_some_and(|text| text.chars().any(char::is_control));
        if [&filter.user, &filter.client, &filter.reference, &filter.before].into_iter().any(unstorable) {
            return Ok(Vec::new());
        }
        let user = match &filter.user {
            Some(name) => Some(logged_name(&self.subject(name).await?)),
            None => None,
        };
        // Conditions are written here; what they compare with is bound.
        let conditions = [
            (user, "(e.user_id = $? OR e.actor = $?)"),
            (filter.client.as_deref().map(logged_name), "e.client_id = $?"),
            (filter.reference.clone(), "e.reference = $?"),
        ];
        let mut sql = String::from(
            "SELECT e.id, e.at, e.event, e.user_id, u.name, e.actor, a.name, e.client_id, e.grant_id,
                    e.address, e.reference, e.detail
             FROM audit_events e
             LEFT JOIN users u ON u.id = e.user_id
             LEFT JOIN users a ON a.id = e.actor
             WHERE e.id < $1 AND e.id >= $2",
        );
        let mut bound = Vec::new();
        for (value, condition) in conditions {
            let Some(value) = value else { continue };
            bound.push(value);
            sql.push_str(" AND ");
            sql.push_str(&condition.replace("$?", &format!("${}", bound.len() + 3)));
        }
        sql.push_str(" ORDER BY e.id DESC LIMIT $3");
        let mut query = sqlx::query_as::<_, Columns>(AssertSqlSafe(sql))
            .bind(filter.before.as_deref().unwrap_or(END).to_owned())
            .bind(filter.since.map(first_id_of).unwrap_or_default())
            .bind(i64::from(most));
        for value in bound {
            query = query.bind(value);
        }
        Ok(query.fetch_all(self.reader()).await?.into_iter().map(event).collect())
    }

    /// The id of whoever has this name; else it is an id.
    pub(crate) async fn subject(&self, name: &str) -> Result<String> {
        let key = UserName::parse(name).map_or_else(|_| name.to_owned(), |name| name.key);
        Ok(self.user_id(&key).await?.unwrap_or_else(|| name.to_owned()))
    }
}

const COLUMNS: [&str; 11] = [
    "id",
    "at",
    "event",
    "fleeting",
    "user_id",
    "actor",
    "client_id",
    "grant_id",
    "address",
    "reference",
    "detail",
];

/// The statement that inserts so many rows.
fn insert(rows: usize) -> String {
    let row = |row: usize| {
        let values: Vec<_> = (1..=COLUMNS.len()).map(|n| format!("${}", row * COLUMNS.len() + n)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    format!("INSERT INTO audit_events ({}) VALUES {}", COLUMNS.join(", "), rows.join(", "))
}

type Insert<'a> = sqlx::query::Query<'a, Any, AnyArguments>;

/// In the order of [`COLUMNS`].
fn bind<'a>(insert: Insert<'a>, (id, waiting): &(&'a String, &'a Waiting)) -> Insert<'a> {
    let Waiting { at, event, .. } = *waiting;
    insert
        .bind(*id)
        .bind(at.unix())
        .bind(event.kind.name())
        .bind(i64::from(event.kind.is_fleeting()))
        .bind(&event.user)
        .bind(&event.actor)
        .bind(&event.client)
        .bind(&event.grant)
        .bind(&event.address)
        .bind(&event.reference)
        .bind(waiting.detail())
}

/// An id for each, behind all that stand there of its second.
async fn ids(tx: &mut Transaction, events: &[Waiting]) -> Result<Vec<String>> {
    let mut ids: Vec<String> = Vec::with_capacity(events.len());
    let mut before: Option<Timestamp> = None;
    for Waiting { at, .. } in events {
        let id = match ids.last().filter(|_| before == Some(*at)) {
            Some(last) => id_of(*at, number_after(Some(last))),
            None => id_of(*at, number_after(last_of(tx, *at).await?.as_deref())),
        };
        ids.push(id);
        before = Some(*at);
    }
    Ok(ids)
}

/// The last event of this second, whoever wrote it: what comes after it is behind it.
async fn last_of(tx: &mut Transaction, at: Timestamp) -> Result<Option<String>> {
    let next = at.after(Duration::from_secs(1));
    Ok(sqlx::query_scalar("SELECT MAX(id) FROM audit_events WHERE id >= $1 AND id < $2")
        .bind(first_id_of(at))
        .bind(first_id_of(next))
        .fetch_one(&mut **tx)
        .await?)
}

fn event(row: Columns) -> AuditEvent {
    AuditEvent {
        id: row.0,
        at: Timestamp::from_unix(row.1),
        event: row.2,
        user_id: row.3,
        user_name: row.4,
        actor: row.6.or(row.5),
        client_id: row.7,
        grant_id: row.8,
        address: row.9,
        reference: row.10,
        detail: row.11,
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::audit::{AuditKind, By};
    use crate::store::testing::open;

    const DAY: i64 = 24 * 60 * 60;

    async fn names(store: &Store, filter: AuditFilter) -> Vec<String> {
        let events = store.list_events(&filter, 100).await.unwrap();
        events.into_iter().map(|event| event.event).collect()
    }

    #[tokio::test]
    async fn what_was_recorded_is_found_by_each_filter() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000_000));
        let store = open(&database, clock.clock()).await;
        assert!(store.insert_user("u1", "Ada", "ada", "h").await.unwrap());
        assert!(store.insert_user("u2", "Bob", "bob", "h").await.unwrap());
        store.record(NewEvent::new(AuditKind::LoggedIn).user("u1"));
        clock.advance(Duration::from_secs(10));
        store.record(NewEvent::new(AuditKind::TokenIssued).user("u1").client("ide").grant("g"));
        let by = By::Admin("u2".to_owned());
        store.record(NewEvent::new(AuditKind::UserDisabled).user("u1").by(&by));
        store.record(NewEvent::new(AuditKind::ErrorPage).reference("ref").detail("a\u{0}b"));
        assert!(names(&store, AuditFilter::default()).await.is_empty(), "not written yet");
        store.write_events().await.unwrap();
        store.write_events().await.unwrap();
        let all = ["error_page", "user_disabled", "token_issued", "login"];
        assert_eq!(names(&store, AuditFilter::default()).await, all);
        let filter = |user: &str| AuditFilter { user: Some(user.to_owned()), ..AuditFilter::default() };
        for name in ["ada", " ADA ", "u1"] {
            assert_eq!(names(&store, filter(name)).await, all[1..], "{name}");
        }
        assert_eq!(names(&store, filter("Bob")).await, ["user_disabled"], "by whom");
        let some = |text: &str| Some(text.to_owned());
        let client = AuditFilter { client: some("ide"), ..filter("ada") };
        assert_eq!(names(&store, client).await, ["token_issued"]);
        let reference = AuditFilter { reference: some("ref"), ..AuditFilter::default() };
        assert_eq!(names(&store, reference).await, ["error_page"]);
        let since = Some(Timestamp::from_unix(1_000_010));
        assert_eq!(names(&store, AuditFilter { since, ..AuditFilter::default() }).await, all[..3]);
        let unstorable = AuditFilter { client: some("a\u{0}b"), ..AuditFilter::default() };
        assert!(names(&store, unstorable).await.is_empty());
        // Page by page.
        let first = store.list_events(&AuditFilter::default(), 3).await.unwrap();
        assert_eq!(first[1].actor.as_deref(), Some("Bob"));
        assert_eq!(first[1].user_name.as_deref(), Some("Ada"));
        let before = first.last().map(|event| event.id.clone());
        assert_eq!(names(&store, AuditFilter { before, ..AuditFilter::default() }).await, ["login"]);
    }

    #[tokio::test]
    async fn events_go_when_their_time_is_over() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000_000));
        let store = open(&database, clock.clock()).await;
        store.audit().keep_for(Duration::from_secs(30 * DAY.unsigned_abs()));
        store.record(NewEvent::new(AuditKind::LoggedIn));
        store.record(NewEvent::new(AuditKind::ErrorPage));
        store.write_events().await.unwrap();
        let left = async |seconds: i64| {
            clock.set(Timestamp::from_unix(1_000_000 + seconds));
            store.sweep().await.unwrap();
            names(&store, AuditFilter::default()).await
        };
        assert_eq!(left(7 * DAY - 1).await, ["error_page", "login"]);
        assert_eq!(left(7 * DAY).await, ["login"]);
        assert_eq!(left(30 * DAY - 1).await, ["login"]);
        assert!(left(30 * DAY).await.is_empty());
    }

    #[tokio::test]
    async fn what_could_not_be_written_waits() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1)).clock()).await;
        store.record(NewEvent::new(AuditKind::LoggedIn));
        sqlx::query("ALTER TABLE audit_events RENAME TO away").execute(store.writer()).await.unwrap();
        assert!(store.write_events().await.is_err());
        sqlx::query("ALTER TABLE away RENAME TO audit_events").execute(store.writer()).await.unwrap();
        store.write_events().await.unwrap();
        assert_eq!(names(&store, AuditFilter::default()).await, ["login"]);
    }

    #[tokio::test]
    async fn what_was_being_written_when_the_time_was_over_waits() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1)).clock()).await;
        store.record(NewEvent::new(AuditKind::LoggedIn));
        // On SQLite, the only one that writes: the other waits for it.
        let held = store.begin().await.unwrap();
        let mut writing = Box::pin(store.write_events());
        assert!(writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(writing);
        drop(held);
        store.write_events().await.unwrap();
        assert_eq!(names(&store, AuditFilter::default()).await, ["login"]);
    }

    #[tokio::test]
    async fn an_event_that_the_database_refuses_keeps_no_other_out() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1)).clock()).await;
        let index = "CREATE UNIQUE INDEX refuses ON audit_events (client_id)";
        sqlx::query(index).execute(store.writer()).await.unwrap();
        for _ in 0..2 {
            store.record(NewEvent::new(AuditKind::TokenIssued).client("ide"));
        }
        store.record(NewEvent::new(AuditKind::LoggedIn));
        store.write_events().await.unwrap();
        assert_eq!(names(&store, AuditFilter::default()).await, ["login", "token_issued"]);
        store.write_events().await.unwrap();
        let newest = store.list_events(&AuditFilter::default(), 1).await.unwrap();
        assert_eq!((&*newest[0].event, newest[0].detail.as_deref()), ("left_out", Some("1 events")));
    }

    #[tokio::test]
    async fn a_client_id_of_any_length_is_written_and_found() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1)).clock()).await;
        // Three bytes each and no two alike: PostgreSQL compresses what repeats, and takes it then.
        let id: String = (0..2048).filter_map(|n| char::from_u32(0x4e00 + n * 7919 % 0x5000)).collect();
        assert_eq!(id.len(), 3 * 2048);
        store.record(NewEvent::new(AuditKind::RequestRefused).client(&id));
        store.write_events().await.unwrap();
        let client = AuditFilter { client: Some(id), ..AuditFilter::default() };
        assert_eq!(names(&store, client).await, ["request_refused"]);
    }

    /// Housekeeping writes each second; who reads right after a last write must not find less than there was.
    #[tokio::test]
    async fn who_writes_next_waits_for_who_writes_now() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1)).clock()).await;
        store.record(NewEvent::new(AuditKind::ErrorPage));
        let turn = store.audit().turn().await;
        let mut writing = std::pin::pin!(store.write_events());
        let mut context = Context::from_waker(Waker::noop());
        assert!(writing.as_mut().poll(&mut context).is_pending());
        assert_eq!(store.audit().take(store.now()).first(9).len(), 1, "it waits still, and waits again");
        drop(turn);
        writing.await.unwrap();
        assert_eq!(names(&store, AuditFilter::default()).await, ["error_page"]);
    }
}
