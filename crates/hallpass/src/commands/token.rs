//! `hallpass token`.

use hallpass_client::{AccessToken, Client, DpopUse, Error, TokenType};

use super::{Place, remote, stored};
use crate::cli::{Fields, Mode, Token};
use crate::exit::Failure;
use crate::say::{note, say};

/// Prints the access token, refreshed if it is about to end. Asks nobody.
pub(crate) async fn run(command: Token, place: &Place) -> Result<(), Failure> {
    if command.server.mode.mode == Mode::None {
        return Err(Failure::usage("--mode none sends no token, so there is none to print"));
    }
    let fields = Fields { header: Vec::new(), header_file: command.header_file.clone() };
    let mut builder = remote::without_person(&command.server, &fields, place)?;
    if command.no_dpop {
        builder = builder.dpop(DpopUse::Never);
    }
    let client = remote::kept(builder, &command.account, place)?.build().map_err(Failure::configuration)?;
    let token = match client.token().await {
        Ok(token) => token,
        Err(needed @ Error::LoginNeeded { .. }) => {
            return Err(why_none(&client, needed, &command, place).await);
        }
        Err(error) => return Err(error.into()),
    };
    if is_of_a_login(command.server.mode.mode) {
        stored::ensure_scopes(&client, &command, place)?;
    }
    let is_bound = token.token_type != TokenType::Bearer;
    if is_bound && command.no_dpop {
        return Err(anyhow::anyhow!("{}", bound(&token, &client, &command, place)).into());
    }
    if is_bound && command.as_header {
        let why = bound(&token, &client, &command, place);
        return Err(anyhow::anyhow!("{why}. --json prints the token all the same").into());
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
            note(format_args!("note: {}", bound(&token, &client, &command, place)));
        }
        say!("{secret}");
    }
    Ok(())
}

/// Whether a person's login is what there is, and not a token for the asking.
fn is_of_a_login(mode: Mode) -> bool {
    matches!(mode, Mode::Auto | Mode::Oauth)
}

/// Why such a token is of no use to a script, and what is.
fn bound(token: &AccessToken, client: &Client, command: &Token, place: &Place) -> String {
    let again = place.login_command.as_deref().unwrap_or("hallpass login");
    // Of a client that needs no person nothing is stored, so a login would change nothing.
    let again = match is_of_a_login(command.server.mode.mode) {
        true => again.to_owned(),
        false => again.replacen("hallpass login", "hallpass token", 1),
    };
    let plain = if command.no_dpop { "" } else { " --no-dpop" };
    format!(
        "this token is bound to a key ({}): {} refuses it as a plain Bearer token, since every request needs a proof that \
         hallpass alone can make. Go through `hallpass connect`, which sends the proofs, or ask for a plain token: \
         `{again}{plain}`",
        token.token_type.as_str(),
        client.server(),
    )
}

/// Without a token there are several reasons, and `login` should not have another opinion.
async fn why_none(client: &Client, needed: Error, command: &Token, place: &Place) -> Failure {
    match client.asks_for_login().await {
        Ok(true) => match stored::other_names(client.server().as_str(), &command.account, place) {
            Some(names) => anyhow::anyhow!("{needed}; or take the login that is stored: {names}").into(),
            None => needed.into(),
        },
        Ok(false) => {
            anyhow::anyhow!("{} asks for no login, so there is no token for it", client.server()).into()
        }
        Err(error) => error.into(),
    }
}
