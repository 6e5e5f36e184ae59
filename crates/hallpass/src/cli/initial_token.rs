//! `hallpass client token`.

use clap::Subcommand;

use super::Listing;
use crate::config::Span;

#[derive(Debug, Subcommand)]
pub(crate) enum ClientToken {
    /// Issue a token, which is printed once
    #[command(after_help = "\
Examples:
  hallpass client token issue --note 'laptops of the team' --uses 20 --expires 30d
  TOKEN=$(hallpass client token issue)      for one registration within a week

The client sends it to /register, as `Authorization: Bearer …`; hallpass does so with
`hallpass login URL --registration-token-file FILE`, and `connect` alike.")]
    Issue {
        /// What it is for, in your words
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        /// How many clients may register with it
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        uses: u64,
        /// Let any number of clients register with it
        #[arg(long, conflicts_with = "uses")]
        unlimited: bool,
        /// From when on it is refused: a span of time, as in 30d
        #[arg(long, value_name = "SPAN", default_value = "7d")]
        expires: Span,
    },
    /// List those that have not ended
    #[command(after_help = "Examples:\n  hallpass client token list\n  hallpass client token list --json")]
    List(Listing),
    /// Refuse one from now on; clients that have registered with it stay
    #[command(after_help = "Example:\n  hallpass client token revoke ssEXBPDLz1tbeEyqjiK2oA")]
    Revoke {
        /// Its id, as `list` shows it
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}
