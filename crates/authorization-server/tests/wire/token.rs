//! `/token`: codes and refresh tokens for tokens.

use crate::harness;
use std::sync::Arc;

use harness::{Answer, House, NATIVE, OTHER, VERIFIER, WEB, WEB_CALLBACK, WEB_SECRET, redemption, set};
use reqwest::RequestBuilder;
use tokio::sync::Barrier;

#[tokio::test]
async fn a_person_logs_in_and_the_client_gets_tokens() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
    assert_eq!(tokens.text("token_type"), "Bearer");
    assert_eq!(tokens.json["expires_in"], 600);
    assert_eq!(tokens.text("scope"), "notes:read notes:write");
    let claims = house.verify(tokens.text("access_token"));
    assert_eq!(claims.iss, house.issuer);
    assert_eq!(claims.aud.0, [house.resource()]);
    assert_eq!(claims.client_id, NATIVE);
    assert_eq!(claims.scope.unwrap().to_string(), "notes:read notes:write");
    assert_eq!(claims.exp.unix() - claims.iat.unix(), 600);
    let users = house.server.users().list().await.unwrap();
    assert_eq!(claims.sub, users[0].id);
}

// Row 1 of never-again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_code_is_redeemed_once_by_64_at_the_same_time() {
    let house = Arc::new(House::furnished().await);
    let code = house.code().await;
    let answers = race(&house, {
        let house = Arc::clone(&house);
        move || {
            let (house, code) = (Arc::clone(&house), code.clone());
            async move { house.redeem(&code).await }
        }
    })
    .await;
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|a| a.status == 200 || a.error() == (400, "invalid_grant")));
    // The others were replays, so what the winner has is worth nothing.
    assert!(house.is_revoked(won[0].text("access_token")));
    let refreshed = house.refresh(NATIVE, won[0].text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
}

// Row 2 of never-again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_refresh_token_has_one_successor_for_64_at_the_same_time() {
    let house = Arc::new(House::furnished().await);
    let first = house.tokens().await.text("refresh_token").to_owned();
    let answers = race(&house, {
        let (house, first) = (Arc::clone(&house), first.clone());
        move || {
            let (house, first) = (Arc::clone(&house), first.clone());
            async move { house.refresh(NATIVE, &first).await }
        }
    })
    .await;
    let successor = answers[0].text("refresh_token");
    for answer in &answers {
        assert_eq!((answer.status, answer.text("refresh_token")), (200, successor));
    }
    assert_ne!(successor, first);
    assert_eq!(house.refresh(NATIVE, successor).await.status, 200);
}

/// All at the same time: each has its connection open before the first one goes.
async fn race<F: Future<Output = Answer> + Send + 'static>(
    house: &Arc<House>,
    attempt: impl Fn() -> F,
) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(64));
    let attempts: Vec<_> = (0..64)
        .map(|_| {
            let (house, barrier, attempt) = (Arc::clone(house), Arc::clone(&barrier), attempt());
            tokio::spawn(async move {
                barrier.wait().await;
                house.send(house.http.get(house.url("/jwks"))).await;
                barrier.wait().await;
                attempt.await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for attempt in attempts {
        answers.push(attempt.await.unwrap());
    }
    answers
}

// Row 3 of never-again.
#[tokio::test]
async fn a_revoked_refresh_token_stays_revoked_when_the_store_is_opened_again() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let token = tokens.text("refresh_token");
    let revoked = house.post("/revoke", &[("client_id", NATIVE), ("token", token)]).await;
    assert_eq!(revoked.status, 200);
    let settings = harness::settings(&house.issuer);
    let fetcher = hallpass_guarded_fetch::Fetcher::new(Default::default()).unwrap();
    let again =
        hallpass_authorization_server::AuthorizationServer::start(settings, house.store().await, fetcher)
            .await
            .unwrap();
    assert!(again.revocations().is_revoked(&house.verify(tokens.text("access_token")).jti).unwrap());
    assert_eq!(house.refresh(NATIVE, token).await.error(), (400, "invalid_grant"));
}

// Row 6 of never-again.
#[tokio::test]
async fn each_single_fault_alone_refuses_a_code() {
    let house = House::furnished().await;
    let second = format!("{}/second", house.issuer);
    let other_verifier = VERIFIER.to_uppercase();
    for (name, value, error) in [
        ("client_id", OTHER, "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:4712/callback", "invalid_grant"),
        ("redirect_uri", "http://localhost:4711/callback", "invalid_grant"),
        ("redirect_uri", WEB_CALLBACK, "invalid_grant"),
        ("code_verifier", other_verifier.as_str(), "invalid_grant"),
        ("resource", second.as_str(), "invalid_target"),
        ("resource", "https://evil.example/", "invalid_target"),
        ("code", "another", "invalid_grant"),
        ("grant_type", "password", "unsupported_grant_type"),
    ] {
        let code = house.code().await;
        let mut form = redemption(&code).to_vec();
        form.retain(|(key, _)| *key != name);
        form.push((name, value));
        let refused = house.post("/token", &form).await;
        assert_eq!(refused.error(), (400, error), "{name}={value}");
        // The fault was the only one, and has cost nothing.
        assert_eq!(house.redeem(&code).await.status, 200, "after {name}={value}");
    }
    let code = house.code().await;
    house.advance(60);
    assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"), "expired");
}

// Row 10 of never-again.
#[tokio::test]
async fn an_omitted_empty_short_or_doubled_verifier_is_refused() {
    let house = House::furnished().await;
    let code = house.code().await;
    let without: Vec<_> = redemption(&code).into_iter().filter(|(k, _)| *k != "code_verifier").collect();
    let refused = house.post("/token", &without).await;
    assert_eq!(refused.error(), (400, "invalid_request"), "omitted");
    for (verifiers, error) in [
        (vec![""], "invalid_request"),
        (vec!["short"], "invalid_grant"),
        (vec![VERIFIER, VERIFIER], "invalid_request"),
        (vec!["", VERIFIER], "invalid_request"),
    ] {
        let mut form = without.clone();
        form.extend(verifiers.iter().map(|verifier| ("code_verifier", *verifier)));
        let refused = house.post("/token", &form).await;
        assert_eq!(refused.error(), (400, error), "{verifiers:?}");
    }
    assert_eq!(house.redeem(&code).await.status, 200);
}

// Row 12 of never-again.
#[tokio::test]
async fn a_parameter_twice_is_refused_at_the_token_endpoint() {
    let house = House::furnished().await;
    let code = house.code().await;
    for (name, value) in redemption(&code) {
        let mut form = redemption(&code).to_vec();
        form.push((name, value));
        let refused = house.post("/token", &form).await;
        assert_eq!(refused.error(), (400, "invalid_request"), "{name}");
    }
    assert_eq!(house.redeem(&code).await.status, 200);
}

#[tokio::test]
async fn a_code_that_comes_again_ends_what_came_from_it() {
    let house = House::furnished().await;
    let code = house.code().await;
    let tokens = house.redeem(&code).await;
    assert!(!house.is_revoked(tokens.text("access_token")));
    // Another client's replay changes nothing.
    let mut form = redemption(&code);
    form[1].1 = OTHER;
    assert_eq!(house.post("/token", &form).await.error(), (400, "invalid_grant"));
    assert!(!house.is_revoked(tokens.text("access_token")));
    assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"));
    assert!(house.is_revoked(tokens.text("access_token")));
    let refreshed = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_client_of_oauth_2_1_sends_no_redirect_uri() {
    let house = House::furnished().await;
    let code = house.code().await;
    let form: Vec<_> = redemption(&code).into_iter().filter(|(k, _)| *k != "redirect_uri").collect();
    assert_eq!(house.post("/token", &form).await.status, 200);
}

#[tokio::test]
async fn a_confidential_client_shows_its_secret_by_either_method() {
    let house = House::furnished().await;
    type Change<'a> = &'a dyn Fn(RequestBuilder, &mut Vec<(&str, &str)>) -> RequestBuilder;
    let redeem = async |change: Change<'_>| {
        let code = house.code_for(&house.web_request()).await;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", WEB_CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let request = change(house.http.post(house.url("/token")), &mut form);
        let answer = house.send(request.form(&form)).await;
        (
            answer.status,
            answer.json["error"].as_str().unwrap_or_default().to_owned(),
            answer.header("www-authenticate").map(str::to_owned),
        )
    };
    let ok = (200, String::new(), None);
    assert_eq!(redeem(&|r, _| r.basic_auth(WEB, Some(WEB_SECRET))).await, ok);
    let post = |secret: &'static str| {
        move |r: RequestBuilder, form: &mut Vec<(&str, &str)>| {
            form.extend([("client_id", WEB), ("client_secret", secret)]);
            r
        }
    };
    assert_eq!(redeem(&post(WEB_SECRET)).await, ok);
    let refused = |challenge: Option<&str>| (401, "invalid_client".to_owned(), challenge.map(str::to_owned));
    assert_eq!(redeem(&post("wrong")).await, refused(None));
    assert_eq!(redeem(&post("")).await, refused(None));
    let basic = redeem(&|r, _| r.basic_auth(WEB, Some("wrong"))).await;
    assert_eq!(basic, refused(Some("Basic realm=\"hallpass\"")));
    let both = redeem(&|r, form| {
        form.extend([("client_id", WEB), ("client_secret", WEB_SECRET)]);
        r.basic_auth(WEB, Some(WEB_SECRET))
    })
    .await;
    assert_eq!((both.0, both.1.as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn a_public_client_has_no_secret_to_show() {
    let house = House::furnished().await;
    let code = house.code().await;
    let mut form = redemption(&code).to_vec();
    form.push(("client_secret", "x"));
    assert_eq!(house.post("/token", &form).await.error(), (401, "invalid_client"));
    form.retain(|(key, _)| *key != "client_secret");
    form.retain(|(key, _)| *key != "client_id");
    form.push(("client_id", "nobody"));
    assert_eq!(house.post("/token", &form).await.error(), (401, "invalid_client"));
}

#[tokio::test]
async fn a_lost_answer_is_given_again_within_the_minute() {
    let house = House::furnished().await;
    let first = house.tokens().await.text("refresh_token").to_owned();
    let second = house.refresh(NATIVE, &first).await.text("refresh_token").to_owned();
    house.advance(59);
    let again = house.refresh(NATIVE, &first).await;
    assert_eq!(again.text("refresh_token"), second);
    house.verify(again.text("access_token"));
}

#[tokio::test]
async fn a_straggler_gets_the_newest_token_of_a_chain() {
    let house = House::furnished().await;
    let first = house.tokens().await.text("refresh_token").to_owned();
    let second = house.refresh(NATIVE, &first).await.text("refresh_token").to_owned();
    let third = house.refresh(NATIVE, &second).await.text("refresh_token").to_owned();
    assert_eq!(house.refresh(NATIVE, &first).await.text("refresh_token"), third);
}

#[tokio::test]
async fn a_replay_after_the_minute_ends_the_family() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let first = tokens.text("refresh_token");
    let second = house.refresh(NATIVE, first).await;
    house.advance(60);
    assert_eq!(house.refresh(NATIVE, first).await.error(), (400, "invalid_grant"));
    let successor = second.text("refresh_token");
    assert_eq!(house.refresh(NATIVE, successor).await.error(), (400, "invalid_grant"));
    assert!(house.is_revoked(second.text("access_token")));
}

#[tokio::test]
async fn another_clients_replay_changes_nothing() {
    let house = House::furnished().await;
    let first = house.tokens().await.text("refresh_token").to_owned();
    assert_eq!(house.refresh(OTHER, &first).await.error(), (400, "invalid_grant"));
    let second = house.refresh(NATIVE, &first).await.text("refresh_token").to_owned();
    assert_eq!(house.refresh(OTHER, &first).await.error(), (400, "invalid_grant"), "within the minute");
    house.advance(120);
    assert_eq!(house.refresh(OTHER, &first).await.error(), (400, "invalid_grant"), "after it");
    assert_eq!(house.refresh(NATIVE, &second).await.status, 200);
}

#[tokio::test]
async fn one_installation_does_not_log_out_another_of_the_same_client() {
    let house = House::furnished().await;
    let laptop = house.tokens().await.text("refresh_token").to_owned();
    let phone = house.tokens().await.text("refresh_token").to_owned();
    house.refresh(NATIVE, &laptop).await;
    house.advance(61);
    assert_eq!(house.refresh(NATIVE, &laptop).await.status, 400);
    assert_eq!(house.refresh(NATIVE, &phone).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_ends_when_idle_and_a_grant_ends_for_good() {
    const DAY: u64 = 24 * 60 * 60;
    let house = House::furnished().await;
    let idle = house.tokens().await.text("refresh_token").to_owned();
    let mut used = house.tokens().await.text("refresh_token").to_owned();
    for _ in 0..6 {
        house.advance(29 * DAY);
        let answer = house.refresh(NATIVE, &used).await;
        assert_eq!(answer.status, 200);
        used = answer.text("refresh_token").to_owned();
    }
    assert_eq!(house.refresh(NATIVE, &idle).await.error(), (400, "invalid_grant"));
    house.advance(7 * DAY);
    assert_eq!(house.refresh(NATIVE, &used).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_and_never_for_more() {
    let house = House::furnished().await;
    let mut request = house.request();
    set(&mut request, "scope", "notes:read");
    let code = house.code_for(&request).await;
    let token = house.redeem(&code).await.text("refresh_token").to_owned();
    let refresh = async |token: &str, more: (&'static str, &str)| {
        let form = [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", token), more];
        house.post("/token", &form).await
    };
    let beyond = refresh(&token, ("scope", "notes:read notes:write")).await;
    assert_eq!(beyond.error(), (400, "invalid_scope"));
    let elsewhere = format!("{}/second", house.issuer);
    let other = refresh(&token, ("resource", elsewhere.as_str())).await;
    assert_eq!(other.error(), (400, "invalid_target"));
    let fine = refresh(&token, ("scope", "notes:read")).await;
    assert_eq!(fine.text("scope"), "notes:read");
}

#[tokio::test]
async fn a_narrowed_refresh_leaves_the_grant_as_it_was() {
    let house = House::furnished().await;
    let token = house.tokens().await.text("refresh_token").to_owned();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", NATIVE),
        ("refresh_token", token.as_str()),
        ("scope", "notes:read"),
    ];
    let narrow = house.post("/token", &form).await;
    assert_eq!(narrow.text("scope"), "notes:read");
    let wide = house.refresh(NATIVE, narrow.text("refresh_token")).await;
    assert_eq!(wide.text("scope"), "notes:read notes:write");
}

#[tokio::test]
async fn offline_access_is_granted_and_stands_in_no_access_token() {
    let house = House::furnished().await;
    let mut request = house.request();
    set(&mut request, "scope", "notes:read offline_access");
    let tokens = house.redeem(&house.code_for(&request).await).await;
    assert_eq!(tokens.text("scope"), "notes:read offline_access");
    let scope = house.verify(tokens.text("access_token")).scope.unwrap();
    assert_eq!(scope.to_string(), "notes:read");
    assert_eq!(house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn disabling_a_user_ends_everything_at_once() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let code = house.code().await;
    assert!(house.server.users().disable(harness::USER).await.unwrap());
    assert!(house.is_revoked(tokens.text("access_token")));
    let refreshed = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
    assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn another_process_that_removes_a_user_or_a_client_is_noticed() {
    let house = House::furnished().await;
    let command_line = house.store().await;
    let by_user = house.tokens().await;
    assert!(command_line.clients().remove(NATIVE).await.unwrap());
    house.server.keep_house().await.unwrap();
    assert!(house.is_revoked(by_user.text("access_token")));
    let refreshed = house.refresh(NATIVE, by_user.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (401, "invalid_client"));
    assert!(command_line.users().remove(harness::USER).await.unwrap());
    assert_eq!(house.server.users().count().await.unwrap(), 0);
}

// Row 7 of never-again.
#[tokio::test]
async fn a_store_that_fails_gives_no_token_and_no_false_success() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let code = house.code().await;
    house.sql("ALTER TABLE grants RENAME TO gone").await;
    assert_eq!(house.redeem(&code).await.error(), (503, "temporarily_unavailable"));
    let token = tokens.text("refresh_token");
    assert_eq!(house.refresh(NATIVE, token).await.error(), (503, "temporarily_unavailable"));
    let revoked = house.post("/revoke", &[("client_id", NATIVE), ("token", token)]).await;
    assert_eq!(revoked.error(), (503, "temporarily_unavailable"));
    house.sql("ALTER TABLE gone RENAME TO grants").await;
    // Nothing was half done.
    assert_eq!(house.redeem(&code).await.status, 200);
    assert_eq!(house.refresh(NATIVE, token).await.status, 200);
}

#[tokio::test]
async fn only_forms_are_read() {
    let house = House::furnished().await;
    let request = house.http.post(house.url("/token")).json(&serde_json::json!({"grant_type": "x"}));
    assert_eq!(house.send(request).await.error(), (400, "invalid_request"));
    let get = house.send(house.http.get(house.url("/token"))).await;
    assert_eq!(get.status, 405);
}

// Row 39 of never-again, and the design's fourth rule.
#[tokio::test]
async fn no_secret_is_in_the_database() {
    let house = House::furnished().await;
    let code = house.code().await;
    let tokens = house.redeem(&code).await;
    let second = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    let all = house.everything_stored().await;
    let holds = |secret: &str| all.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(holds(NATIVE), "the right file was read");
    for secret in [
        &code,
        tokens.text("refresh_token"),
        second.text("refresh_token"),
        tokens.text("access_token"),
        harness::PASSWORD,
        WEB_SECRET,
    ] {
        assert!(!holds(secret));
    }
}

// Row 26 of never-again.
#[tokio::test]
async fn a_token_is_for_the_resources_that_were_granted_and_asked_for() {
    let house = House::furnished().await;
    let (first, second) = (house.resource(), format!("{}/second", house.issuer));
    let mut request = house.request();
    request.push(("resource", second.clone()));
    let tokens = house.redeem(&house.code_for(&request).await).await;
    assert_eq!(house.verify(tokens.text("access_token")).aud.0, [first.as_str(), second.as_str()]);
    let refresh = async |token: &str, resources: &[&str]| {
        let mut form = vec![("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", token)];
        form.extend(resources.iter().map(|resource| ("resource", *resource)));
        house.post("/token", &form).await
    };
    let one = refresh(tokens.text("refresh_token"), &[&first]).await;
    assert_eq!(house.verify(one.text("access_token")).aud.0, [first.as_str()]);
    // The grant stays what it was, and never grows.
    let both = refresh(one.text("refresh_token"), &[]).await;
    assert_eq!(house.verify(both.text("access_token")).aud.0, [first.as_str(), second.as_str()]);
    let more = refresh(both.text("refresh_token"), &[&first, "https://evil.example/"]).await;
    assert_eq!(more.error(), (400, "invalid_target"));
    // At the redemption too.
    let code = house.code_for(&request).await;
    let form = [&redemption(&code)[..], &[("resource", first.as_str())]].concat();
    let narrow = house.post("/token", &form).await;
    assert_eq!(house.verify(narrow.text("access_token")).aud.0, [first.as_str()]);
}
