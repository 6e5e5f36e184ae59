//! `hallpass token`.

use hallpass_client::{Client, Error, TokenType};

use super::{Place, remote};
use crate::cli::{Fields, Token};
use crate::exit::Failure;

/// Prints the access token, refreshed if it is about to end. Asks nobody.
pub(crate) async fn run(command: Token, place: &Place) -> Result<(), Failure> {
    let client = remote::client(&command.remote, &Fields::default(), place)?;
    let token = match client.token().await {
        Ok(token) => token,
        Err(needed @ Error::LoginNeeded { .. }) => return Err(why_none(&client, needed).await),
        Err(error) => return Err(error.into()),
    };
    if command.header && token.token_type != TokenType::Bearer {
        return Err(anyhow::anyhow!(
            "this token is bound to a key ({}): the server takes it only with a proof that is made for each request, \
             so a field that is printed once is of no use. Go through `hallpass connect {}`; --json prints the token",
            token.token_type.as_str(),
            command.remote.url
        )
        .into());
    }
    // What was asked for: the token itself, alone on the line.
    let secret = token.token.expose();
    if command.json {
        let json = serde_json::json!({
            "access_token": secret,
            "token_type": token.token_type.as_str(),
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

/// Without a token there are several reasons, and `login` should not have another opinion.
async fn why_none(client: &Client, needed: Error) -> Failure {
    match client.asks_for_login().await {
        Ok(true) => needed.into(),
        Ok(false) => {
            anyhow::anyhow!("{} asks for no login, so there is no token for it", client.server()).into()
        }
        Err(error) => error.into(),
    }
}
