//! `hallpass login`.

use hallpass_client::{AccountSummary, Login};

use super::{Place, remote};
use crate::cli::{self, Mode};
use crate::exit::Failure;
use crate::say::say;

/// Logs in and keeps the tokens.
pub(crate) async fn run(command: cli::Login, place: &Place) -> Result<(), Failure> {
    let server = &command.remote.server;
    let needs_person = match server.mode.mode {
        Mode::None => {
            return Err(Failure::usage("--mode none sends no token, so there is nothing to log in to"));
        }
        Mode::Bearer => {
            return Err(Failure::usage(
                "--mode bearer sends the token that you have, so there is nothing to log in to",
            ));
        }
        Mode::Auto | Mode::Oauth => true,
        Mode::ClientCredentials | Mode::EnterpriseManaged | Mode::WorkloadIdentity => false,
    };
    // Standard input is free here, so the redirect URL may be pasted.
    let browser = remote::browser(&command.remote.interaction).paste_from_terminal();
    let builder = remote::builder(&command.remote, &command.fields, place)?;
    let builder = remote::kept(builder, &command.account, place)?;
    let client = builder.interaction(browser).build().map_err(Failure::configuration)?;
    match client.login().await? {
        Login::Done(account) if needs_person => {
            say!(
                "Logged in to {} at {}.",
                remote::login_name(&account.server, &account.account),
                account.issuer
            );
        }
        Login::Done(account) => granted(&account)?,
        Login::NotNeeded => say!("{} asks for no login.", server.url),
    }
    Ok(())
}

/// Of a client that needs no person, nothing is written down.
fn granted(account: &AccountSummary) -> Result<(), Failure> {
    let AccountSummary { issuer, client_id, server, scopes, .. } = account;
    let scopes = if scopes.is_empty() { "no scopes".to_owned() } else { format!("the scopes \"{scopes}\"") };
    say!("{issuer} has granted {client_id} a token for {server}, with {scopes}.");
    say!(
        "Nothing is stored: with the same options, `hallpass token` and `hallpass connect` fetch one themselves."
    );
    Ok(())
}
