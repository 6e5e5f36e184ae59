//! `hallpass token`.

use hallpass_client::{AccessToken, Client, Error, TokenType};

use super::{Place, remote};
use crate::cli::{Fields, Mode, Token};
use crate::exit::Failure;
use crate::say::{note, say};

/// Prints the access token, refreshed if it is about to end. Asks nobody.
pub(crate) async fn run(command: Token, place: &Place) -> Result<(), Failure> {
    if command.server.mode.mode == Mode::None {
        return Err(Failure::usage("--mode none sends no token, so there is none to print"));
    }
    let fields = Fields { header: Vec::new(), header_file: command.header_file };
    let builder = remote::without_person(&command.server, &fields, place)?;
    let client = remote::kept(builder, &command.account, place)?.build().map_err(Failure::configuration)?;
    let token = match client.token().await {
        Ok(token) => token,
        Err(needed @ Error::LoginNeeded { .. }) => return Err(why_none(&client, needed).await),
        Err(error) => return Err(error.into()),
    };
    let is_bound = token.token_type != TokenType::Bearer;
    if is_bound && command.as_header {
        return Err(anyhow::anyhow!(
            "{}. --json prints the token all the same",
            bound(&token, &client, place)
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
        say!("{json}");
    } else if command.as_header {
        say!("Authorization: Bearer {secret}");
    } else {
        if is_bound {
            note(format_args!("note: {}", bound(&token, &client, place)));
        }
        say!("{secret}");
    }
    Ok(())
}

/// Why such a token is of no use to a script, and what is.
fn bound(token: &AccessToken, client: &Client, place: &Place) -> String {
    let login = place.login_command.as_deref().unwrap_or("hallpass login");
    format!(
        "this token is bound to a key ({}): {} refuses it as a plain Bearer token, since every request needs a proof that \
         hallpass alone can make. Go through `hallpass connect`, which sends the proofs, or ask for a plain token: \
         `{login} --no-dpop`",
        token.token_type.as_str(),
        client.server(),
    )
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
