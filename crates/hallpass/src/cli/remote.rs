//! How a person says which server to reach, and as whom: shared by every command that goes to one.

use clap::Args;
use hallpass_client::store::{Protection, UnknownProtection};
use hallpass_protocol::ScopeSet;
use url::Url;

use super::Way;
use super::identity::{AuthorizationServer, Identity, Interaction, Unattended, scopes};

/// A server, and the way to its tokens.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The MCP endpoint, as one would give it to a client: https://mcp.example.com/mcp
    #[arg(value_parser = server, help_heading = super::NONE)]
    pub(crate) url: Url,

    /// Ask for these scopes beside those that the server names
    #[arg(long, value_name = "SCOPES", value_parser = scopes, help_heading = super::NONE)]
    pub(crate) scope: Option<ScopeSet>,

    #[command(flatten)]
    pub(crate) mode: Unattended,

    #[command(flatten)]
    pub(crate) identity: Identity,

    #[command(flatten)]
    pub(crate) issuer: AuthorizationServer,

    #[command(flatten)]
    pub(crate) way: Way,
}

/// The same where a person may be asked.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    #[command(flatten)]
    pub(crate) interaction: Interaction,

    #[command(flatten)]
    pub(crate) server: Server,
}

/// Which of the logins that are kept.
#[derive(Debug, Args)]
pub(crate) struct Account {
    /// The name of the login, for several at one server
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        display_order = 0,
        help_heading = super::NONE
    )]
    pub(crate) account: String,

    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// How logins are kept.
#[derive(Debug, Args)]
pub(crate) struct Kept {
    /// How tokens are encrypted at rest: auto, keyring, passphrase (from HALLPASS_PASSPHRASE), key-file or plain
    #[arg(
        long,
        value_name = "HOW",
        env = "HALLPASS_TOKEN_STORE",
        hide_env_values = true,
        default_value = "auto",
        value_parser = token_store,
        help_heading = super::EVERYWHERE
    )]
    pub(crate) token_store: Protection,
}

/// A variable that is set to nothing says nothing.
fn token_store(text: &str) -> Result<Protection, UnknownProtection> {
    if text.is_empty() { Ok(Protection::Automatic) } else { text.parse() }
}

/// The whole URL: what people leave out is named.
pub(super) fn server(text: &str) -> Result<Url, String> {
    let is_local =
        |host: &str| host.starts_with("localhost") || host.starts_with("127.") || host.starts_with('[');
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(url) if text.contains("://") => {
            Err(format!("MCP servers are reached over https, not {}", url.scheme()))
        }
        _ if text.trim().is_empty() => Err("name a server, as in https://mcp.example.com/mcp".into()),
        // `localhost:8080` reads as the scheme `localhost`.
        _ => {
            let scheme = if is_local(text) { "http" } else { "https" };
            Err(format!("write the whole URL: {scheme}://{text}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_of_a_url_is_named() {
        for (text, says) in [
            ("mcp.example.com", "https://mcp.example.com"),
            ("mcp.example.com/mcp", "https://mcp.example.com/mcp"),
            ("localhost:8080/mcp", "http://localhost:8080/mcp"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("ftp://mcp.example.com", "https, not ftp"),
            ("", "https://mcp.example.com/mcp"),
        ] {
            let error = server(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(server("https://mcp.example.com/mcp").is_ok());
    }
}
