//! What opens something at one tenant opens nothing at another, and a route names its own.

use hallpass_testkit::person::Person;
use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use super::{DEVICE, SECRET, TENANTS, Tenants, others};
use crate::program::said;

/// A line says whose server it was, and of a host that is one tenant's alone whose page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_log_says_which_tenant_it_is_about() {
    let mut house = Tenants::start().await;
    for tenant in TENANTS {
        let token = house.token(tenant).await;
        assert_eq!(house.call(tenant, &token).await, 200);
    }
    let evil = house.get(&format!("http://evil.localhost:{}/token", house.port)).await;
    assert_eq!(evil.status(), StatusCode::FORBIDDEN);
    assert_eq!(house.serving.signal_and_wait(), Some(0));
    let log = std::fs::read_to_string(house.data.path().join("access.log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |line: &Value| (line["tenant"].clone(), line["path"].clone(), line["server"].clone());
    let mut expected = Vec::new();
    for tenant in TENANTS {
        // Below a path of a host that all have, the path says it.
        let (page, base) = match tenant {
            "hooli" => (Value::Null, "/t/hooli"),
            _ => (json!(tenant), ""),
        };
        expected.push((page, json!(format!("{base}/token")), Value::Null));
        expected.push((json!(tenant), json!(format!("{base}/notes/mcp")), json!(house.endpoint(tenant))));
    }
    expected.push((Value::Null, json!("/token"), Value::Null));
    assert_eq!(lines.iter().map(named).collect::<Vec<_>>(), expected);
}

/// What stands at a route is about that route's tenant, whatever else a request says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_names_the_issuer_of_its_route() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        let (issuer, endpoint) = (house.issuer(tenant), house.endpoint(tenant));
        let url = url::Url::parse(&issuer).unwrap();
        let (origin, base) =
            (url.origin().ascii_serialization(), url.path().trim_end_matches('/').to_owned());
        let mut places = vec![
            format!("{origin}/.well-known/oauth-authorization-server{base}"),
            format!("{origin}/.well-known/openid-configuration{base}"),
        ];
        if !base.is_empty() {
            places.push(format!("{issuer}/.well-known/openid-configuration"));
        }
        for place in places {
            let said = house.json(&place).await;
            assert_eq!(said["issuer"], issuer.as_str(), "{place}");
            for member in ["authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"] {
                let url = said[member].as_str().unwrap();
                assert!(url.starts_with(&format!("{issuer}/")), "{place}: {url}");
            }
        }
        let metadata = format!("{origin}/.well-known/oauth-protected-resource{base}/notes/mcp");
        let answer = house.request(reqwest::Method::POST, &endpoint).body("{}").send().await.unwrap();
        let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
        let said = house.json(&metadata).await;
        assert_eq!((&said["resource"], &said["authorization_servers"]), (&json!(endpoint), &json!([issuer])));
        // Another tenant's name in a field that a stranger writes.
        for field in ["x-forwarded-host", "forwarded", "x-original-host"] {
            let request = house.request(reqwest::Method::GET, &metadata);
            let said: Value =
                request.header(field, "host=globex.localhost").send().await.unwrap().json().await.unwrap();
            assert_eq!(said["resource"], endpoint.as_str());
        }
    }
    // A host that is no tenant's, and the root above tenants, which is nobody's.
    let port = house.port;
    let evil =
        house.get(&format!("http://evil.localhost:{port}/.well-known/oauth-authorization-server")).await;
    assert_eq!(evil.status(), StatusCode::FORBIDDEN);
    for document in ["oauth-authorization-server", "openid-configuration", "oauth-protected-resource"] {
        let answer = house.get(&format!("http://localhost:{port}/.well-known/{document}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{document}");
    }
    // A tenant's path at another tenant's host, and the other way round.
    for url in [
        format!("http://acme.localhost:{port}/t/hooli/jwks"),
        format!("http://localhost:{port}/notes/mcp"),
        format!("http://localhost:{port}/jwks"),
        format!("http://localhost:{port}/t/acme/jwks"),
    ] {
        assert_eq!(house.get(&url).await.status(), StatusCode::NOT_FOUND, "{url}");
    }
    let keys = |tenant: &str| format!("{}/jwks", house.issuer(tenant));
    let [acme, globex, hooli] = [
        house.json(&keys("acme")).await,
        house.json(&keys("globex")).await,
        house.json(&keys("hooli")).await,
    ];
    assert!(acme != globex && globex != hooli && hooli != acme, "each has keys of its own");
}

/// What is nowhere says what there is of that tenant, and nothing of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_other_tenants() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        for path in ["", "/", "/nowhere", "/Account/"] {
            let url = format!("{}{path}", house.issuer(tenant));
            let text = house.get(&url).await.text().await.unwrap();
            assert!(text.contains(&house.issuer(tenant)), "{url}: {text}");
            for other in others(tenant) {
                assert!(!text.contains(other), "{url}: {text}");
            }
        }
    }
    for path in ["/", "/nowhere", "/t", "/t/acme", "/t/hool"] {
        let text = house.get(&format!("http://localhost:{}{path}", house.port)).await.text().await.unwrap();
        assert!(!text.contains("notes/mcp"), "{path}: {text}");
    }
}

/// Never-again 26, between tenants: whatever opens something at one opens nothing at another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_good_at_its_own_tenant_alone() {
    let house = Tenants::start().await;
    let mut credentials = Vec::new();
    for tenant in TENANTS {
        credentials.push((tenant, house.token(tenant).await));
        let key = said(
            &house.command(&["key", "add", "ci", "--server", "notes", "--scope", "read", "--tenant", tenant]),
        );
        credentials.push((tenant, key.trim().to_owned()));
        let (status, tokens) = house.redeem(tenant, &house.code(tenant, &Person::new()).await).await;
        assert_eq!(status, 200, "{tokens}");
        credentials.push((tenant, tokens["access_token"].as_str().unwrap().to_owned()));
    }
    // A key is known within a second.
    for (tenant, credential) in &credentials {
        while house.call(tenant, credential).await != 200 {}
    }
    for (of, credential) in &credentials {
        for at in TENANTS.iter().chain(&TENANTS) {
            let expected = if at == of { 200 } else { 401 };
            assert_eq!(house.call(at, credential).await, expected, "of {of} at {at}");
        }
    }
    // Each is of its tenant, and told apart from its namesakes.
    let subjects: std::collections::HashSet<_> = house
        .upstream
        .received()
        .iter()
        .map(|request| request.headers["x-hallpass-subject"].to_str().unwrap().to_owned())
        .collect();
    assert!(
        subjects.contains("acme/key#ci") && subjects.contains(&format!("{}#robot", house.issuer("hooli"))),
        "{subjects:?}"
    );
}

/// Codes, refresh tokens and device codes are redeemed where they were given, and nowhere else; trying does not use them up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_of_its_own_tenant() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        let code = house.code(tenant, &Person::new()).await;
        for other in others(tenant) {
            let (status, answer) = house.redeem(other, &code).await;
            assert_eq!(
                (status, &answer["error"]),
                (400, &json!("invalid_grant")),
                "the code of {tenant} at {other}"
            );
        }
        let (status, tokens) = house.redeem(tenant, &code).await;
        assert_eq!(status, 200, "{tokens}");
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let form = [("grant_type", "refresh_token"), ("client_id", "ide"), ("refresh_token", refresh)];
        let access = tokens["access_token"].as_str().unwrap();
        let asked = [("client_id", "robot"), ("client_secret", SECRET), ("token", access)];
        for other in others(tenant) {
            let (status, answer) = house.post(other, "/token", &form).await;
            assert_eq!(
                (status, &answer["error"]),
                (400, &json!("invalid_grant")),
                "the grant of {tenant} at {other}"
            );
            let (_, answer) = house.post(other, "/introspect", &asked).await;
            assert_eq!(answer, json!({"active": false}), "the token of {tenant} at {other}");
            // Revoking it there ends nothing here.
            house.post(other, "/revoke", &[("client_id", "ide"), ("token", refresh)]).await;
            house.post(other, "/revoke", &[("client_id", "ide"), ("token", access)]).await;
        }
        assert_eq!(house.call(tenant, access).await, 200);
        assert_eq!(house.post(tenant, "/token", &form).await.0, 200);

        let (_, device) = house.post(tenant, "/device_authorization", &[("client_id", "ide")]).await;
        let device_code = device["device_code"].as_str().unwrap();
        let form = [("grant_type", DEVICE), ("client_id", "ide"), ("device_code", device_code)];
        let user_code = device["user_code"].as_str().unwrap();
        for other in others(tenant) {
            let (_, answer) = house.post(other, "/token", &form).await;
            assert_eq!(answer["error"], "invalid_grant", "the device of {tenant} at {other}");
            let page =
                Person::new().open(&format!("{}/device?user_code={user_code}", house.issuer(other))).await;
            assert!(!page.text().contains(&format!("notes of {tenant}")));
        }
        let (_, answer) = house.post(tenant, "/token", &form).await;
        assert_eq!(answer["error"], "authorization_pending");
    }
}
