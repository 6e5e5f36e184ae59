//! What `hallpass scim token` and `hallpass client token` have in common: a token is shown once, listed without its secret, and
//! revoked by its id.

use anyhow::anyhow;
use hallpass_protocol::Secret;
use serde_json::Value;

use super::table;
use crate::cli::Format;
use crate::exit::Failure;
use crate::say::{note, say};

/// The token goes to standard output alone, so that it can be piped to where it is handed over.
pub(super) fn show_once(id: &str, token: &Secret) -> Result<(), Failure> {
    note(format_args!("The token {id}, shown once:"));
    say!("{}", token.expose());
    Ok(())
}

/// `command` is what all of this is below, such as `hallpass scim token`.
pub(super) fn revoked(found: bool, id: &str, command: &str) -> Result<(), Failure> {
    if !found {
        return Err(anyhow!("there is no token {id}; `{command} list` shows which there are").into());
    }
    say!("{id} is refused from now on.");
    Ok(())
}

/// All of them, as JSON or in a table with this head.
pub(super) fn list<const N: usize>(
    format: Format,
    command: &str,
    head: [&str; N],
    tokens: impl Iterator<Item = (Value, [String; N])>,
) -> Result<(), Failure> {
    let (json, rows): (Vec<_>, Vec<_>) = tokens.unzip();
    if format == Format::Json {
        say!("{}", serde_json::to_string_pretty(&json)?);
    } else if rows.is_empty() {
        say!("No tokens; `{command} issue` issues one.");
    } else {
        table::print(head, &rows)?;
    }
    Ok(())
}
