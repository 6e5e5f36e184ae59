//! From which network address a request came.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use hallpass_protocol::forwarded::ClientAddress;
use http::Extensions;
use http::request::Parts;

/// The client's, as far as it is known: what a listed proxy has said, or the peer's own.
pub(super) struct CameFrom(pub(super) Option<IpAddr>);

impl CameFrom {
    pub(super) fn of(extensions: &Extensions) -> Self {
        let peer = || extensions.get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
        Self(extensions.get().map_or_else(peer, |ClientAddress(address)| *address))
    }
}

impl<S: Sync> FromRequestParts<S> for CameFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listed proxy that does not say for whom it speaks is not the client itself.
    #[test]
    fn what_a_proxy_says_comes_before_the_peer() {
        let (peer, client) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([203, 0, 113, 9]));
        let mut extensions = Extensions::new();
        assert_eq!(CameFrom::of(&extensions).0, None);
        extensions.insert(ConnectInfo(SocketAddr::new(peer, 1)));
        assert_eq!(CameFrom::of(&extensions).0, Some(peer));
        extensions.insert(ClientAddress(Some(client)));
        assert_eq!(CameFrom::of(&extensions).0, Some(client));
        extensions.insert(ClientAddress(None));
        assert_eq!(CameFrom::of(&extensions).0, None);
    }
}
