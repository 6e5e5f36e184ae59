//! HTTP proxies: what goes through one, and what is still refused behind it.

use std::{
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use hallpass_client::{BuildError, Builder, Client, Error, Mode, Rule, Step, interaction::Browser};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::{
    authorization_server::Peer,
    tls::{Ask, Authority},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::support::{Person, builder, clock, list};

/// A proxy that takes every name for this machine.
struct Proxy {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// One that lets everything through, or answers everything with `refusal`.
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, Arc::clone(&noted), refusal));
            }
        });
        Self { address, heads }
    }

    /// The first lines of what was asked of it.
    fn asked(&self) -> Vec<String> {
        self.heads.lock().unwrap().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
    }
}

async fn pass(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>, refusal: Option<&'static str>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    heads.lock().unwrap().push(head.clone());
    if let Some(refusal) = refusal {
        return drop(stream.write_all(refusal.as_bytes()).await);
    }
    let port = head.split(' ').nth(1).and_then(|target| target.rsplit(':').next()).unwrap();
    let mut server = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    drop(copy_bidirectional(&mut stream, &mut server).await);
}

/// A server with a public name that only a proxy can reach.
async fn remote(authority: &Authority) -> Peer {
    Peer::start_tls(authority, "mcp.example", Ask::Politely).await
}

fn behind(peer: &Peer, authority: &Authority, proxy: &Proxy) -> Builder {
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let way = reqwest::Proxy::https(format!("http://{}", proxy.address)).unwrap();
    let browser = reqwest::Client::builder().tls_certs_merge([root]).proxy(way).build().unwrap();
    let launch = move |url: &hallpass_client::interaction::LaunchUrl| {
        tokio::spawn(browser.get(url.as_str()).send());
        Ok(())
    };
    let builder = Client::builder(&peer.url()).unwrap().clock(clock().clock());
    let builder = builder.trust(authority.pem().as_bytes()).unwrap();
    builder.interaction(Browser::new().launcher(launch).announcer(|_| {}))
}

#[tokio::test]
async fn a_whole_login_goes_through_the_proxy() {
    let (authority, proxy) = (Authority::new(), Proxy::start(None).await);
    let peer = remote(&authority).await;
    let named = format!("http://someone:canary@{}", proxy.address);
    let client = behind(&peer, &authority, &proxy).proxy(&named).unwrap().build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert!(peer.seen().grants("authorization_code") == 1 && peer.seen().registrations.len() == 1);
    let target = peer.origin.strip_prefix("https://").unwrap();
    let expected = format!("CONNECT {target} HTTP/1.1");
    assert!(proxy.asked().iter().all(|line| *line == expected), "{:?}", proxy.asked());
    // The browser has no credentials; the MCP client and the fetcher do.
    let heads = proxy.heads.lock().unwrap().clone();
    let with_credentials =
        |head: &&String| head.to_lowercase().contains("proxy-authorization: basic c29tzw9uztpjyw5hcnk=");
    assert!(heads.iter().filter(with_credentials).count() >= 2, "{heads:?}");
    assert!(!format!("{client:?}").contains("canary"));
}

/// The proxy resolves names; what can be told from a URL is judged here as ever.
#[tokio::test]
async fn behind_a_proxy_what_the_url_shows_is_still_refused() {
    let (authority, proxy) = (Authority::new(), Proxy::start(None).await);
    for target in [
        "https://10.0.0.1/m",
        "https://169.254.169.254/m",
        "https://[fd00::1]/m",
        "https://[::ffff:10.0.0.1]/m",
        "https://0x7f.1/m",
        "https://localhost/m",
        "https://a.localhost/m",
        "http://mcp.example/m",
        "ftp://mcp.example/m",
        "https://user:password@mcp.example/m",
    ] {
        let peer = remote(&authority).await;
        peer.script(|script| script.challenge = Some(format!("Bearer resource_metadata=\"{target}\"")));
        let named = format!("http://{}", proxy.address);
        let client = behind(&peer, &authority, &proxy).proxy(&named).unwrap().build().unwrap();
        let error = client.send(list(&client)).await.unwrap_err();
        // A name of this machine is judged once resolved, or leads nowhere.
        let is_refused =
            matches!(&error, Error::Misconfigured { step: Step::Discover, rule: Rule::UnsafeUrl(_), .. })
                || target.contains(".localhost") && matches!(&error, Error::Transient { .. });
        assert!(is_refused, "{target}: {error}");
        let own = peer.origin.strip_prefix("https://").unwrap().to_owned();
        let heads = std::mem::take(&mut *proxy.heads.lock().unwrap());
        assert!(heads.iter().all(|head| head.contains(&own)), "{target}: {heads:?}");
    }
}

#[tokio::test]
async fn this_machine_is_not_reached_through_a_proxy() {
    let (peer, person, proxy) = (Peer::start().await, Person::default(), Proxy::start(None).await);
    let named = format!("http://{}", proxy.address);
    let client = builder(&peer, &person).proxy(&named).unwrap().build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert!(proxy.asked().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_and_its_password_is_not() {
    let authority = Authority::new();
    let peer = remote(&authority).await;
    for (answer, expected) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "auth"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "unsuccessful"),
        ("", ""),
    ] {
        let proxy = Proxy::start(Some(answer)).await;
        let named = format!("http://someone:canary@{}", proxy.address);
        let client = behind(&peer, &authority, &proxy).proxy(&named).unwrap().build().unwrap();
        let error = client.send(list(&client)).await.unwrap_err();
        let is_named =
            matches!(&error, Error::ThroughProxy { proxy: named, .. } if named.contains(&proxy.address));
        assert!(is_named && error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains(&format!("proxy http://{}", proxy.address)), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");

        let policy = hallpass_guarded_fetch::Policy {
            proxies: hallpass_guarded_fetch::Proxies::one(&named).unwrap(),
            ..hallpass_guarded_fetch::Policy::default()
        };
        let fetcher = hallpass_guarded_fetch::Fetcher::new(policy).unwrap();
        let url = "https://mcp.example/m".parse().unwrap();
        let error = fetcher.get(&url, "*/*").await.unwrap_err();
        let shown = format!("{error} {error:?} {fetcher:?}");
        assert!(shown.contains(&format!("through the proxy {}", proxy.address)), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

/// Nothing is wrong with the server then.
#[tokio::test]
async fn a_proxy_that_is_down_is_not_taken_for_the_server() {
    let authority = Authority::new();
    let peer = remote(&authority).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let named = format!("http://someone:canary@{closed}");
    let client = behind(&peer, &authority, &Proxy { address: closed.to_string(), heads: Arc::default() })
        .proxy(&named)
        .unwrap()
        .build()
        .unwrap();
    let examined = hallpass_client::doctor::examine(&client, false).await;
    for said in [
        client.send(list(&client)).await.unwrap_err().to_string(),
        client.login().await.unwrap_err().to_string(),
        examined.findings[0].found.clone(),
    ] {
        let expected = format!(
            "the proxy http://{closed}, through which {} is reached, could not be reached",
            peer.origin
        );
        assert!(said.contains(&expected) && !said.contains("canary"), "{said}");
    }
    assert_eq!(examined.findings.len(), 1);
}

#[test]
fn what_is_no_http_proxy_is_refused_and_not_quoted() {
    for url in
        ["socks5://u:canary@127.0.0.1:1", "canary", "http://", "http://u:canary@", "http://u:canary@:1"]
    {
        let refused = Client::builder("https://mcp.example/mcp").unwrap().proxy(url).map(drop).unwrap_err();
        assert!(
            matches!(refused, BuildError::Proxy(_)) && !refused.to_string().contains("canary"),
            "{refused}"
        );
    }
}

/// A proxy that speaks TLS could ask for a certificate in the same handshake as a server.
#[test]
fn a_proxy_does_not_see_the_client_certificate() {
    let own = Authority::new().issue(&["client"]);
    let build = |proxy: &str| {
        let builder = Client::builder("https://mcp.example/mcp").unwrap().proxy(proxy).unwrap();
        builder.client_certificate(own.chain.as_bytes(), &Secret::new(&own.key)).unwrap().build()
    };
    assert!(matches!(build("https://127.0.0.1:3128"), Err(BuildError::Proxy(_))));
    assert!(build("http://127.0.0.1:3128").is_ok());
}

/// Names the server to the child process of [`the_environment_names_the_proxy`].
const SERVER: &str = "HALLPASS_TEST_PROXIED_SERVER";
const AUTHORITY: &str = "HALLPASS_TEST_PROXIED_AUTHORITY";
const OPT_OUT: &str = "HALLPASS_TEST_PROXIED_OPT_OUT";

/// The child's part. In a run of its own it has nothing to do.
#[tokio::test]
async fn proxied_child() {
    let Ok(server) = std::env::var(SERVER) else { return };
    let authority = std::env::var(AUTHORITY).unwrap();
    let builder = Client::builder(&server).unwrap().mode(Mode::None);
    let builder = builder.trust(authority.as_bytes()).unwrap();
    let builder = if std::env::var_os(OPT_OUT).is_some() { builder.no_proxy() } else { builder };
    let client = match builder.build() {
        Ok(client) => client,
        Err(error) => panic!("not built: {error}"),
    };
    match client.send(list(&client)).await {
        Ok(answer) => assert_eq!(answer.status(), 200),
        Err(error) => panic!("not sent: {error}"),
    }
}

/// The environment is read by a process as it starts, so this test starts another.
#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_the_proxy() {
    let (authority, proxy) = (Authority::new(), Proxy::start(None).await);
    let peer = remote(&authority).await;
    peer.script(|script| script.protected = false);
    let named = format!("http://someone:canary@{}", proxy.address);
    let run = |variables: &[(&str, &str)]| -> Output {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "proxy::proxied_child", "--nocapture"]);
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            child.env_remove(name).env_remove(name.to_lowercase());
        }
        child.env(SERVER, peer.url()).env(AUTHORITY, authority.pem());
        child.envs(variables.iter().copied()).output().unwrap()
    };
    for (variables, is_proxied) in [
        (vec![("HTTPS_PROXY", named.as_str())], true),
        (vec![("https_proxy", named.as_str())], true),
        (vec![("ALL_PROXY", named.as_str())], true),
        (vec![("HTTP_PROXY", named.as_str())], false),
        (vec![("HTTPS_PROXY", named.as_str()), ("NO_PROXY", "mcp.example")], false),
        (vec![("HTTPS_PROXY", named.as_str()), ("NO_PROXY", "other.example")], true),
        (vec![("HTTPS_PROXY", named.as_str()), (OPT_OUT, "1")], false),
    ] {
        let output = run(&variables);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), is_proxied, "{variables:?}: {said}");
        assert_eq!(
            !std::mem::take(&mut *proxy.heads.lock().unwrap()).is_empty(),
            is_proxied,
            "{variables:?}"
        );
        assert!(!said.contains("canary"), "{said}");
    }
    let socks = run(&[("ALL_PROXY", "socks5://someone:canary@127.0.0.1:1")]);
    let said = String::from_utf8_lossy(&socks.stderr).into_owned();
    assert!(!socks.status.success() && said.contains("not built") && !said.contains("canary"), "{said}");
}
