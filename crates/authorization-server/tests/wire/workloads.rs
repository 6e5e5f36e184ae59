//! `/token` with identities of workloads (MCP extension "workload identity federation").

use crate::assertions::{CLOUD, JWT_BEARER, Trust, trust_with};
use crate::harness;
use hallpass_authorization_server::NewClient;
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

#[tokio::test]
async fn scopes_beyond_the_rule_are_refused_by_name() {
    let trust = trust_with(|_| {}).await;
    let wide = trust.work_alone(&trust.workload("1"), &[("scope", "notes:read notes:write")]).await;
    assert_eq!(wide.error(), (400, "invalid_scope"));
}
