//! The loopback address that the browser comes back to (RFC 8252 §7.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;
use url::Url;

use crate::error::InteractionError;

/// How the redirect URI names this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackHost {
    /// `127.0.0.1`.
    #[default]
    V4,
    /// `[::1]`.
    V6,
    /// `localhost`, listening on both. RFC 8252 §8.3 advises against the name; some servers accept no other.
    Localhost,
}

impl CallbackHost {
    fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "127.0.0.1",
            Self::V6 => "[::1]",
            Self::Localhost => "localhost",
        }
    }

    fn addresses(self) -> &'static [IpAddr] {
        const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
        match self {
            Self::V4 => &[V4],
            Self::V6 => &[V6],
            Self::Localhost => &[V4, V6],
        }
    }
}

/// Host, port and path of the redirect URI.
#[derive(Clone, Debug)]
pub(super) struct Callback {
    pub(super) host: CallbackHost,
    /// 0 for the port of an earlier registration, or a free one.
    pub(super) port: u16,
    pub(super) path: String,
}

impl Default for Callback {
    fn default() -> Self {
        Self { host: CallbackHost::V4, port: 0, path: "/callback".into() }
    }
}

impl Callback {
    /// The parts of a redirect URI that is fixed, at the authorization server for instance.
    pub(super) fn parse(uri: &str) -> Result<Self, InteractionError> {
        let refuse = |why| {
            InteractionError::Other(format!("`{uri}` is no redirect URI that can be listened at: {why}"))
        };
        let url = Url::parse(uri).map_err(|error| refuse(error.to_string()))?;
        let host = match url.host_str() {
            _ if url.scheme() != "http" => Err("it is not an http URL on this machine"),
            Some("127.0.0.1") => Ok(CallbackHost::V4),
            Some("[::1]") => Ok(CallbackHost::V6),
            Some("localhost") => Ok(CallbackHost::Localhost),
            _ => Err("its host is none of 127.0.0.1, [::1] and localhost"),
        };
        let host = host.map_err(|why| refuse(why.to_owned()))?;
        Ok(Self { host, port: url.port().unwrap_or(0), path: url.path().to_owned() })
    }

    /// Listens, and says what the redirect URI is. `registered` are those of an earlier registration.
    pub(super) async fn listen(
        &self,
        registered: &[String],
    ) -> Result<(Vec<TcpListener>, String), InteractionError> {
        // A server that compares redirect URIs exactly knows the port of the registration only.
        if self.port == 0 {
            for port in registered.iter().filter_map(|uri| self.port_of(uri)) {
                if let Ok(bound) = self.bind(port).await {
                    return Ok(bound);
                }
            }
        }
        self.bind(self.port).await
    }

    fn port_of(&self, uri: &str) -> Option<u16> {
        let uri = Url::parse(uri).ok()?;
        let ours =
            uri.scheme() == "http" && uri.host_str() == Some(self.host.as_str()) && uri.path() == self.path;
        uri.port().filter(|_| ours)
    }

    async fn bind(&self, port: u16) -> Result<(Vec<TcpListener>, String), InteractionError> {
        let mut port = port;
        let mut listeners = Vec::new();
        for (number, ip) in self.host.addresses().iter().enumerate() {
            let address = SocketAddr::new(*ip, port);
            let bound = TcpListener::bind(address).await.and_then(|l| Ok((l.local_addr()?.port(), l)));
            match bound {
                Ok((bound_port, listener)) => {
                    port = bound_port;
                    listeners.push(listener);
                }
                // A machine without IPv6 knows `localhost` all the same.
                Err(error) if number > 0 && error.kind() != std::io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    return Err(InteractionError::Listen {
                        address: address.to_string(),
                        detail: error.to_string(),
                    });
                }
            }
        }
        Ok((listeners, format!("http://{}:{port}{}", self.host.as_str(), self.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_where_it_is_fixed_and_another_is_used_where_it_is_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let fixed = Callback { port, ..Callback::default() };
        let error = fixed.listen(&[]).await.unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("another"), "{error}");

        let registered = [format!("http://127.0.0.1:{port}/callback")];
        let (_, uri) = Callback::default().listen(&registered).await.unwrap();
        assert_ne!(uri, registered[0]);
        drop(taken);
        let (_, uri) = Callback::default().listen(&registered).await.unwrap();
        assert_eq!(uri, registered[0], "the registered port is used where it is free");
    }

    #[tokio::test]
    async fn a_port_of_another_host_or_path_is_not_ours() {
        let callback = Callback::default();
        for uri in ["http://localhost:9/callback", "http://127.0.0.1:9/other", "https://127.0.0.1:9/callback"]
        {
            assert_eq!(callback.port_of(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_fixed_redirect_uri_is_taken_apart() {
        let callback = Callback::parse("http://localhost:3118/oauth/callback").unwrap();
        assert_eq!(
            (callback.host, callback.port, callback.path.as_str()),
            (CallbackHost::Localhost, 3118, "/oauth/callback")
        );
        assert_eq!(Callback::parse("http://[::1]:7/").unwrap().host, CallbackHost::V6);
        for uri in ["https://example.com/cb", "http://example.com/cb", "http://0.0.0.0:1/cb", "cb"] {
            assert!(Callback::parse(uri).is_err(), "{uri}");
        }
    }
}
