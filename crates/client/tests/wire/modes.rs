use hallpass_client::{Client, Error, Login, Mode, Rule, SecretSource};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::authorization_server::Peer;

use crate::support::{Person, builder, list};

#[tokio::test]
async fn none_sends_nothing_and_asks_nobody() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).mode(Mode::None).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 401, "the answer is the caller's");
    assert!(matches!(client.login().await.unwrap(), Login::NotNeeded));
    let seen = peer.seen();
    assert_eq!((seen.mcp.len(), seen.metadata_requests.len(), person.logins()), (1, 0, 0));
}

#[tokio::test]
async fn a_given_token_is_read_anew_when_it_was_renewed() {
    let (peer, person) = (Peer::start().await, Person::default());
    let giver = builder(&peer, &person).build().unwrap();
    giver.login().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let client =
        builder(&peer, &person).mode(Mode::Bearer(SecretSource::File(path.clone()))).build().unwrap();
    let missing = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(missing, Error::Misconfigured { rule: Rule::SecretUnreadable { .. }, .. }), "{missing}");

    for _ in 0..2 {
        giver.login().await.unwrap();
        let token = giver.token().await.unwrap().token;
        std::fs::write(&path, format!("{}\n", token.expose())).unwrap();
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
        assert_eq!(client.token().await.unwrap().token, token);
        peer.expire_access_tokens();
    }
    let before = peer.seen();
    let refused = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(&refused, Error::Misconfigured { rule: Rule::GivenTokenRefused(_), .. }), "{refused}");
    let after = peer.seen();
    assert_eq!(after.mcp.len(), before.mcp.len() + 1, "the same token is not tried twice");
    assert_eq!(after.token_requests.len(), before.token_requests.len());
}

#[tokio::test]
async fn a_given_token_goes_to_its_own_server_only() {
    let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
    let mode = Mode::Bearer(SecretSource::Value(Secret::new("given")));
    let client = Client::builder(&peer.url()).unwrap().mode(mode).build().unwrap();
    let mut request = list(&client);
    *request.url_mut() = elsewhere.url().parse().unwrap();
    let refused = client.send(request).await.unwrap_err();
    assert!(matches!(refused, Error::Misconfigured { rule: Rule::ForeignRequest(_), .. }), "{refused}");
    assert!(elsewhere.seen().mcp.is_empty());
}

#[tokio::test]
async fn oauth_logs_in_also_where_strangers_are_let_in() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.protected = false);
    let client = builder(&peer, &person).mode(Mode::OAuth).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    client.send(list(&client)).await.unwrap();
    let seen = peer.seen();
    let with_token = seen.mcp.iter().filter(|(_, _, fields)| fields.contains_key("authorization")).count();
    assert_eq!((person.logins(), with_token), (1, 2));
}

/// The way strangers are refused is the server's own affair where the caller knows that there is a login.
#[tokio::test]
async fn oauth_logs_in_however_strangers_are_refused() {
    for (challenge, redirect) in
        [(Some("Basic realm=\"staff\""), None), (None, Some("https://elsewhere.example/login"))]
    {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(|script| {
            script.challenge = challenge.map(str::to_owned);
            script.redirect = redirect.map(str::to_owned);
        });
        let client = builder(&peer, &person).mode(Mode::OAuth).build().unwrap();
        assert!(matches!(client.login().await.unwrap(), Login::Done(_)), "{challenge:?}");
        let usual = builder(&peer, &person).build().unwrap();
        assert!(redirect.is_none() || usual.login().await.is_err());
    }
}

/// Someone who mistypes a path is told so, and not that all is well.
#[tokio::test]
async fn what_is_no_mcp_server_asks_for_no_login_and_is_no_success() {
    let peer = Peer::start().await;
    let at = |path: &str| Client::builder(&format!("{}{path}", peer.origin)).unwrap().build().unwrap();
    for (path, says) in [("/nowhere", "404 Not Found"), ("/authorize", "405 Method Not Allowed")] {
        let error = at(path).login().await.unwrap_err();
        assert!(
            matches!(&error, Error::Misconfigured { rule: Rule::NotAnMcpServer(_), .. }),
            "{path}: {error}"
        );
        let said = error.to_string();
        assert!(said.contains(says) && said.contains(path) && said.contains("Check the path"), "{said}");
    }
    peer.script(|script| {
        script.redirect = Some("https://elsewhere.example/mcp".into());
    });
    let error = at("/mcp").login().await.unwrap_err();
    assert!(error.to_string().contains("sends on to another place"), "{error}");
    peer.script(|script| {
        script.redirect = None;
        script.challenge = Some("Basic realm=\"staff\"".into());
    });
    let error = at("/mcp").login().await.unwrap_err();
    assert!(error.to_string().contains("something else than a token"), "{error}");
    assert!(at("/mcp").asks_for_login().await.is_err());

    peer.script(|script| script.challenge = None);
    assert!(at("/mcp").asks_for_login().await.unwrap());
    peer.script(|script| script.protected = false);
    assert!(!at("/mcp").asks_for_login().await.unwrap());
}

#[tokio::test]
async fn a_server_that_asks_a_stranger_for_time_is_understood() {
    let upstream = hallpass_testkit::upstream::Upstream::start().await;
    let mut busy = hallpass_testkit::upstream::plain(http::StatusCode::SERVICE_UNAVAILABLE, "");
    busy.headers_mut().insert("retry-after", "7".parse().unwrap());
    upstream.answer(busy);
    let client = Client::builder(upstream.url("/mcp").as_str()).unwrap().build().unwrap();
    let error = client.asks_for_login().await.unwrap_err();
    let wait = std::time::Duration::from_secs(7);
    assert!(matches!(error, Error::Transient { retry_after: Some(asked), .. } if asked == wait), "{error}");
}
