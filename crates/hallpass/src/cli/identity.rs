//! As whom a server is reached, by which authorization server, and in which way. Secrets come from files, the environment
//! or standard input: everyone on the machine can read arguments.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use hallpass_protocol::{Issuer, ScopeSet};
use url::Url;

/// How a person logs in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Login")]
pub(crate) struct Interaction {
    /// Open no browser: show a code that is typed on any device
    #[arg(long)]
    pub(crate) device: bool,

    /// How the redirect URI names this machine
    #[arg(long, value_enum, value_name = "HOST", default_value_t = CallbackHost::V4)]
    pub(crate) callback_host: CallbackHost,

    /// Receive the browser's answer on this port, where a redirect URI was registered with it [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) callback_port: u16,

    /// The path of the redirect URI
    #[arg(long, value_name = "PATH", default_value = "/callback")]
    pub(crate) callback_path: String,

    /// Add this to the authorization request, as in prompt=login or login_hint=ann@example.com
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) authorize_param: Vec<Parameter>,

    /// Register with the token in this file, where the authorization server lets nobody register without one (its
    /// operator issues them: `hallpass client token issue`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client_id", "registration_token_env"])]
    pub(crate) registration_token_file: Option<PathBuf>,

    /// Register with the token in this variable of the environment
    #[arg(long, value_name = "NAME", conflicts_with = "client_id")]
    pub(crate) registration_token_env: Option<String>,

    /// Ask for plain Bearer tokens, bound to no key (DPoP), for programs that can send no proofs. Later logins keep to
    /// it until `hallpass logout`
    #[arg(long)]
    pub(crate) no_dpop: bool,
}

/// The loopback address of the redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CallbackHost {
    /// As RFC 8252 advises
    #[value(name = "127.0.0.1")]
    V4,
    /// The same for IPv6
    #[value(name = "::1")]
    V6,
    /// For authorization servers that take no other
    Localhost,
}

/// A parameter of an authorization request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("no `=`: write NAME=VALUE")?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// A client that was registered by hand, or describes itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Client")]
pub(crate) struct Identity {
    /// Use a client that was registered by hand; with a secret or certificate, name the --authorization-server too
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// Read the client secret from this variable of the environment
    #[arg(long, value_name = "NAME", requires = "client_id", group = "credential")]
    pub(crate) client_secret_env: Option<String>,

    /// Read the client secret from this file
    #[arg(long, value_name = "FILE", requires = "client_id", group = "credential")]
    pub(crate) client_secret_file: Option<PathBuf>,

    /// Read the client secret from standard input (its first line)
    #[arg(long, requires = "client_id", group = "credential")]
    pub(crate) client_secret_stdin: bool,

    /// Sign assertions with the private key in this PEM file, in place of a secret (private_key_jwt)
    #[arg(long, value_name = "FILE", requires = "client_id", group = "credential")]
    pub(crate) client_key_file: Option<PathBuf>,

    /// The https URL of this client's own metadata document, where authorization servers support those
    #[arg(long, value_name = "URL")]
    pub(crate) client_metadata_url: Option<String>,
}

/// Which authorization server, and what is known of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Authorization server")]
pub(crate) struct AuthorizationServer {
    /// Use this one, of several that the server names, or where it names none; a client by hand belongs to it alone
    #[arg(long, value_name = "ISSUER", visible_alias = "issuer", value_parser = issuer)]
    pub(crate) authorization_server: Option<Issuer>,

    /// Where a person is sent, for one that publishes no metadata
    #[arg(long, value_name = "URL", requires_all = ["authorization_server", "token_endpoint"])]
    pub(crate) authorization_endpoint: Option<Url>,

    /// Where codes become tokens, for one that publishes no metadata
    #[arg(long, value_name = "URL", requires_all = ["authorization_server", "authorization_endpoint"])]
    pub(crate) token_endpoint: Option<Url>,

    /// Read what providers do differently from this TOML file (`[[provider]]`); goes before what hallpass knows
    #[arg(long, value_name = "FILE")]
    pub(crate) provider_file: Option<PathBuf>,
}

/// The way to a token, and what those without a person need.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mode")]
pub(crate) struct Unattended {
    /// How tokens are come by
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub(crate) mode: Mode,

    /// bearer: read the token from this variable of the environment
    #[arg(long, value_name = "NAME", conflicts_with = "bearer_file")]
    pub(crate) bearer_env: Option<String>,

    /// bearer: read the token from this file, anew when it is refused
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// workload-identity: read the platform's JWT from this variable of the environment
    #[arg(long, value_name = "NAME", conflicts_with = "assertion_file")]
    pub(crate) assertion_env: Option<String>,

    /// workload-identity: read the platform's JWT from this file, anew for each token
    #[arg(long, value_name = "FILE")]
    pub(crate) assertion_file: Option<PathBuf>,

    /// enterprise-managed: read the person's ID token from this variable of the environment
    #[arg(long, value_name = "NAME", conflicts_with = "id_token_file")]
    pub(crate) id_token_env: Option<String>,

    /// enterprise-managed: read the person's ID token from this file, anew for each token
    #[arg(long, value_name = "FILE")]
    pub(crate) id_token_file: Option<PathBuf>,

    /// enterprise-managed: the identity provider that issued the ID token
    #[arg(long, value_name = "ISSUER", value_parser = issuer)]
    pub(crate) idp: Option<Issuer>,

    /// enterprise-managed: the client there, which the ID token was issued to
    #[arg(long, value_name = "ID", requires = "idp")]
    pub(crate) idp_client_id: Option<String>,

    /// enterprise-managed: read that client's secret from this variable of the environment
    #[arg(long, value_name = "NAME", requires = "idp_client_id", conflicts_with = "idp_client_secret_file")]
    pub(crate) idp_client_secret_env: Option<String>,

    /// enterprise-managed: read that client's secret from this file
    #[arg(long, value_name = "FILE", requires = "idp_client_id")]
    pub(crate) idp_client_secret_file: Option<PathBuf>,

    /// enterprise-managed: the identity provider's token endpoint [default: from its metadata]
    #[arg(long, value_name = "URL", requires = "idp")]
    pub(crate) idp_token_endpoint: Option<Url>,
}

/// How tokens are come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A login, once the server asks for it
    Auto,
    /// No token at all
    None,
    /// A token that you have
    Bearer,
    /// A login before the first request, though the server may not insist
    Oauth,
    /// No person: the client acts for itself, with its secret or key
    ClientCredentials,
    /// No person here: an ID token of the employer's identity provider is exchanged
    EnterpriseManaged,
    /// No person: the platform that the program runs on says what it is
    WorkloadIdentity,
}

fn issuer(text: &str) -> Result<Issuer, String> {
    Issuer::parse(text).map_err(|error| error.to_string())
}

pub(super) fn scopes(text: &str) -> Result<ScopeSet, String> {
    ScopeSet::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_split_at_its_first_sign() {
        let parameter: Parameter = "claims={\"a\":\"b=c\"}".parse().unwrap();
        assert_eq!((parameter.name.as_str(), parameter.value.as_str()), ("claims", "{\"a\":\"b=c\"}"));
        assert!("prompt".parse::<Parameter>().is_err());
    }
}
