//! `hallpass login`.

use hallpass_client::Login;

use super::{Place, remote};
use crate::cli;
use crate::exit::Failure;

/// Logs in and keeps the tokens.
pub(crate) async fn run(command: cli::Login, place: &Place) -> Result<(), Failure> {
    let server = &command.remote.url;
    // Standard input is free here, so the redirect URL may be pasted.
    let browser = remote::browser(&command.remote).paste_from_terminal();
    let builder = remote::builder(&command.remote, &command.fields, place)?.store(place.tokens()?);
    let client = builder.interaction(browser).build().map_err(Failure::configuration)?;
    match client.login().await? {
        Login::Done(account) => anstream::println!("Logged in to {} at {}.", account.server, account.issuer),
        Login::NotNeeded => anstream::println!("{server} asks for no login."),
    }
    Ok(())
}
