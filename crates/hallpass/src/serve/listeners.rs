//! Binding the addresses to listen on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, lookup_host};

use crate::config::ListenAddress;

/// Why hallpass can't listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Somebody else listens there.
    #[error(
        "{0} is in use by another program; stop it, or choose another address with --listen (port 0 takes any free one)"
    )]
    InUse(SocketAddr),
    /// The system doesn't let this user listen there.
    #[error("this user may not listen on {0}; take a port from 1024 on")]
    Forbidden(SocketAddr),
    /// The host's name leads nowhere.
    #[error("can't find the address of {address}: {source}; give an IP address, or localhost")]
    Unknown {
        /// What was asked for.
        address: ListenAddress,
        /// What the system said.
        source: io::Error,
    },
    /// Something else.
    #[error("can't listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on every address that is meant; all of them have the same port.
pub(crate) async fn bind(address: &ListenAddress) -> Result<Vec<TcpListener>, ListenError> {
    if address.host() == "localhost" {
        return loopback(address.port()).await;
    }
    let unknown = |source| ListenError::Unknown { address: address.clone(), source };
    let found = lookup_host((address.host(), address.port())).await.map_err(unknown)?;
    let mut listeners = Vec::new();
    for found in found {
        listeners.push(listen(found).await?);
    }
    match listeners.is_empty() {
        true => Err(unknown(io::Error::from(io::ErrorKind::NotFound))),
        false => Ok(listeners),
    }
}

/// `127.0.0.1` and, where the machine has it, `[::1]`: clients differ in which one they try first.
async fn loopback(port: u16) -> Result<Vec<TcpListener>, ListenError> {
    let v4 = listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await?;
    let port = v4.local_addr().map_or(port, |bound| bound.port());
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
    match TcpListener::bind(v6).await {
        Ok(v6) => Ok(vec![v4, v6]),
        // Half of localhost in other hands would send clients to a stranger.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(ListenError::InUse(v6)),
        Err(_) => Ok(vec![v4]),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
        _ => ListenError::Other { address, source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_one_port_on_each_loopback_address() {
        let listeners = bind(&"localhost:0".parse().unwrap()).await.unwrap();
        let ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        assert!(listeners.iter().all(|l| l.local_addr().unwrap().ip().is_loopback()));
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = holder.local_addr().unwrap().to_string();
        let error = bind(&taken.parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(&taken) && error.contains("--listen"), "{error}");
    }
}
