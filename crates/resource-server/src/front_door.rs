//! Is the request meant for this server, and may the page that sends it?
//!
//! A web page can make a browser send requests to a server that only the browser's machine reaches,
//! by letting its own name resolve to that server's address (DNS rebinding, never-again 42). Then
//! `Host` is the page's name, and `Origin` is the page's.

use std::cell::OnceCell;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Request};
use url::{Host, Origin, Url};

use crate::refusal::Refusal;

/// Knows a server's names, and whose pages may call it.
#[derive(Clone, Debug)]
pub struct FrontDoor {
    /// Scheme and port count for origins, so the whole URL is kept.
    public: Origin,
    names: Vec<(Host, u16)>,
    /// How clients nearly always write those names. Each is one that is ours when it is read, too.
    spelled: Vec<String>,
    default_port: u16,
    loopback: bool,
    allowed_origins: Vec<Origin>,
}

impl FrontDoor {
    /// The door of the server at `public_url`. `allowed_origins` are origins of web pages that may
    /// call, such as `https://inspector.example`; what is no origin allows nothing.
    #[must_use]
    pub fn new(public_url: &Url, allowed_origins: &[Url]) -> Self {
        let default_port = public_url.port_or_known_default().unwrap_or(80);
        let mut names: Vec<_> = public_url.host().map(|host| host.to_owned()).into_iter().collect();
        let loopback = names.iter().any(is_loopback);
        if loopback {
            // Beside the name itself, which may be another of the loopback's many addresses.
            names.extend(LOOPBACK.iter().filter_map(|name| Host::parse(name).ok()));
        }
        let names = names.into_iter().map(|host| (host, default_port)).collect();
        let door = Self {
            public: public_url.origin(),
            names,
            spelled: Vec::new(),
            default_port: if public_url.scheme() == "https" { 443 } else { 80 },
            loopback,
            allowed_origins: allowed_origins.iter().map(Url::origin).collect(),
        };
        door.spelled()
    }

    /// Knows its names by sight.
    fn spelled(mut self) -> Self {
        let both = self.names.iter().flat_map(|(host, port)| [host.to_string(), format!("{host}:{port}")]);
        let ours = |name: &String| {
            authority(name.as_bytes()).and_then(|name| place(&name)).is_some_and(|one| self.is_ours(&one))
        };
        self.spelled = both.filter(ours).collect();
        self
    }

    /// Another name of the same server, such as the one for clients that show certificates (RFC 8705 §5).
    #[must_use]
    pub fn also_at(mut self, url: &Url) -> Self {
        let port = url.port_or_known_default();
        self.names.extend(url.host().map(|host| host.to_owned()).zip(port));
        self.spelled()
    }

    /// For every request to the listener.
    ///
    /// # Errors
    /// [`Refusal::AmbiguousHost`] and [`Refusal::ForeignHost`].
    pub fn check_host<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        if self.is_for(&NamedHost::of(request)?) { Ok(()) } else { Err(Refusal::ForeignHost) }
    }

    /// Whether it is the door that a request means, where a listener has several.
    #[must_use]
    pub fn is_for(&self, named: &NamedHost<'_>) -> bool {
        self.is_known(named)
            || named.places().is_some_and(|places| places.iter().all(|place| self.is_ours(place)))
    }

    /// The same where the host is written as nearly always: nothing has to be read for it. What is known by sight is meant for
    /// this door; what is not may be, too.
    #[must_use]
    pub fn is_known(&self, named: &NamedHost<'_>) -> bool {
        let known = |name: &[u8]| self.spelled.iter().any(|known| known.as_bytes() == name);
        named.target.is_none() && named.field.is_some_and(known)
    }

    /// For requests to the MCP endpoint (transports, "Security Warning"). Without `Origin` it was no
    /// page of another origin that sent the request.
    ///
    /// # Errors
    /// [`Refusal::ForeignOrigin`].
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        for value in headers.get_all(ORIGIN) {
            let origin = value.to_str().ok().and_then(|text| Url::parse(text).ok());
            let origin = origin.ok_or(Refusal::ForeignOrigin)?;
            if !self.lets_in(&origin) {
                return Err(Refusal::ForeignOrigin);
            }
        }
        Ok(())
    }

    fn is_ours(&self, (host, port): &Place) -> bool {
        let port = port.unwrap_or(self.default_port);
        self.names.iter().any(|(name, at)| *at == port && name == host)
    }

    fn lets_in(&self, page: &Url) -> bool {
        let origin = page.origin();
        let listed = origin == self.public || self.allowed_origins.contains(&origin);
        // Developers' tools run on other ports of the same machine.
        let neighbour = || {
            self.loopback
                && page.scheme() == "http"
                && page.host().is_some_and(|host| is_loopback(&host.to_owned()))
        };
        origin.is_tuple() && (listed || neighbour())
    }
}

/// A host, and the port where one is named.
type Place = (Host, Option<u16>);

/// Which host a request names: in its field, in its target, or in both. However many doors there are, it is read once.
#[derive(Debug)]
pub struct NamedHost<'r> {
    field: Option<&'r [u8]>,
    target: Option<&'r Authority>,
    places: OnceCell<Option<Vec<Place>>>,
}

impl<'r> NamedHost<'r> {
    /// RFC 9110 §7.2: a request names one host. HTTP/2 and proxy-style requests carry it in the target; whatever names one,
    /// counts.
    ///
    /// # Errors
    /// [`Refusal::AmbiguousHost`] where it names none, or several.
    pub fn of<B>(request: &'r Request<B>) -> Result<Self, Refusal> {
        let mut fields = request.headers().get_all(HOST).iter();
        let field = fields.next().map(|field| field.as_bytes());
        let target = request.uri().authority();
        if fields.next().is_some() || (field.is_none() && target.is_none()) {
            return Err(Refusal::AmbiguousHost);
        }
        Ok(Self { field, target, places: OnceCell::new() })
    }

    /// All that it names; nothing where one of them is no host.
    fn places(&self) -> Option<&[Place]> {
        let read = || {
            let field = self.field.map(|name| authority(name).and_then(|name| place(&name)));
            let target = self.target.map(place);
            field.into_iter().chain(target).collect()
        };
        self.places.get_or_init(read).as_deref()
    }
}

/// Nothing but host and port: no user name, no port that is none.
fn place(authority: &Authority) -> Option<Place> {
    let host = Host::parse(authority.host()).ok()?;
    let port = authority.port();
    let port_len = port.as_ref().map_or(0, |port| port.as_str().len() + 1);
    let plain = authority.as_str().len() == authority.host().len() + port_len;
    plain.then_some((host, port.map(|port| port.as_u16())))
}

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn authority(name: &[u8]) -> Option<Authority> {
    Authority::try_from(name).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn door(public: &str) -> FrontDoor {
        let inspector = Url::parse("https://inspector.example").unwrap();
        FrontDoor::new(&Url::parse(public).unwrap(), &[inspector])
    }

    fn host(public: &str, target: &str, hosts: &[&str]) -> Result<(), Refusal> {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        door(public).check_host(&request.body(()).unwrap())
    }

    #[test]
    fn a_public_server_answers_to_its_name() {
        for name in ["mcp.example.com", "mcp.example.com:443", "MCP.Example.COM"] {
            host("https://mcp.example.com", "/mcp", &[name]).unwrap();
        }
        host("https://mcp.example.com:8443", "/mcp", &["mcp.example.com:8443"]).unwrap();
        host("https://mcp.example.com", "https://mcp.example.com/mcp", &[]).unwrap();
    }

    #[test]
    fn a_loopback_server_answers_to_every_spelling_of_loopback() {
        for name in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LocalHost:8080"] {
            host("http://localhost:8080", "/mcp", &[name]).unwrap();
            host("http://127.0.0.1:8080", "/mcp", &[name]).unwrap();
        }
    }

    #[test]
    fn a_server_answers_to_its_own_name_on_loopback() {
        for name in ["127.0.0.5:8080", "localhost:8080"] {
            host("http://127.0.0.5:8080", "/mcp", &[name]).unwrap();
        }
    }

    /// What is known by sight is what is ours when it is read.
    #[test]
    fn names_are_known_by_sight() {
        let public = door("https://mcp.example.com");
        assert_eq!(public.spelled, ["mcp.example.com", "mcp.example.com:443"]);
        assert_eq!(door("http://mcp.example.com:8080").spelled, ["mcp.example.com:8080"]);
        let local = door("http://localhost:8080").spelled;
        assert_eq!(local, ["localhost:8080", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"]);
        let both = public.also_at(&Url::parse("https://mtls.example.com:8443").unwrap());
        assert_eq!(both.spelled.last().map(String::as_str), Some("mtls.example.com:8443"));
    }

    /// Row 42, on loopback too.
    #[test]
    fn other_names_are_refused() {
        for name in [
            "evil.example:8080",
            "localhost",
            "localhost:80",
            "localhost.evil.example:8080",
            "127.0.0.2:8080",
            "a@localhost:8080",
            "localhost:8080@evil.example",
            "localhost:",
            "localhost:99999",
            "",
            "localhost:8080/x",
            "0.0.0.0:8080",
        ] {
            let refusal = host("http://localhost:8080", "/mcp", &[name]).unwrap_err();
            assert!(matches!(refusal, Refusal::ForeignHost), "{name}");
        }
        for name in ["mcp.example.com.", "localhost", "mcp.example.com:80", "evil.example"] {
            let refusal = host("https://mcp.example.com", "/mcp", &[name]).unwrap_err();
            assert!(matches!(refusal, Refusal::ForeignHost), "{name}");
        }
    }

    #[test]
    fn the_target_counts_as_much_as_the_field() {
        let refusal = host("https://mcp.example.com", "https://evil.example/mcp", &["mcp.example.com"]);
        assert!(matches!(refusal, Err(Refusal::ForeignHost)));
        let refusal = host("https://mcp.example.com", "https://mcp.example.com/mcp", &["evil.example"]);
        assert!(matches!(refusal, Err(Refusal::ForeignHost)));
    }

    #[test]
    fn exactly_one_host() {
        assert!(matches!(host("http://localhost", "/", &[]), Err(Refusal::AmbiguousHost)));
        let twice = host("http://localhost", "/", &["localhost", "localhost"]);
        assert!(matches!(twice, Err(Refusal::AmbiguousHost)));
    }

    fn origin(public: &str, origin: &str) -> Result<(), Refusal> {
        let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(origin).unwrap())]);
        door(public).check_origin(&headers)
    }

    #[test]
    fn own_listed_and_neighbouring_pages_may_call() {
        for (public, page) in [
            ("https://mcp.example.com", "https://mcp.example.com"),
            ("https://mcp.example.com", "https://inspector.example"),
            ("http://localhost:8080", "http://localhost:6274"),
            ("http://localhost:8080", "http://127.0.0.1:6274"),
            ("http://127.0.0.1:8080", "http://[::1]:1"),
        ] {
            origin(public, page).unwrap();
        }
        door("http://localhost").check_origin(&HeaderMap::new()).unwrap();
    }

    #[test]
    fn other_pages_may_not() {
        for (public, page) in [
            ("https://mcp.example.com", "http://mcp.example.com"),
            ("https://mcp.example.com", "https://mcp.example.com:8443"),
            ("https://mcp.example.com", "https://mcp.example.com.evil.example"),
            ("https://mcp.example.com", "http://localhost:6274"),
            ("https://mcp.example.com", "null"),
            ("https://mcp.example.com", ""),
            ("https://mcp.example.com", "file:///mcp.example.com"),
            ("http://localhost:8080", "https://evil.example"),
            ("http://localhost:8080", "http://localhost.evil.example"),
            ("http://localhost:8080", "null"),
            ("http://localhost:8080", "data:text/html,x"),
        ] {
            assert!(matches!(origin(public, page), Err(Refusal::ForeignOrigin)), "{page}");
        }
    }

    proptest::proptest! {
        #[test]
        fn only_own_names_pass(name in "[a-z0-9.:@\\[\\]%/-]{0,24}") {
            if host("http://localhost:8080", "/", &[&name]).is_ok() {
                proptest::prop_assert!(["localhost:8080", "127.0.0.1:8080", "[::1]:8080"].contains(&name.as_str()), "{}", name);
            }
        }
    }
}
