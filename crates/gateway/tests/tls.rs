//! TLS that ends here, over real connections: who gets one, and what handlers hear of the peer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use hallpass_gateway::listen::{ClientCertificates, Connections, Tls, serve};
use hallpass_protocol::certificate::{PeerCertificate, from_pem, thumbprint};
use hallpass_testkit::tls::{Authority, Issued};
use reqwest::{Certificate, Client, Identity};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// Answers with the thumbprint of the certificate that was shown.
fn router() -> Router {
    let tell = async |shown: Option<Extension<PeerCertificate>>| match shown {
        Some(Extension(PeerCertificate(certificate))) => thumbprint(&certificate),
        None => "nothing".to_owned(),
    };
    Router::new().route("/", get(tell))
}

async fn start(authority: &Authority, clients: ClientCertificates, connections: Connections) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = authority.issue(&["localhost"]);
    let tls = Some(Tls::from_pem(&own.chain, &own.key, &clients).unwrap());
    tokio::spawn(serve(listener, router(), Connections { tls, ..connections }, std::future::pending()));
    port
}

/// What the server hears, or `None` where there was no connection.
async fn ask(authority: &Authority, port: u16, shows: Option<&Issued>) -> Option<String> {
    let mut client =
        Client::builder().tls_certs_only([Certificate::from_pem(authority.pem().as_bytes()).unwrap()]);
    if let Some(issued) = shows {
        let pem = format!("{}{}", issued.chain, issued.key);
        client = client.identity(Identity::from_pem(pem.as_bytes()).unwrap());
    }
    let sent = client.build().unwrap().get(format!("https://localhost:{port}/")).send().await.ok()?;
    sent.text().await.ok()
}

fn name_of(issued: &Issued) -> Option<String> {
    Some(thumbprint(&from_pem(&issued.chain).unwrap()))
}

#[tokio::test]
async fn handlers_hear_what_the_peer_has_shown() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (known, foreign) = (authority.issue(&["agent"]), stranger.issue(&["agent"]));
    let nothing = Some("nothing".to_owned());
    let issued_by = ClientCertificates::IssuedBy(vec![from_pem(&authority.pem()).unwrap()]);
    for (clients, of_known, of_foreign) in [
        (ClientCertificates::None, nothing.clone(), nothing.clone()),
        (ClientCertificates::Any, name_of(&known), name_of(&foreign)),
        // rustls: a certificate of another authority ends the handshake.
        (issued_by, name_of(&known), None),
    ] {
        let port = start(&authority, clients.clone(), Connections::default()).await;
        assert_eq!(ask(&authority, port, None).await, nothing, "{clients:?}");
        assert_eq!(ask(&authority, port, Some(&known)).await, of_known, "{clients:?}");
        assert_eq!(ask(&authority, port, Some(&foreign)).await, of_foreign, "{clients:?}");
    }
}

/// Whoever begins no handshake, or does not finish it, is cut like whoever sends no head.
#[tokio::test(start_paused = true)]
async fn a_handshake_has_its_time() {
    let authority = Authority::new();
    let port = start(&authority, ClientCertificates::None, Connections::default()).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0; 8])).await;
    assert_eq!(read.expect("to be cut").unwrap(), 0);
}

/// New connections get the new certificate; one that is there goes on.
#[tokio::test]
async fn a_certificate_is_renewed_without_a_restart() {
    let (authority, next) = (Authority::new(), Authority::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls_of = |authority: &Authority| {
        let own = authority.issue(&["localhost"]);
        Tls::from_pem(&own.chain, &own.key, &ClientCertificates::None).unwrap()
    };
    let tls = tls_of(&authority);
    let connections = Connections { tls: Some(tls.clone()), ..Connections::default() };
    tokio::spawn(serve(listener, router(), connections, std::future::pending()));
    let client = Client::builder()
        .tls_certs_only([Certificate::from_pem(authority.pem().as_bytes()).unwrap()])
        .build()
        .unwrap();
    let url = format!("https://localhost:{port}/");
    let call = async || client.get(&url).send().await.unwrap().text().await.unwrap();
    assert_eq!(call().await, "nothing");
    assert_eq!(ask(&next, port, None).await, None);
    tls.renew(&tls_of(&next));
    assert!(ask(&next, port, None).await.is_some());
    assert_eq!(ask(&authority, port, None).await, None, "the former one is not served any more");
    assert_eq!(call().await, "nothing", "over the connection that is there");
}

/// A handshake by that protocol for that name: the certificate that was shown.
async fn challenged(port: u16, name: &'static str, protocols: &[&[u8]]) -> Option<Vec<u8>> {
    use rustls::ClientConfig;
    let seen = std::sync::Arc::new(hallpass_testkit::tls::Anybody::default());
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.dangerous().with_custom_certificate_verifier(seen.clone()).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = connector.connect(name.try_into().unwrap(), stream).await.ok()?;
    let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    if chosen.as_deref() == Some(b"acme-tls/1") {
        // RFC 8737 §3: nothing is said on such a connection.
        let hung_up = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut [0])).await;
        assert_eq!(hung_up.expect("to be hung up on").unwrap(), 0);
    }
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    Some(shown)
}

/// TLS-ALPN-01 (RFC 8737): by that protocol alone, for that name alone, for as long as somebody looks.
#[tokio::test]
async fn an_authority_finds_what_it_looks_for_and_nobody_else_does() {
    let authority = Authority::new();
    let (own, shown) = (authority.issue(&["localhost"]), authority.issue(&["a.example"]));
    let der = |issued: &Issued| from_pem(&issued.chain).unwrap();
    let tls = Tls::waiting(&ClientCertificates::None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Connections { tls: Some(tls.clone()), ..Connections::default() };
    tokio::spawn(serve(listener, router(), connections, std::future::pending()));
    let acme: &[&[u8]] = &[b"acme-tls/1"];
    assert_eq!(challenged(port, "a.example", acme).await, None);
    assert_eq!(challenged(port, "a.example", &[b"h2"]).await, None, "there is no certificate yet");
    let key = hallpass_testkit::tls::private_key(&shown.key);
    let answered = tls.challenges().answer("A.example", der(&shown), key).unwrap();
    assert_eq!(challenged(port, "a.example", acme).await, Some(der(&shown).to_vec()));
    assert_eq!(challenged(port, "a.example", &[b"h2"]).await, None, "it is for nobody else");
    assert_eq!(challenged(port, "b.example", acme).await, None);
    assert_eq!(challenged(port, "a.example", &[b"h2", b"acme-tls/1"]).await, None, "one protocol alone");
    tls.renew(&Tls::from_pem(&own.chain, &own.key, &ClientCertificates::None).unwrap());
    assert_eq!(challenged(port, "a.example", acme).await, Some(der(&shown).to_vec()), "while it is renewed");
    assert_eq!(challenged(port, "localhost", &[b"h2"]).await, Some(der(&own).to_vec()));
    assert_eq!(ask(&authority, port, None).await.as_deref(), Some("nothing"));
    drop(answered);
    assert_eq!(challenged(port, "a.example", acme).await, None, "nobody looks any more");
    assert_eq!(ask(&authority, port, None).await.as_deref(), Some("nothing"));
}
