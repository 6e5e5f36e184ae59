//! `hallpass user`.

use clap::Subcommand;

use super::Listing;

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user; the password is asked for, or read from standard input with --password-stdin
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
