//! `hallpass client`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ClientToken, Listing};

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Register a client by hand
    #[command(after_help = "\
Examples:
  hallpass client add --id ide --redirect-uri http://127.0.0.1/callback
  pass show mcp/web | hallpass client add --id web --secret-stdin \\
    --redirect-uri https://app.example.com/callback
  hallpass client add --id robot --grant client_credentials \\
    --jwks robot.jwks.json --scope notes:read")]
    Add {
        /// The client_id
        #[arg(long, value_name = "ID")]
        id: String,
        /// Read the client_secret from standard input (its first line, of 20 characters or more); without
        /// it the client is public
        #[arg(long)]
        secret_stdin: bool,
        /// Where codes may be sent; give it once for each URI
        #[arg(long, value_name = "URI")]
        redirect_uri: Vec<String>,
        /// A grant the client may use [default: authorization_code refresh_token]
        #[arg(long, value_name = "G")]
        grant: Vec<String>,
        /// A scope the client may ask for [default: all]
        #[arg(long, value_name = "S")]
        scope: Vec<String>,
        /// The server of the configuration that the client may ask tokens for [default: all]
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
        /// A resource the client may ask tokens for [default: all]
        #[arg(long, value_name = "URL")]
        resource: Vec<String>,
        /// The client signs (private_key_jwt) with a key of this JSON Web Key Set
        #[arg(long, value_name = "FILE", conflicts_with_all = ["secret_stdin", "jwks_uri"])]
        jwks: Option<PathBuf>,
        /// The same, with the set at this URL
        #[arg(long, value_name = "URL", conflicts_with = "secret_stdin")]
        jwks_uri: Option<String>,
        /// The client shows a certificate with this name (tls_client_auth): subject=CN=robot,O=Acme, dns=, uri=, ip= or email=
        #[arg(long, value_name = "KIND=NAME", conflicts_with_all = ["secret_stdin", "jwks", "jwks_uri"])]
        certificate: Option<String>,
        /// The client shows a certificate with one of its keys, and signs nothing (self_signed_tls_client_auth)
        #[arg(long)]
        self_signed: bool,
        /// Give it no tokens but those that are bound to its certificate
        #[arg(long)]
        certificate_bound: bool,
        /// Give it no tokens but those that are bound to a DPoP key
        #[arg(long)]
        dpop: bool,
    },
    /// Tokens by which clients register themselves, where the configuration says `registration = "token"`
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass client token issue\n  hallpass client token list"
    )]
    Token(ClientToken),
    /// Switch a client off; its tokens end at once
    #[command(after_help = "Example:\n  hallpass client disable ide")]
    Disable {
        /// The client_id
        id: String,
    },
    /// Switch a client on again; what it was granted before stays dead
    #[command(after_help = "Example:\n  hallpass client enable ide")]
    Enable {
        /// The client_id
        id: String,
    },
    /// List the registered clients
    #[command(after_help = "Examples:\n  hallpass client list\n  hallpass client list --json")]
    List(Listing),
    /// Remove a client; its tokens end at once
    #[command(after_help = "Example:\n  hallpass client remove ide")]
    Remove {
        /// The client_id
        id: String,
    },
}
