//! `hallpass token`.

use url::Url;

use super::{Place, remote};
use crate::exit::Failure;

/// Prints the access token, refreshed if it is about to end. Asks nobody.
pub(crate) async fn run(server: Url, place: &Place) -> Result<(), Failure> {
    let token = remote::client(&server, place)?.token().await?;
    // What was asked for: the token itself, alone on the line.
    anstream::println!("{}", token.token.expose());
    Ok(())
}
