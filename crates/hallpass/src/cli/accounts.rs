//! `hallpass accounts`.

use clap::Args;

use super::remote::Kept;
use super::{Format, Listing};

/// Which logins are kept.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hallpass accounts\n  hallpass accounts --json")]
pub(crate) struct Accounts {
    #[command(flatten)]
    listing: Listing,

    #[command(flatten)]
    pub(crate) kept: Kept,
}

impl Accounts {
    /// How the list is to be printed.
    pub(crate) fn format(&self) -> Format {
        self.listing.format()
    }
}
