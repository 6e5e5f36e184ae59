//! Where hallpass listens.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A host and a port. `localhost` means both loopback addresses, `127.0.0.1` and `[::1]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(crate) struct ListenAddress {
    host: String,
    port: u16,
}

impl ListenAddress {
    /// The host as it was written, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether only this machine can reach it.
    pub(crate) fn is_loopback(&self) -> bool {
        let ip = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether the two cannot both be listened on.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let ip = |of: &Self| of.host.parse::<std::net::IpAddr>().ok();
        let is_everywhere = |of: &Self| ip(of).is_some_and(|ip| ip.is_unspecified());
        let is_local_name = |one: &Self, other: &Self| one.host == "localhost" && other.is_loopback();
        let same_host = self.host.eq_ignore_ascii_case(&other.host)
            || is_everywhere(self)
            || is_everywhere(other)
            || is_local_name(self, other)
            || is_local_name(other, self);
        self.port == other.port && self.port != 0 && same_host
    }

    /// The port; 0 lets the system choose.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Default for ListenAddress {
    /// Loopback only: what is reachable from elsewhere is a decision.
    fn default() -> Self {
        Self { host: "localhost".to_owned(), port: 8080 }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is no address to listen on; write HOST:PORT, as in localhost:8080 or [::]:8080")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = match bare {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?.to_string(),
            None if host.is_empty() || host.contains([':', '/', '[', ']']) => return Err(wrong()),
            None => host.to_owned(),
        };
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in ["localhost:8080", "127.0.0.1:0", "[::1]:8080", "0.0.0.0:80", "mcp.internal:443"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        for (text, loopback) in [
            ("localhost:1", true),
            ("127.0.0.2:1", true),
            ("[::1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "8080", ":8080", "localhost", "localhost:99999", "::1:8080", "http://h:1", "[x]:1"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn two_listeners_need_two_addresses() {
        let meet = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<ListenAddress>().unwrap());
            assert_eq!(one.meets(&other), other.meets(&one));
            one.meets(&other)
        };
        assert!(meet("localhost:8080", "localhost:8080") && meet("0.0.0.0:8080", "10.0.0.1:8080"));
        assert!(meet("localhost:8080", "127.0.0.1:8080") && meet("[::]:8080", "localhost:8080"));
        assert!(!meet("localhost:8080", "localhost:9464") && !meet("localhost:0", "localhost:0"));
        assert!(!meet("127.0.0.1:8080", "10.0.0.1:8080") && !meet("localhost:8080", "10.0.0.1:8080"));
    }
}
