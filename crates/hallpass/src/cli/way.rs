//! How a server is reached: proxies, and certificates on both sides.

use std::path::PathBuf;

use clap::Args;
use url::Url;

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
    #[arg(long, value_name = "URL", value_parser = proxy, conflicts_with = "no_proxy")]
    pub(crate) proxy: Option<Url>,

    /// Go through no proxy, whatever the environment says
    #[arg(long)]
    pub(crate) no_proxy: bool,
}

/// Everyone on the machine can read the arguments of a program.
fn proxy(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "write http://HOST:PORT")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a password does not belong into an argument: set HTTPS_PROXY instead".to_owned());
    }
    Ok(url)
}
