//! `hallpass logout`.

use hallpass_client::{Client, Revocation};

use super::{Place, machine, remote, stored, way};
use crate::cli::Logout;
use crate::exit::Failure;
use crate::say::say;

/// Revokes what is stored for the server, and forgets it.
pub(crate) async fn run(command: Logout, place: &Place) -> Result<(), Failure> {
    let mut builder = Client::builder(command.url.as_str()).map_err(Failure::configuration)?;
    for profile in place.config()?.provider {
        builder = builder.profile(profile);
    }
    if let Some(path) = &command.client_key_file {
        builder = builder.assertion_signer(machine::private_key(path).map_err(Failure::Configuration)?);
    }
    let builder = remote::kept(way::applied(builder, &command.way)?, &command.account, place)?;
    let client = builder.build().map_err(Failure::configuration)?;
    let ended = client.logout().await?;
    let login = remote::login_name(command.url.as_str(), &command.account.account);
    if ended.is_empty() {
        match stored::other_names(client.server().as_str(), &command.account, place) {
            Some(names) => say!(
                "There was no login to {login}; there is one by another name: {names} (`hallpass accounts` lists all)."
            ),
            None => say!("There was no login to {login}; `hallpass accounts` lists those that there are."),
        }
    }
    for ended in ended {
        let issuer = &ended.account.issuer;
        let forgotten = format!("Logged out of {login}: nothing of it is stored here any more");
        match ended.revocation {
            Revocation::Done => say!("{forgotten}, and {issuer} has revoked the tokens."),
            Revocation::RefreshTokenOnly => say!(
                "{forgotten}, and {issuer} has revoked the refresh token. It revokes no access tokens: a copy of the last \
                 one works until it ends."
            ),
            Revocation::NotOffered => {
                say!("{forgotten}. {issuer} offers no revocation: a copy of the tokens works until they end.")
            }
            Revocation::Failed(error) => say!(
                "{forgotten}. But the tokens were not revoked ({}): where {issuer} still knows them, a copy works until \
                 they end.",
                hallpass_protocol::for_terminal(&error.to_string())
            ),
        }
    }
    Ok(())
}
