//! Connecting to PostgreSQL.

use std::time::Duration;

use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Clock;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, Connection};
use url::{Host, Url};

use super::database::{Database, Engine};
use super::migrate::migrations;
use super::notices::Ears;
use super::{Result, Store, StoreError};
use crate::keys::MasterKey;
use crate::revocations::Revocations;

/// How long a request waits for a connection: a database that is restarted quickly is not noticed, one that stays away
/// is told about soon.
const PATIENCE: Duration = Duration::from_secs(3);
/// A connection that was used just now is believed to be alive; others are asked first.
const BELIEVED: Duration = Duration::from_secs(1);

/// A replica that is frozen while it holds a lock must not freeze the others.
const SESSION: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'";

/// Where a PostgreSQL database is, and as whom it is reached. `Debug` and `Display` show neither user nor password.
#[derive(Clone)]
pub struct DatabaseUrl(Url);

/// Why a text is no database URL. The text is not repeated: there may be a password in it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Not a URL, or of another database.
    #[error("the database URL has to begin with postgres:// and name a host and a database")]
    NotPostgres,
    /// A password that cannot be put into a URL.
    #[error("the database URL names no host, so that no password can go with it")]
    NoHost,
}

impl DatabaseUrl {
    /// Reads `postgres://user@host:port/database?sslmode=…`. Where the host is not this machine and nothing is said
    /// about TLS, the server has to show a certificate for its name (`sslmode=verify-full`).
    ///
    /// # Errors
    /// Where it is no URL, or one of something else.
    pub fn parse(text: &str) -> std::result::Result<Self, DatabaseUrlError> {
        let mut url = Url::parse(text).map_err(|_| DatabaseUrlError::NotPostgres)?;
        if !["postgres", "postgresql"].contains(&url.scheme()) || url.path().len() < 2 {
            return Err(DatabaseUrlError::NotPostgres);
        }
        let says_tls = url.query_pairs().any(|(name, _)| name == "sslmode" || name == "ssl-mode");
        if !says_tls && !is_here(&url) {
            url.query_pairs_mut().append_pair("sslmode", "verify-full");
        }
        Ok(Self(url))
    }

    /// Whether there is a password in it already.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.0.password().is_some() || self.0.query_pairs().any(|(name, _)| name == "password")
    }

    /// The same with this password, which comes from a file or the environment.
    ///
    /// # Errors
    /// Where the URL names no host.
    pub fn with_password(mut self, password: &Secret) -> std::result::Result<Self, DatabaseUrlError> {
        // Set as it is, the URL encodes it.
        self.0.set_password(Some(password.expose())).map_err(|()| DatabaseUrlError::NoHost)?;
        Ok(self)
    }
}

/// A socket, a loopback address, or no host at all.
fn is_here(url: &Url) -> bool {
    let socket = |host: &str| host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    let named = url.query_pairs().find(|(name, _)| name == "host" || name == "hostaddr");
    match (named, url.host()) {
        (Some((_, host)), _) => socket(&host) || host == "localhost" || host == "127.0.0.1" || host == "::1",
        (None, Some(Host::Domain(host))) => socket(host) || host == "localhost" || host == "127.0.0.1",
        (None, Some(Host::Ipv4(address))) => address.is_loopback(),
        (None, Some(Host::Ipv6(address))) => address.is_loopback(),
        (None, None) => true,
    }
}

impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = &self.0;
        write!(formatter, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(formatter, ":{port}")?;
        }
        formatter.write_str(url.path())
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DatabaseUrl({self})")
    }
}

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
        let refused = |source| StoreError::Connect { url: Box::new(url.clone()), source };
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
            .after_connect(|connection, _| {
                Box::pin(async { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) })
            })
            .connect(url.0.as_str())
            .await
            .map_err(refused)?;
        // Not from the pool: a migration may hold its locks for longer than a request may wait.
        let mut migrating = AnyConnection::connect(url.0.as_str()).await.map_err(refused)?;
        migrations().run(&mut migrating).await?;
        migrating.close().await.map_err(refused)?;
        let revocations = Revocations::new(clock.clone());
        // Before the table is read: what is revoked meanwhile is heard.
        let _ears = Some(Ears::open(url.0.as_str(), revocations.clone()).await.map_err(refused)?);
        let database = Database { engine: Engine::Postgres, read: pool.clone(), write: pool, _ears };
        Self::on(database, key, clock, revocations).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let url =
            DatabaseUrl::parse("postgres://ada:sesame@db.example:5433/hallpass?password=sesame").unwrap();
        let url = url.with_password(&Secret::new("p@ss/word%sesame")).unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5433/hallpass");
        assert!(!format!("{url:?}").contains("sesame"));
        assert!(!DatabaseUrl::parse("postgres://sesame:x").unwrap_err().to_string().contains("sesame"));
    }

    #[test]
    fn a_password_is_sent_as_it_was_given() {
        use sqlx::postgres::PgConnectOptions;
        let url = DatabaseUrl::parse("postgres://ada@localhost/hallpass").unwrap();
        let url = url.with_password(&Secret::new("p@ss/w:o r%d?#ä")).unwrap();
        let options: PgConnectOptions = url.0.as_str().parse().unwrap();
        assert!(format!("{options:?}").contains("p@ss/w:o r%d?#ä"), "{options:?}");
    }

    #[test]
    fn another_machine_has_to_show_a_certificate() {
        let asks = |text: &str| DatabaseUrl::parse(text).unwrap().0.as_str().contains("sslmode=verify-full");
        assert!(asks("postgres://db.example/hallpass"));
        assert!(asks("postgres://10.0.0.1/hallpass"));
        assert!(asks("postgres://u@x/hallpass?host=db.example"));
        for here in [
            "postgres://localhost/hallpass",
            "postgres://127.0.0.1/hallpass",
            "postgres://[::1]/hallpass",
            "postgres://u@%2Frun%2Fpostgresql/hallpass",
            "postgres:///hallpass",
            "postgres:///hallpass?host=/run/postgresql",
            "postgres://db.example/hallpass?sslmode=disable",
        ] {
            assert!(!asks(here), "{here}");
        }
    }

    #[test]
    fn other_databases_are_refused() {
        for text in ["", "hallpass.db", "mysql://localhost/x", "postgres://localhost", "sqlite:x"] {
            assert_eq!(DatabaseUrl::parse(text).unwrap_err(), DatabaseUrlError::NotPostgres, "{text}");
        }
    }
}
