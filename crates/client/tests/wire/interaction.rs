//! A person's part of a login, in all the ways that it can go.

use std::sync::{Arc, Mutex};

use hallpass_client::{
    Client, Error, InteractionError, Login,
    interaction::{Browser, CallbackHost, DeviceOffer, LaunchUrl},
    store::{MemoryStore, TokenStore as _},
};
use hallpass_testkit::authorization_server::Peer;
use http::StatusCode;
use serde_json::json;
use tokio::sync::mpsc;

use crate::support::{clock, list};

/// What a person was told, and where they were sent.
#[derive(Clone, Default)]
struct Told {
    lines: Arc<Mutex<Vec<String>>>,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Told {
    /// A browser that is opened and never comes back by itself.
    fn browser(&self) -> Browser {
        let (lines, sent) = (self.lines.clone(), self.sent.clone());
        let launch = move |url: &LaunchUrl| {
            sent.lock().unwrap().push(url.as_str().to_owned());
            Ok(())
        };
        Browser::new().launcher(launch).announcer(move |line| lines.lock().unwrap().push(line.to_owned()))
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    async fn sent(&self) -> String {
        loop {
            if let Some(url) = self.sent.lock().unwrap().last() {
                return url.clone();
            }
            tokio::task::yield_now().await;
        }
    }
}

fn client(peer: &Peer, browser: Browser) -> Client {
    Client::builder(&peer.url()).unwrap().interaction(browser).clock(clock().clock()).build().unwrap()
}

/// Where the authorization server sends a browser that opens the page.
async fn answer_of(page: &str) -> String {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = http.get(page).send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_typed_on_another_device_wins_over_a_browser_that_never_returns() {
    let (peer, told) = (Peer::start().await, Told::default());
    peer.script(|script| script.device = Some(vec!["authorization_pending", "authorization_pending"]));
    let client = client(&peer, told.browser().device(DeviceOffer::Always));
    assert!(matches!(client.login().await.unwrap(), Login::Done(_)));
    let text = told.text();
    assert!(text.contains("/activate") && text.contains("WDJB-MJHT"), "{text}");
    let seen = peer.seen();
    assert_eq!(seen.grants("urn:ietf:params:oauth:grant-type:device_code"), 3);
    assert_eq!(seen.grants("authorization_code"), 0);
    assert_eq!(seen.token_requests[0]["resource"], peer.url());
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
}

/// GitHub answers 200 to everything; what is in the body counts.
#[tokio::test]
async fn a_refusal_with_status_200_is_a_refusal() {
    let (peer, told) = (Peer::start().await, Told::default());
    peer.script(|script| {
        script.device = Some(vec!["authorization_pending"]);
        script.refusal = StatusCode::OK;
    });
    let client = client(&peer, told.browser().device(DeviceOffer::Always));
    assert!(matches!(client.login().await.unwrap(), Login::Done(_)));
    assert_eq!(peer.seen().grants("urn:ietf:params:oauth:grant-type:device_code"), 2);
}

#[tokio::test]
async fn a_no_on_the_other_device_ends_the_login() {
    let (peer, told) = (Peer::start().await, Told::default());
    peer.script(|script| script.device = Some(vec!["access_denied"]));
    let client = client(&peer, told.browser().device(DeviceOffer::Always));
    assert!(matches!(client.login().await, Err(Error::Denied { .. })));
}

#[tokio::test]
async fn a_device_code_that_ran_out_or_was_refused_leaves_the_browser() {
    for error in ["expired_token", "unauthorized_client"] {
        let (peer, told) = (Peer::start().await, Told::default());
        peer.script(|script| script.device = Some(vec![error]));
        let client = client(&peer, told.browser().device(DeviceOffer::Always));
        let login = tokio::spawn(async move { client.login().await });
        while peer.seen().token_requests.is_empty() {
            tokio::task::yield_now().await;
        }
        reqwest::get(told.sent().await).await.unwrap();
        assert!(matches!(login.await.unwrap().unwrap(), Login::Done(_)), "{error}");
    }
}

#[tokio::test]
async fn a_browser_at_hand_makes_no_device_code() {
    let (peer, told) = (Peer::start().await, Told::default());
    peer.script(|script| script.device = Some(vec![]));
    let client = client(&peer, told.browser());
    let login = tokio::spawn(async move { client.login().await });
    reqwest::get(told.sent().await).await.unwrap();
    login.await.unwrap().unwrap();
    assert!(!told.text().contains("WDJB"), "{}", told.text());
}

/// Whatever the network does: first the address, then what else there is.
#[tokio::test]
async fn the_browsers_address_is_told_before_the_code_for_another_device() {
    let peer = Peer::start().await;
    peer.script(|script| {
        script.device = Some(vec![]);
        // The slower way for the browser: its request is pushed first.
        script.metadata = json!({"pushed_authorization_request_endpoint": format!("{}/par", peer.origin)});
    });
    // Left to chance, one of so many would come the other way.
    for _ in 0..12 {
        let told = Told::default();
        client(&peer, told.browser().device(DeviceOffer::Always)).login().await.unwrap();
        let text = told.text();
        let (address, code) = (text.find("/authorize?").unwrap(), text.find("/activate").unwrap());
        assert!(address < code, "{text}");
    }
}

/// Two terminals, one server.
#[tokio::test]
async fn who_waits_for_another_process_is_told_so() {
    let (peer, told, store) = (Peer::start().await, Told::default(), MemoryStore::new());
    let another = store.try_lock(&peer.url()).unwrap().unwrap();
    let client =
        Client::builder(&peer.url()).unwrap().interaction(told.browser()).store(store).build().unwrap();
    let login = tokio::spawn(async move { client.login().await });
    while told.text().is_empty() {
        tokio::task::yield_now().await;
    }
    let text = told.text();
    assert!(text.contains("Another process is logging in") && text.contains(&peer.url()), "{text}");
    assert!(told.sent.lock().unwrap().is_empty());
    drop(another);
    reqwest::get(told.sent().await).await.unwrap();
    assert!(matches!(login.await.unwrap().unwrap(), Login::Done(_)));
    assert_eq!(told.text().matches("Another process").count(), 1);
}

/// opencode#36386: the browser is on another machine, and its last address is carried over by hand.
#[tokio::test]
async fn a_pasted_redirect_url_completes_the_login() {
    let (peer, told) = (Peer::start().await, Told::default());
    let (typed, lines) = mpsc::unbounded_channel();
    let lines = Mutex::new(Some(lines));
    let browser = told.browser().paste_from(move || lines.lock().unwrap().take().unwrap());
    let client = client(&peer, browser);
    let login = tokio::spawn(async move { client.login().await });
    let answer = answer_of(&told.sent().await).await;
    typed.send("http://127.0.0.1:1/callback?code=evil&state=forged".to_owned()).unwrap();
    typed.send(answer).unwrap();
    assert!(matches!(login.await.unwrap().unwrap(), Login::Done(_)));
    assert!(told.text().contains("not the answer to this login"), "{}", told.text());
}

#[tokio::test]
async fn without_a_browser_the_person_is_told_where_to_go() {
    let (peer, told) = (Peer::start().await, Told::default());
    let sent = told.sent.clone();
    let browser = told.browser().launcher(move |url| {
        sent.lock().unwrap().push(url.as_str().to_owned());
        Err(std::io::Error::other("this is an SSH session"))
    });
    let client = client(&peer, browser);
    let login = tokio::spawn(async move { client.login().await });
    let page = told.sent().await;
    reqwest::get(&page).await.unwrap();
    login.await.unwrap().unwrap();
    let text = told.text();
    assert!(text.contains("this is an SSH session") && text.contains(&page), "{text}");
}

#[tokio::test]
async fn each_name_of_this_machine_can_be_the_redirect() {
    for (host, expected) in [
        (CallbackHost::V4, "http://127.0.0.1:"),
        (CallbackHost::V6, "http://[::1]:"),
        (CallbackHost::Localhost, "http://localhost:"),
    ] {
        let (peer, told) = (Peer::start().await, Told::default());
        let client = client(&peer, told.browser().host(host).path("/oauth/done"));
        let login = tokio::spawn(async move { client.login().await });
        reqwest::get(told.sent().await).await.unwrap();
        login.await.unwrap().unwrap();
        let uri = peer.seen().authorizations[0]["redirect_uri"].clone();
        assert!(uri.starts_with(expected) && uri.ends_with("/oauth/done"), "{uri}");
    }
}

#[tokio::test]
async fn a_callback_port_that_is_taken_is_named_before_anyone_is_sent_away() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let (peer, told) = (Peer::start().await, Told::default());
    let error = client(&peer, told.browser().port(port)).login().await.unwrap_err();
    assert!(matches!(&error, Error::Interaction(InteractionError::Listen { .. })), "{error}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert_eq!((told.text(), peer.seen().registrations.len()), (String::new(), 0));
}

#[tokio::test]
async fn a_second_tab_changes_nothing() {
    let (peer, told) = (Peer::start().await, Told::default());
    let client = client(&peer, told.browser());
    let other = client.clone();
    let login = tokio::spawn(async move { other.login().await });
    let page = told.sent().await;
    // A tab from an earlier login, and then the same page in two tabs at once.
    let stale = answer_of(&page).await.replace("state=", "state=old");
    assert_eq!(reqwest::get(stale).await.unwrap().status(), 400);
    let (one, two) = tokio::join!(reqwest::get(&page), reqwest::get(&page));
    assert!(one.is_ok() || two.is_ok());
    login.await.unwrap().unwrap();
    assert_eq!(peer.seen().grants("authorization_code"), 1);
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_no_in_the_browser_is_told_as_such() {
    let (peer, told) = (Peer::start().await, Told::default());
    peer.script(|s| s.response = vec![("code", None), ("error", Some("access_denied".into()))]);
    let client = client(&peer, told.browser());
    let login = tokio::spawn(async move { client.login().await });
    reqwest::get(told.sent().await).await.unwrap();
    assert!(matches!(login.await.unwrap(), Err(Error::Denied { .. })));
}
