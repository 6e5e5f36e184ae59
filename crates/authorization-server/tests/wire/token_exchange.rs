//! `/token` with token exchange (RFC 8693).

use crate::harness;
use hallpass_authorization_server::{ExchangeRule, NewClient};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use harness::{Answer, House, NATIVE, claims, set};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A server at which `backend` may exchange tokens for the first resource for ones for the second, to read.
async fn house() -> House {
    let house = House::furnished_with(|settings| {
        let issuer = settings.issuer.as_str();
        settings.exchange = vec![ExchangeRule {
            client_id: "backend".to_owned(),
            from: format!("{issuer}/mcp"),
            to: format!("{issuer}/second"),
            scopes: ScopeSet::parse("notes:read").unwrap(),
        }];
    })
    .await;
    for id in ["backend", "stranger"] {
        let client = NewClient {
            id: id.to_owned(),
            secret: Some(Secret::new("s")),
            grant_types: vec![GRANT.to_owned()],
            ..NewClient::default()
        };
        house.server.clients().add(client).await.unwrap();
    }
    house
}

async fn ask(house: &House, client: &str, token: &str, resource: &str, scope: &str) -> Answer {
    let mut form = vec![
        ("grant_type", GRANT),
        ("client_id", client),
        ("client_secret", "s"),
        ("subject_token", token),
        ("subject_token_type", TYPE),
        ("resource", resource),
    ];
    if !scope.is_empty() {
        form.push(("scope", scope));
    }
    house.post("/token", &form).await
}

#[tokio::test]
async fn what_is_listed_is_exchanged() {
    let house = house().await;
    let shown = house.tokens().await;
    let second = format!("{}/second", house.issuer);
    house.advance(500);
    house.server.keep_house().await.unwrap();
    let tokens = ask(&house, "backend", shown.text("access_token"), &second, "").await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(tokens.text("issued_token_type"), TYPE);
    let (before, after) = (claims(shown.text("access_token")), claims(tokens.text("access_token")));
    assert_eq!((&after["sub"], &after["exp"]), (&before["sub"], &before["exp"]), "no longer than the first");
    assert_eq!(tokens.json["expires_in"], 100);
    assert_eq!((&after["aud"], &after["scope"]), (&second.as_str().into(), &"notes:read".into()));
    assert_eq!((&after["client_id"], &after["act"]["sub"]), (&"backend".into(), &"backend".into()));
    let jti = after["jti"].as_str().unwrap();
    assert!(!house.server.revocations().is_revoked(jti).unwrap());
    // It hangs on the grant of the first.
    house.post("/revoke", &[("client_id", NATIVE), ("token", shown.text("refresh_token"))]).await;
    assert!(house.server.revocations().is_revoked(jti).unwrap());
    let dead = ask(&house, "backend", shown.text("access_token"), &second, "").await;
    assert_eq!(dead.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn it_ends_with_the_token_that_was_shown_and_with_its_client() {
    let house = house().await;
    let second = format!("{}/second", house.issuer);
    for end in ["token", "client"] {
        let shown = house.tokens().await;
        let tokens = ask(&house, "backend", shown.text("access_token"), &second, "").await;
        let jti = claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
        match end {
            "token" => {
                house.post("/revoke", &[("client_id", NATIVE), ("token", shown.text("access_token"))]).await;
            }
            _ => drop(house.server.clients().disable("backend").await.unwrap()),
        }
        assert!(house.server.revocations().is_revoked(&jti).unwrap(), "{end}");
    }
}

/// One token may be exchanged twice, at once: what came of it are two tokens, and each ends by itself, or both with the first.
#[tokio::test]
async fn twins_of_one_exchanged_token_end_each_by_itself() {
    let house = house().await;
    let second = format!("{}/second", house.issuer);
    let shown = house.tokens().await;
    let exchange = || ask(&house, "backend", shown.text("access_token"), &second, "");
    let (one, other) = tokio::join!(exchange(), exchange());
    let id = |tokens: &Answer| claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
    let (first, twin, parent) = (id(&one), id(&other), id(&shown));
    assert_ne!(first, twin);
    let is_revoked = |id: &str| house.server.revocations().is_revoked(id).unwrap();
    let revoke = [("client_id", "backend"), ("client_secret", "s"), ("token", one.text("access_token"))];
    assert_eq!(house.post("/revoke", &revoke).await.status, 200);
    assert!(is_revoked(&first) && !is_revoked(&twin) && !is_revoked(&parent));
    // Nor does a client end what is not its own by what it has of it.
    let foreign = [("client_id", "backend"), ("client_secret", "s"), ("token", shown.text("access_token"))];
    assert_eq!(house.post("/revoke", &foreign).await.status, 200);
    assert!(!is_revoked(&parent) && !is_revoked(&twin));
    house.post("/revoke", &[("client_id", NATIVE), ("token", shown.text("access_token"))]).await;
    assert!(is_revoked(&parent) && is_revoked(&twin));
}

// Row 25 of never-again: client × subject × audience × scope.
#[tokio::test]
async fn everything_else_is_denied() {
    let house = house().await;
    let (first, second) = (house.resource(), format!("{}/second", house.issuer));
    let of_first = house.tokens().await.text("access_token").to_owned();
    let mut request = house.request();
    set(&mut request, "resource", &second);
    let of_second = house.redeem(&house.code_for(&request).await).await.text("access_token").to_owned();
    let mut granted = 0;
    for client in ["backend", "stranger"] {
        for (subject, token) in [("first", &of_first), ("second", &of_second), ("none", &"a.b.c".to_owned())]
        {
            for target in [&first, &second] {
                for scope in ["", "notes:read", "notes:write", "notes:read notes:write"] {
                    let answer = ask(&house, client, token, target, scope).await;
                    let listed = client == "backend" && subject == "first" && *target == second;
                    let listed = listed && ["", "notes:read"].contains(&scope);
                    assert_eq!(answer.status == 200, listed, "{client} {subject} {target} {scope}");
                    assert!(listed || answer.status == 400);
                    granted += usize::from(listed);
                }
            }
        }
    }
    assert_eq!(granted, 2);
}

#[tokio::test]
async fn only_access_tokens_by_those_who_may() {
    let house = house().await;
    let shown = house.tokens().await;
    let second = format!("{}/second", house.issuer);
    let post = async |change: &[(&'static str, &str)]| {
        let mut form: Vec<(&str, &str)> = vec![
            ("grant_type", GRANT),
            ("client_id", "backend"),
            ("client_secret", "s"),
            ("subject_token", shown.text("access_token")),
            ("subject_token_type", TYPE),
            ("resource", &second),
        ];
        for (name, value) in change {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        house.post("/token", &form).await
    };
    assert_eq!(post(&[]).await.status, 200);
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    for change in [
        ("subject_token", ""),
        ("subject_token_type", ""),
        ("subject_token_type", id_token),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("actor_token", "x"),
        ("audience", "x"),
        ("resource", ""),
    ] {
        assert_eq!(post(&[change]).await.error(), (400, "invalid_request"), "{change:?}");
    }
    let refresh = post(&[("subject_token", shown.text("refresh_token"))]).await;
    assert_eq!(refresh.error(), (400, "invalid_grant"));
    let public = post(&[("client_id", NATIVE), ("client_secret", "")]).await;
    assert_eq!(public.error(), (400, "unauthorized_client"));
    let web = post(&[("client_id", harness::WEB), ("client_secret", harness::WEB_SECRET)]).await;
    assert_eq!(web.error(), (400, "unauthorized_client"));
}

#[tokio::test]
async fn a_client_with_scopes_of_its_own_gets_no_other_ones() {
    let house = house().await;
    house.server.clients().remove("backend").await.unwrap();
    let client = NewClient {
        id: "backend".to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: vec![GRANT.to_owned()],
        scopes: Some(ScopeSet::parse("notes:write").unwrap()),
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let shown = house.tokens().await;
    let second = format!("{}/second", house.issuer);
    let listed = ask(&house, "backend", shown.text("access_token"), &second, "notes:read").await;
    assert_eq!(listed.error(), (400, "invalid_scope"));
}

/// A server at which `backend` and `deeper` may exchange tokens in a ring.
async fn ring() -> House {
    let house = House::furnished_with(|settings| {
        let issuer = settings.issuer.as_str().trim_end_matches('/').to_owned();
        let rule = |client_id: &str, from: &str, to: &str| ExchangeRule {
            client_id: client_id.to_owned(),
            from: format!("{issuer}{from}"),
            to: format!("{issuer}{to}"),
            scopes: ScopeSet::parse("notes:read").unwrap(),
        };
        settings.exchange = vec![rule("backend", "/mcp", "/second"), rule("deeper", "/second", "/mcp")];
    })
    .await;
    for id in ["backend", "deeper"] {
        let client = NewClient {
            id: id.to_owned(),
            secret: Some(Secret::new("s")),
            grant_types: vec![GRANT.to_owned()],
            ..NewClient::default()
        };
        house.server.clients().add(client).await.unwrap();
    }
    house
}

#[tokio::test]
async fn whoever_acted_before_stands_within_whoever_acts() {
    let house = ring().await;
    let (first, second) = (house.resource(), format!("{}/second", house.issuer));
    let mut token = house.tokens().await.text("access_token").to_owned();
    let subject = claims(&token)["sub"].clone();
    let mut act = serde_json::Value::Null;
    for round in 0..8 {
        let (client, target) = if round % 2 == 0 { ("backend", &second) } else { ("deeper", &first) };
        let exchanged = ask(&house, client, &token, target, "").await;
        assert_eq!(exchanged.status, 200, "{round}: {:?}", exchanged.json);
        exchanged.text("access_token").clone_into(&mut token);
        let said = claims(&token);
        assert_eq!((&said["act"]["sub"], &said["sub"]), (&client.into(), &subject));
        assert_eq!(said["act"]["act"], act);
        act = said["act"].clone();
    }
    assert_eq!(ask(&house, "backend", &token, &second, "").await.error(), (400, "invalid_request"));
}

// Rows 24 and 32 of never-again: what is disabled mints nothing, and introspection says the same as a resource server.
#[tokio::test]
async fn each_end_of_what_it_hangs_on_ends_it_and_all_that_came_of_it() {
    for end in ["nothing", "user", "app", "actor", "second actor", "first token", "grant"] {
        let house = ring().await;
        let (first, second) = (house.resource(), format!("{}/second", house.issuer));
        let shown = house.tokens().await;
        let once = ask(&house, "backend", shown.text("access_token"), &second, "").await;
        let twice = ask(&house, "deeper", once.text("access_token"), &first, "").await;
        let elsewhere = house.store().await;
        let revoke =
            async |token: &str| drop(house.post("/revoke", &[("client_id", NATIVE), ("token", token)]).await);
        match end {
            "user" => drop(elsewhere.users().disable(harness::USER).await.unwrap()),
            "app" => drop(elsewhere.clients().disable(NATIVE).await.unwrap()),
            "actor" => drop(elsewhere.clients().disable("backend").await.unwrap()),
            "second actor" => drop(elsewhere.clients().disable("deeper").await.unwrap()),
            "first token" => revoke(shown.text("access_token")).await,
            "grant" => revoke(shown.text("refresh_token")).await,
            _ => {}
        }
        let asked = [("client_id", "deeper"), ("client_secret", "s"), ("token", twice.text("access_token"))];
        let told = house.post("/introspect", &asked).await;
        let lives = end == "nothing";
        match end {
            // A client that is switched off learns nothing.
            "second actor" => assert_eq!(told.status, 401),
            _ => assert_eq!(told.json["active"], lives, "{end}"),
        }
        house.server.keep_house().await.unwrap();
        assert_eq!(house.is_revoked(twice.text("access_token")), !lives, "{end}");
        let again = ask(&house, "backend", twice.text("access_token"), &second, "").await;
        assert_eq!(again.status == 200, lives, "{end}: {:?}", again.json);
    }
}
