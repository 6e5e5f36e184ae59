//! `hallpass accounts`.

use super::when::when;
use super::{Place, table};
use crate::cli::{Accounts, Format};
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;

/// Lists the servers that tokens are kept for.
pub(crate) fn run(command: &Accounts, place: &Place) -> Result<(), Failure> {
    let accounts = match place.existing_tokens(command.kept.token_store)? {
        Some(store) => hallpass_client::accounts(&store)?,
        None => Vec::new(),
    };
    if command.format() == Format::Json {
        let accounts: Vec<_> = accounts
            .iter()
            .map(|account| {
                serde_json::json!({
                    "server": account.server,
                    "account": account.account,
                    "resource": account.resource,
                    "issuer": account.issuer,
                    "client_id": account.client_id,
                    "scope": account.scopes,
                    "token_type": account.token_type.as_str(),
                    "expires_at": account.expires_at.map(|at| at.unix()),
                    "refreshable": account.refreshable,
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&accounts)?);
        return Ok(());
    }
    if accounts.is_empty() {
        say!("No logins are kept; `hallpass login URL` makes one.");
        return Ok(());
    }
    let now = system_clock().now();
    let rows: Vec<_> = accounts
        .into_iter()
        .map(|account| {
            let expires = account.expires_at.map_or("unknown".to_owned(), |at| when(at, now));
            let refresh = if account.refreshable { "yes" } else { "no" };
            [
                account.server,
                account.account,
                account.issuer,
                account.scopes.to_string(),
                account.token_type.as_str().to_owned(),
                expires,
                refresh.to_owned(),
            ]
        })
        .collect();
    table::print(["SERVER", "ACCOUNT", "ISSUER", "SCOPE", "TYPE", "EXPIRES", "REFRESHES"], &rows)?;
    Ok(())
}
