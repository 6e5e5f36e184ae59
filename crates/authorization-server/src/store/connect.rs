//! Connecting to PostgreSQL.

use std::path::Path;
use std::time::Duration;

use hallpass_protocol::time::Clock;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tokio::time::{Instant, sleep, timeout_at};

use super::database::{Database, Engine};
use super::database_url::{DatabaseUrl, FILES};
use super::migrate::migrations;
use super::notices::Ears;
use super::{Result, Store, StoreError};
use crate::keys::MasterKey;
use crate::revocations::Revocations;

/// How long a request waits for a connection: a database that is restarted quickly is not noticed, one that stays away
/// is told about soon.
const PATIENCE: Duration = Duration::from_secs(3);
/// Before it is asked again whether a database that is being started listens by now.
const PAUSE: Duration = Duration::from_millis(200);
/// A connection that was used just now is believed to be alive; others are asked first.
const BELIEVED: Duration = Duration::from_secs(1);

impl Store {
    /// How many connections a replica opens, where the operator has said nothing.
    pub const CONNECTIONS: u32 = 10;

    /// Connects to a PostgreSQL database (15 or later) that several replicas may share, with so many connections at
    /// most, and brings its tables up to date.
    ///
    /// # Errors
    /// Where the database cannot be reached within three seconds, and where its tables belong to a newer version.
    pub async fn connect(url: &DatabaseUrl, connections: u32, key: MasterKey, clock: Clock) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let refused = |error| StoreError::Connect { url: Box::new(url.clone()), why: why(&error, url) };
        // Not from the pool, which does not say why nothing comes about; and a migration may hold its locks for longer than
        // a request may wait.
        let mut migrating = first_connection(url.url.as_str()).await.map_err(refused)?;
        enter_schema(&mut migrating, url).await.map_err(refused)?;
        migrations().run(&mut migrating).await?;
        migrating.close().await.map_err(refused)?;
        let session = url.session();
        let pool = AnyPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    let alive = meta.idle_for < BELIEVED || connection.ping().await.is_ok();
                    Ok(alive)
                })
            })
            .after_connect(move |connection, _| {
                let session = AssertSqlSafe(session.clone());
                Box::pin(async move { sqlx::raw_sql(session).execute(connection).await.map(drop) })
            })
            .connect(url.url.as_str())
            .await
            .map_err(refused)?;
        let revocations = Revocations::new(clock.clone());
        // Before the table is read: what is revoked meanwhile is heard.
        let channel = url.channel();
        let heard = Ears::open(url.url.as_str(), channel.clone(), revocations.clone()).await;
        let _ears = Some(heard.map_err(refused)?);
        let (engine, read) = (Engine::Postgres, pool.clone());
        let database = Database { engine, read, write: pool, channel, _ears, _checkpoints: None };
        Self::on(database, key, clock, revocations).await
    }
}

/// Makes the schema where it is missing; whoever may not make one can be given one.
async fn enter_schema(connection: &mut AnyConnection, url: &DatabaseUrl) -> sqlx::Result<()> {
    let (Some(name), Some(quoted)) = (&url.schema, url.quoted_schema()) else { return Ok(()) };
    let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pg_namespace WHERE nspname = $1")
        .bind(name)
        .fetch_one(&mut *connection)
        .await?;
    if there == 0 {
        let made =
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {quoted}"))).execute(&mut *connection).await;
        // Another replica was faster.
        let is_there = |error: &sqlx::Error| {
            let code = error.as_database_error().and_then(|error| error.code());
            matches!(code.as_deref(), Some("42P06" | "23505"))
        };
        if let Err(error) = made
            && !is_there(&error)
        {
            return Err(error);
        }
    }
    let enter = AssertSqlSafe(format!("SET search_path TO {quoted}"));
    sqlx::raw_sql(enter).execute(connection).await.map(drop)
}

/// A database that is being started gets a moment.
async fn first_connection(url: &str) -> sqlx::Result<AnyConnection> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match timeout_at(deadline, AnyConnection::connect(url)).await {
            Ok(Err(sqlx::Error::Io(error)))
                if error.kind() == std::io::ErrorKind::ConnectionRefused
                    && Instant::now() + PAUSE < deadline =>
            {
                sleep(PAUSE).await;
            }
            Ok(outcome) => return outcome,
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        }
    }
}

/// What went wrong and what to do, without the places in PostgreSQL's source that its errors name.
fn why(error: &sqlx::Error, url: &DatabaseUrl) -> String {
    const WHERE: &str = "check host and port, and that PostgreSQL runs there";
    const PASSWORD: &str = "database.password_file, or the environment variable HALLPASS_DATABASE_PASSWORD";
    match error {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            format!("connection refused, nothing listens there; {WHERE}")
        }
        // A handshake that fails comes as one of these, too.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            why_not_over_tls(&error.to_string())
        }
        sqlx::Error::Io(error) => match missing_file(url) {
            Some((name, file)) => format!("{error}: {file}, which {name} names in database.url"),
            None => format!("{error}; {WHERE}"),
        },
        sqlx::Error::PoolTimedOut => format!("no answer within {} seconds; {WHERE}", PATIENCE.as_secs()),
        sqlx::Error::Tls(error) => why_not_over_tls(&error.to_string()),
        sqlx::Error::Database(error) => {
            let said = error.message();
            match error.code().as_deref() {
                Some("28P01" | "28000")
                    if !url.has_password() && std::env::var_os("PGPASSWORD").is_none() =>
                {
                    format!("{said}; no password was given, put it into {PASSWORD}")
                }
                Some("28P01" | "28000") => {
                    format!("{said}; check the user in database.url and the password ({PASSWORD})")
                }
                Some("3D000") => format!("{said}; make it with createdb, or name another in database.url"),
                _ => said.to_owned(),
            }
        }
        other => other.to_string(),
    }
}

/// A file of certificates or keys that the URL names and that is not there.
fn missing_file(url: &DatabaseUrl) -> Option<(String, String)> {
    let files = url.url.query_pairs().filter(|(name, _)| FILES.contains(&name.as_ref()));
    let mut missing = files.filter(|(_, file)| !Path::new(file.as_ref()).exists());
    missing.next().map(|(name, file)| (name.into_owned(), file.into_owned()))
}

/// What is wrong with the other side's certificate, and what to do.
fn why_not_over_tls(said: &str) -> String {
    // The latter, where another authority has the same name.
    let foreign = ["UnknownIssuer", "BadSignature"].iter().any(|word| said.contains(word));
    let remedy = if foreign {
        "its certificate is of an authority that is not trusted here: name the one that it should be of with ?sslrootcert=FILE in database.url"
    } else if said.contains("not valid for name") {
        "its certificate is for another name: put that name into database.url"
    } else {
        "name the authority with ?sslrootcert=FILE, or say ?sslmode=… in database.url"
    };
    format!("{said}; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;
    #[tokio::test]
    async fn what_is_wrong_is_said_and_what_helps() {
        use hallpass_testkit::database::{DatabasePlace, TestDatabase};
        let database = TestDatabase::postgres();
        let DatabasePlace::Url(place) = database.place() else { panic!("asked for PostgreSQL") };
        let refusal = async |url: &str| {
            let url = DatabaseUrl::parse(url).unwrap();
            let clock = Clock::new(|| hallpass_protocol::time::Timestamp::from_unix(1_000));
            let key = MasterKey::from_bytes([1; 32]);
            Store::connect(&url, 2, key, clock).await.unwrap_err().to_string()
        };
        let nowhere = refusal("postgres://ada@127.0.0.1:1/hallpass").await;
        assert!(nowhere.contains("connection refused"), "{nowhere}");
        let mut other = url::Url::parse(place).unwrap();
        other.set_path("/no_such_database");
        let missing = refusal(other.as_str()).await;
        assert!(missing.contains("createdb") && !missing.contains(" at line "), "{missing}");
    }
}
