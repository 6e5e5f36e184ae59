//! How a server is reached: proxies, and certificates on both sides.

use std::path::PathBuf;

use clap::Args;
use hallpass_protocol::Secret;

#[derive(Debug, Args)]
pub(crate) struct Way {
    /// Trust the certificates in this PEM file too, for the server and everything that it names
    #[arg(long, value_name = "FILE", env = "HALLPASS_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Show this certificate (PEM, with its chain) to the server and its authorization server
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,

    /// The private key of --client-cert (PEM, without a passphrase)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,

    /// Go through this HTTP proxy [default: what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say]
    #[arg(long, value_name = "URL", conflicts_with = "no_proxy")]
    pub(crate) proxy: Option<Secret>,

    /// Go through no proxy, whatever the environment says
    #[arg(long)]
    pub(crate) no_proxy: bool,
}
