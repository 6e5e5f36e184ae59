//! `hallpass token`.

use super::{Place, remote};
use crate::cli::{Fields, Token};
use crate::exit::Failure;

/// Prints the access token, refreshed if it is about to end. Asks nobody.
pub(crate) async fn run(command: Token, place: &Place) -> Result<(), Failure> {
    let token = remote::client(&command.remote, &Fields::default(), place)?.token().await?;
    // What was asked for: the token itself, alone on the line.
    let secret = token.token.expose();
    if command.json {
        let json = serde_json::json!({
            "access_token": secret,
            "token_type": "Bearer",
            "expires_at": token.expires_at.map(|at| at.unix()),
        });
        anstream::println!("{json}");
    } else if command.header {
        anstream::println!("Authorization: Bearer {secret}");
    } else {
        anstream::println!("{secret}");
    }
    Ok(())
}
