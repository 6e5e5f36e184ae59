//! `hallpass audit`.

use clap::Args;

use crate::config::Span;

/// Which events.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass audit                              the latest hundred events
  hallpass audit --reference 3kTqYxvF0zE9Rw   what is behind an error page
  hallpass audit --user alice --since 24h
  hallpass audit --server notes               tokens that were issued for that server
  hallpass audit --json --since 1h            one event a line, for programs")]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) tenant: super::Tenant,
    /// About or by this person: a name, or the `sub` of tokens
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) user: Option<String>,
    /// About this client
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) client: Option<String>,
    /// Tokens that were issued for this server of the configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// The event with the reference that an error page has shown
    #[arg(long, value_name = "REFERENCE", allow_hyphen_values = true)]
    pub(crate) reference: Option<String>,
    /// Of the last so long, as in 24h; all of them
    #[arg(long, value_name = "SPAN")]
    pub(crate) since: Option<Span>,
    /// Print JSON, one event a line, for programs
    #[arg(long)]
    pub(crate) json: bool,
}
