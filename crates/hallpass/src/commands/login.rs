//! `hallpass login`.

use hallpass_client::Login;
use url::Url;

use super::{Place, remote};
use crate::exit::Failure;

/// Logs in and keeps the tokens.
pub(crate) async fn run(server: Url, place: &Place) -> Result<(), Failure> {
    match remote::client(&server, place)?.login().await? {
        Login::Done(account) => anstream::println!("Logged in to {} at {}.", account.server, account.issuer),
        Login::NotNeeded => anstream::println!("{server} asks for no login."),
    }
    Ok(())
}
