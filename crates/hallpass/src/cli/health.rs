//! `hallpass health`.

use clap::Args;

use crate::config::{ListenAddress, Span};

/// Who is asked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass health --config hallpass.toml
  hallpass health 127.0.0.1:9464 --json

Exit codes: 0 it is ready, 1 it is not.")]
pub(crate) struct Health {
    /// The monitoring listener [default: the configuration's; without one, that connections are taken]
    #[arg(value_name = "HOST:PORT")]
    pub(crate) address: Option<ListenAddress>,

    /// How long it may take
    #[arg(long, value_name = "SPAN", default_value = "3s")]
    pub(crate) timeout: Span,

    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}
