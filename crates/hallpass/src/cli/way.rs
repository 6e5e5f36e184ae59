//! How a server is reached: time, proxies, and certificates on both sides.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hallpass_protocol::Secret;

/// The way to a server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Way {
    /// Give up connecting to the server after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Trust the certificates in this PEM file too, for the server and everything that it names
    #[arg(long, value_name = "FILE", env = "HALLPASS_CA_FILE", hide_env_values = true)]
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

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("write a number of seconds".to_owned()),
    }
}
