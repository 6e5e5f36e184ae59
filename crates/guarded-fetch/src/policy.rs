use std::net::IpAddr;
use std::time::Duration;

use url::{Host, Origin, Url};

use crate::address;
use crate::{FetchError, Identity, Proxies};

/// What may be fetched. The default is the strictest.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether this very machine may be reached, over `http` too. For development.
    pub allow_loopback: bool,
    /// Hosts (names or literals, without port) whose addresses are not checked: an identity
    /// provider inside the operator's own network. Nothing else is eased for them; `https` stays.
    pub opened_hosts: Vec<String>,
    /// The most bytes of a body that are read. Default: 256 KiB.
    pub max_body: usize,
    /// The most time that a fetch takes, from name resolution to the last byte. Default: 10 s.
    pub timeout: Duration,
    /// Certificates that are trusted beside the system's, in PEM: a company's own authority.
    pub trusted: Vec<u8>,
    /// A certificate of this client's own (RFC 8705). It is shown to [`Policy::identity_origins`], and by a
    /// fetcher that is made for it ([`Fetcher::showing_identity`](crate::Fetcher::showing_identity)), to nobody else.
    pub identity: Option<Identity>,
    /// Who sees the certificate with every fetch, if they ask for one.
    pub identity_origins: Vec<Origin>,
    /// The proxies to go through. Default: none, whatever the environment says.
    pub proxies: Proxies,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            opened_hosts: Vec::new(),
            max_body: 256 * 1024,
            timeout: Duration::from_secs(10),
            trusted: Vec::new(),
            identity: None,
            identity_origins: Vec::new(),
            proxies: Proxies::none(),
        }
    }
}

impl Policy {
    /// Whether a URL may be fetched, as far as it can be told without resolving its host.
    ///
    /// # Errors
    /// [`FetchError::Scheme`], [`FetchError::Userinfo`], [`FetchError::NoHost`],
    /// [`FetchError::Address`].
    pub fn check(&self, url: &Url) -> Result<(), FetchError> {
        self.check_scheme(url)?;
        check_userinfo(url)?;
        match url.host() {
            None => Err(FetchError::NoHost),
            // Looked at once resolved.
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(address)) => self.check_literal(url, address.into()),
            Some(Host::Ipv6(address)) => self.check_literal(url, address.into()),
        }
    }

    fn check_scheme(&self, url: &Url) -> Result<(), FetchError> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_loopback && hallpass_protocol::is_loopback(url) => Ok(()),
            _ => Err(FetchError::Scheme),
        }
    }

    fn check_literal(&self, url: &Url, address: IpAddr) -> Result<(), FetchError> {
        let host = url.host_str().unwrap_or_default();
        if self.is_open(host) { Ok(()) } else { self.check_address(host, address) }
    }

    /// Whether one address of a host may be connected to.
    pub(crate) fn check_address(&self, host: &str, address: IpAddr) -> Result<(), FetchError> {
        if address::is_loopback(address) && self.allow_loopback {
            return Ok(());
        }
        let refuse = |why| {
            let host = host.to_owned();
            Err(FetchError::Address { host, address, why })
        };
        // Plain http is let through for these names, so they must not lead anywhere else.
        if is_local_name(host) && !address::is_loopback(address) {
            return refuse("not loopback, as the name says");
        }
        address::why_not_public(address).map_or(Ok(()), refuse)
    }

    pub(crate) fn is_open(&self, host: &str) -> bool {
        let host = bare(host);
        self.opened_hosts.iter().any(|open| bare(open).eq_ignore_ascii_case(host))
    }
}

/// A host without the brackets of an IPv6 literal and without the dot of a complete name.
fn bare(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_local_name(host: &str) -> bool {
    let host = bare(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn check_userinfo(url: &Url) -> Result<(), FetchError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(FetchError::Userinfo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opened_literal_is_open_in_every_spelling_and_alone() {
        for open in ["10.0.0.1", "[fd00::1]", "fd00::1"] {
            let policy = Policy { opened_hosts: vec![open.to_owned()], ..Policy::default() };
            let check = |url: &str| policy.check(&url.parse().unwrap());
            let urls: &[&str] = match open {
                "10.0.0.1" => &["https://10.0.0.1/", "https://10.1./", "https://0xa000001:8443/"],
                _ => &["https://[fd00::1]/", "https://[FD00:0:0:0::1]:8443/"],
            };
            for url in urls {
                assert!(check(url).is_ok(), "{open} {url}");
            }
            for url in ["https://10.0.0.2/", "https://[fd00::2]/", "https://127.0.0.1/"] {
                assert!(matches!(check(url), Err(FetchError::Address { .. })), "{open} {url}");
            }
        }
    }

    #[test]
    fn the_default_is_the_strictest() {
        let policy = Policy::default();
        assert!(!policy.allow_loopback && policy.opened_hosts.is_empty());
        assert!(policy.check(&"https://example.com/".parse().unwrap()).is_ok());
        assert!(matches!(policy.check(&"http://example.com/".parse().unwrap()), Err(FetchError::Scheme)));
    }
}
