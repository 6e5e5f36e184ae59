//! `hallpass keys`.

use clap::Subcommand;

use super::Listing;

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
