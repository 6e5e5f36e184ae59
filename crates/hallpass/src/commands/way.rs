//! How a server is reached: proxies, and certificates on both sides.

use hallpass_client::Builder;
use hallpass_protocol::Secret;

use super::remote::read;
use crate::cli::Way;
use crate::exit::Failure;

/// The client with what the command line says of its way.
pub(crate) fn applied(builder: Builder, way: &Way) -> Result<Builder, Failure> {
    let mut builder = builder.connect_timeout(way.timeout);
    if let Some(path) = &way.ca_file {
        let trusted = read(path).map_err(Failure::Configuration)?;
        builder = builder.trust(&trusted).map_err(Failure::configuration)?;
    }
    if let (Some(chain), Some(key)) = (&way.client_cert, &way.client_key) {
        let chain = read(chain).map_err(Failure::Configuration)?;
        // What is no text is no PEM either; the builder says so.
        let key = String::from_utf8(read(key).map_err(Failure::Configuration)?).unwrap_or_default();
        builder = builder.client_certificate(&chain, &Secret::new(key)).map_err(Failure::configuration)?;
    }
    if let Some(proxy) = &way.proxy {
        builder = builder.proxy(without_password(proxy)?).map_err(Failure::configuration)?;
    }
    Ok(if way.no_proxy { builder.no_proxy() } else { builder })
}

/// Everyone on the machine can read the arguments of a program; what it says of them is read by more.
fn without_password(proxy: &Secret) -> Result<&str, Failure> {
    if proxy.expose().contains('@') {
        let refused = "a password does not belong into an argument: set HTTPS_PROXY in place of --proxy";
        return Err(Failure::Configuration(anyhow::anyhow!(refused)));
    }
    Ok(proxy.expose())
}
