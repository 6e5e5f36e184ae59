//! `hallpass backup` and `hallpass restore`.

use std::path::PathBuf;

use clap::Args;

/// Where the copy goes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hallpass backup /backups/hallpass-$(date +%F).db")]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) tenant: super::Tenant,
    /// The file to write; it must not be there yet
    pub(crate) file: PathBuf,
}

/// Where it comes from.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass restore /backups/hallpass-2026-11-22.db
  hallpass restore /backups/hallpass-2026-11-22.db --replace

The servers have to be stopped. Everybody has to log in again, since nobody knows what was
revoked after the copy was made. The copy is of use only with its master key (master.key in
the data folder).")]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) tenant: super::Tenant,
    /// The copy that `hallpass backup` made
    pub(crate) file: PathBuf,
    /// Replace the database that is there
    #[arg(long)]
    pub(crate) replace: bool,
    /// Let sessions and grants of the copy live, those that were revoked after it was made too
    #[arg(long)]
    pub(crate) keep_grants: bool,
}
