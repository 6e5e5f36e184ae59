//! A person whose browser is an HTTP client.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hallpass_client::{Builder, Client, interaction::Browser};
use hallpass_testkit::{authorization_server::Peer, clock::FakeClock};
use serde_json::{Value, json};

/// The fake clock's start.
pub(crate) fn clock() -> FakeClock {
    FakeClock::at(hallpass_protocol::time::Timestamp::from_unix(1_000_000))
}

/// Counts launches, and follows redirects as a browser would, into the client's own callback.
#[derive(Clone, Default)]
pub(crate) struct Person {
    launched: Arc<AtomicUsize>,
}

impl Person {
    pub(crate) fn browser(&self) -> Browser {
        let launched = Arc::clone(&self.launched);
        let launch = move |url: &hallpass_client::interaction::LaunchUrl| {
            launched.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(reqwest::get(url.as_str().to_owned()));
            Ok(())
        };
        Browser::new().launcher(launch).announcer(|_| {})
    }

    pub(crate) fn logins(&self) -> usize {
        self.launched.load(Ordering::SeqCst)
    }
}

/// A client for the peer's MCP server, with a person.
pub(crate) fn builder(peer: &Peer, person: &Person) -> Builder {
    Client::builder(&peer.url()).unwrap().interaction(person.browser()).clock(clock().clock())
}

/// An MCP request.
pub(crate) fn call(client: &Client, method: &str, params: &Value) -> reqwest::Request {
    let mut request = reqwest::Request::new(reqwest::Method::POST, client.server().url().clone());
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    *request.body_mut() = Some(body.to_string().into());
    request
}

pub(crate) fn list(client: &Client) -> reqwest::Request {
    call(client, "tools/list", &json!({}))
}
