//! `hallpass issuer`.

use clap::Subcommand;

use super::Listing;

#[derive(Debug, Subcommand)]
pub(crate) enum Issuer {
    /// List the issuers that the server was started with
    #[command(after_help = "Examples:\n  hallpass issuer list\n  hallpass issuer list --json")]
    List(Listing),
    /// Refuse an issuer's assertions from now on; tokens that came from it end at once
    #[command(after_help = "Example:\n  hallpass issuer disable https://idp.example.com")]
    Disable {
        /// The issuer
        issuer: String,
    },
    /// Take an issuer's assertions again; tokens from before stay dead
    #[command(after_help = "Example:\n  hallpass issuer enable https://idp.example.com")]
    Enable {
        /// The issuer
        issuer: String,
    },
}
