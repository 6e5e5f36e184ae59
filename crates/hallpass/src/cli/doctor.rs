//! `hallpass doctor`.

use clap::Args;
use hallpass_client::doctor::Revision;

use super::{Fields, Remote};

/// What is examined.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass doctor https://mcp.example.com/mcp
  hallpass doctor https://mcp.example.com/mcp --login       log in for real, then log out
  hallpass doctor https://mcp.example.com/mcp --json | jq .verdict
  hallpass doctor https://mcp.example.com/mcp --revision 2025-11-25

Exit codes: 0 nothing worse than warnings, 1 a rule is broken (a fault).")]
#[command(mut_arg("no_dpop", |arg| arg.help("With --login: ask for a plain Bearer token, bound to no key (DPoP)")))]
pub(crate) struct Doctor {
    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,

    /// Log in for real, refresh, call the server, and log out; stored logins are not touched
    #[arg(long)]
    pub(crate) login: bool,

    /// Judge what concerns this revision of the specification only
    #[arg(long, value_name = "DATE", value_parser = revision)]
    pub(crate) revision: Option<Revision>,

    #[command(flatten)]
    pub(crate) remote: Remote,

    #[command(flatten)]
    pub(crate) fields: Fields,
}

fn revision(text: &str) -> Result<Revision, String> {
    let known = Revision::ALL.into_iter().find(|revision| revision.name() == text);
    known.ok_or_else(|| format!("there are {}", Revision::ALL.map(Revision::name).join(", ")))
}
