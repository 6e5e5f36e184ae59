//! The client that `connect`, `login`, `logout` and `token` share.

use hallpass_client::Client;
use hallpass_client::interaction::Browser;
use hallpass_client::store::FileStore;
use url::Url;

use super::Place;
use crate::exit::Failure;

/// The name that people see on the page of consent.
const NAME: &str = "hallpass";

/// A client for the server, with the tokens of the data folder and this person's browser.
pub(crate) fn client(server: &Url, place: &Place) -> Result<Client, Failure> {
    let tokens = place.data()?.tokens();
    let builder = Client::builder(server.as_str()).map_err(Failure::configuration)?;
    let client = builder.client_name(NAME).store(FileStore::new(tokens)).interaction(Browser::new()).build();
    client.map_err(Failure::configuration)
}
