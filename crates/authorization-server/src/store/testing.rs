//! Stores for tests, on the database that the run is for.

use hallpass_protocol::time::Clock;
use hallpass_testkit::database::{DatabasePlace, TestDatabase};

use super::{DatabaseUrl, Result, Store};
use crate::keys::MasterKey;

/// Another store on the same database, as another replica or the command line has it.
pub(crate) async fn open(database: &TestDatabase, clock: Clock) -> Store {
    open_with(database, clock, MasterKey::from_bytes([1; 32])).await.unwrap()
}

/// The same with a master key of the test's own.
pub(crate) async fn open_with(database: &TestDatabase, clock: Clock, key: MasterKey) -> Result<Store> {
    match database.place() {
        DatabasePlace::File(path) => Store::open(&path, key, clock).await,
        DatabasePlace::Url(url) => {
            let url = DatabaseUrl::parse(url).unwrap();
            Store::connect(&url, Store::CONNECTIONS, key, clock).await
        }
    }
}
