//! `/token` with assertions of trusted issuers (RFC 7523 §2.1).

use crate::harness;
use hallpass_authorization_server::{
    AssertionKind, AssertionRule, IssuerKeys, NewClient, Settings, TrustedIssuer,
};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use harness::{Answer, House};
use serde_json::{Value, json};

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(crate) const IDP: &str = "https://idp.example";
pub(crate) const CLOUD: &str = "https://cloud.example";

/// A server that trusts two issuers, and their keys.
pub(crate) struct Trust {
    pub(crate) house: House,
    pub(crate) idp: SigningKey,
    pub(crate) cloud: SigningKey,
}

async fn trust() -> Trust {
    trust_with(|_| {}).await
}

/// The company's issuer is the first.
pub(crate) async fn trust_with(change: impl FnOnce(&mut Settings)) -> Trust {
    let (idp, cloud) = (SigningKey::generate_es256().unwrap(), SigningKey::generate_es256().unwrap());
    let rule = |client_id: &str, subject: &str, claims: &[(&str, &str)]| AssertionRule {
        client_id: client_id.to_owned(),
        subject: subject.to_owned(),
        claims: claims.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        resources: None,
        scopes: ScopeSet::parse("notes:read").unwrap(),
    };
    let trusted = |issuer: &str, key: &SigningKey, kind, rule| TrustedIssuer {
        issuer: Issuer::parse(issuer).unwrap(),
        keys: IssuerKeys::Value(JwkSet { keys: vec![key.public_jwk()] }),
        kind,
        audience: None,
        logout_audience: None,
        signals_audience: None,
        accounts: None,
        once: true,
        rules: vec![rule],
    };
    let issuers = vec![
        trusted(IDP, &idp, AssertionKind::IdJag, rule("app", "*", &[])),
        trusted(CLOUD, &cloud, AssertionKind::Workload, rule("robot", "repo:us/*", &[("ref", "main")])),
    ];
    let house = House::furnished_with(|settings| {
        settings.trusted_issuers = issuers;
        change(settings);
    })
    .await;
    for (id, secret) in [("app", Some("s")), ("robot", None), ("other", Some("s"))] {
        let id = if id == "other" { "other-app" } else { id };
        let client = NewClient {
            id: id.to_owned(),
            secret: secret.map(Secret::new),
            grant_types: vec![JWT_BEARER.to_owned()],
            ..NewClient::default()
        };
        house.server.clients().add(client).await.unwrap();
    }
    Trust { house, idp, cloud }
}

impl Trust {
    pub(crate) fn id_jag(&self, jti: &str) -> Value {
        let now = self.house.clock.now().unix();
        json!({
            "iss": IDP, "sub": "alice", "aud": self.house.issuer, "client_id": "app", "jti": jti,
            "iat": now, "exp": now + 300, "scope": "notes:read", "resource": self.house.resource(),
        })
    }

    pub(crate) fn workload(&self, jti: &str) -> Value {
        let now = self.house.clock.now().unix();
        json!({
            "iss": CLOUD, "sub": "repo:us/tool", "aud": self.house.issuer, "jti": jti, "iat": now,
            "exp": now + 300, "ref": "main",
        })
    }

    pub(crate) async fn ask(&self, client: &str, assertion: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", JWT_BEARER), ("client_id", client), ("assertion", assertion)];
        if client != "robot" {
            form.push(("client_secret", "s"));
        }
        form.extend(more);
        self.house.post("/token", &form).await
    }

    pub(crate) async fn present(&self, claims: &Value) -> Answer {
        self.ask("app", &self.idp.sign("oauth-id-jag+jwt", claims).unwrap(), &[]).await
    }

    pub(crate) async fn work(&self, claims: &Value) -> Answer {
        self.ask("robot", &self.cloud.sign("JWT", claims).unwrap(), &[]).await
    }
}

#[tokio::test]
async fn a_company_says_who_may_use_which_client() {
    let trust = trust().await;
    let tokens = trust.present(&trust.id_jag("1")).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(tokens.json.get("refresh_token"), None);
    let claims = trust.house.verify(tokens.text("access_token"));
    assert_eq!(claims.sub, format!("{IDP}#alice"), "no other issuer's alice, and nobody of this server");
    assert_eq!(
        (claims.client_id.as_str(), claims.scope.unwrap().to_string()),
        ("app", "notes:read".to_owned())
    );
    let metadata = trust.house.http.get(trust.house.url("/.well-known/oauth-authorization-server"));
    let metadata = trust.house.send(metadata).await;
    assert!(metadata.json["grant_types_supported"].as_array().unwrap().contains(&json!(JWT_BEARER)));
}

#[tokio::test]
async fn a_workload_shows_its_identity() {
    let trust = trust().await;
    let tokens = trust.work(&trust.workload("1")).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(trust.house.verify(tokens.text("access_token")).client_id, "robot");
}

#[tokio::test]
async fn an_assertion_counts_once() {
    let trust = trust().await;
    assert_eq!(trust.present(&trust.id_jag("1")).await.status, 200);
    assert_eq!(trust.present(&trust.id_jag("1")).await.error(), (400, "invalid_grant"));
    assert_eq!(trust.work(&trust.workload("1")).await.status, 200, "another issuer's id is another id");
}

#[tokio::test]
async fn each_single_fault_refuses_and_uses_up_nothing() {
    let trust = trust().await;
    let issuer = trust.house.issuer.clone();
    let now = trust.house.clock.now().unix();
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!(CLOUD)),
        ("aud", json!("https://other.example")),
        ("aud", json!([issuer, "https://other.example"])),
        ("aud", json!(format!("{issuer}/token"))),
        ("client_id", json!("other-app")),
        ("client_id", json!(null)),
        ("exp", json!(now - 30)),
        ("exp", json!(now + 90_000)),
        ("exp", json!(null)),
        ("iat", json!(now + 31)),
        ("jti", json!(null)),
        ("sub", json!("")),
    ] {
        let mut claims = trust.id_jag("once");
        claims[name] = value.clone();
        assert_eq!(trust.present(&claims).await.error(), (400, "invalid_grant"), "{name}: {value}");
    }
    let good = trust.id_jag("once");
    for typ in ["JWT", "at+jwt", "dpop+jwt"] {
        let other = trust.ask("app", &trust.idp.sign(typ, &good).unwrap(), &[]).await;
        assert_eq!(other.error(), (400, "invalid_grant"), "{typ}");
    }
    let forged = trust.ask("app", &trust.cloud.sign("oauth-id-jag+jwt", &good).unwrap(), &[]).await;
    assert_eq!(forged.error(), (400, "invalid_grant"));
    let other = trust.ask("other-app", &trust.idp.sign("oauth-id-jag+jwt", &good).unwrap(), &[]).await;
    assert_eq!(other.error(), (400, "invalid_grant"), "another client has no use for it");
    assert_eq!(trust.present(&good).await.status, 200);
}

#[tokio::test]
async fn what_no_rule_lists_is_refused() {
    let trust = trust().await;
    for (name, value) in
        [("sub", "repo:them/tool"), ("sub", "repo:us"), ("ref", "branch"), ("ref", "main2"), ("ref", "")]
    {
        let mut claims = trust.workload("once");
        claims[name] = json!(value);
        assert_eq!(trust.work(&claims).await.error(), (400, "invalid_grant"), "{name}={value}");
    }
    let good = trust.cloud.sign("JWT", &trust.workload("once")).unwrap();
    let wide = trust.ask("robot", &good, &[("scope", "notes:write")]).await;
    assert_eq!(wide.error(), (400, "invalid_scope"));
    let unknown = trust.ask("robot", &good, &[("resource", "https://evil.example/")]).await;
    assert_eq!(unknown.error(), (400, "invalid_target"));
    assert_eq!(trust.ask("robot", &good, &[]).await.text("scope"), "notes:read");
    // Beyond what the assertion itself says.
    let second = format!("{}/second", trust.house.issuer);
    let id_jag = trust.idp.sign("oauth-id-jag+jwt", &trust.id_jag("1")).unwrap();
    let elsewhere = trust.ask("app", &id_jag, &[("resource", &second)]).await;
    assert_eq!(elsewhere.error(), (400, "invalid_target"));
}

// Row 24 of never-again.
#[tokio::test]
async fn an_issuer_that_is_switched_off_mints_nothing_and_its_tokens_end() {
    let trust = trust().await;
    let before = trust.present(&trust.id_jag("1")).await;
    let others = trust.work(&trust.workload("1")).await;
    let issuers = trust.house.store().await.trusted_issuers();
    assert!(issuers.disable(IDP).await.unwrap());
    trust.house.server.keep_house().await.unwrap();
    assert!(trust.house.is_revoked(before.text("access_token")));
    assert!(!trust.house.is_revoked(others.text("access_token")));
    assert_eq!(trust.present(&trust.id_jag("2")).await.error(), (400, "invalid_grant"));
    assert!(issuers.enable(IDP).await.unwrap());
    let after = trust.present(&trust.id_jag("2")).await;
    assert!(trust.house.is_revoked(before.text("access_token")), "what was before stays dead");
    assert!(!trust.house.is_revoked(after.text("access_token")));
    // The client that presents it, too.
    assert!(trust.house.server.clients().disable("app").await.unwrap());
    assert!(trust.house.is_revoked(after.text("access_token")));
    assert!(!issuers.disable("https://evil.example").await.unwrap());
}

#[tokio::test]
async fn without_a_trusted_issuer_there_is_no_such_grant() {
    let house = House::furnished().await;
    let form = [("grant_type", JWT_BEARER), ("client_id", harness::NATIVE), ("assertion", "a.b.c")];
    assert_eq!(house.post("/token", &form).await.error(), (400, "unsupported_grant_type"));
}
