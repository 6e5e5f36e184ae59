//! What is stored for a server, where that is not what was asked for.

use hallpass_client::{AccountSummary, Client};
use hallpass_protocol::ScopeSet;

use super::{Place, remote};
use crate::cli::{self, Token};
use crate::exit::Failure;

/// The names of other logins at the server, as options: `--account work`. `None` where there is none.
pub(super) fn other_names(server: &str, account: &cli::Account, place: &Place) -> Option<String> {
    let at_server = at(server, account, place).ok()?;
    let others = at_server.iter().filter(|kept| kept.account != account.account);
    let names: Vec<_> = others
        .map(|kept| match kept.account.as_str() {
            "" => "without --account".to_owned(),
            name => format!("--account {}", hallpass_protocol::for_terminal(name)),
        })
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Whether the login has the scopes that were asked for: a token is not given new ones here.
pub(super) fn ensure_scopes(client: &Client, command: &Token, place: &Place) -> Result<(), Failure> {
    let Some(asked) = &command.server.scope else { return Ok(()) };
    let (server, account) = (client.server().as_str(), &command.account);
    let at_server = at(server, account, place)?;
    let Some(login) = at_server.into_iter().find(|kept| kept.account == account.account) else {
        return Ok(());
    };
    if asked.is_subset(&login.scopes) {
        return Ok(());
    }
    let name = remote::login_name(server, &account.account);
    let again = place.login_command.as_deref().unwrap_or("hallpass login");
    Err(anyhow::anyhow!(
        "the login to {name} lacks a scope that was asked for: it has {}, not all of `{asked}`. To log in with it, run `{again}`",
        told(&login.scopes)
    )
    .into())
}

fn told(scopes: &ScopeSet) -> String {
    if scopes.is_empty() { "none".to_owned() } else { format!("`{scopes}`") }
}

fn at(server: &str, account: &cli::Account, place: &Place) -> Result<Vec<AccountSummary>, Failure> {
    let Some(store) = place.existing_tokens(account.kept.token_store)? else { return Ok(Vec::new()) };
    let mut all = hallpass_client::accounts(&store)?;
    all.retain(|kept| kept.server == server);
    Ok(all)
}
