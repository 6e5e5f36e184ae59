//! What the fetcher does on the wire, against a listener that counts who connects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may fail loudly

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use hallpass_guarded_fetch::{FetchError, Fetcher, Policy};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A listener on every local address that counts connections before a byte is read.
struct Peer {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    async fn start(router: Router) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counting = Counting { listener, connections: Arc::clone(&connections) };
        tokio::spawn(async move { axum::serve(counting, router).await });
        Self { port, connections }
    }

    fn url(&self, path: &str) -> Url {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    fn seen(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

struct Counting {
    listener: TcpListener,
    connections: Arc<AtomicUsize>,
}

impl axum::serve::Listener for Counting {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let accepted = self.listener.accept().await.unwrap();
        self.connections.fetch_add(1, Ordering::SeqCst);
        accepted
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn fetcher(policy: Policy) -> Fetcher {
    Fetcher::new(policy).unwrap()
}

fn development() -> Policy {
    Policy { allow_loopback: true, ..Policy::default() }
}

/// Never-again 40: no URL that leads inside makes a connection, however it is spelled.
#[tokio::test]
async fn blocked_urls_cause_no_connection() {
    let peer = Peer::start(Router::new()).await;
    let port = peer.port;
    let strict = fetcher(Policy::default());
    let urls = [
        // by scheme
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://example.com:{port}/"),
        format!("ftp://127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
        "data:application/json,{}".to_owned(),
        "javascript:alert(1)".to_owned(),
        // loopback, in every spelling
        format!("https://127.0.0.1:{port}/"),
        format!("https://127.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f000001:{port}/"),
        format!("https://0177.0.0.1:{port}/"),
        format!("https://127.0.0.1.:{port}/"),
        format!("https://%31%32%37.0.0.1:{port}/"),
        format!("https://１２７.０.０.１:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://LOCALHOST:{port}/"),
        format!("https://0.0.0.0:{port}/"),
        format!("https://0:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://[::ffff:7f00:1]:{port}/"),
        format!("https://[::127.0.0.1]:{port}/"),
        format!("https://[64:ff9b::127.0.0.1]:{port}/"),
        format!("https://[2002:7f00:1::]:{port}/"),
        // private, link-local, the cloud's metadata service
        "https://10.0.0.1/".to_owned(),
        "https://172.16.0.1/".to_owned(),
        "https://192.168.0.1/".to_owned(),
        "https://100.64.0.1/".to_owned(),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://[fe80::1]/".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        // a user name in front
        format!("https://example.com@127.0.0.1:{port}/"),
        format!("https://user:password@127.0.0.1:{port}/"),
    ];
    for url in urls {
        let refused = strict.get(&url.parse().unwrap(), "*/*").await.expect_err(&url);
        assert!(
            matches!(refused, FetchError::Scheme | FetchError::Userinfo | FetchError::Address { .. }),
            "{url}: {refused:?}"
        );
    }
    assert_eq!(peer.seen(), 0);
}

/// The answer of a name server changes nothing: the resolver that connects is the one that checks.
#[tokio::test]
async fn a_name_that_leads_inside_causes_no_connection() {
    let peer = Peer::start(Router::new()).await;
    let url = format!("https://localhost:{}/", peer.port).parse().unwrap();
    let refused = fetcher(Policy::default()).get(&url, "*/*").await.unwrap_err();
    let FetchError::Address { host, address, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(host, "localhost");
    assert!(address.is_loopback());
    assert_eq!(peer.seen(), 0);
}

#[tokio::test]
async fn loopback_is_reached_where_it_is_allowed() {
    let peer = Peer::start(Router::new().route("/", get(|| async { r#"{"a":1}"# }))).await;
    let fetched = fetcher(development()).get(&peer.url("/"), "application/json").await.unwrap();
    assert_eq!(fetched.status, StatusCode::OK);
    assert_eq!(fetched.json::<serde_json::Value>().unwrap()["a"], 1);
    assert_eq!(peer.seen(), 1);
}

#[tokio::test]
async fn allowing_loopback_opens_nothing_else() {
    let fetcher = fetcher(development());
    for url in ["http://10.0.0.1/", "http://example.com/", "http://169.254.169.254/"] {
        let refused = fetcher.get(&url.parse().unwrap(), "*/*").await.unwrap_err();
        assert!(matches!(refused, FetchError::Scheme), "{url}: {refused:?}");
    }
    for url in ["https://10.0.0.1/", "https://169.254.169.254/", "https://[fe80::1]/"] {
        let refused = fetcher.get(&url.parse().unwrap(), "*/*").await.unwrap_err();
        assert!(matches!(refused, FetchError::Address { .. }), "{url}: {refused:?}");
    }
}

/// An opened host skips the address check, and no other.
#[tokio::test]
async fn an_opened_host_is_connected_to() {
    let peer = Peer::start(Router::new()).await;
    let opened_hosts = vec!["127.0.0.1".to_owned()];
    let fetcher = fetcher(Policy { opened_hosts, ..Policy::default() });
    let http = fetcher.get(&peer.url("/"), "*/*").await.unwrap_err();
    assert!(matches!(http, FetchError::Scheme), "{http:?}");
    assert_eq!(peer.seen(), 0);
    // The peer speaks no TLS: that it was asked is what shows.
    let https = format!("https://127.0.0.1:{}/", peer.port).parse().unwrap();
    let failed = fetcher.get(&https, "*/*").await.unwrap_err();
    assert!(matches!(failed, FetchError::Unreachable { .. }), "{failed:?}");
    assert_eq!(peer.seen(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let inside = Peer::start(Router::new()).await;
    let target = inside.url("/secret").to_string();
    for status in [301, 302, 303, 307, 308] {
        let target = target.clone();
        let answer = move || async move {
            let mut response = Redirect::to(&target).into_response();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        };
        let peer = Peer::start(Router::new().route("/", get(answer))).await;
        let fetched = fetcher(development()).get(&peer.url("/"), "*/*").await.unwrap();
        assert_eq!(fetched.status.as_u16(), status);
        assert_eq!(fetched.headers[header::LOCATION], inside.url("/secret").as_str());
    }
    assert_eq!(inside.seen(), 0);
}

#[tokio::test]
async fn a_body_may_reach_the_limit_and_not_exceed_it() {
    async fn sized(body: axum::extract::Path<usize>) -> Vec<u8> {
        vec![b'x'; body.0]
    }
    let peer = Peer::start(Router::new().route("/{size}", get(sized))).await;
    let fetcher = fetcher(Policy { max_body: 1000, ..development() });
    assert_eq!(fetcher.get(&peer.url("/1000"), "*/*").await.unwrap().body.len(), 1000);
    let refused = fetcher.get(&peer.url("/1001"), "*/*").await.unwrap_err();
    assert!(matches!(refused, FetchError::TooLarge { limit: 1000, .. }), "{refused:?}");
}

/// Without a length, what counts is what arrives.
#[tokio::test]
async fn a_body_without_a_length_is_cut() {
    async fn chunked() -> Body {
        let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 512]));
        Body::from_stream(futures_util::stream::repeat_with(chunk).take(1000))
    }
    let peer = Peer::start(Router::new().route("/", get(chunked))).await;
    let fetcher = fetcher(Policy { max_body: 10_000, ..development() });
    let refused = fetcher.get(&peer.url("/"), "*/*").await.unwrap_err();
    assert!(matches!(refused, FetchError::TooLarge { .. }), "{refused:?}");
}

/// A server that never answers, and one that never ends its body.
#[tokio::test]
async fn silence_is_cut() {
    async fn half() -> Body {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
        Body::from_stream(first.chain(futures_util::stream::pending()))
    }
    let router = Router::new().route("/never", get(std::future::pending::<()>)).route("/half", get(half));
    let peer = Peer::start(router).await;
    let fetcher = fetcher(Policy { timeout: Duration::from_millis(50), ..development() });
    for path in ["/never", "/half"] {
        let refused = fetcher.get(&peer.url(path), "*/*").await.unwrap_err();
        assert!(matches!(refused, FetchError::Timeout { .. }), "{path}: {refused:?}");
    }
}

#[tokio::test]
async fn forms_and_json_arrive_as_such() {
    async fn echo(headers: HeaderMap, body: String) -> String {
        let field = |name| headers.get(name).map_or("", |value| value.to_str().unwrap());
        format!("{}|{}|{}|{body}", field("content-type"), field("accept"), field("authorization"))
    }
    let peer = Peer::start(Router::new().route("/", post(echo))).await;
    let fetcher = fetcher(development());
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, "Basic eA==".parse().unwrap())]);
    let form = [("grant_type", "refresh_token"), ("resource", "https://h/?a&b=c d")];
    let fetched = fetcher.post_form(&peer.url("/"), &form, headers).await.unwrap();
    assert_eq!(
        fetched.body,
        "application/x-www-form-urlencoded|application/json|Basic eA==|\
         grant_type=refresh_token&resource=https%3A%2F%2Fh%2F%3Fa%26b%3Dc+d"
    );
    let body = serde_json::json!({ "a": [1] });
    let fetched = fetcher.post_json(&peer.url("/"), &body, HeaderMap::new()).await.unwrap();
    assert_eq!(fetched.body, r#"application/json|application/json||{"a":[1]}"#);
}

/// Messages end up in logs; the query of a URL may hold a code.
#[tokio::test]
async fn an_error_names_the_host_and_no_more_of_the_url() {
    let listener = std::net::TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/path?code=hunter2").parse().unwrap();
    let error = fetcher(development()).get(&url, "*/*").await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("127.0.0.1") && !shown.contains("hunter2"), "{shown}");
}

/// Node's servers close what nobody has used for 5 s: what is sent at that moment is lost.
#[tokio::test]
async fn a_connection_is_left_before_servers_close_it() {
    tokio::time::pause();
    let (_held, over) = std::sync::mpsc::channel::<()>();
    // tokio: paused time does not advance by itself while a blocking task runs.
    tokio::task::spawn_blocking(move || over.recv().is_err());
    let peer = Peer::start(Router::new().route("/", get(|| async { "{}" }))).await;
    let fetcher = Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap();
    for (idle, connections) in [(0, 1), (3_000, 1), (4_500, 2), (3_900, 2)] {
        tokio::time::advance(Duration::from_millis(idle)).await;
        fetcher.get(&peer.url("/"), "*/*").await.unwrap();
        assert_eq!(peer.seen(), connections, "after {idle} ms");
    }
}
