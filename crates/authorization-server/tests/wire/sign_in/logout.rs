//! Word of the provider that somebody's login there has ended (`/backchannel_logout`, `/security_events`).

use super::*;

const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// Who this server is to the provider's transmitter of signals.
const RECEIVER: &str = "https://receiver.example";

/// Somebody who has signed in with a browser of their own, and let an app in.
struct SignedIn {
    person: Person,
    tokens: Answer,
}

async fn two() -> Two {
    Two::with(|way| way.signals_audience = Some(RECEIVER.to_owned())).await
}

impl Two {
    /// In this session at the provider; with what the app asks for.
    async fn in_session(&self, sid: Option<&str>, scope: &str) -> SignedIn {
        self.party.script().claims = sid.map_or(json!({}), |sid| json!({ "sid": sid }));
        let person = Person::new();
        let mut request = self.house.request();
        set(&mut request, "scope", scope);
        let callback = self.to_the_callback(&person, &request).await;
        let consent = person.arrive(callback).await;
        let back = consent.form().press("decision", "allow").submit().await;
        let tokens = self.house.redeem(&back.location_param("code").unwrap()).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        SignedIn { person, tokens }
    }

    fn logout(&self, jti: &str, more: &Value) -> Value {
        let now = self.house.clock.now().unix();
        let mut claims = json!({
            "iss": self.party.issuer(), "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": jti,
            "events": { LOGOUT: {} },
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    async fn tell(&self, claims: &Value) -> Answer {
        let token = self.party.script().key.sign("logout+jwt", claims).unwrap();
        self.house.post("/backchannel_logout", &[("logout_token", &token)]).await
    }

    /// Session revoked, of this subject.
    async fn signal(&self, jti: &str, subject: &Value) -> Answer {
        let claims = json!({
            "iss": self.party.issuer(), "aud": RECEIVER, "iat": self.house.clock.now().unix(), "jti": jti,
            "sub_id": subject, "events": { SESSION_REVOKED: {} },
        });
        let token = self.party.script().key.sign("secevent+jwt", &claims).unwrap();
        let request = self.house.http.post(self.house.url("/security_events")).body(token);
        self.house.send(request.header("content-type", "application/secevent+jwt")).await
    }

    /// Whether the browser is logged in, and whether the app has its token and gets another one.
    async fn lives(&self, one: &SignedIn) -> (bool, bool, bool) {
        let account = one.person.open(self.house.url("/account")).await;
        let revoked = self.house.is_revoked(one.tokens.text("access_token"));
        let refreshed = self.house.refresh(NATIVE, one.tokens.text("refresh_token")).await;
        (account.url().path() == "/account", !revoked, refreshed.status == 200)
    }
}

const ALIVE: (bool, bool, bool) = (true, true, true);
const ENDED: (bool, bool, bool) = (false, false, false);

#[tokio::test]
async fn a_logout_there_ends_what_came_of_that_session() {
    let two = two().await;
    let one = two.in_session(Some("s1"), "notes:read").await;
    let other = two.in_session(Some("s2"), "notes:read").await;
    // A code that nobody has redeemed yet goes as well.
    let back = one.person.open(two.house.authorize_url(&two.house.request())).await;
    let code = back.form().press("decision", "allow").submit().await.location_param("code").unwrap();
    assert_eq!(two.tell(&two.logout("0", &json!({ "sid": "nobody's" }))).await.status, 200);
    assert_eq!(two.lives(&other).await, ALIVE);
    assert_eq!(two.tell(&two.logout("1", &json!({ "sid": "s1" }))).await.status, 200);
    assert_eq!(two.lives(&one).await, ENDED);
    assert_eq!(two.house.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(two.house.redeem(&two.in_browser(&other.person).await).await.status, 200, "the other goes on");
    assert_eq!(two.tell(&two.logout("1", &json!({ "sid": "s2" }))).await.error(), (400, "invalid_request"));
    // Whoever signs in again is in again.
    assert_eq!(two.lives(&two.in_session(Some("s3"), "notes:read").await).await, ALIVE);
}

impl Two {
    /// A code for the app, in a browser that is signed in.
    async fn in_browser(&self, person: &Person) -> String {
        let consent = person.open(self.house.authorize_url(&self.house.request())).await;
        consent.form().press("decision", "allow").submit().await.location_param("code").unwrap()
    }
}

/// Of a person who is named too, whatever is not known to have come of another session there.
#[tokio::test]
async fn a_logout_of_a_person_in_a_session_spares_their_other_sessions_there() {
    let two = two().await;
    let one = two.in_session(Some("s1"), "notes:read").await;
    let other = two.in_session(Some("s2"), "notes:read").await;
    let unknown = two.in_session(None, "notes:read").await;
    let both = json!({ "sub": "sub-of-ada", "sid": "s1" });
    assert_eq!(two.tell(&two.logout("1", &both)).await.status, 200);
    assert_eq!(two.lives(&one).await, ENDED);
    assert_eq!(two.lives(&unknown).await, ENDED);
    assert_eq!(two.house.redeem(&two.in_browser(&other.person).await).await.status, 200);
    assert_eq!(two.tell(&two.logout("2", &json!({ "sub": "sub-of-eve" }))).await.status, 200);
    assert!(two.lives(&other).await.0);
    assert_eq!(two.tell(&two.logout("3", &json!({ "sub": "sub-of-ada" }))).await.status, 200);
    assert!(!two.lives(&other).await.0, "without a session there: all of them");
}

/// The provider is one way in of several: what did not come through it is none of its business.
#[tokio::test]
async fn a_provider_ends_no_login_that_did_not_come_through_it() {
    let two = two().await;
    let person = Person::new();
    let login = person.open(two.house.url("/login?then=/account")).await;
    let account = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let callback = two.link(&person, &account).await;
    assert!(person.arrive(&callback).await.text().contains("Unlink"));
    let by_password = two.house.redeem(&two.in_browser(&person).await).await;
    let through = two.in_session(Some("s1"), "notes:read").await;
    assert_eq!(two.tell(&two.logout("1", &json!({ "sub": "sub-of-ada" }))).await.status, 200);
    assert_eq!(two.lives(&through).await, ENDED);
    assert!(!two.house.is_revoked(by_password.text("access_token")));
    let subject = json!({ "format": "iss_sub", "iss": two.party.issuer(), "sub": "sub-of-ada" });
    assert_eq!(two.signal("1", &subject).await.status, 202);
    assert_eq!(two.lives(&SignedIn { person, tokens: by_password }).await, ALIVE);
}

#[tokio::test]
async fn each_fault_of_a_providers_logout_token_ends_nothing() {
    let two = two().await;
    let one = two.in_session(Some("s1"), "notes:read").await;
    let now = two.house.clock.now().unix();
    for more in [
        json!({}),
        json!({ "sid": "" }),
        json!({ "sid": 1 }),
        json!({ "sid": "s1", "aud": "another-client" }),
        json!({ "sid": "s1", "aud": [CLIENT_ID, "another-client"] }),
        json!({ "sid": "s1", "iss": "https://evil.example" }),
        json!({ "sid": "s1", "exp": now - 30 }),
        json!({ "sid": "s1", "exp": now + 7_200 }),
        json!({ "sid": "s1", "nonce": "n" }),
        json!({ "sid": "s1", "events": { SESSION_REVOKED: {} } }),
    ] {
        let refused = two.tell(&two.logout("1", &more)).await;
        assert_eq!(refused.error(), (400, "invalid_request"), "{more}");
    }
    let logout = two.logout("1", &json!({ "sid": "s1" }));
    for typ in ["secevent+jwt", "at+jwt"] {
        let token = two.party.script().key.sign(typ, &logout).unwrap();
        let refused = two.house.post("/backchannel_logout", &[("logout_token", &token)]).await;
        assert_eq!(refused.error(), (400, "invalid_request"), "{typ}");
    }
    let forged = SigningKey::generate_es256().unwrap().sign("logout+jwt", &logout).unwrap();
    let refused = two.house.post("/backchannel_logout", &[("logout_token", &forged)]).await;
    assert_eq!(refused.error(), (400, "invalid_request"));
    assert_eq!(two.lives(&one).await, ALIVE);
    // An issuer that the operator has switched off has no word here.
    let off = format!(
        "INSERT INTO trusted_issuers (issuer, own_grant, disabled_at) VALUES ('{}', 'x', 1)",
        two.party.issuer()
    );
    two.house.sql(off.leak()).await;
    assert_eq!(two.tell(&logout).await.error(), (400, "invalid_request"));
    two.house.sql("DELETE FROM trusted_issuers").await;
    assert_eq!(two.tell(&logout).await.status, 200, "nothing was used up");
}

#[tokio::test]
async fn what_a_device_was_allowed_ends_with_the_session_in_which_it_was() {
    let two = two().await;
    let one = two.in_session(Some("s1"), "notes:read").await;
    let device = two.allowed_device(&one.person, "notes:read").await;
    let tokens = two.poll(&device).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(two.tell(&two.logout("1", &json!({ "sid": "s1" }))).await.status, 200);
    assert!(two.house.is_revoked(tokens.text("access_token")));
}

/// A logout leaves what was made to outlast a login; word that a session was revoked is of danger, and leaves nothing.
#[tokio::test]
async fn a_revoked_session_takes_along_what_would_outlast_a_logout() {
    let two = two().await;
    let scope = "notes:read offline_access";
    let one = two.in_session(Some("s1"), scope).await;
    let other = two.in_session(Some("s2"), scope).await;
    assert_eq!(two.tell(&two.logout("1", &json!({ "sid": "s1" }))).await.status, 200);
    assert_eq!(two.lives(&one).await, (false, true, true));
    assert_eq!(two.signal("1", &json!({ "format": "opaque", "id": "s1" })).await.status, 202);
    let refresh = two.house.refresh(NATIVE, one.tokens.text("refresh_token")).await;
    assert_eq!(refresh.error(), (400, "invalid_grant"));
    assert!(two.lives(&other).await.0, "another session");
    let subject = json!({
        "format": "complex",
        "user": { "format": "iss_sub", "iss": two.party.issuer(), "sub": "sub-of-ada" },
        "tenant": { "format": "opaque", "id": "1" },
    });
    assert_eq!(two.signal("2", &subject).await.status, 202);
    assert!(!two.lives(&other).await.0);
}

/// Of the domains through which this provider lets people in, it may speak by address, too.
#[tokio::test]
async fn a_revoked_session_is_found_by_an_address_of_a_listed_domain() {
    let two = Two::with(|way| {
        way.signals_audience = Some(RECEIVER.to_owned());
        way.who = WhoEnters { domains: vec!["Acme.example".to_owned()], ..WhoEnters::default() };
    })
    .await;
    two.email("Ada@acme.example", true);
    let person = Person::new();
    two.claims(&person).await;
    let email = |email: &str| json!({ "format": "email", "email": email });
    let is_in = async || person.open(two.house.url("/account")).await.url().path() == "/account";
    assert_eq!(two.signal("1", &email("ada@evil.example")).await.status, 400);
    assert_eq!(two.signal("2", &email("eve@acme.example")).await.status, 202, "nobody here");
    assert!(is_in().await);
    assert_eq!(two.signal("3", &email("ADA@acme.example")).await.status, 202);
    assert!(!is_in().await);
}
