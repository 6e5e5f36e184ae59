//! `/token` with identities of workloads (MCP extension "workload identity federation").

use crate::assertions::{CLOUD, JWT_BEARER, Trust, trust_with};
use crate::harness;
use hallpass_authorization_server::NewClient;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use harness::Answer;
use serde_json::{Value, json};

impl Trust {
    /// As the extension has it: no client.
    async fn work_alone(&self, claims: &Value, more: &[(&str, &str)]) -> Answer {
        let assertion = self.cloud.sign("JWT", claims).unwrap();
        let resource = self.house.resource();
        let mut form =
            vec![("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("resource", &resource)];
        form.extend(more);
        self.house.post("/token", &form).await
    }
}

#[tokio::test]
async fn a_workload_names_no_client() {
    let trust = trust_with(|_| {}).await;
    let tokens = trust.work_alone(&trust.workload("1"), &[]).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    let claims = trust.house.verify(tokens.text("access_token"));
    assert_eq!((claims.client_id.as_str(), claims.sub), ("robot", format!("{CLOUD}#repo:us/tool")));
    let no_rule = (400, "invalid_grant");
    for (name, value, expected) in [
        ("sub", json!("repo:them/tool"), no_rule),
        ("ref", json!("other"), no_rule),
        // Of whom no workloads are known: somebody who should have named a client.
        ("iss", json!("x"), (401, "invalid_client")),
    ] {
        let mut claims = trust.workload("2");
        claims[name] = value;
        let refused = trust.work_alone(&claims, &[]).await;
        assert_eq!(refused.error(), expected, "{name}: {:?}", refused.json);
    }
    // An identity assertion of a person is bound to a client that has shown who it is.
    let person = trust.idp.sign("oauth-id-jag+jwt", &trust.id_jag("3")).unwrap();
    let person =
        trust.house.post("/token", &[("grant_type", JWT_BEARER), ("assertion", person.as_str())]).await;
    assert_eq!(person.error(), (401, "invalid_client"));
    // A signature of somebody else, whatever it says.
    let forged = trust.idp.sign("JWT", &trust.workload("4")).unwrap();
    let forged =
        trust.house.post("/token", &[("grant_type", JWT_BEARER), ("assertion", forged.as_str())]).await;
    assert_eq!(forged.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_client_with_a_secret_shows_it_whoever_names_it() {
    let trust = trust_with(|_| {}).await;
    trust.house.server.clients().remove("robot").await.unwrap();
    let client = NewClient {
        id: "robot".to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: vec![JWT_BEARER.to_owned()],
        ..NewClient::default()
    };
    trust.house.server.clients().add(client).await.unwrap();
    assert_eq!(trust.work_alone(&trust.workload("1"), &[]).await.error(), (401, "invalid_client"));
}

#[tokio::test]
async fn the_audience_is_the_issuer_or_the_token_endpoint() {
    let trust = trust_with(|_| {}).await;
    let issuer = trust.house.issuer.clone();
    let endpoint = format!("{issuer}/token");
    let with = async |jti: &str, audience: Value| {
        let mut claims = trust.workload(jti);
        claims["aud"] = audience;
        trust.work_alone(&claims, &[]).await.status
    };
    assert_eq!(with("1", json!(issuer)).await, 200);
    assert_eq!(with("2", json!(endpoint)).await, 200);
    assert_eq!(with("3", json!([endpoint])).await, 200);
    for other in [
        json!([issuer, endpoint]),
        json!([endpoint, "https://other.example"]),
        json!(format!("{issuer}/")),
        json!(format!("{endpoint}/x")),
        json!(trust.house.resource()),
    ] {
        assert_eq!(with("4", other.clone()).await, 400, "{other}");
    }
}

#[tokio::test]
async fn a_platform_with_names_of_its_own_addresses_us_by_that_name_alone() {
    let named = |settings: &mut hallpass_authorization_server::Settings| {
        settings.trusted_issuers[1].audience = Some("api://hallpass".to_owned());
    };
    let trust = trust_with(named).await;
    let mut claims = trust.workload("1");
    assert_eq!(trust.work_alone(&claims, &[]).await.error(), (400, "invalid_grant"));
    claims["aud"] = json!("api://hallpass");
    assert_eq!(trust.work_alone(&claims, &[]).await.status, 200);
}

#[tokio::test]
async fn a_token_that_is_read_from_a_file_counts_until_it_ends() {
    let trust = trust_with(|settings| settings.trusted_issuers[1].once = false).await;
    let mut claims = trust.workload("1");
    claims.as_object_mut().unwrap().remove("jti");
    for _ in 0..2 {
        assert_eq!(trust.work_alone(&claims, &[]).await.status, 200);
    }
    trust.house.advance(331);
    assert_eq!(trust.work_alone(&claims, &[]).await.error(), (400, "invalid_grant"));
}

/// Whoever has got hold of it, and is a client of its own, is not the client that the rule is about.
#[tokio::test]
async fn a_workload_is_good_for_the_client_of_its_rule_alone() {
    let trust = trust_with(|_| {}).await;
    let assertion = trust.cloud.sign("JWT", &trust.workload("1")).unwrap();
    let other = trust.ask("other-app", &assertion, &[]).await;
    assert_eq!(other.error(), (400, "invalid_grant"), "{:?}", other.json);
    assert_eq!(trust.ask("robot", &assertion, &[]).await.status, 200, "it was not used up");
}

#[tokio::test]
async fn a_client_that_may_not_present_assertions_presents_none() {
    let trust = trust_with(|_| {}).await;
    trust.house.server.clients().remove("robot").await.unwrap();
    let robot = NewClient {
        id: "robot".to_owned(),
        redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
        ..NewClient::default()
    };
    trust.house.server.clients().add(robot).await.unwrap();
    assert_eq!(trust.work(&trust.workload("1")).await.error(), (400, "unauthorized_client"));
}

#[tokio::test]
async fn a_rule_says_for_which_resources() {
    let trust = trust_with(|settings| {
        let own = settings.resources[0].identifier.as_str().to_owned();
        settings.trusted_issuers[1].rules[0].resources = Some(vec![own]);
    })
    .await;
    let second = format!("{}/second", trust.house.issuer);
    let assertion = trust.cloud.sign("JWT", &trust.workload("1")).unwrap();
    let elsewhere = trust.ask("robot", &assertion, &[("resource", &second)]).await;
    assert_eq!(elsewhere.error(), (400, "invalid_target"));
    let own = trust.house.resource();
    assert_eq!(trust.ask("robot", &assertion, &[("resource", &own)]).await.status, 200);
}

#[tokio::test]
async fn what_a_client_may_have_bounds_its_workloads() {
    let trust = trust_with(|settings| {
        settings.trusted_issuers[1].rules[0].scopes = ScopeSet::parse("notes:read notes:write").unwrap();
    })
    .await;
    trust.house.server.clients().remove("robot").await.unwrap();
    let robot = NewClient {
        id: "robot".to_owned(),
        grant_types: vec![JWT_BEARER.to_owned()],
        scopes: Some(ScopeSet::parse("notes:read").unwrap()),
        ..NewClient::default()
    };
    trust.house.server.clients().add(robot).await.unwrap();
    let assertion = trust.cloud.sign("JWT", &trust.workload("1")).unwrap();
    let wide = trust.ask("robot", &assertion, &[("scope", "notes:write")]).await;
    assert_eq!(wide.error(), (400, "invalid_scope"));
    assert_eq!(trust.ask("robot", &assertion, &[("scope", "notes:read")]).await.text("scope"), "notes:read");
}

#[tokio::test]
async fn a_workloads_assertion_lives_a_day_at_most() {
    let trust = trust_with(|_| {}).await;
    let now = trust.house.clock.now().unix();
    for (life, expected) in [(86_401, 400), (86_400, 200)] {
        let mut claims = trust.workload("1");
        claims["exp"] = json!(now + life);
        assert_eq!(trust.work(&claims).await.status, expected, "{life} seconds");
    }
}

#[tokio::test]
async fn scopes_beyond_the_rule_are_refused_by_name() {
    let trust = trust_with(|_| {}).await;
    let wide = trust.work_alone(&trust.workload("1"), &[("scope", "notes:read notes:write")]).await;
    assert_eq!(wide.error(), (400, "invalid_scope"));
}
