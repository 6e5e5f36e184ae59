//! The command line, as a contract: what a person can type, and the examples that `--help` shows.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hallpass_client::store::Protection;
use url::Url;

mod audit;
mod identity;
mod initial_token;
mod key;
mod policy;
mod remote;
mod way;

pub(crate) use audit::Audit;
pub(crate) use identity::{CallbackHost, Mode, Unattended};
pub(crate) use initial_token::ClientToken;
pub(crate) use key::{How, Key};
pub(crate) use policy::Policy;
pub(crate) use remote::{Connect, Doctor, Fields, Header, Login, Remote, Token, Transport};
pub(crate) use way::Way;

use crate::config::{ListenAddress, PublicUrl};

/// Authorization for the Model Context Protocol: protect a server, log in to one.
#[derive(Debug, Parser)]
#[command(name = "hallpass", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  hallpass serve --demo                                 a protected sample server, ready to log in to
  hallpass serve --upstream http://localhost:3000/mcp   protect a server that speaks HTTP
  hallpass serve -- npx -y @modelcontextprotocol/server-everything
  hallpass connect https://mcp.example.com/mcp          let a stdio client reach a protected server

Exit codes: 0 done, 1 failed while running, 2 wrong usage, 3 wrong configuration.")]
pub(crate) struct Cli {
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE", env = "HALLPASS_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Keep keys, database and tokens in this folder
    #[arg(long, global = true, value_name = "DIR", env = "HALLPASS_DATA")]
    pub(crate) data: Option<PathBuf>,

    /// How the tokens of `login` and `connect` are kept: auto, keyring, passphrase (HALLPASS_PASSPHRASE),
    /// key-file or plain
    #[arg(long, global = true, value_name = "HOW", env = "HALLPASS_TOKEN_STORE", default_value = "auto")]
    pub(crate) token_store: Protection,

    /// Say more on standard error (twice: everything)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Protect an MCP server: challenge, login, consent, tokens
    Serve(Serve),
    /// People who may log in to the embedded authorization server
    #[command(subcommand, after_help = "Examples:\n  hallpass user add alice\n  hallpass user list")]
    User(User),
    /// OAuth clients that are registered by hand
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass client add --id ide --redirect-uri http://127.0.0.1/callback\n  hallpass client list"
    )]
    Client(Client),
    /// Issuers whose assertions are exchanged for tokens
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass issuer list\n  hallpass issuer disable https://idp.example.com"
    )]
    Issuer(Issuer),
    /// Keys that sign access tokens
    #[command(subcommand, after_help = "Examples:\n  hallpass keys list\n  hallpass keys rotate")]
    Keys(Keys),
    /// What was decided, by whom and about what; newest first
    #[command(after_help = "\
Examples:
  hallpass audit                              the latest hundred events
  hallpass audit --reference 3kTqYxvF0zE9Rw   what is behind an error page
  hallpass audit --user alice --since 24h
  hallpass audit --json --since 1h            one event a line, for programs")]
    Audit(Audit),
    /// Copy the database into a file, while servers run (SQLite)
    #[command(after_help = "Example:\n  hallpass backup /backups/hallpass-$(date +%F).db")]
    Backup {
        /// The file to write; it must not be there yet
        file: PathBuf,
    },
    /// Put a copy of the database back (SQLite)
    #[command(after_help = "\
Examples:
  hallpass restore /backups/hallpass-2026-11-22.db
  hallpass restore /backups/hallpass-2026-11-22.db --replace

The servers have to be stopped. Everybody has to log in again, since nobody knows what was revoked after the
copy was made. The copy is of use only with its master key (master.key in the data folder).")]
    Restore(Restore),
    /// The key under which secrets in the database are encrypted
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass master-key rotate\n  hallpass master-key forget-former"
    )]
    MasterKey(MasterKey),
    /// Speak stdio MCP here and streamable HTTP there, logging in where needed
    #[command(after_help = "\
Examples:
  hallpass connect https://mcp.example.com/mcp
  claude mcp add notes -- hallpass connect https://mcp.example.com/mcp
  hallpass connect https://mcp.example.com/mcp --header 'X-Tenant: ${TENANT}'
  hallpass connect https://mcp.example.com/mcp --client-id ide --authorization-server https://login.example.com
  hallpass connect https://mcp.example.com/mcp --callback-port 8765 --scope 'notes:read notes:write'
  hallpass connect https://old.example.com/sse --transport sse
  hallpass connect https://mcp.example.com/mcp --allow-tool 'read_*' --ignore-tool read_all

The browser opens only when a login is needed; tokens are kept and refreshed by themselves.")]
    Connect(Connect),
    /// Say why a login fails: every step, what came back, which paragraph asks for it
    #[command(after_help = "\
Examples:
  hallpass doctor https://mcp.example.com/mcp
  hallpass doctor https://mcp.example.com/mcp --login       log in for real, then log out
  hallpass doctor https://mcp.example.com/mcp --json | jq .verdict
  hallpass doctor https://mcp.example.com/mcp --revision 2025-11-25

Exit codes: 0 nothing worse than warnings, 1 a rule is broken (a fault).")]
    Doctor(Doctor),
    /// Log in to a protected server and keep the tokens
    #[command(after_help = "\
Examples:
  hallpass login https://mcp.example.com/mcp
  hallpass login https://mcp.example.com/mcp --callback-port 8765 --scope 'notes:read notes:write'
  hallpass login https://mcp.example.com/mcp --device        on a machine without a browser
  pass show mcp/ide | hallpass login https://mcp.example.com/mcp \\
    --authorization-server https://login.example.com --client-id ide --client-secret-stdin")]
    Login(Login),
    /// Revoke the tokens of a server, then forget them
    #[command(after_help = "Example:\n  hallpass logout https://mcp.example.com/mcp")]
    Logout(Remote),
    /// Print an access token for scripts, refreshed if need be
    #[command(after_help = "\
Examples:
  curl -H \"Authorization: Bearer $(hallpass token https://mcp.example.com/mcp)\" …
  hallpass token https://mcp.example.com/mcp --header > header && curl -H @header …
  hallpass token https://mcp.example.com/mcp --json | jq .expires_at
  hallpass token https://mcp.example.com/mcp --mode workload-identity --client-id job \\
    --authorization-server https://login.example.com --assertion-file /var/run/secrets/token")]
    Token(Token),
    /// List the servers that tokens are kept for
    #[command(after_help = "Examples:\n  hallpass accounts\n  hallpass accounts --json")]
    Accounts(Listing),
    /// API keys, and passwords for programs that know nothing else
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass key add ci --scope notes:read\n  hallpass key list"
    )]
    Key(Key),
    /// Say what the rules of the configuration come to
    #[command(
        subcommand,
        after_help = "Example:\n  hallpass policy explain --config hallpass.toml --token token.txt --tool write_note"
    )]
    Policy(Policy),
    /// Check a configuration file, or print its schema
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass config check hallpass.toml\n  hallpass config schema"
    )]
    Config(Config),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  hallpass completions bash > ~/.local/share/bash-completion/completions/hallpass"
    )]
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  hallpass serve --demo
  hallpass serve --upstream http://localhost:3000/mcp
  hallpass serve -- npx -y @modelcontextprotocol/server-everything
  hallpass serve --listen 0.0.0.0:8080 --public-url https://mcp.example.com --upstream http://notes:3000/mcp
  hallpass serve --config hallpass.toml

Without a user, the first start prints a link under which the first user is made.")]
pub(crate) struct Serve {
    /// A sample server, a user and a temporary folder: everything to try it, nothing to install
    #[arg(long, conflicts_with_all = ["upstream", "command"])]
    pub(crate) demo: bool,

    /// The MCP endpoint to protect, reached over streamable HTTP
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub(crate) upstream: Option<Url>,

    /// Where to listen: host and port [default: localhost:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<ListenAddress>,

    /// What clients call this server: metadata, issuer and resource are built from it
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<PublicUrl>,

    /// TLS ends in front of hallpass: take a public URL that is plain http for its https form
    #[arg(long)]
    pub(crate) tls_in_front: bool,

    /// The stdio MCP server to protect, one process a session
    #[arg(last = true, value_name = "COMMAND ARGS")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user; the password is asked for, or read from standard input
    #[command(after_help = "\
Examples:
  hallpass user add alice
  hallpass user add alice --link
  pass show mcp/alice | hallpass user add alice --password-stdin --admin")]
    Add {
        /// The name to log in with
        name: String,
        /// Read the password from standard input (its first line)
        #[arg(long)]
        password_stdin: bool,
        /// Set no password: print a link under which the user sets one
        #[arg(long, conflicts_with = "password_stdin")]
        link: bool,
        /// Let the user run this server: users, clients and grants under /admin
        #[arg(long)]
        admin: bool,
    },
    /// Print a link under which a user sets a new password, once and within a day
    #[command(after_help = "\
Examples:
  hallpass user link alice

Whoever has the link has the account (a second factor is still asked for): hand it over by a way that others cannot
read. Sessions of the user end when the password is set. Earlier links of the user end at once.")]
    Link {
        /// The user's name
        name: String,
    },
    /// Set a user's password; sessions end, connected apps stay
    #[command(after_help = "\
Examples:
  hallpass user passwd alice
  pass show mcp/alice | hallpass user passwd alice --password-stdin")]
    Passwd {
        /// The user's name
        name: String,
        /// Read the password from standard input (its first line)
        #[arg(long)]
        password_stdin: bool,
    },
    /// Let a user run this server, or no longer (--revoke)
    #[command(after_help = "Examples:\n  hallpass user admin alice\n  hallpass user admin alice --revoke")]
    Admin {
        /// The user's name
        name: String,
        /// Take it back
        #[arg(long)]
        revoke: bool,
    },
    /// One-time codes of a user
    #[command(subcommand, after_help = "Example:\n  hallpass user totp reset alice")]
    Totp(Totp),
    /// Let a disabled user log in again
    #[command(after_help = "Example:\n  hallpass user enable alice")]
    Enable {
        /// The user's name
        name: String,
    },
    /// List the users
    #[command(after_help = "Examples:\n  hallpass user list\n  hallpass user list --json")]
    List(Listing),
    /// Refuse a user from now on; sessions and tokens end at once
    #[command(after_help = "Example:\n  hallpass user disable alice")]
    Disable {
        /// The user's name
        name: String,
    },
    /// Remove a user with all sessions, consents and tokens
    #[command(after_help = "Example:\n  hallpass user remove alice")]
    Remove {
        /// The user's name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Totp {
    /// Ask a user who has lost phone and recovery codes for no code any more; the password alone is enough until new
    /// codes are set up
    #[command(after_help = "Example:\n  hallpass user totp reset alice")]
    Reset {
        /// The user's name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Register a client by hand
    #[command(after_help = "\
Examples:
  hallpass client add --id ide --redirect-uri http://127.0.0.1/callback
  pass show mcp/web | hallpass client add --id web --secret-stdin --redirect-uri https://app.example.com/callback
  hallpass client add --id robot --grant client_credentials --jwks robot.jwks.json --scope notes:read")]
    Add {
        /// The client_id
        #[arg(long, value_name = "ID")]
        id: String,
        /// Read the client_secret from standard input (its first line); without it the client is public
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
        /// A resource the client may ask tokens for [default: all]
        #[arg(long, value_name = "URL")]
        resource: Vec<String>,
        /// The client signs (private_key_jwt) with a key of this JSON Web Key Set
        #[arg(long, value_name = "FILE", conflicts_with_all = ["secret_stdin", "jwks_uri"])]
        jwks: Option<PathBuf>,
        /// The same, with the set at this URL
        #[arg(long, value_name = "URL", conflicts_with = "secret_stdin")]
        jwks_uri: Option<String>,
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

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The copy that `hallpass backup` made
    pub(crate) file: PathBuf,
    /// Replace the database that is there
    #[arg(long)]
    pub(crate) replace: bool,
    /// Let sessions and grants of the copy live, those that were revoked after it was made too
    #[arg(long)]
    pub(crate) keep_grants: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MasterKey {
    /// Make a new key and seal everything anew; servers may run. The former key is kept, for backups and for
    /// servers on other machines
    #[command(after_help = "\
Example:
  hallpass master-key rotate          run it again if it was interrupted: it goes on where it was")]
    Rotate,
    /// Drop the former keys; refused while something is sealed under them
    #[command(after_help = "Example:\n  hallpass master-key forget-former")]
    ForgetFormer,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Issuer {
    /// List the issuers that the server was started with
    #[command(after_help = "Examples:\n  hallpass issuer list\n  hallpass issuer list --json")]
    List(Listing),
    /// Refuse an issuer's assertions from now on; tokens that came from it end at once
    #[command(after_help = "Example:\n  hallpass issuer disable https://idp.example.com")]
    Disable {
        /// The issuer
        issuer: String,
    },
    /// Take an issuer's assertions again; tokens from before stay dead
    #[command(after_help = "Example:\n  hallpass issuer enable https://idp.example.com")]
    Enable {
        /// The issuer
        issuer: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// List the keys, and what each is for
    #[command(after_help = "Examples:\n  hallpass keys list\n  hallpass keys list --json")]
    List(Listing),
    /// Publish a new key, which signs a while later; the old one stays published until its tokens are dead
    #[command(after_help = "\
Examples:
  hallpass keys rotate          after the time that publish_keys_ahead sets, a day by default
  hallpass keys rotate --now    sign with the new key at once, as when the old one may have leaked")]
    Rotate {
        /// Sign with the new key at once
        #[arg(long)]
        now: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Read a configuration file and say what is wrong with it, or what it means
    #[command(after_help = "Example:\n  hallpass config check hallpass.toml")]
    Check {
        /// The file [default: the one named by --config]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration file
    #[command(after_help = "Example:\n  hallpass config schema > hallpass.schema.json")]
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

impl Listing {
    /// How the list is to be printed.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Table }
    }
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for reading
    Table,
    /// JSON, for programs
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_subcommand() {
        for line in ["hallpass --config a.toml --data d serve", "hallpass serve --config a.toml --data d"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.config.as_deref(), Some("a.toml".as_ref()), "{line}");
            assert_eq!(cli.data.as_deref(), Some("d".as_ref()), "{line}");
        }
    }

    #[test]
    fn a_server_is_named_in_one_way_only() {
        for line in [
            "hallpass serve --demo --upstream http://localhost:3000/mcp",
            "hallpass serve --demo -- npx server",
            "hallpass serve --upstream http://localhost:3000/mcp -- npx server",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn everything_after_the_dashes_is_the_upstream_command() {
        let cli = Cli::try_parse_from(["hallpass", "serve", "--", "npx", "-y", "--listen"]).unwrap();
        let Command::Serve(serve) = cli.command else { panic!("not serve") };
        assert_eq!(serve.command, ["npx", "-y", "--listen"]);
    }
}
