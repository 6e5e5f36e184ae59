//! Where users, clients and grants are kept: a file in the data folder, or PostgreSQL.

use std::path::PathBuf;

use hallpass_authorization_server::{DatabaseUrl, DatabaseUrlError};
use hallpass_protocol::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TenantName;

/// The variable that holds the password of the database. Not an option: arguments are seen by everyone.
const PASSWORD: &str = "HALLPASS_DATABASE_PASSWORD";

/// Where users, clients and grants are kept. Default: `hallpass.db` in the data folder (SQLite).
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// A PostgreSQL database (15 or later) that several replicas may share:
    /// `postgres://user@host:5432/database`. Another machine has to show a certificate for its name, unless
    /// `?sslmode=` says otherwise.
    pub(crate) url: Option<Url>,
    /// The file that holds the database's password, on its first line. Without it: the environment variable
    /// `HALLPASS_DATABASE_PASSWORD`, or what PostgreSQL's own clients read (`PGPASSWORD`, `~/.pgpass`).
    pub(crate) password_file: Option<PathBuf>,
    /// How many connections hallpass opens at most. Default: 10.
    pub(crate) connections: Option<u32>,
}

/// The text of the URL. It is judged when the database is opened and not while the file is read: whoever reads a file
/// shows the line that is wrong, and somebody may have put a password into it.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^postgres(ql)?://"))]
pub(crate) struct Url(String);

impl std::fmt::Debug for Url {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Url")
    }
}

/// Why the database's settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseFault {
    /// The password's file.
    #[error("can't read database.password_file {}: {source}; check that it is there and that you may read it", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No connection, no database.
    #[error("database.connections is 0; give 2 or more, or leave it out for {default}", default = hallpass_authorization_server::Store::CONNECTIONS)]
    NoConnections,
    /// A password for nobody.
    #[error("database.password_file is set and database.url is not; only PostgreSQL has a password")]
    NoUrl,
    /// Not the URL of a PostgreSQL database.
    #[error("database.url: {0}")]
    Url(#[from] DatabaseUrlError),
    /// A password where everyone who reads the configuration sees it.
    #[error(
        "database.url holds a password; put it into a file (database.password_file) or into {PASSWORD}, and leave it out of the URL"
    )]
    PasswordInUrl,
}

impl DatabaseFault {
    /// The setting that has to be changed.
    pub(crate) fn setting(&self) -> &'static str {
        match self {
            Self::PasswordFile { .. } | Self::NoUrl => "password_file",
            Self::Url(_) | Self::PasswordInUrl => "url",
            Self::NoConnections => "connections",
        }
    }
}

impl Database {
    /// The URL with its password, if the database is not a file.
    pub(crate) fn url(&self) -> Result<Option<DatabaseUrl>, DatabaseFault> {
        self.url_or(|| std::env::var(PASSWORD).ok().map(Secret::new))
    }

    /// The same of a tenant's own; where it says none, a schema of the process's. The password in the environment is that of
    /// the process's database, and goes nowhere else.
    pub(crate) fn url_of_tenant(
        &self,
        name: &TenantName,
        usual: &Self,
    ) -> Result<Option<DatabaseUrl>, DatabaseFault> {
        match self.url {
            Some(_) => self.url_or(|| None),
            None if self.password_file.is_some() => Err(DatabaseFault::NoUrl),
            None => Ok(usual.url()?.map(|url| url.in_schema(&format!("tenant_{name}")))),
        }
    }

    /// Whether it says where the database is, or how it is reached.
    pub(crate) fn says_something(&self) -> bool {
        self.url.is_some() || self.password_file.is_some()
    }

    fn url_or(&self, usual: impl FnOnce() -> Option<Secret>) -> Result<Option<DatabaseUrl>, DatabaseFault> {
        if self.connections == Some(0) {
            return Err(DatabaseFault::NoConnections);
        }
        let Some(Url(url)) = &self.url else {
            return if self.password_file.is_some() { Err(DatabaseFault::NoUrl) } else { Ok(None) };
        };
        let url = DatabaseUrl::parse(url)?;
        if url.has_password() {
            return Err(DatabaseFault::PasswordInUrl);
        }
        let password = match &self.password_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| DatabaseFault::PasswordFile { path: path.clone(), source })?;
                Some(Secret::new(text.lines().next().unwrap_or_default()))
            }
            None => usual(),
        };
        match password {
            Some(password) => Ok(Some(url.with_password(&password)?)),
            None => Ok(Some(url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Database, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_printed() {
        for url in ["postgres://ada:sesame@db.example/x", "postgres://ada@db.example/x?password=sesame"] {
            let database = parse(&format!("url = '{url}'")).unwrap();
            assert!(!format!("{database:?}").contains("sesame"));
            let refused = database.url().unwrap_err();
            assert!(matches!(refused, DatabaseFault::PasswordInUrl));
            assert!(!refused.to_string().contains("sesame"));
        }
        let other = parse("url = 'mysql://ada:sesame@db.example/x'").unwrap().url().unwrap_err();
        assert!(matches!(other, DatabaseFault::Url(_)) && !other.to_string().contains("sesame"));
    }

    #[test]
    fn the_password_is_the_first_line_of_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "p@ss word\n# a comment\n").unwrap();
        let text =
            format!("url = 'postgres://ada@db.example/x'\npassword_file = '{}'", file.path().display());
        let url = parse(&text).unwrap().url().unwrap().unwrap();
        assert_eq!(url.to_string(), "postgres://db.example/x");
        let missing = parse("url = 'postgres://ada@db.example/x'\npassword_file = '/no/such'").unwrap();
        assert!(matches!(missing.url(), Err(DatabaseFault::PasswordFile { .. })));
        let nobody = parse("password_file = '/no/such'").unwrap();
        assert!(matches!(nobody.url(), Err(DatabaseFault::NoUrl)));
    }
}
