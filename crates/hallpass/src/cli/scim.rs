//! `hallpass scim token`.

use clap::Subcommand;

use super::Listing;
use crate::config::Span;

#[derive(Debug, Subcommand)]
pub(crate) enum Scim {
    /// Tokens by which an identity provider says who comes and goes
    #[command(
        subcommand,
        after_help = "Examples:\n  hallpass scim token issue --note okta\n  hallpass scim token list"
    )]
    Token(ScimToken),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScimToken {
    /// Issue a token, which is printed once
    #[command(after_help = "\
Examples:
  hallpass scim token issue --note 'okta, production' --expires 180d

The identity provider gets it with the URL <public URL>/scim/v2. It can add, change, disable and remove every user.")]
    Issue {
        /// Whose it is, in your words
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        /// From when on it is refused: a span of time, as in 90d
        #[arg(long, value_name = "SPAN", default_value = "365d")]
        expires: Span,
    },
    /// List those that have not ended
    #[command(after_help = "Examples:\n  hallpass scim token list\n  hallpass scim token list --json")]
    List(Listing),
    /// Refuse one from now on; people whom it has added stay
    #[command(after_help = "Example:\n  hallpass scim token revoke ssEXBPDLz1tbeEyqjiK2oA")]
    Revoke {
        /// Its id, as `list` shows it
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}
