//! How a list is printed.

use clap::{Args, ValueEnum};

/// The option of every command that lists.
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
