//! How a person says which server to reach: shared by every command that goes to one.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hallpass_client::doctor::Revision;
use http::{HeaderName, HeaderValue};
use url::Url;

use super::identity::{AuthorizationServer, Identity, Interaction, Unattended};

#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// The MCP endpoint, as one would give it to a client: https://mcp.example.com/mcp
    #[arg(value_parser = server)]
    pub(crate) url: Url,

    /// The name of the login, for several at one server
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) account: String,

    #[command(flatten)]
    pub(crate) interaction: Interaction,

    #[command(flatten)]
    pub(crate) identity: Identity,

    #[command(flatten)]
    pub(crate) issuer: AuthorizationServer,

    #[command(flatten)]
    pub(crate) mode: Unattended,

    /// Give up connecting to the server after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = "Network")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) way: super::Way,
}

/// What is sent beside the token.
#[derive(Debug, Default, Args)]
pub(crate) struct Fields {
    /// Send this field to the server with every request; `${NAME}` is read from the environment
    #[arg(long, value_name = "NAME:VALUE", help_heading = "Network")]
    pub(crate) header: Vec<Header>,

    /// Send the fields in this file, one a line; keeps secrets out of the process list
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub(crate) header_file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) remote: Remote,

    #[command(flatten)]
    pub(crate) fields: Fields,
}

#[derive(Debug, Args)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(crate) remote: Remote,

    #[command(flatten)]
    pub(crate) fields: Fields,

    /// How the server is spoken to
    #[arg(long, value_enum, default_value_t = Transport::Auto, help_heading = "Bridge")]
    pub(crate) transport: Transport,

    /// Show and allow the tools with this name only; `*` stands for anything
    #[arg(long, value_name = "NAME", help_heading = "Bridge")]
    pub(crate) allow_tool: Vec<String>,

    /// Hide the tools with this name, and refuse calls of them; wins over --allow-tool
    #[arg(long, value_name = "NAME", help_heading = "Bridge")]
    pub(crate) ignore_tool: Vec<String>,
}

/// Which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Streamable HTTP, and HTTP+SSE of 2024-11-05 where the server knows nothing newer
    Auto,
    /// Streamable HTTP alone
    Http,
    /// HTTP+SSE of 2024-11-05 alone
    Sse,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) remote: Remote,

    #[command(flatten)]
    pub(crate) fields: Fields,

    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,

    /// Log in for real, refresh, call the server, and log out; stored logins are not touched
    #[arg(long)]
    pub(crate) login: bool,

    /// Judge what concerns this revision of the specification only
    #[arg(long, value_name = "DATE", value_parser = revision)]
    pub(crate) revision: Option<Revision>,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) remote: Remote,

    /// Print a whole `Authorization` field; refused for a token that is bound to a key (DPoP)
    #[arg(long, conflicts_with = "json")]
    pub(crate) header: bool,

    /// Print JSON: access_token, token_type, expires_at
    #[arg(long)]
    pub(crate) json: bool,
}

/// A field to send, with what the environment has put into it. Its value is nobody's to see.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: [secret]", self.name)
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("no colon: write NAME:VALUE")?;
        let name =
            HeaderName::try_from(name.trim()).map_err(|_| format!("`{name}` is not a field's name"))?;
        let value = filled(value.trim(), &|name| std::env::var(name).ok())?;
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| format!("the value of {name} holds characters that no field may hold"))?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

/// Puts variables in: `${NAME}`.
fn filled(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("${") {
        let (name, after) = from.split_once('}').ok_or("`${` without `}`")?;
        filled.push_str(before);
        filled.push_str(&environment(name).ok_or_else(|| format!("the variable {name} is not set"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The whole URL: what people leave out is named.
fn server(text: &str) -> Result<Url, String> {
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

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("write a number of seconds".to_owned()),
    }
}

fn revision(text: &str) -> Result<Revision, String> {
    let known = Revision::ALL.into_iter().find(|revision| revision.name() == text);
    known.ok_or_else(|| format!("there are {}", Revision::ALL.map(Revision::name).join(", ")))
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

    #[test]
    fn variables_are_put_into_headers_and_missing_ones_are_named() {
        let environment = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
        assert_eq!(filled("a ${KEY} b ${KEY}", &environment).unwrap(), "a s3cret b s3cret");
        assert_eq!(filled("$KEY {KEY}", &environment).unwrap(), "$KEY {KEY}");
        assert!(filled("${NONE}", &environment).unwrap_err().contains("NONE"));
        assert!(filled("${KEY", &environment).is_err());
    }

    #[test]
    fn a_headers_value_is_not_shown() {
        let header: Header = "X-Key: s3cret:with:colons".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.to_str().unwrap()), ("x-key", "s3cret:with:colons"));
        assert!(!format!("{header:?} {:?}", header.value).contains("s3cret"));
        for bad in ["no colon", "a b: c", ": c", "x: a\nb"] {
            assert!(bad.parse::<Header>().is_err(), "{bad:?}");
        }
    }
}
