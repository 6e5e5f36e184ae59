//! Proxies that are listed, and what is believed of them: who the client is, how it came, and which host it asked for. From
//! all others such words are nothing (never-again 33).
//!
//! | room | what is in it |
//! |---|---|
//! | [`protocol`] | the PROXY protocol, versions 1 and 2 |
//! | `told` | its header, read from a connection |

pub mod protocol;
mod told;

use std::net::IpAddr;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::forwarded::{ClientAddress, Fields, Said};
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, StatusCode, Uri};
use ipnet::IpNet;
use serde_json::json;

pub(crate) use self::told::told;

/// What is believed of whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The networks that they are in.
    pub listed: Vec<IpNet>,
    /// Which fields they write.
    pub fields: Fields,
    /// Whether they say which host a client asked for. Those that pass on what their clients say of that must not be asked:
    /// false.
    pub host: bool,
    /// Whether clients have to come by TLS, since the public URL is https: who is said to have come without is refused. False.
    pub https: bool,
    /// Whether they begin each connection with a header of the PROXY protocol. Then they have to: false.
    pub protocol: bool,
}

/// The rule of [`Proxies::https`].
const PLAIN_HTTP: &str = "plain_http";

/// The rules, as they are counted and logged.
pub(crate) const PROXY_RULES: &[&str] = &[PLAIN_HTTP];

/// A request that a rule keeps out.
pub(crate) struct KeptOut {
    pub(crate) rule: &'static str,
    pub(crate) answer: Response,
}

impl Proxies {
    /// Whether a peer is one of them.
    #[must_use]
    pub fn lists(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.listed.iter().any(|network| network.contains(&peer))
    }

    /// Reads what a listed peer says, and gives the client's address as far as it is known. What others say is not looked at.
    pub(crate) fn hear<B>(&self, request: &mut Request<B>, peer: IpAddr) -> (IpAddr, Option<Box<KeptOut>>) {
        if !self.lists(peer) {
            return (peer, None);
        }
        let said = self.fields.read(request.headers(), |address| self.lists(address));
        let Said { address, https, host } = said;
        request.extensions_mut().insert(ClientAddress(address));
        let client = address.unwrap_or(peer);
        if self.https && https == Some(false) {
            return (client, Some(Box::new(came_without_tls())));
        }
        if let Some(host) = host.filter(|_| self.host) {
            request.headers_mut().insert(HOST, host);
            // HTTP/2 names the host in the target, where it is the proxy's name for this server.
            *request.uri_mut() = without_host(request.uri());
        }
        (client, None)
    }
}

fn without_host(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().map_or_else(|| Uri::from(PathAndQuery::from_static("/")), Uri::from)
}

/// OAuth 2.1 §1.5, RFC 6750 §5.3: what came in the clear was read on the way.
fn came_without_tls() -> KeptOut {
    let message = "the proxy in front says that this request came to it over plain http; use the https URL, and change \
                   tokens and passwords that were sent without (operators: the proxy's X-Forwarded-Proto has to say what \
                   the client has used)";
    let body = json!({
        "jsonrpc": "2.0", "id": null,
        "error": { "code": -32600, "message": message, "data": { "rule": PLAIN_HTTP } },
    });
    KeptOut { rule: PLAIN_HTTP, answer: (StatusCode::FORBIDDEN, Json(body)).into_response() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> Proxies {
        Proxies {
            listed: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            host: true,
            https: true,
            ..Proxies::default()
        }
    }

    fn request(fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get("http://inner:9000/mcp?x=1").header("host", "inner:9000");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    const ALL: [(&str, &str); 3] = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "mcp.example.com"),
    ];

    fn heard(
        proxies: &Proxies,
        peer: &str,
        fields: &[(&str, &str)],
    ) -> (Result<IpAddr, &'static str>, Request<()>) {
        let mut request = request(fields);
        let (client, kept_out) = proxies.hear(&mut request, peer.parse().unwrap());
        (kept_out.map_or(Ok(client), |kept_out| Err(kept_out.rule)), request)
    }

    #[test]
    fn a_listed_peer_is_believed() {
        for peer in ["10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"] {
            let (address, request) = heard(&proxies(), peer, &ALL);
            assert_eq!(address.unwrap().to_string(), "203.0.113.9", "{peer}");
            assert_eq!(request.extensions().get(), Some(&ClientAddress(address.ok())));
            assert_eq!(request.headers()["host"], "mcp.example.com");
            assert_eq!(request.uri().to_string(), "/mcp?x=1");
        }
    }

    /// Row 33.
    #[test]
    fn of_others_nothing_is_read() {
        let plain =
            [("x-forwarded-for", "10.1.1.1"), ("x-forwarded-proto", "http"), ("forwarded", "for=10.1.1.1")];
        for peer in ["203.0.113.7", "::ffff:203.0.113.7", "11.0.0.1", "2001:db9::1"] {
            for fields in [&ALL[..], &plain] {
                let (address, request) = heard(&proxies(), peer, fields);
                assert_eq!(address.unwrap(), peer.parse::<IpAddr>().unwrap());
                assert_eq!(request.extensions().get::<ClientAddress>(), None);
                assert_eq!(
                    (&request.headers()["host"], request.uri().host()),
                    (&"inner:9000".parse().unwrap(), Some("inner"))
                );
            }
        }
    }

    #[test]
    fn a_proxy_that_says_nothing_leaves_the_client_unknown() {
        let (address, request) = heard(&proxies(), "10.1.2.3", &[("forwarded", "for=6.6.6.6")]);
        assert_eq!(address.unwrap().to_string(), "10.1.2.3");
        assert_eq!(request.extensions().get(), Some(&ClientAddress(None)));
    }

    /// A proxy that does not write it passes on what its clients say.
    #[test]
    fn the_host_counts_only_where_proxies_write_it() {
        let (_, request) = heard(&Proxies { host: false, ..proxies() }, "10.1.2.3", &ALL);
        assert_eq!(request.headers()["host"], "inner:9000");
    }

    #[test]
    fn who_came_without_tls_is_kept_out() {
        let plain = [("x-forwarded-proto", "http")];
        assert_eq!(heard(&proxies(), "10.1.2.3", &plain).0, Err(PLAIN_HTTP));
        assert!(heard(&Proxies { https: false, ..proxies() }, "10.1.2.3", &plain).0.is_ok());
        assert!(heard(&proxies(), "10.1.2.3", &[]).0.is_ok(), "a proxy that does not say is not asked");
    }
}
