//! The name that clients know this server by.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::HostName;

/// The origin under which clients reach hallpass: scheme, host and port.
///
/// Metadata, issuer and resource are built from it and never from a request's `Host`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "uri"))]
pub(crate) struct PublicUrl(Url);

impl PublicUrl {
    /// `http://localhost:PORT`, the name that needs no set-up.
    pub(crate) fn loopback(port: u16) -> Result<Self, String> {
        format!("http://localhost:{port}").parse()
    }

    /// The origin as a URL.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The origin, without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The same host over TLS, on TLS's own port unless another was named.
    pub(crate) fn over_tls(&self) -> Self {
        let mut url = self.0.clone();
        // Between two special schemes this can't fail (WHATWG URL, "scheme state").
        match url.set_scheme("https") {
            Ok(()) => Self(url),
            Err(()) => self.clone(),
        }
    }

    /// The origin of a server with a host of its own: the same scheme and port there. Where TLS ends in front, it ends in
    /// front of every host that others can reach.
    pub(crate) fn of_host(&self, host: Option<&HostName>, tls_in_front: bool) -> Self {
        let Some(host) = host else { return self.clone() };
        let mut url = self.0.clone();
        // What was parsed as a host is one (WHATWG URL, "host parsing").
        let there = match url.set_host(Some(&host.to_string())) {
            Ok(()) => Self(url),
            Err(_) => self.clone(),
        };
        if tls_in_front && !there.is_loopback() { there.over_tls() } else { there }
    }

    /// Whether a name is a URL of this origin.
    pub(crate) fn is_origin_of(&self, name: &str) -> bool {
        Url::parse(name).is_ok_and(|url| url.origin() == self.url().origin())
    }

    /// Whether clients reach it over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether only this machine can mean it (RFC 8252 §8.3 allows plain http there).
    pub(crate) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("`{text}` can't be the public URL: {why}; write it as in https://mcp.example.com")
        };
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it must be https, or http for this machine alone"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it must not carry a user or password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it must end after host and port (the endpoint's path is `server.path`)"));
        }
        Ok(Self(url))
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_without_its_slash() {
        let url: PublicUrl = "https://MCP.example.com:443/".parse().unwrap();
        assert_eq!(url.to_string(), "https://mcp.example.com");
        assert!(url.is_https() && !url.is_loopback());
    }

    #[test]
    fn over_tls_only_the_scheme_differs() {
        for (plain, tls) in [
            ("http://mcp.example.com", "https://mcp.example.com"),
            ("http://mcp.example.com:8080", "https://mcp.example.com:8080"),
        ] {
            assert_eq!(plain.parse::<PublicUrl>().unwrap().over_tls().to_string(), tls);
        }
    }

    #[test]
    fn at_another_host_scheme_and_port_are_the_same() {
        let notes = HostName::try_from("notes.localhost".to_owned()).unwrap();
        let url: PublicUrl = "https://localhost:8443".parse().unwrap();
        assert_eq!(url.of_host(Some(&notes), false).to_string(), "https://notes.localhost:8443");
        assert_eq!(url.of_host(None, true), url);
        let public = HostName::try_from("notes.example.com".to_owned()).unwrap();
        let plain: PublicUrl = "http://localhost:8080".parse().unwrap();
        assert_eq!(plain.of_host(Some(&public), false).to_string(), "http://notes.example.com:8080");
        assert!(plain.of_host(Some(&public), true).is_https());
    }

    #[test]
    fn loopback_has_several_names() {
        for text in ["http://localhost:8080", "http://127.0.0.2", "http://[::1]:1", "http://a.localhost"] {
            assert!(text.parse::<PublicUrl>().unwrap().is_loopback(), "{text}");
        }
        for text in ["http://localhost.example.com", "http://10.0.0.1", "http://notlocalhost"] {
            assert!(!text.parse::<PublicUrl>().unwrap().is_loopback(), "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in
            ["mcp.example.com", "ftp://a", "https://a/mcp", "https://a?x", "https://a#x", "https://u:p@a"]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
