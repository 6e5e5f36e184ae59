//! `/backchannel_logout` (OpenID Connect Back-Channel Logout 1.0).

use crate::assertions::{CLOUD, IDP, Trust, trust_with};
use crate::harness;
use hallpass_authorization_server::AccountLinking;
use harness::{Answer, NATIVE, USER};
use serde_json::{Value, json};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A company that says who has logged out, and of which Ada is.
async fn company() -> Trust {
    let linking = AccountLinking { email_domains: vec!["example.com".to_owned()], create: true };
    trust_with(|settings| {
        settings.trusted_issuers[0].accounts = Some(linking);
        settings.trusted_issuers[0].logout_audience = Some("hallpass-there".to_owned());
    })
    .await
}

impl Trust {
    fn logout(&self, jti: &str, subject: &str) -> Value {
        let now = self.house.clock.now().unix();
        json!({
            "iss": IDP, "sub": subject, "aud": "hallpass-there", "iat": now, "exp": now + 120, "jti": jti,
            "events": { EVENT: {} },
        })
    }

    /// As a login at the company has done it: this user is its `ada`.
    async fn link(&self, user_id: &str) {
        let insert = format!(
            "INSERT INTO identities (id, issuer, subject, user_id, linked_at)
             VALUES ('i', '{IDP}', 'ada', '{user_id}', 1)"
        );
        self.house.sql(insert.leak()).await;
    }

    async fn tell(&self, typ: &str, claims: &Value) -> Answer {
        let token = self.idp.sign(typ, claims).unwrap();
        self.house.post("/backchannel_logout", &[("logout_token", &token)]).await
    }
}

#[tokio::test]
async fn a_logout_there_ends_the_login_here() {
    let trust = company().await;
    // Ada's account, by her word-of-the-company identity.
    let house = &trust.house;
    let tokens = house.tokens().await;
    let ada = house.verify(tokens.text("access_token")).sub;
    let code = house.code().await;
    trust.link(&ada).await;
    let mut claims = trust.id_jag("1");
    claims["sub"] = json!("ada");
    let vouched = trust.present(&claims).await;
    let other = trust.present(&trust.id_jag("2")).await;
    assert!(house.number("SELECT COUNT(*) FROM sessions").await > 0);
    assert_eq!(trust.tell("logout+jwt", &trust.logout("1", "ada")).await.status, 200);
    assert_eq!(house.number("SELECT COUNT(*) FROM sessions").await, 0);
    assert!(house.is_revoked(tokens.text("access_token")) && house.is_revoked(vouched.text("access_token")));
    assert!(!house.is_revoked(other.text("access_token")), "somebody else's");
    assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"));
    let refresh = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refresh.error(), (400, "invalid_grant"));
    // Whoever logs in again is in again; the account is not disabled.
    claims["jti"] = json!("3");
    let again = trust.present(&claims).await;
    assert!(!house.is_revoked(again.text("access_token")));
    assert_eq!(house.tokens().await.status, 200);
    // Nobody here: nothing to do, and nobody is told.
    assert_eq!(trust.tell("JWT", &trust.logout("2", "nobody")).await.status, 200);
}

#[tokio::test]
async fn what_was_granted_to_outlast_a_login_outlasts_it() {
    let trust = company().await;
    let house = &trust.house;
    let mut request = house.request();
    harness::set(&mut request, "scope", "notes:read offline_access");
    let tokens = house.redeem(&house.code_for(&request).await).await;
    let ada = house.verify(tokens.text("access_token")).sub;
    trust.link(&ada).await;
    assert_eq!(trust.tell("logout+jwt", &trust.logout("1", "ada")).await.status, 200);
    assert_eq!(house.number("SELECT COUNT(*) FROM sessions").await, 0);
    assert_eq!(house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
}

/// A subject of another tenant of the same issuer is somebody else, where the token says which; else it is whoever has the name.
#[tokio::test]
async fn a_logout_ends_the_login_of_a_person_of_a_tenant_of_the_issuer() {
    let trust = company().await;
    let of = async |jti: &str, tenant: &str| {
        let mut claims = trust.id_jag(jti);
        claims["tenant"] = json!(tenant);
        trust.present(&claims).await.text("access_token").to_owned()
    };
    let (eu, us) = (of("1", "eu").await, of("2", "us").await);
    let mut logout = trust.logout("1", "alice");
    logout["tenant"] = json!("eu");
    assert_eq!(trust.tell("logout+jwt", &logout).await.status, 200);
    assert!(trust.house.is_revoked(&eu) && !trust.house.is_revoked(&us));
    let eu = of("3", "eu").await;
    assert_eq!(trust.tell("logout+jwt", &trust.logout("2", "bob")).await.status, 200);
    assert!(!trust.house.is_revoked(&eu) && !trust.house.is_revoked(&us));
    assert_eq!(trust.tell("logout+jwt", &trust.logout("3", "alice")).await.status, 200);
    assert!(trust.house.is_revoked(&eu) && trust.house.is_revoked(&us));
}

#[tokio::test]
async fn a_logout_that_could_not_be_done_may_be_sent_again() {
    let trust = company().await;
    let vouched = trust.present(&trust.id_jag("1")).await;
    let logout = trust.logout("1", "alice");
    trust.house.sql("ALTER TABLE half_logins RENAME TO gone").await;
    assert_eq!(trust.tell("logout+jwt", &logout).await.error(), (503, "temporarily_unavailable"));
    assert!(!trust.house.is_revoked(vouched.text("access_token")));
    trust.house.sql("ALTER TABLE gone RENAME TO half_logins").await;
    assert_eq!(trust.tell("logout+jwt", &logout).await.status, 200);
    assert!(trust.house.is_revoked(vouched.text("access_token")));
    assert_eq!(trust.tell("logout+jwt", &logout).await.error(), (400, "invalid_request"), "used before");
}

#[tokio::test]
async fn each_single_fault_ends_nothing_and_uses_up_nothing() {
    let trust = company().await;
    let vouched = trust.present(&trust.id_jag("1")).await;
    let now = trust.house.clock.now().unix();
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!(CLOUD)),
        ("aud", json!("another-client")),
        ("aud", json!(["hallpass-there", "another-client"])),
        ("aud", json!(null)),
        ("sub", json!(null)),
        ("exp", json!(now - 30)),
        ("exp", json!(now + 7_200)),
        ("exp", json!(null)),
        ("iat", json!(now + 31)),
        ("jti", json!(null)),
        ("sid", json!(7)),
        ("tenant", json!("")),
        ("nonce", json!("n")),
        ("events", json!(null)),
        ("events", json!({})),
        ("events", json!({ EVENT: true })),
        ("events", json!([EVENT])),
        ("events", json!({ "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} })),
    ] {
        let mut claims = trust.logout("once", "alice");
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            ref value => claims[name] = value.clone(),
        }
        assert_eq!(
            trust.tell("logout+jwt", &claims).await.error(),
            (400, "invalid_request"),
            "{name}: {value}"
        );
    }
    let good = trust.logout("once", "alice");
    for typ in ["at+jwt", "oauth-id-jag+jwt", "dpop+jwt"] {
        assert_eq!(trust.tell(typ, &good).await.error(), (400, "invalid_request"), "{typ}");
    }
    let forged = trust.cloud.sign("logout+jwt", &good).unwrap();
    for form in
        [&[("logout_token", forged.as_str())][..], &[("logout_token", "a.b.c")], &[("token", "x")], &[]]
    {
        assert_eq!(trust.house.post("/backchannel_logout", form).await.error(), (400, "invalid_request"));
    }
    assert!(!trust.house.is_revoked(vouched.text("access_token")));
    assert_eq!(trust.tell("logout+jwt", &good).await.status, 200);
    assert!(trust.house.is_revoked(vouched.text("access_token")));
    let after = trust.present(&trust.id_jag("2")).await;
    assert_eq!(trust.tell("logout+jwt", &good).await.error(), (400, "invalid_request"), "used before");
    assert!(!trust.house.is_revoked(after.text("access_token")));
    // An issuer that is switched off, and one whose logouts nobody has asked for.
    assert!(trust.house.store().await.trusted_issuers().disable(IDP).await.unwrap());
    assert_eq!(trust.tell("logout+jwt", &trust.logout("3", USER)).await.error(), (400, "invalid_request"));
}
