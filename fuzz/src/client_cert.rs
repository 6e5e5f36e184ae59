//! Client certificates: `Client-Cert` of a listed proxy (RFC 9440), and X.509 itself.
//!
//! An input that begins with a colon is a field, any other a certificate in DER, which comes by both ways. Only the one
//! certificate that the authority issued for this passes, and the way makes no difference.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::ConnectInfo;
use base64::{Engine, prelude::BASE64_STANDARD};
use hallpass_protocol::ScopeSet;
use hallpass_resource_server::{CertificateAccount, PeerCertificate, ResourceServer};
use http::{HeaderValue, Request};

use crate::protected;

const AUTHORITY: &[u8] = include_bytes!("../../crates/resource-server/tests/certificates/ca.der");
const AGENT: &[u8] = include_bytes!("../../crates/resource-server/tests/certificates/agent.der");
const PROXY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

/// Takes one input.
pub fn check(data: &[u8]) {
    if data.starts_with(b":") {
        let Ok(field) = HeaderValue::from_bytes(data) else { return };
        if by_proxy(field.clone()) {
            let text = field.to_str().expect("ASCII").trim_matches([' ', '\t']);
            let encoded = text.trim_start_matches(':').trim_end_matches(':');
            assert!(is_the_agents(&BASE64_STANDARD.decode(encoded).expect("base64")), "{text}");
        }
        return;
    }
    let passes = by_tls(data);
    assert!(!passes || is_the_agents(data), "{}", BASE64_STANDARD.encode(data));
    let field = format!(":{}:", BASE64_STANDARD.encode(data));
    if data.len() <= 16 * 1024 {
        assert_eq!(by_proxy(field.parse().expect("a field")), passes);
    }
}

/// ECDSA lets anyone make a second signature out of a first, of the same content: only that may differ.
fn is_the_agents(der: &[u8]) -> bool {
    let signed = |der: &[u8]| der.get(..AGENT.len() - 80).map(<[u8]>::to_vec);
    der.len().abs_diff(AGENT.len()) < 4 && signed(der).map(|der| der[4..].to_vec()) == signed(AGENT).map(|der| der[4..].to_vec())
}

fn by_proxy(field: HeaderValue) -> bool {
    let mut request = Request::post("/mcp").body(Body::empty()).expect("a request");
    request.headers_mut().insert("client-cert", field.clone());
    // From anyone else the field is nothing.
    let mut other = Request::post("/mcp").body(Body::empty()).expect("a request");
    other.headers_mut().insert("client-cert", field);
    other.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 6], 1))));
    assert!(protected::admit(server(), other).is_err());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((PROXY, 1))));
    passes(request)
}

fn by_tls(der: &[u8]) -> bool {
    let mut request = Request::post("/mcp").body(Body::empty()).expect("a request");
    request.extensions_mut().insert(PeerCertificate(der.to_vec().into()));
    passes(request)
}

fn passes(request: Request<Body>) -> bool {
    let permitted = protected::admit(server(), request);
    permitted.is_ok_and(|permitted| {
        assert_eq!(permitted.caller().subject(), "spiffe://acme/agents/reader");
        true
    })
}

fn server() -> &'static ResourceServer {
    static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| {
        let mut settings = protected::settings();
        settings.certificates.proxies = vec![PROXY.into()];
        settings.certificates.accounts = vec![CertificateAccount {
            authority: AUTHORITY.to_vec().into(),
            name: "spiffe://acme/agents/*".to_owned(),
            scopes: ScopeSet::parse("notes:read").expect("scopes"),
        }];
        ResourceServer::new(settings)
    });
    &SERVER
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the target would never see a certificate pass.
    #[test]
    fn the_agent_passes() {
        assert!(by_tls(AGENT) && is_the_agents(AGENT));
        assert!(!is_the_agents(AUTHORITY));
    }
}
