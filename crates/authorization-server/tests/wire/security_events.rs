//! `/security_events` (RFC 8935; OpenID CAEP 1.0).

use crate::assertions::{CLOUD, IDP, Trust, trust_with};
use crate::harness;
use hallpass_authorization_server::AccountLinking;
use harness::{Answer, NATIVE};
use serde_json::{Value, json};

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const RECEIVER: &str = "https://receiver.example";

/// A company whose shared signals are taken.
async fn company() -> Trust {
    let linking = AccountLinking { email_domains: vec!["example.com".to_owned()], create: true };
    trust_with(|settings| {
        settings.trusted_issuers[0].accounts = Some(linking);
        settings.trusted_issuers[0].signals_audience = Some(RECEIVER.to_owned());
    })
    .await
}

impl Trust {
    fn event(&self, jti: &str, subject: Value) -> Value {
        json!({
            "iss": IDP, "aud": RECEIVER, "iat": self.house.clock.now().unix(), "jti": jti, "txn": "1",
            "sub_id": subject,
            "events": { SESSION_REVOKED: { "event_timestamp": 1, "initiating_entity": "policy" } },
        })
    }

    async fn push_as(&self, kind: &str, body: String) -> Answer {
        let request = self.house.http.post(self.house.url("/security_events")).header("content-type", kind);
        self.house.send(request.header("accept", "application/json").body(body)).await
    }

    async fn push(&self, claims: &Value) -> Answer {
        let token = self.idp.sign("secevent+jwt", claims).unwrap();
        self.push_as("application/secevent+jwt", token).await
    }
}

fn subject(subject: &str) -> Value {
    json!({ "format": "iss_sub", "iss": IDP, "sub": subject })
}

/// RFC 8935 §2.3.
fn refusal(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.header("content-language"), Some("en"), "{:?}", answer.json);
    assert!(!answer.text("description").is_empty());
    (answer.status, answer.text("err"))
}

#[tokio::test]
async fn a_session_that_was_revoked_there_ends_here() {
    let trust = company().await;
    let house = &trust.house;
    let mut request = house.request();
    harness::set(&mut request, "scope", "notes:read offline_access");
    let tokens = house.redeem(&house.code_for(&request).await).await;
    let ada = house.verify(tokens.text("access_token")).sub;
    let insert = format!(
        "INSERT INTO identities (id, issuer, subject, user_id, linked_at) VALUES ('i', '{IDP}', 'ada', '{ada}', 1)"
    );
    house.sql(insert.leak()).await;
    let other = trust.present(&trust.id_jag("1")).await;
    let event = trust.event("1", subject("ada"));
    let accepted = trust.push(&event).await;
    assert_eq!((accepted.status, &accepted.json), (202, &Value::Null));
    assert_eq!(house.number("SELECT COUNT(*) FROM sessions").await, 0);
    assert!(house.is_revoked(tokens.text("access_token")));
    let refresh = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refresh.error(), (400, "invalid_grant"), "offline_access does not outlast danger");
    assert!(!house.is_revoked(other.text("access_token")), "somebody else's");
    // RFC 8935 §2.2: what came before is as good as the first, and does nothing.
    let again = house.tokens().await;
    assert_eq!(trust.push(&event).await.status, 202);
    assert!(!house.is_revoked(again.text("access_token")));
    let event = trust.event("2", json!({ "format": "complex", "user": subject("ada") }));
    assert_eq!(trust.push(&event).await.status, 202);
    assert!(house.is_revoked(again.text("access_token")));
}

/// A transmitter's queue after an outage, or whoever kept one back.
#[tokio::test]
async fn late_word_ends_nothing_that_began_since() {
    let trust = company().await;
    let house = &trust.house;
    let before = house.tokens().await;
    let ada = house.verify(before.text("access_token")).sub;
    let insert = format!(
        "INSERT INTO identities (id, issuer, subject, user_id, linked_at) VALUES ('i', '{IDP}', 'ada', '{ada}', 1)"
    );
    house.sql(insert.leak()).await;
    let event = trust.event("1", subject("ada"));
    house.advance(3_600);
    let since = house.tokens().await;
    let sessions = house.number("SELECT COUNT(*) FROM sessions").await;
    assert_eq!(trust.push(&event).await.status, 202);
    let refreshed = house.refresh(NATIVE, before.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"), "what was there then is over");
    assert_eq!(house.refresh(NATIVE, since.text("refresh_token")).await.status, 200);
    assert_eq!(house.number("SELECT COUNT(*) FROM sessions").await, sessions - 1);
}

#[tokio::test]
async fn tokens_of_the_companys_word_end_by_subject_and_by_address() {
    let trust = company().await;
    let mut claims = trust.id_jag("1");
    (claims["email"], claims["email_verified"]) = (json!("Alice@example.com"), json!(true));
    let present = async |jti: &str| {
        let mut claims = claims.clone();
        claims["jti"] = json!(jti);
        trust.present(&claims).await.text("access_token").to_owned()
    };
    let first = present("1").await;
    assert_eq!(trust.push(&trust.event("1", subject("alice"))).await.status, 202);
    assert!(trust.house.is_revoked(&first));
    let second = present("2").await;
    assert!(!trust.house.is_revoked(&second));
    let address = |address: &str| json!({ "format": "email", "email": address });
    assert_eq!(trust.push(&trust.event("2", address("bob@example.com"))).await.status, 202);
    assert!(!trust.house.is_revoked(&second));
    assert_eq!(trust.push(&trust.event("3", address("ALICE@Example.com"))).await.status, 202);
    assert!(trust.house.is_revoked(&second));
}

#[tokio::test]
async fn other_events_are_acknowledged_and_do_nothing() {
    let trust = company().await;
    let vouched = trust.present(&trust.id_jag("1")).await;
    let mut event = trust.event("1", json!({ "format": "opaque", "id": "stream" }));
    event["events"] = json!({ VERIFICATION: { "state": "x" } });
    assert_eq!(trust.push(&event).await.status, 202);
    assert_eq!(trust.push(&trust.event("2", subject("nobody"))).await.status, 202);
    assert!(!trust.house.is_revoked(vouched.text("access_token")));
}

#[tokio::test]
async fn each_single_fault_ends_nothing_and_uses_up_nothing() {
    let trust = company().await;
    let vouched = trust.present(&trust.id_jag("1")).await;
    let now = trust.house.clock.now().unix();
    let week = 7 * 24 * 60 * 60;
    for (name, value, err) in [
        ("iss", json!("https://evil.example"), "invalid_issuer"),
        ("iss", json!(CLOUD), "invalid_issuer"),
        ("iss", json!(null), "invalid_issuer"),
        ("aud", json!("https://other.example"), "invalid_audience"),
        ("aud", json!(null), "invalid_audience"),
        ("jti", json!(null), "invalid_request"),
        ("jti", json!(1), "invalid_request"),
        ("iat", json!(null), "invalid_request"),
        ("iat", json!(now + 31), "invalid_request"),
        ("iat", json!(now - week - 1), "invalid_request"),
        ("exp", json!(now - 30), "invalid_request"),
        ("events", json!(null), "invalid_request"),
        ("events", json!({}), "invalid_request"),
        ("events", json!([SESSION_REVOKED]), "invalid_request"),
        ("events", json!({ SESSION_REVOKED: true }), "invalid_request"),
        ("sub_id", json!(null), "invalid_request"),
        ("sub_id", json!("alice"), "invalid_request"),
        ("sub_id", json!({ "format": "did", "url": "did:example:1" }), "invalid_request"),
        ("sub_id", json!({ "format": "iss_sub", "sub": "alice" }), "invalid_request"),
        (
            "sub_id",
            json!({ "format": "complex", "user": { "format": "opaque", "id": "alice" } }),
            "invalid_request",
        ),
        ("sub_id", json!({ "format": "complex", "session": subject("alice") }), "invalid_request"),
        ("sub_id", json!({ "format": "iss_sub", "iss": CLOUD, "sub": "alice" }), "access_denied"),
        ("sub_id", json!({ "format": "email", "email": "alice@evil.example" }), "access_denied"),
        ("sub_id", json!({ "format": "email", "email": "alice" }), "access_denied"),
    ] {
        let mut claims = trust.event("once", subject("alice"));
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            ref value => claims[name] = value.clone(),
        }
        assert_eq!(refusal(&trust.push(&claims).await), (400, err), "{name}: {value}");
    }
    let good = trust.event("once", subject("alice"));
    for typ in ["JWT", "logout+jwt", "at+jwt"] {
        let token = trust.idp.sign(typ, &good).unwrap();
        let answer = trust.push_as("application/secevent+jwt", token).await;
        assert_eq!(refusal(&answer), (400, "invalid_request"), "{typ}");
    }
    let forged = trust.cloud.sign("secevent+jwt", &good).unwrap();
    let token = trust.idp.sign("secevent+jwt", &good).unwrap();
    for (kind, body, err) in [
        ("application/secevent+jwt", forged, "invalid_key"),
        ("application/secevent+jwt", "a.b.c".to_owned(), "invalid_request"),
        ("application/secevent+jwt", String::new(), "invalid_request"),
        ("application/jwt", token.clone(), "invalid_request"),
        ("text/plain", token.clone(), "invalid_request"),
    ] {
        assert_eq!(refusal(&trust.push_as(kind, body).await), (400, err), "{kind}");
    }
    assert!(!trust.house.is_revoked(vouched.text("access_token")));
    let mixed = "Application/SecEvent+JWT; charset=utf-8";
    assert_eq!(trust.push_as(mixed, token).await.status, 202);
    assert!(trust.house.is_revoked(vouched.text("access_token")));
    assert!(trust.house.store().await.trusted_issuers().disable(IDP).await.unwrap());
    assert_eq!(refusal(&trust.push(&trust.event("2", subject("alice"))).await), (400, "invalid_issuer"));
}

#[tokio::test]
async fn one_that_could_not_be_done_may_be_sent_again() {
    let trust = company().await;
    let vouched = trust.present(&trust.id_jag("1")).await;
    let event = trust.event("1", subject("alice"));
    trust.house.sql("ALTER TABLE half_logins RENAME TO gone").await;
    assert_eq!(trust.push(&event).await.status, 503);
    assert!(!trust.house.is_revoked(vouched.text("access_token")));
    trust.house.sql("ALTER TABLE gone RENAME TO half_logins").await;
    assert_eq!(trust.push(&event).await.status, 202);
    assert!(trust.house.is_revoked(vouched.text("access_token")));
}
