//! Rows 16 to 23 of never-again, at every place where a JWT enters, from the one table of the testkit.

use crate::harness;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_authorization_server::{
    AssertionKind, AssertionRule, ClientDetails, ExchangeRule, IssuerKeys, NewClient, TrustedIssuer,
};
use hallpass_protocol::client_assertion::ASSERTION_TYPE;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::forgeries::{Forgery, Good, forgeries};
use harness::House;
use serde_json::{Value, json};

const CLOUD: &str = "https://cloud.example";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Where a JWT enters.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Entrance {
    ClientAssertion,
    DpopProof,
    Introspection,
    SubjectToken,
    Assertion,
    LogoutToken,
    SecurityEvent,
}

const ENTRANCES: [Entrance; 7] = [
    Entrance::ClientAssertion,
    Entrance::DpopProof,
    Entrance::Introspection,
    Entrance::SubjectToken,
    Entrance::Assertion,
    Entrance::LogoutToken,
    Entrance::SecurityEvent,
];

const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

struct Doors {
    house: House,
    /// Whose signature is right there; the server's own key is nobody's to sign with.
    key: SigningKey,
    access_token: String,
}

async fn doors() -> Doors {
    let key = SigningKey::generate_es256().unwrap();
    let jwks = JwkSet { keys: vec![key.public_jwk()] };
    let mut trusted = TrustedIssuer {
        issuer: Issuer::parse(CLOUD).unwrap(),
        keys: IssuerKeys::Value(jwks.clone()),
        kind: AssertionKind::Workload,
        audience: None,
        logout_audience: None,
        signals_audience: None,
        accounts: None,
        once: true,
        rules: vec![AssertionRule {
            client_id: "backend".to_owned(),
            subject: "*".to_owned(),
            claims: Vec::new(),
            resources: None,
            scopes: ScopeSet::parse("notes:read").unwrap(),
        }],
    };
    let house = House::furnished_with(|settings| {
        settings.dpop_nonces = false;
        // All under one name, so that nothing but what they are tells them apart.
        trusted.logout_audience = Some(settings.issuer.to_string());
        trusted.signals_audience = Some(settings.issuer.to_string());
        settings.trusted_issuers = vec![trusted];
        settings.exchange = vec![ExchangeRule {
            client_id: "backend".to_owned(),
            from: format!("{}/mcp", settings.issuer),
            to: format!("{}/second", settings.issuer),
            scopes: ScopeSet::parse("notes:read").unwrap(),
        }];
    })
    .await;
    let grants = ["client_credentials", EXCHANGE, JWT_BEARER].map(str::to_owned).to_vec();
    let backend = NewClient {
        id: "backend".to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: grants.clone(),
        details: ClientDetails {
            resources: Some(vec![house.resource(), house.url("/second")]),
            ..ClientDetails::default()
        },
        ..NewClient::default()
    };
    let details = ClientDetails { jwks: Some(jwks), ..ClientDetails::default() };
    let signer = NewClient { id: "signer".to_owned(), grant_types: grants, details, ..NewClient::default() };
    for client in [backend, signer] {
        house.server.clients().add(client).await.unwrap();
    }
    let access_token = house.tokens().await.text("access_token").to_owned();
    Doors { house, key, access_token }
}

impl Doors {
    fn good(&self, at: Entrance) -> (Value, Value) {
        let now = self.house.clock.now().unix();
        let jti = format!("{at:?}");
        let own = |iss: &str, sub: &str| json!({"iss": iss, "sub": sub, "aud": self.house.issuer, "jti": jti, "iat": now, "exp": now + 60});
        match at {
            Entrance::ClientAssertion => (json!({"typ": "JWT", "alg": "ES256"}), own("signer", "signer")),
            Entrance::Assertion => (json!({"typ": "JWT", "alg": "ES256"}), own(CLOUD, "workload")),
            Entrance::LogoutToken => {
                let mut claims = own(CLOUD, "workload");
                claims["events"] = json!({ LOGOUT: {} });
                (json!({"typ": "logout+jwt", "alg": "ES256"}), claims)
            }
            Entrance::SecurityEvent => {
                let mut claims = own(CLOUD, "workload");
                claims["events"] = json!({ SESSION_REVOKED: {} });
                claims["sub_id"] = json!({ "format": "iss_sub", "iss": CLOUD, "sub": "workload" });
                (json!({"typ": "secevent+jwt", "alg": "ES256"}), claims)
            }
            Entrance::DpopProof => (
                json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.public_jwk()}),
                json!({"jti": jti, "htm": "POST", "htu": self.house.url("/token"), "iat": now}),
            ),
            Entrance::Introspection | Entrance::SubjectToken => {
                let mut parts = self.access_token.split('.').map(|part| {
                    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
                    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
                });
                (parts.next().unwrap(), parts.next().unwrap())
            }
        }
    }

    /// The good one, as it is.
    fn good_token(&self, at: Entrance) -> String {
        match at {
            Entrance::Introspection | Entrance::SubjectToken => self.access_token.clone(),
            Entrance::DpopProof => self.key.sign_with_jwk("dpop+jwt", &self.good(at).1).unwrap(),
            _ => self.signed(at, &self.good(at).1).unwrap(),
        }
    }

    /// With the claims changed, and signed rightly where somebody but the server can.
    fn signed(&self, at: Entrance, claims: &Value) -> Option<String> {
        match at {
            Entrance::Introspection | Entrance::SubjectToken => None,
            Entrance::DpopProof => Some(self.key.sign_with_jwk("dpop+jwt", claims).unwrap()),
            Entrance::LogoutToken => Some(self.key.sign("logout+jwt", claims).unwrap()),
            Entrance::SecurityEvent => Some(self.key.sign("secevent+jwt", claims).unwrap()),
            Entrance::ClientAssertion | Entrance::Assertion => Some(self.key.sign("JWT", claims).unwrap()),
        }
    }

    /// Whether it is taken.
    async fn enter(&self, at: Entrance, token: &str) -> (u16, bool) {
        let second = format!("{}/second", self.house.issuer);
        let backend = [("client_id", "backend"), ("client_secret", "s")];
        let answer = match at {
            Entrance::ClientAssertion => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_assertion_type", ASSERTION_TYPE),
                    ("client_assertion", token),
                ];
                self.house.post("/token", &form).await
            }
            Entrance::DpopProof => {
                let form = [&backend[..], &[("grant_type", "client_credentials")]].concat();
                let request = self.house.http.post(self.house.url("/token")).header("dpop", token);
                self.house.send(request.form(&form)).await
            }
            Entrance::Introspection => {
                let form = [&backend[..], &[("token", token)]].concat();
                let answer = self.house.post("/introspect", &form).await;
                return (answer.status, answer.json["active"] == true);
            }
            Entrance::SubjectToken => {
                let more = [
                    ("grant_type", EXCHANGE),
                    ("subject_token", token),
                    ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                    ("resource", second.as_str()),
                ];
                self.house.post("/token", &[&backend[..], &more].concat()).await
            }
            Entrance::Assertion => {
                let more = [("grant_type", JWT_BEARER), ("assertion", token)];
                self.house.post("/token", &[&backend[..], &more].concat()).await
            }
            Entrance::LogoutToken => self.house.post("/backchannel_logout", &[("logout_token", token)]).await,
            Entrance::SecurityEvent => {
                let request = self.house.http.post(self.house.url("/security_events"));
                let request = request.header("content-type", "application/secevent+jwt");
                let status = self.house.send(request.body(token.to_owned())).await.status;
                return (if status == 202 { 200 } else { status }, status == 202);
            }
        };
        (answer.status, answer.status == 200)
    }

    async fn refuses(&self, at: Entrance, token: &str, why: &str) {
        let (status, taken) = self.enter(at, token).await;
        assert!(!taken && status < 500, "{at:?}: {why}: {status}");
    }
}

// Rows 16 to 19 and 23.
#[tokio::test]
async fn a_forged_token_enters_nowhere() {
    let doors = doors().await;
    let answer = doors.house.send(doors.house.http.get(doors.house.url("/jwks"))).await;
    let own: JwkSet = serde_json::from_value(answer.json).unwrap();
    for at in ENTRANCES {
        let good = doors.good_token(at);
        let (public, key) = match at {
            Entrance::Introspection | Entrance::SubjectToken => (own.keys[0].clone(), None),
            _ => (doors.key.public_jwk(), Some(&doors.key)),
        };
        for Forgery { row, what, is } in forgeries(&Good { token: &good, public, key, huge: 30_000 }) {
            doors.refuses(at, &is, &format!("row {row}: {what}")).await;
        }
        // And the good one, which nothing has used up.
        assert_eq!(doors.enter(at, &good).await, (200, true), "{at:?}");
    }
}

// Rows 20 and 21.
#[tokio::test]
async fn a_claim_that_is_missing_or_of_a_wrong_type_enters_nowhere() {
    let doors = doors().await;
    for at in ENTRANCES {
        let (_, good) = doors.good(at);
        let required: &[&str] = match at {
            Entrance::DpopProof => &["jti", "htm", "htu", "iat"],
            Entrance::LogoutToken => &["iss", "sub", "aud", "exp", "iat", "jti", "events"],
            Entrance::SecurityEvent => &["iss", "aud", "iat", "jti", "events", "sub_id"],
            _ => &["iss", "sub", "aud", "exp", "iat", "jti"],
        };
        for name in required {
            let mut without = good.clone();
            without.as_object_mut().unwrap().remove(*name);
            let Some(token) = doors.signed(at, &without) else { continue };
            doors.refuses(at, &token, &format!("without {name}")).await;
            for wrong in
                [json!(null), json!(1.5), json!(-1), json!(u64::MAX), json!([]), json!({}), json!("")]
            {
                let mut claims = good.clone();
                claims[*name] = wrong.clone();
                let token = doors.signed(at, &claims).unwrap();
                doors.refuses(at, &token, &format!("{name}: {wrong}")).await;
            }
        }
        assert_eq!(doors.enter(at, &doors.good_token(at)).await, (200, true), "{at:?}");
    }
}

// One kind of JWT is never taken for another (RFC 8725 §3.11).
#[tokio::test]
async fn no_token_enters_by_anothers_door() {
    let doors = doors().await;
    for of in ENTRANCES {
        for at in ENTRANCES {
            let same = |entrance| matches!(entrance, Entrance::Introspection | Entrance::SubjectToken);
            if of != at && !(same(of) && same(at)) {
                doors.refuses(at, &doors.good_token(of), &format!("{of:?}")).await;
            }
        }
    }
}
