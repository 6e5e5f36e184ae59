//! Connecting to PostgreSQL.

use std::path::Path;
use std::time::Duration;

use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Clock;
use sqlx::any::AnyPoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tokio::time::{Instant, sleep, timeout_at};
use url::{Host, Url};

use super::database::{Database, Engine};
use super::migrate::migrations;
use super::notices::{CHANNEL, Ears};
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

/// A replica that is frozen while it holds a lock must not freeze the others.
const SESSION: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'";

/// Where a PostgreSQL database is, and as whom it is reached. `Debug` and `Display` show neither user nor password.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: Url,
    /// The schema in it, where that is not the role's own.
    schema: Option<String>,
}

/// Why a text is no database URL. The text is not repeated: there may be a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Not a URL, or of another database.
    #[error("the database URL has to begin with postgres:// and name a host and a database")]
    NotPostgres,
    /// A password that cannot be put into a URL.
    #[error("the database URL names no host, so that no password can go with it")]
    NoHost,
    /// What the driver would pass over.
    #[error("the database URL has a parameter that nobody knows, {0}; there are {known}", known = PARAMETERS.join(", "))]
    UnknownParameter(String),
    /// A word that says nothing about TLS.
    #[error("sslmode in the database URL has to be one of {modes}", modes = SSL_MODES.join(", "))]
    SslMode,
    /// A number or an address that is none.
    #[error(
        "a parameter of the database URL has a value that it cannot have: port is a number, hostaddr an address"
    )]
    Value,
}

/// What a database URL may say after `?`. Each has another spelling in some clients, with a hyphen.
const PARAMETERS: [&str; 10] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
];
const ALSO_KNOWN: [&str; 8] = [
    "ssl-mode",
    "ssl-root-cert",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "statement-cache-capacity",
    "options",
    // Refused elsewhere, with better words.
    "password",
];
/// Those that name a file.
const FILES: [&str; 7] =
    ["sslrootcert", "sslcert", "sslkey", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key"];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

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
        for (name, value) in url.query_pairs() {
            check_parameter(&name, &value)?;
        }
        if url.as_str().parse::<PgConnectOptions>().is_err() {
            return Err(DatabaseUrlError::Value);
        }
        let says_tls = url.query_pairs().any(|(name, _)| name == "sslmode" || name == "ssl-mode");
        if !says_tls && !is_here(&url) {
            url.query_pairs_mut().append_pair("sslmode", "verify-full");
        }
        Ok(Self { url, schema: None })
    }

    /// Whether there is a password in it already.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.url.password().is_some() || self.url.query_pairs().any(|(name, _)| name == "password")
    }

    /// The same with this password, which comes from a file or the environment.
    ///
    /// # Errors
    /// Where the URL names no host.
    pub fn with_password(mut self, password: &Secret) -> std::result::Result<Self, DatabaseUrlError> {
        // Set as it is, the URL encodes it.
        self.url.set_password(Some(password.expose())).map_err(|()| DatabaseUrlError::NoHost)?;
        Ok(self)
    }
}

/// A part of a database, as another database would be one: tables, and words between replicas.
impl DatabaseUrl {
    /// The same database's schema of that name. It is made where it is missing.
    #[must_use]
    pub fn in_schema(self, name: &str) -> Self {
        Self { schema: Some(name.to_owned()), ..self }
    }

    /// Whether another URL means the same place, as far as the two say it.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        let place = |of: &Self| {
            let url = &of.url;
            (
                url.host_str().map(str::to_owned),
                url.port().unwrap_or(5432),
                url.path().to_owned(),
                of.schema.clone(),
            )
        };
        let options = |of: &Self| of.url.query().unwrap_or_default().to_owned();
        place(self) == place(other) && options(self) == options(other)
    }

    /// An identifier as SQL has it.
    fn quoted_schema(&self) -> Option<String> {
        self.schema.as_ref().map(|name| format!("\"{}\"", name.replace('"', "\"\"")))
    }

    /// What each connection is told first.
    fn session(&self) -> String {
        match self.quoted_schema() {
            Some(schema) => format!("{SESSION}; SET search_path TO {schema}"),
            None => SESSION.to_owned(),
        }
    }

    /// Where replicas tell each other what is revoked: those of one schema, and no others.
    fn channel(&self) -> String {
        self.schema.as_ref().map_or_else(|| CHANNEL.to_owned(), |schema| format!("revoked {schema}"))
    }
}

fn check_parameter(name: &str, value: &str) -> std::result::Result<(), DatabaseUrlError> {
    let known = PARAMETERS.contains(&name) || ALSO_KNOWN.contains(&name) || name.starts_with("options[");
    if !known {
        return Err(DatabaseUrlError::UnknownParameter(name.to_owned()));
    }
    let says_mode = name == "sslmode" || name == "ssl-mode";
    if says_mode && !SSL_MODES.iter().any(|mode| mode.eq_ignore_ascii_case(value)) {
        return Err(DatabaseUrlError::SslMode);
    }
    Ok(())
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
        let url = &self.url;
        write!(formatter, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(formatter, ":{port}")?;
        }
        formatter.write_str(url.path())?;
        match &self.schema {
            Some(schema) => write!(formatter, ", schema {schema}"),
            None => Ok(()),
        }
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
        let options: PgConnectOptions = url.url.as_str().parse().unwrap();
        assert!(format!("{options:?}").contains("p@ss/w:o r%d?#ä"), "{options:?}");
    }

    #[test]
    fn another_machine_has_to_show_a_certificate() {
        let asks =
            |text: &str| DatabaseUrl::parse(text).unwrap().url.as_str().contains("sslmode=verify-full");
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

    /// The driver passes over what it does not know, and TLS would not be what somebody thinks it is.
    #[test]
    fn a_parameter_that_nobody_knows_is_refused() {
        let parse = |query: &str| DatabaseUrl::parse(&format!("postgres://u@db.example/hallpass?{query}"));
        for (query, error) in [
            ("sslmod=verify-full", DatabaseUrlError::UnknownParameter("sslmod".to_owned())),
            ("sslmode=maybe", DatabaseUrlError::SslMode),
            ("port=many", DatabaseUrlError::Value),
        ] {
            assert_eq!(parse(query).unwrap_err(), error, "{query}");
        }
        parse("sslmode=require&application_name=hallpass&options[search_path]=x").unwrap();
    }

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
        let mut other = Url::parse(place).unwrap();
        other.set_path("/no_such_database");
        let missing = refusal(other.as_str()).await;
        assert!(missing.contains("createdb") && !missing.contains(" at line "), "{missing}");
    }

    #[test]
    fn other_databases_are_refused() {
        for text in ["", "hallpass.db", "mysql://localhost/x", "postgres://localhost", "sqlite:x"] {
            assert_eq!(DatabaseUrl::parse(text).unwrap_err(), DatabaseUrlError::NotPostgres, "{text}");
        }
    }
}
