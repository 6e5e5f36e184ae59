//! What groups allow, whichever grant asks.

use super::*;

#[tokio::test]
async fn what_is_exchanged_holds_no_more_than_groups_allow() {
    const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
    let two = Two::with_settings(|way, settings| {
        way.groups.scopes = vec![("readers".to_owned(), ScopeSet::parse("notes:read").unwrap())];
        let issuer = settings.issuer.as_str();
        settings.exchange = vec![ExchangeRule {
            client_id: "backend".to_owned(),
            from: format!("{issuer}/mcp"),
            to: format!("{issuer}/second"),
            scopes: ScopeSet::parse("notes:read notes:write").unwrap(),
        }];
    })
    .await;
    let backend = NewClient {
        id: "backend".to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: vec![EXCHANGE.to_owned()],
        ..NewClient::default()
    };
    two.house.server.clients().add(backend).await.unwrap();
    two.party.script().claims = json!({ "groups": ["readers"] });
    let back = two.sign_in(&Person::new()).await.form().press("decision", "allow").submit().await;
    let tokens = two.house.redeem(&back.location_param("code").unwrap()).await;
    let second = two.house.url("/second");
    let mut form = vec![
        ("grant_type", EXCHANGE),
        ("client_id", "backend"),
        ("client_secret", "s"),
        ("subject_token", tokens.text("access_token")),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("resource", &second),
    ];
    assert_eq!(two.house.post("/token", &form).await.text("scope"), "notes:read");
    form.push(("scope", "notes:write"));
    assert_eq!(two.house.post("/token", &form).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn groups_say_what_may_be_granted_and_who_runs_the_server() {
    let two = Two::with(|way| {
        way.groups = GroupRules {
            claim: "realm_access.roles".to_owned(),
            scopes: vec![
                ("readers".to_owned(), ScopeSet::parse("notes:read").unwrap()),
                ("writers".to_owned(), ScopeSet::parse("notes:read notes:write").unwrap()),
            ],
            administrators: vec!["root".to_owned()],
        };
    })
    .await;
    let roles = |roles: Value| {
        two.party.script().claims =
            json!({ "preferred_username": "bob", "realm_access": { "roles": roles } });
    };
    roles(json!(["writers", "root"]));
    let consent = two.sign_in(&Person::new()).await;
    assert!(consent.text().contains("write and change") && !consent.text().contains("not yours to give"));
    let back = consent.form().press("decision", "allow").submit().await;
    let tokens = two.house.redeem(&back.location_param("code").unwrap()).await;
    assert_eq!(tokens.text("scope"), "notes:read notes:write");
    let is_admin = async || {
        let users = two.house.server.users().list().await.unwrap();
        users.into_iter().find(|user| user.name == "bob").unwrap().admin
    };
    assert!(is_admin().await);

    roles(json!(["readers"]));
    let consent = two.sign_in(&Person::new()).await;
    let text = consent.text();
    let (given, withheld) = text.split_once("not yours to give").expect("what cannot be had is told");
    assert!(!given.contains("write and change") && withheld.contains("write and change"), "{text}");
    assert!(!is_admin().await);
    let back = consent.form().press("decision", "allow").submit().await;
    assert_eq!(two.house.redeem(&back.location_param("code").unwrap()).await.text("scope"), "notes:read");
    // What was granted before shrinks as well.
    let refreshed = two.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.text("scope"), "notes:read");

    roles(json!([]));
    let back = two.sign_in(&Person::new()).await.form().press("decision", "allow").submit().await;
    assert_eq!(back.location_param("error").as_deref(), Some("access_denied"));
    let refreshed = two.house.refresh(NATIVE, refreshed.text("refresh_token")).await;
    assert_eq!(refreshed.error().0, 400, "{:?}", refreshed.json);
}

/// Groups that a person has left since the page of consent count at the first token, too: of a code and of a device.
#[tokio::test]
async fn groups_that_were_left_since_consent_count_at_the_token() {
    let two = Two::with(|way| {
        way.groups.scopes = vec![("writers".to_owned(), ScopeSet::parse("notes:read notes:write").unwrap())];
    })
    .await;
    two.party.script().claims = json!({ "groups": ["writers"] });
    let person = Person::new();
    let back = two.sign_in(&person).await.form().press("decision", "allow").submit().await;
    let code = back.location_param("code").unwrap();
    let device = two.allowed_device(&person, "notes:read notes:write").await;
    two.house.sql("UPDATE users SET scopes = 'notes:read' WHERE scopes IS NOT NULL").await;
    assert_eq!(two.house.redeem(&code).await.text("scope"), "notes:read");
    assert_eq!(two.poll(&device).await.text("scope"), "notes:read");
}

/// The company's word about a person says which app may act for them, and not what their groups allow here.
#[tokio::test]
async fn an_assertion_about_somebody_gives_no_more_than_their_groups_allow() {
    const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let key = SigningKey::generate_es256().unwrap();
    let jwks = JwkSet { keys: vec![key.public_jwk()] };
    let two = Two::with_settings(|way, settings| {
        way.groups.scopes = vec![("readers".to_owned(), ScopeSet::parse("notes:read").unwrap())];
        let mut trusted = speaks_for_acme(way.provider.settings().issuer.as_str());
        trusted.keys = IssuerKeys::Value(jwks);
        trusted.rules = vec![AssertionRule {
            client_id: "app".to_owned(),
            subject: "*".to_owned(),
            claims: Vec::new(),
            resources: None,
            scopes: ScopeSet::parse("notes:read notes:write").unwrap(),
        }];
        settings.trusted_issuers = vec![trusted];
    })
    .await;
    let client = NewClient {
        id: "app".to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: vec![JWT_BEARER.to_owned()],
        ..NewClient::default()
    };
    two.house.server.clients().add(client).await.unwrap();
    two.party.script().claims = json!({ "groups": ["readers"] });
    two.claims(&Person::new()).await;
    let ask = async |jti: &str, scope: &str| {
        let now = two.house.clock.now().unix();
        let claims = json!({
            "iss": two.party.issuer(), "sub": "sub-of-ada", "aud": two.house.issuer, "client_id": "app",
            "jti": jti, "iat": now, "exp": now + 300, "scope": scope, "resource": two.house.resource(),
        });
        let assertion = key.sign("oauth-id-jag+jwt", &claims).unwrap();
        let form = [
            ("grant_type", JWT_BEARER),
            ("client_id", "app"),
            ("client_secret", "s"),
            ("assertion", &assertion),
        ];
        two.house.post("/token", &form).await
    };
    assert_eq!(ask("1", "notes:read notes:write").await.text("scope"), "notes:read");
    assert_eq!(ask("2", "notes:write").await.error(), (400, "invalid_grant"));
    assert_eq!(two.house.number("SELECT COUNT(*) FROM seen_ids").await, 1, "what is refused is not used up");
}
