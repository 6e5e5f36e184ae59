//! How a person says which server to reach, and as whom: shared by every command that goes to one.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hallpass_client::doctor::Revision;
use hallpass_protocol::{Issuer, ScopeSet};
use http::{HeaderName, HeaderValue};
use url::Url;

#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// The MCP endpoint, as one would give it to a client
    pub(crate) url: Url,

    /// The name of the login, for several at one server
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) account: String,

    /// Receive the browser's answer on this port, where a redirect URI was registered with it [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) callback_port: u16,

    /// The path of the redirect URI
    #[arg(long, value_name = "PATH", default_value = "/callback")]
    pub(crate) callback_path: String,

    /// How tokens are come by
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub(crate) mode: Mode,

    /// With --mode bearer: read the token from this variable of the environment
    #[arg(long, value_name = "NAME", conflicts_with = "bearer_file")]
    pub(crate) bearer_env: Option<String>,

    /// With --mode bearer: read the token from this file, anew when it is refused
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Use a client that was registered by hand; needs --issuer
    #[arg(long, value_name = "ID", requires = "issuer")]
    pub(crate) client_id: Option<String>,

    /// The authorization server that the client is registered with; it is shown to no other
    #[arg(long, value_name = "URL", requires = "client_id", value_parser = issuer)]
    pub(crate) issuer: Option<Issuer>,

    /// Read the client secret from this variable of the environment
    #[arg(long, value_name = "NAME", requires = "client_id")]
    pub(crate) client_secret_env: Option<String>,

    /// The https URL of this client's own metadata document, where authorization servers support those
    #[arg(long, value_name = "URL")]
    pub(crate) client_metadata_url: Option<String>,

    /// Ask for these scopes beside those that the server names
    #[arg(long, value_name = "SCOPES", value_parser = scopes)]
    pub(crate) scope: Option<ScopeSet>,

    /// Give up connecting to the server after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) way: super::Way,
}

/// What is sent beside the token.
#[derive(Debug, Default, Args)]
pub(crate) struct Fields {
    /// Send this field to the server with every request; `${NAME}` is read from the environment
    #[arg(long, value_name = "NAME:VALUE")]
    pub(crate) header: Vec<Header>,

    /// Send the fields in this file, one a line; keeps secrets out of the process list
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, value_enum, default_value_t = Transport::Auto)]
    pub(crate) transport: Transport,

    /// Show and allow the tools with this name only; `*` stands for anything
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_tool: Vec<String>,

    /// Hide the tools with this name, and refuse calls of them; wins over --allow-tool
    #[arg(long, value_name = "NAME")]
    pub(crate) ignore_tool: Vec<String>,
}

/// How tokens are come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A login, once the server asks for it
    Auto,
    /// No token at all
    None,
    /// A token that you have: --bearer-env or --bearer-file
    Bearer,
    /// A login before the first request, though the server may not insist
    Oauth,
    /// No person: --client-id, --issuer and --client-secret-env
    ClientCredentials,
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

    /// Print a whole `Authorization` field
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

fn issuer(text: &str) -> Result<Issuer, String> {
    Issuer::parse(text).map_err(|error| error.to_string())
}

fn scopes(text: &str) -> Result<ScopeSet, String> {
    ScopeSet::parse(text).map_err(|error| error.to_string())
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
