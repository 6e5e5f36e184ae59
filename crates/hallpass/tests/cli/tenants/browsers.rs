//! Registrations, browsers, proofs and sessions of one tenant are nothing at another.

use hallpass_protocol::Secret;
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use hallpass_testkit::person::{Cookie, Page, Person};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{CALLBACK, SECRET, TENANTS, Tenants, others};
use crate::program::said;

/// A client that has registered itself with one tenant is nobody at the others, and manages nothing there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_is_of_its_own_tenant() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        let body =
            json!({"redirect_uris": [CALLBACK], "client_name": "app", "token_endpoint_auth_method": "none"});
        let register = house.request(reqwest::Method::POST, &format!("{}/register", house.issuer(tenant)));
        let client: Value = register.json(&body).send().await.unwrap().json().await.unwrap();
        let (uri, token) = (
            client["registration_client_uri"].as_str().unwrap(),
            client["registration_access_token"].as_str().unwrap(),
        );
        assert!(uri.starts_with(&house.issuer(tenant)), "{uri}");
        let read = async |uri: &str| {
            house.request(reqwest::Method::GET, uri).bearer_auth(token).send().await.unwrap().status()
        };
        assert_eq!(read(uri).await, StatusCode::OK);
        for other in others(tenant) {
            let there = uri.replace(&house.issuer(tenant), &house.issuer(other));
            assert_eq!(read(&there).await, StatusCode::UNAUTHORIZED, "{there}");
            let id = client["client_id"].as_str().unwrap();
            let url = format!(
                "{}/authorize?response_type=code&client_id={id}&redirect_uri={CALLBACK}",
                house.issuer(other)
            );
            let answer = house.get(&url).await;
            assert!(answer.status().is_client_error(), "{}", answer.status());
        }
    }
}

/// Who provisions one tenant's users knows of no other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisioning_token_is_of_its_own_tenant() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        let token = said(&house.command(&["scim", "token", "issue", "--tenant", tenant]));
        for at in TENANTS {
            let url = format!("{}/scim/v2/Users", house.issuer(at));
            let asked = house.request(reqwest::Method::GET, &url).bearer_auth(token.trim());
            let expected = if at == tenant { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!(asked.send().await.unwrap().status(), expected, "{tenant} at {at}");
        }
    }
}

/// Whoever is logged in at one tenant is asked for a password at the next, even where both are at one host, and whoever runs
/// one runs no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_logged_in_at_one_tenant() {
    let house = Tenants::start().await;
    let person = Person::new();
    house.code("acme", &person).await;
    let asks_for_a_password = |page: &Page| page.form().fields().iter().any(|(name, _)| name == "username");
    assert!(!asks_for_a_password(&house.authorize("acme", &person).await), "logged in");
    for other in ["globex", "hooli"] {
        assert!(asks_for_a_password(&house.authorize(other, &person).await), "{other}");
    }
    let admin = person.open(&format!("{}/admin", house.issuer("acme"))).await;
    assert!(admin.text().contains("ada"), "{}", admin.text());
    for other in ["globex", "hooli"] {
        house.code(other, &person).await;
        let page = person.open(&format!("{}/admin", house.issuer(other))).await;
        assert_eq!(page.status(), StatusCode::FORBIDDEN, "{other}: {}", page.text());
    }
    // The very cookie, under the name that it has there.
    let login = |tenant: &str| format!("{}/account", house.issuer(tenant));
    let session = |tenant: &str| {
        let port = house.port;
        match tenant {
            "hooli" => format!("hallpass-session-{port}+t+hooli"),
            _ => format!("hallpass-session-{port}"),
        }
    };
    let of_acme = |cookie: &Cookie| cookie.host == "acme.localhost" && cookie.name == session("acme");
    let cookie = person.cookies().into_iter().find(of_acme).unwrap().value;
    for tenant in TENANTS {
        let request = house.request(reqwest::Method::GET, &login(tenant));
        let answer = request.header("cookie", format!("{}={cookie}", session(tenant))).send().await.unwrap();
        let is_in = answer.status() == StatusCode::OK;
        assert_eq!(is_in, tenant == "acme", "{tenant}: {}", answer.status());
    }
}

/// A proof that is good at one tenant's token endpoint is for no other's, and so is the token that it binds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_for_one_tenant() {
    let house = Tenants::start().await;
    let (holder, now) = (SigningKey::generate_es256().unwrap(), std::time::SystemTime::now().into());
    let method = reqwest::Method::POST;
    let proof = |url: &str, token: Option<&Secret>, jti: &str| {
        let url = url.parse().unwrap();
        Proof { method: &method, url: &url, access_token: token, nonce: None, jti, now }
            .sign(&holder)
            .unwrap()
    };
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
    for tenant in TENANTS {
        let endpoint = format!("{}/token", house.issuer(tenant));
        let ask = async |at: &str, proof: String| {
            let request = house.request(reqwest::Method::POST, at).form(&form).header("dpop", proof);
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };
        for other in others(tenant) {
            let (status, _) =
                ask(&format!("{}/token", house.issuer(other)), proof(&endpoint, None, other)).await;
            assert_eq!(status, 400, "{tenant} at {other}");
        }
        let (status, tokens) = ask(&endpoint, proof(&endpoint, None, "own")).await;
        assert_eq!(status, 200, "{tokens}");
        let token = Secret::new(tokens["access_token"].as_str().unwrap());
        for at in TENANTS {
            let endpoint = house.endpoint(at);
            let shown = proof(&endpoint, Some(&token), at);
            let request = house.request(reqwest::Method::POST, &endpoint).header("dpop", shown).body("{}");
            let request = request.header("authorization", format!("DPoP {}", token.expose()));
            let status = request.send().await.unwrap().status();
            let expected = if at == tenant { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!(status, expected, "{tenant} at {at}");
        }
    }
}

/// A session of the server behind is its caller's: who has the same name at another tenant does not get into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namesakes_do_not_share_a_session() {
    let house = Tenants::start().await;
    let [acme, globex] = [house.token("acme").await, house.token("globex").await];
    let answer = http::Response::builder().header("mcp-session-id", "s3ss10n").body("{}".into()).unwrap();
    house.upstream.answer(answer);
    assert_eq!(house.call("acme", &acme).await, 200);
    let within = async |tenant: &str, token: &str| {
        let request = house.request(reqwest::Method::POST, &house.endpoint(tenant)).bearer_auth(token);
        let request = request.header("content-type", "application/json").header("mcp-session-id", "s3ss10n");
        request.body("{}").send().await.unwrap().status().as_u16()
    };
    assert_eq!(within("globex", &globex).await, 404);
    assert_eq!(within("acme", &acme).await, 200);
}
