//! `--tenant`, wherever something of one tenant is meant.

use clap::{Args, Subcommand};

/// The tenant that is meant.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Tenant {
    /// The tenant of the configuration that is meant
    #[arg(long, global = true, value_name = "NAME", help_heading = super::EVERYWHERE)]
    pub(crate) tenant: Option<String>,
}

/// A command about one tenant's things.
#[derive(Debug, Args)]
pub(crate) struct InTenant<C: Subcommand> {
    #[command(flatten)]
    pub(crate) tenant: Tenant,
    #[command(subcommand)]
    pub(crate) command: C,
}
