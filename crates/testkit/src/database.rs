//! Databases for tests: SQLite in a temporary folder, or a schema of its own in a real PostgreSQL.
//!
//! `HALLPASS_TEST_DATABASE=postgres` runs the same tests on PostgreSQL: `cargo xtask test unit` runs them on both.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that has no database fails")]

mod cluster;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use cluster::Cluster;

/// The variable that says on which database tests run.
const WHICH: &str = "HALLPASS_TEST_DATABASE";

/// An empty database, gone with its value.
#[derive(Debug)]
pub struct TestDatabase {
    folder: TempDir,
    url: Option<String>,
}

/// Where it is.
#[derive(Debug)]
pub enum DatabasePlace<'a> {
    /// A SQLite file, not there yet.
    File(PathBuf),
    /// A PostgreSQL database.
    Url(&'a str),
}

impl TestDatabase {
    /// On the database that this run is for: SQLite, unless the environment says otherwise.
    #[must_use]
    pub fn new() -> Self {
        match std::env::var(WHICH).as_deref() {
            Err(_) | Ok("sqlite") => Self::sqlite(),
            Ok("postgres") => Self::postgres(),
            Ok(other) => panic!("{WHICH} is `sqlite` or `postgres`, not `{other}`"),
        }
    }

    /// SQLite, whatever this run is for.
    #[must_use]
    pub fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), url: None }
    }

    /// PostgreSQL, whatever this run is for: a schema in the cluster of this run.
    #[must_use]
    pub fn postgres() -> Self {
        Self::within(&Cluster::of_this_run())
    }

    /// The same with a database of its own: advisory locks belong to a database, and tests that look at who waits for one
    /// must not meet other tests there.
    #[must_use]
    pub fn postgres_alone() -> Self {
        let url = Cluster::of_this_run().new_database();
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), url: Some(url) }
    }

    /// A schema in this cluster.
    #[must_use]
    pub fn within(cluster: &Cluster) -> Self {
        let url = cluster.new_schema();
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), url: Some(url) }
    }

    /// Where the tables are.
    #[must_use]
    pub fn place(&self) -> DatabasePlace<'_> {
        match &self.url {
            Some(url) => DatabasePlace::Url(url),
            None => DatabasePlace::File(self.folder.path().join("data").join("hallpass.db")),
        }
    }

    /// A folder for what goes with the database, such as the master key.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Default for TestDatabase {
    fn default() -> Self {
        Self::new()
    }
}
