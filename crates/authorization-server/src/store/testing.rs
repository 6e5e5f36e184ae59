//! Stores for tests, on the database that the run is for.

use hallpass_protocol::time::Clock;
use hallpass_testkit::database::{DatabasePlace, TestDatabase};

use super::{DatabaseUrl, Store};
use crate::keys::MasterKey;

/// Another store on the same database, as another replica or the command line has it.
pub(crate) async fn open(database: &TestDatabase, clock: Clock) -> Store {
    let key = MasterKey::from_bytes([1; 32]);
    match database.place() {
        DatabasePlace::File(path) => Store::open(&path, key, clock).await.unwrap(),
        DatabasePlace::Url(url) => {
            let url = DatabaseUrl::parse(url).unwrap();
            Store::connect(&url, Store::CONNECTIONS, key, clock).await.unwrap()
        }
    }
}
