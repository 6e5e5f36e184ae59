//! Tokens that came of no login: exchanged (RFC 8693), or for an assertion of an issuer (RFC 7523 §2.1). With them a server acts
//! for a person as with any other: for who has linked, and until that session ends.

use hallpass_authorization_server::{
    AccountLinking, AssertionKind, AssertionRule, ExchangeRule, IssuerKeys, NewClient, NoToken, TrustedIssuer,
};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::Person;
use serde_json::{Value, json};

use super::{Delegating, account, scope};
use crate::assertions::{CLOUD, IDP, JWT_BEARER};
use crate::harness::{Answer, NATIVE, PASSWORD, USER, claims, set};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Somebody of the company's, with an account here.
const ALICE: &str = "alice@example.com";

/// A house where `backend` exchanges tokens between both servers, and where two issuers are trusted.
struct Machines {
    two: Delegating,
    key: SigningKey,
}

async fn machines() -> Machines {
    machines_with(|_| {}).await
}

async fn machines_with(change: impl FnOnce(&mut hallpass_authorization_server::ThirdParty)) -> Machines {
    let key = SigningKey::generate_es256().unwrap();
    let scopes = || ScopeSet::parse("notes:read notes:write").unwrap();
    let trusted = |issuer: &str, kind, client_id: &str, accounts| TrustedIssuer {
        issuer: Issuer::parse(issuer).unwrap(),
        keys: IssuerKeys::Value(JwkSet { keys: vec![key.public_jwk()] }),
        kind,
        audience: None,
        logout_audience: None,
        signals_audience: None,
        accounts,
        once: true,
        rules: vec![AssertionRule {
            client_id: client_id.to_owned(),
            subject: "*".to_owned(),
            claims: Vec::new(),
            resources: None,
            scopes: scopes(),
        }],
    };
    let accounts = AccountLinking { email_domains: vec!["example.com".to_owned()], create: true };
    let trusted = vec![
        trusted(IDP, AssertionKind::IdJag, "app", Some(accounts)),
        trusted("https://other.example", AssertionKind::IdJag, "app", None),
        trusted(CLOUD, AssertionKind::Workload, "robot", None),
    ];
    let two = Delegating::with_settings(|party, settings| {
        change(party);
        let at = |path: &str| format!("{}{path}", settings.issuer.as_str());
        let rule = |from: &str, to: &str| ExchangeRule {
            client_id: "backend".to_owned(),
            from: at(from),
            to: at(to),
            scopes: scopes(),
        };
        settings.exchange = vec![rule("/second", "/mcp"), rule("/mcp", "/second")];
        settings.trusted_issuers = trusted;
    })
    .await;
    for (id, secret, grant) in [
        ("backend", Some("s"), EXCHANGE),
        ("app", Some("s"), JWT_BEARER),
        ("robot", None, JWT_BEARER),
        ("meter", Some("s"), "client_credentials"),
    ] {
        let client = NewClient {
            id: id.to_owned(),
            secret: secret.map(Secret::new),
            grant_types: vec![grant.to_owned()],
            ..NewClient::default()
        };
        two.house.server.clients().add(client).await.unwrap();
    }
    two.house.server.users().add(ALICE, Secret::new(PASSWORD)).await.unwrap();
    Machines { two, key }
}

impl Machines {
    /// Her token for the server that acts nowhere.
    async fn of_second(&self) -> Answer {
        let mut request = self.two.house.request();
        set(&mut request, "resource", &self.two.house.url("/second"));
        let code = self.two.house.code_for(&request).await;
        let tokens = self.two.house.redeem(&code).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        tokens
    }

    async fn exchange(&self, token: &str, path: &str, scope: &str) -> Answer {
        let resource = self.two.house.url(path);
        let form = [
            ("grant_type", EXCHANGE),
            ("client_id", "backend"),
            ("client_secret", "s"),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("resource", &resource),
            ("scope", scope),
        ];
        self.two.house.post("/token", &form).await
    }

    /// An assertion of that issuer about somebody, for the server that acts.
    async fn present(&self, issuer: &str, jti: &str, who: &Value) -> Answer {
        let now = self.two.house.clock.now().unix();
        let mut all = json!({
            "iss": issuer, "sub": "alice", "aud": self.two.house.issuer, "jti": jti, "iat": now, "exp": now + 300,
            "client_id": "app", "scope": "notes:read", "resource": self.two.house.resource(),
            "email": ALICE, "email_verified": true,
        });
        all.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        let (client, typ) = if issuer == CLOUD { ("robot", "JWT") } else { ("app", "oauth-id-jag+jwt") };
        let assertion = self.key.sign(typ, &all).unwrap();
        let mut form = vec![("grant_type", JWT_BEARER), ("client_id", client), ("assertion", &*assertion)];
        if client == "app" {
            form.push(("client_secret", "s"));
        }
        self.two.house.post("/token", &form).await
    }

    /// By the page that every refusal names.
    async fn link(&self, name: &str) -> Person {
        let person = Person::new();
        let login = person.open(self.two.house.url("/acts/hub")).await;
        let page = login.form().set("username", name).set("password", PASSWORD).submit().await;
        self.two.link(&person, &page).await;
        person
    }

    fn is_revoked(&self, tokens: &Answer) -> bool {
        let jti = claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
        self.two.house.server.revocations().is_revoked(&jti).unwrap()
    }

    #[track_caller]
    fn is_told_to_link(&self, refused: &Answer) {
        assert_eq!(refused.error(), (400, "invalid_grant"), "{:?}", refused.json);
        let says = refused.text("error_description");
        assert!(says.contains("Hub") && says.contains(&self.two.house.url("/acts/hub")), "{says}");
    }
}

#[tokio::test]
async fn nothing_is_exchanged_for_who_has_not_linked() {
    let all = machines().await;
    let shown = all.of_second().await;
    all.is_told_to_link(&all.exchange(shown.text("access_token"), "/mcp", "").await);
    all.link(USER).await;
    let tokens = all.exchange(shown.text("access_token"), "/mcp", "").await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(claims(tokens.text("access_token"))["sub"], json!(all.two.ada().await));
    assert_eq!(all.two.token().await.unwrap(), "canary-access-1");
    // A client's own token is nobody's, and nobody links for it.
    let second = all.two.house.url("/second");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "meter"),
        ("client_secret", "s"),
        ("resource", &second),
    ];
    let own = all.two.house.post("/token", &form).await;
    assert_eq!(own.status, 200, "{:?}", own.json);
    all.is_told_to_link(&all.exchange(own.text("access_token"), "/mcp", "").await);
}

#[tokio::test]
async fn what_needs_no_link_is_exchanged_without() {
    let all = machines_with(|party| party.servers[0].scope = Some(scope("notes:write"))).await;
    let shown = all.of_second().await;
    all.is_told_to_link(&all.exchange(shown.text("access_token"), "/mcp", "notes:write").await);
    let tokens = all.exchange(shown.text("access_token"), "/mcp", "notes:read").await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    // It does not stand on what is linked later, and ended.
    let mut person = all.link(USER).await;
    let stands = all.exchange(shown.text("access_token"), "/mcp", "notes:write").await;
    account::unlink(&all.two, &mut person).await;
    assert!(all.is_revoked(&stands) && !all.is_revoked(&tokens));
}

/// The token that was shown is of a grant that does not act there, and goes on.
#[tokio::test]
async fn what_was_exchanged_ends_with_the_session() {
    let all = machines().await;
    let shown = all.of_second().await;
    let exchange = async || {
        let tokens = all.exchange(shown.text("access_token"), "/mcp", "").await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        tokens
    };
    // By the person; what came of it ends, too.
    let mut person = all.link(USER).await;
    let tokens = exchange().await;
    let of_that = all.exchange(tokens.text("access_token"), "/second", "").await;
    assert_eq!(of_that.status, 200, "{:?}", of_that.json);
    assert!(!all.is_revoked(&tokens) && !all.is_revoked(&of_that));
    account::unlink(&all.two, &mut person).await;
    assert!(all.is_revoked(&tokens) && all.is_revoked(&of_that));
    all.is_told_to_link(&all.exchange(shown.text("access_token"), "/mcp", "").await);
    // By the third party.
    all.two.party.script().lifetime = 100;
    all.link(USER).await;
    let tokens = exchange().await;
    all.two.party.end_sessions();
    all.two.house.advance(80);
    all.two.house.server.keep_house().await.unwrap();
    assert!(!all.is_revoked(&tokens), "nobody has noticed");
    all.is_told_to_link(&all.exchange(shown.text("access_token"), "/mcp", "").await);
    assert!(all.is_revoked(&tokens) && !all.is_revoked(&shown));
    // By another session in its place.
    all.link(USER).await;
    let tokens = exchange().await;
    all.link(USER).await;
    assert!(all.is_revoked(&tokens) && !all.is_revoked(&shown));
    assert_eq!(all.two.house.refresh(NATIVE, shown.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_good_for_who_has_linked_and_waits_for_it() {
    let all = machines().await;
    for jti in ["1", "1", "2"] {
        all.is_told_to_link(&all.present(IDP, jti, &json!({})).await);
    }
    let mut person = all.link(ALICE).await;
    let tokens = all.present(IDP, "1", &json!({})).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(all.present(IDP, "1", &json!({})).await.error(), (400, "invalid_grant"), "once");
    let alice = all.two.house.verify(tokens.text("access_token")).sub;
    let vault = all.two.vault();
    assert_eq!(vault.token(&alice).await.unwrap().expose(), "canary-access-1");
    assert!(!all.is_revoked(&tokens));
    account::unlink(&all.two, &mut person).await;
    assert!(all.is_revoked(&tokens));
    assert!(matches!(vault.token(&alice).await, Err(NoToken::NotLinked(_))));
    all.is_told_to_link(&all.present(IDP, "3", &json!({})).await);
}

#[tokio::test]
async fn whoever_is_new_or_nobody_here_has_not_linked() {
    let all = machines().await;
    all.link(ALICE).await;
    // Somebody else of the company's, who gets an account by this, and one whose issuer has no accounts here.
    let bob = json!({ "sub": "bob", "email": "bob@example.com" });
    all.is_told_to_link(&all.present(IDP, "1", &bob).await);
    let users = all.two.house.server.users().list().await.unwrap();
    assert!(users.iter().any(|user| user.name == "bob@example.com"));
    all.is_told_to_link(&all.present("https://other.example", "1", &json!({})).await);
    // A workload, whatever it is called.
    let id = users.iter().find(|user| user.name == ALICE).unwrap().id.clone();
    for subject in ["alice", &id] {
        all.is_told_to_link(&all.present(CLOUD, subject, &json!({ "sub": subject })).await);
    }
    assert_eq!(all.two.linked().await, 1);
}
