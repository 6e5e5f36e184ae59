//! What a PostgreSQL database is called, and which part of it is meant.

use hallpass_protocol::secret::Secret;
use sqlx::postgres::PgConnectOptions;
use url::{Host, Url};

use super::notices::CHANNEL;

/// A replica that is frozen while it holds a lock must not freeze the others.
const SESSION: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'";

/// Where a PostgreSQL database is, and as whom it is reached, with what password. `Debug` and `Display` show neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    pub(super) url: Url,
    /// The schema in it, where that is not the role's own.
    pub(super) schema: Option<String>,
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
pub(super) const FILES: [&str; 7] =
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
    pub(super) fn quoted_schema(&self) -> Option<String> {
        self.schema.as_ref().map(|name| format!("\"{}\"", name.replace('"', "\"\"")))
    }

    /// What each connection is told first.
    pub(super) fn session(&self) -> String {
        match self.quoted_schema() {
            Some(schema) => format!("{SESSION}; SET search_path TO {schema}"),
            None => SESSION.to_owned(),
        }
    }

    /// Where replicas tell each other what is revoked: those of one schema, and no others.
    pub(super) fn channel(&self) -> String {
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

    #[test]
    fn other_databases_are_refused() {
        for text in ["", "hallpass.db", "mysql://localhost/x", "postgres://localhost", "sqlite:x"] {
            assert_eq!(DatabaseUrl::parse(text).unwrap_err(), DatabaseUrlError::NotPostgres, "{text}");
        }
    }
}
