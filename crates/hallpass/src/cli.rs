//! The command line, as a contract: what a person can type, and the examples that `--help` shows.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

mod accounts;
mod again;
mod audit;
mod backup;
mod client;
mod config;
mod connect;
mod doctor;
mod fields;
mod health;
mod identity;
mod in_tenant;
mod initial_token;
mod issuer;
mod key;
mod keys;
mod listing;
mod login;
mod master_key;
mod policy;
mod remote;
mod scim;
mod serve;
mod token;
mod user;
mod way;

pub(crate) use accounts::Accounts;
pub(crate) use again::login_command;
pub(crate) use audit::Audit;
pub(crate) use backup::{Backup, Restore};
pub(crate) use client::Client;
pub(crate) use config::Config;
pub(crate) use connect::{Connect, Transport};
pub(crate) use doctor::Doctor;
pub(crate) use fields::{Fields, Header};
pub(crate) use health::Health;
pub(crate) use identity::{CallbackHost, Interaction, Mode, Unattended};
pub(crate) use in_tenant::{InTenant, Tenant};
pub(crate) use initial_token::ClientToken;
pub(crate) use issuer::Issuer;
pub(crate) use key::{How, Key};
pub(crate) use keys::Keys;
pub(crate) use listing::{Format, Listing};
pub(crate) use login::{Login, Logout};
pub(crate) use master_key::MasterKey;
pub(crate) use policy::Policy;
pub(crate) use remote::{Account, Remote, Server};
pub(crate) use scim::{Scim, ScimToken};
pub(crate) use serve::Serve;
pub(crate) use token::Token;
pub(crate) use user::{Totp, User};
pub(crate) use way::Way;

/// Over what every command takes.
const EVERYWHERE: &str = "Where things are kept";

/// For options that belong under no heading, whatever stands before them.
const NONE: Option<&'static str> = None;

/// Authorization for the Model Context Protocol: protect a server, log in to one.
#[derive(Debug, Parser)]
#[command(name = "hallpass", version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  hallpass serve --demo                                 a protected sample server, to try it all
  hallpass serve --upstream http://localhost:3000/mcp   protect a server that speaks HTTP
  hallpass serve -- npx -y @modelcontextprotocol/server-everything
  hallpass connect https://mcp.example.com/mcp          let a stdio client reach a protected one

Exit codes: 0 done, 1 failed while running, 2 wrong usage, 3 wrong configuration.")]
pub(crate) struct Cli {
    /// Say more on standard error (twice: everything)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,

    /// Read settings from this TOML file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "HALLPASS_CONFIG",
        hide_env_values = true,
        help_heading = EVERYWHERE
    )]
    pub(crate) config: Option<PathBuf>,

    /// Keep keys, database and tokens in this folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "HALLPASS_DATA",
        hide_env_values = true,
        help_heading = EVERYWHERE
    )]
    pub(crate) data: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Protect an MCP server: challenge, login, consent, tokens
    Serve(Serve),
    /// People who may log in to the embedded authorization server
    #[command(after_help = "Examples:\n  hallpass user add alice\n  hallpass user list")]
    User(InTenant<User>),
    /// OAuth clients that are registered by hand
    #[command(
        after_help = "Examples:\n  hallpass client add --id ide --redirect-uri http://127.0.0.1/callback\n  hallpass client list"
    )]
    Client(InTenant<Client>),
    /// Issuers whose assertions are exchanged for tokens
    #[command(
        after_help = "Examples:\n  hallpass issuer list\n  hallpass issuer disable https://idp.example.com"
    )]
    Issuer(InTenant<Issuer>),
    /// People who come and go as an identity provider says (SCIM)
    #[command(after_help = "Example:\n  hallpass scim token issue --note okta")]
    Scim(InTenant<Scim>),
    /// Keys that sign access tokens
    #[command(after_help = "Examples:\n  hallpass keys list\n  hallpass keys rotate")]
    Keys(InTenant<Keys>),
    /// What was decided, by whom and about what; newest first
    Audit(Audit),
    /// Copy the database into a file, while servers run (SQLite)
    Backup(Backup),
    /// Put a copy of the database back (SQLite)
    Restore(Restore),
    /// The key under which secrets in the database are encrypted
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass master-key rotate\n  hallpass master-key forget-former"
    )]
    MasterKey(MasterKey),
    /// Speak stdio MCP here and streamable HTTP there, logging in where needed
    Connect(Connect),
    /// Say why a login fails: every step, what came back, which paragraph asks for it
    Doctor(Doctor),
    /// Log in to a protected server and keep the tokens
    Login(Login),
    /// Revoke the tokens of a server, and forget them
    Logout(Logout),
    /// Print an access token for scripts, refreshed if need be
    Token(Token),
    /// List the servers that tokens are kept for
    Accounts(Accounts),
    /// API keys, and passwords for programs that know nothing else
    #[command(after_help = "Examples:\n  hallpass key add ci --scope notes:read\n  hallpass key list")]
    Key(InTenant<Key>),
    /// Say what the rules of the configuration come to
    #[command(
        after_help = "Example:\n  hallpass policy explain --config hallpass.toml --token token.txt --tool write_note"
    )]
    Policy(InTenant<Policy>),
    /// Check a configuration file, or print its schema
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass config check hallpass.toml\n  hallpass config schema"
    )]
    Config(Config),
    /// Say whether a server that runs is ready, as health checks ask
    Health(Health),
    /// Write the manual pages into a folder, for those who make packages
    #[command(after_help = "Example:\n  hallpass man target/man && man target/man/hallpass-serve.1")]
    Man {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  hallpass completions bash > ~/.local/share/bash-completion/completions/hallpass"
    )]
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
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
