//! `hallpass master-key`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum MasterKey {
    /// Make a new key and seal everything anew; servers may run. The former key is kept, for backups and for
    /// servers on other machines
    #[command(after_help = "\
Example:
  hallpass master-key rotate          run it again if it was interrupted: it goes on where it was")]
    Rotate,
    /// Drop the former keys; refused while something is sealed under them
    #[command(after_help = "Example:\n  hallpass master-key forget-former")]
    ForgetFormer,
}
