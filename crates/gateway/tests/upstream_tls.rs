//! TLS towards upstream: whom hallpass trusts, and what it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use axum::Router;
use axum::http::{HeaderMap, Version};
use axum::routing::post;
use hallpass_gateway::Upstream;
use hallpass_gateway::upstream::{
    HttpOptions, HttpUpstreamError, HttpVersion, Shown, UpstreamTls, UpstreamTlsError,
};
use hallpass_testkit::tls::{Ask, Authority, Issued, SHOWN, self_signed};
use http::StatusCode;
use support::{protect, text};
use tokio::net::TcpListener;
use url::Url;

/// An upstream that answers with the certificate that it was shown.
async fn upstream(authority: &Authority, name: &str, ask: Ask) -> Url {
    let tell = async |headers: HeaderMap| {
        headers.get(SHOWN).map_or_else(|| "nothing".to_owned(), |shown| shown.to_str().unwrap().to_owned())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    authority.serve(listener, &[name], ask, Router::new().route("/mcp", post(tell)));
    Url::parse(&format!("https://localhost:{port}/mcp")).unwrap()
}

fn shown(issued: &Issued) -> Shown<'_> {
    Shown { chain: &issued.chain, key: &issued.key }
}

fn over(tls: &UpstreamTls) -> HttpOptions {
    HttpOptions { tls: Some(tls.clone()), ..HttpOptions::default() }
}

async fn ask(url: &Url, tls: &UpstreamTls) -> (StatusCode, String) {
    let gateway = protect(Upstream::http_with(url, &over(tls)).unwrap(), false);
    let response = gateway.post("{}").await;
    (response.status(), text(response).await)
}

#[tokio::test]
async fn upstream_is_who_the_authority_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trust = |authority: &Authority| UpstreamTls::from_pem(Some(&authority.pem()), None).unwrap();
    let right = upstream(&authority, "localhost", Ask::Politely).await;
    assert_eq!(ask(&right, &trust(&authority)).await, (StatusCode::OK, "nothing".to_owned()));
    // Another authority, another name, and the system's authorities, which know neither.
    let other_name = upstream(&authority, "elsewhere.example", Ask::Politely).await;
    for (url, tls) in [
        (&right, trust(&stranger)),
        (&other_name, trust(&authority)),
        (&right, UpstreamTls::from_pem(None, None).unwrap()),
    ] {
        let (status, said) = ask(url, &tls).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(said.contains("cannot be reached"), "{said}");
    }
    let both = format!("{}{}", stranger.pem(), authority.pem());
    let tls = UpstreamTls::from_pem(Some(&both), None).unwrap();
    assert_eq!(ask(&right, &tls).await.0, StatusCode::OK);
}

#[tokio::test]
async fn upstream_is_shown_the_certificate_that_was_set() {
    let authority = Authority::new();
    let (own, foreign) = (authority.issue(&["hallpass"]), Authority::new().issue(&["hallpass"]));
    let url = upstream(&authority, "localhost", Ask::Firmly).await;
    let with =
        |issued: Option<&Issued>| UpstreamTls::from_pem(Some(&authority.pem()), issued.map(shown)).unwrap();
    assert_eq!(ask(&url, &with(Some(&own))).await, (StatusCode::OK, own.shown.clone()));
    for issued in [None, Some(&foreign)] {
        assert_eq!(ask(&url, &with(issued)).await.0, StatusCode::BAD_GATEWAY);
    }
}

/// HTTP/2 is spoken where both sides choose it (ALPN, RFC 7301), and HTTP/1.1 where either does not.
#[tokio::test]
async fn http2_is_spoken_where_both_choose_it() {
    let authority = Authority::new();
    let tls = UpstreamTls::from_pem(Some(&authority.pem()), None).unwrap();
    for (protocols, version, spoken) in [
        (["h2", "http/1.1"].as_slice(), HttpVersion::Http2, Version::HTTP_2),
        (&["h2"], HttpVersion::Http2, Version::HTTP_2),
        (&["http/1.1"], HttpVersion::Http2, Version::HTTP_11),
        (&[], HttpVersion::Http2, Version::HTTP_11),
        (&["h2", "http/1.1"], HttpVersion::Http1, Version::HTTP_11),
    ] {
        let tell = async |version: Version| format!("{version:?}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port()).parse().unwrap();
        authority.serve_choosing(
            listener,
            &["localhost"],
            protocols,
            Router::new().route("/mcp", post(tell)),
        );
        let options = HttpOptions { version, ..over(&tls) };
        let gateway = protect(Upstream::http_with(&url, &options).unwrap(), false);
        // The second time over the connection that is there.
        for _ in 0..2 {
            let response = gateway.post("{}").await;
            assert_eq!(response.status(), StatusCode::OK, "{protocols:?} {version:?}");
            assert_eq!(text(response).await, format!("{spoken:?}"), "{protocols:?} {version:?}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let (one, other) = (self_signed(|_| {}), self_signed(|_| {}));
    let none = |pem: &str| UpstreamTls::from_pem(Some(pem), None).unwrap_err();
    assert!(matches!(none(""), UpstreamTlsError::NoAuthority));
    assert!(matches!(none(&one.key), UpstreamTlsError::NoAuthority));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(none(broken), UpstreamTlsError::Authority(_)));
    let with = |chain: &str, key: &str| {
        UpstreamTls::from_pem(Some(&one.chain), Some(Shown { chain, key })).map(drop).unwrap_err()
    };
    assert!(matches!(with("", &one.key), UpstreamTlsError::NoCertificate));
    assert!(matches!(with(&one.chain, &one.chain), UpstreamTlsError::NoKey));
    assert!(matches!(with(&one.chain, &other.key), UpstreamTlsError::Unusable(_)));
    let tls = UpstreamTls::from_pem(Some(&one.chain), Some(shown(&one))).unwrap();
    let plain = Url::parse("http://localhost:1/mcp").unwrap();
    assert!(matches!(Upstream::http_with(&plain, &over(&tls)), Err(HttpUpstreamError::NotTls(_))));
}
