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
