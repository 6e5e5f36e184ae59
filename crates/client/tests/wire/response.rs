//! never-again rows 41 and 44: what is launched, and which answers are believed.

use std::sync::{Arc, Mutex};

use hallpass_client::{Error, Rule, interaction::Browser};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, list};

/// Row 41, CVE-2025-6514.
#[tokio::test]
async fn row_41_nothing_but_a_plain_web_address_is_launched() {
    for endpoint in [
        "https://as.example/$(touch${IFS}pwned)",
        "https://as.example/a?x=`id`",
        "https://as.example/\"&calc.exe",
        "https://as.example/a|b",
        "$(open -a Calculator)",
        "file:///etc/passwd",
        "file:/c:/windows/system32/calc.exe",
        "javascript:alert(1)",
        "data:text/html,<script>",
        "vbscript:x",
        "search-ms:query=x",
        "--version",
        "-n https://as.example/",
        " https://as.example/",
        "https:as.example/a b",
        "https://user:password@as.example/authorize",
        "http://as.example/authorize",
        "",
    ] {
        let peer = Peer::start().await;
        peer.script(|script| script.authorization_endpoint = endpoint.into());
        let launched = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&launched);
        let browser =
            Browser::new().announcer(|_| {}).patience(std::time::Duration::ZERO).launcher(move |url| {
                record.lock().unwrap().push(url.as_str().to_owned());
                Ok(())
            });
        let client = builder(&peer, &Person::default()).interaction(browser).build().unwrap();
        let error = client.send(list(&client)).await.unwrap_err();
        assert!(
            matches!(error, Error::Misconfigured { rule: Rule::Unlaunchable(_), .. }),
            "{endpoint}: {error}"
        );
        assert!(launched.lock().unwrap().is_empty(), "{endpoint}");
    }
}

fn parameters(of: &[(&'static str, Option<&str>)]) -> Vec<(&'static str, Option<String>)> {
    of.iter().map(|(name, value)| (*name, value.map(str::to_owned))).collect()
}

async fn refused(response: &[(&'static str, Option<&str>)]) -> (Error, Peer) {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.response = parameters(response));
    let client = builder(&peer, &person).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    (error, peer)
}

/// Row 44, CVE-2026-42073: an answer with a foreign state is passed over, and the right one still counts.
#[tokio::test]
async fn row_44_an_answer_without_our_state_is_passed_over() {
    let canary = Some("canary");
    for foreign in [
        vec![("state", Some("foreign"))],
        vec![("state", None)],
        vec![("state", Some("foreign")), ("code", None), ("error", canary), ("error_description", canary)],
        vec![("state", None), ("code", None), ("error", canary)],
    ] {
        let peer = Peer::start().await;
        peer.script(|script| script.response = parameters(&foreign));
        let shown = Arc::new(Mutex::new(None));
        let (record, scripted) = (Arc::clone(&shown), peer.clone());
        let browser = Browser::new().announcer(|_| {}).launcher(move |url| {
            let (url, record, peer) = (url.as_str().to_owned(), Arc::clone(&record), scripted.clone());
            tokio::spawn(async move {
                let page = reqwest::get(&url).await.unwrap();
                let status = page.status();
                *record.lock().unwrap() = Some((status, page.text().await.unwrap()));
                peer.script(|script| script.response.clear());
                reqwest::get(&url).await.unwrap();
            });
            Ok(())
        });
        let client = builder(&peer, &Person::default()).interaction(browser).build().unwrap();
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "{foreign:?}");
        let (status, page) = shown.lock().unwrap().take().unwrap();
        assert_eq!(status, 400, "{foreign:?}");
        assert!(!page.contains("canary"));
        assert_eq!(peer.seen().token_requests.len(), 1, "no foreign code was redeemed");
    }
}

/// Row 44: the issuer comes before the error, and a foreign error is not shown.
#[tokio::test]
async fn row_44_a_foreign_issuer_is_refused_before_its_error_is_read() {
    for parameters in [
        vec![("iss", Some("https://evil.example"))],
        vec![("iss", None)],
        vec![("iss", Some("https://evil.example")), ("code", None), ("error", Some("canary"))],
        vec![("iss", None), ("code", None), ("error", Some("canary")), ("error_description", Some("canary"))],
    ] {
        let (error, peer) = refused(&parameters).await;
        assert!(
            matches!(error, Error::Misconfigured { rule: Rule::ResponseIssuer(_), .. }),
            "{parameters:?}: {error}"
        );
        assert!(!error.to_string().contains("canary"));
        assert_eq!(peer.seen().token_requests.len(), 0, "no code leaves for a token endpoint");
    }
}

#[tokio::test]
async fn a_no_of_the_right_server_is_told() {
    let (error, _) = refused(&[
        ("code", None),
        ("error", Some("access_denied")),
        ("error_description", Some("The user\u{7} said no")),
    ])
    .await;
    assert!(matches!(&error, Error::Denied { error, .. } if error == "access_denied"), "{error}");
    assert!(error.to_string().contains("The user said no"), "control characters are left out: {error}");
}

#[tokio::test]
async fn an_unadvertised_iss_is_still_compared_and_may_be_missing() {
    let not_advertised = json!({"authorization_response_iss_parameter_supported": null});
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| {
        script.metadata = not_advertised.clone();
        script.response = vec![("iss", None)];
    });
    let client = builder(&peer, &person).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);

    let peer = Peer::start().await;
    let normalised = format!("{}/", peer.origin);
    peer.script(|script| {
        script.metadata = not_advertised;
        script.response = vec![("iss", Some(normalised))];
    });
    let client = builder(&peer, &person).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::ResponseIssuer(_), .. }), "{error}");
}
