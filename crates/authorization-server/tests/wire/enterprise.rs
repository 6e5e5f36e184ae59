//! `/token` with identity assertions of a company (ID-JAG; MCP extension "enterprise-managed authorization"), rule by rule as
//! `docs/enterprise.md` lists them.

use crate::assertions::{IDP, JWT_BEARER, Trust, trust_with};
use crate::harness;
use hallpass_authorization_server::{AccountLinking, AssertionRule, ExchangeRule, NewClient};
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use harness::{House, USER};
use http::Method;
use serde_json::{Value, json};
use url::Url;

fn proof(house: &House, key: &SigningKey, jti: &str) -> String {
    let (url, now) = (Url::parse(&house.url("/token")).unwrap(), house.clock.now());
    Proof { method: &Method::POST, url: &url, access_token: None, nonce: None, jti, now }.sign(key).unwrap()
}

/// Whose people have accounts here.
async fn linked(email_domains: &[&str], create: bool) -> Trust {
    let email_domains = email_domains.iter().map(|domain| (*domain).to_owned()).collect();
    let linking = AccountLinking { email_domains, create };
    trust_with(|settings| settings.trusted_issuers[0].accounts = Some(linking)).await
}

impl Trust {
    /// An assertion with these claims beside or in place of the usual ones.
    fn saying(&self, jti: &str, more: &Value) -> Value {
        let mut claims = self.id_jag(jti);
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    async fn present_saying(&self, jti: &str, more: &Value) -> harness::Answer {
        self.present(&self.saying(jti, more)).await
    }

    async fn subject_of(&self, jti: &str, more: &Value) -> String {
        let tokens = self.present_saying(jti, more).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        self.house.verify(tokens.text("access_token")).sub
    }

    async fn users(&self) -> Vec<(String, String)> {
        let users = self.house.server.users().list().await.unwrap();
        users.into_iter().map(|user| (user.id, user.name)).collect()
    }
}

#[tokio::test]
async fn metadata_announces_the_profile_where_it_is_offered_and_says_whose_nowhere() {
    let trust = trust_with(|_| {}).await;
    let get = trust.house.http.get(trust.house.url("/.well-known/oauth-authorization-server"));
    let metadata = trust.house.send(get).await.json;
    assert_eq!(
        metadata["authorization_grant_profiles_supported"],
        json!(["urn:ietf:params:oauth:grant-profile:id-jag"])
    );
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(JWT_BEARER)));
    assert!(!metadata.to_string().contains(IDP));
    let workloads_alone = trust_with(|settings| drop(settings.trusted_issuers.remove(0))).await;
    let get =
        workloads_alone.house.http.get(workloads_alone.house.url("/.well-known/oauth-authorization-server"));
    let metadata = workloads_alone.house.send(get).await.json;
    assert_eq!(metadata.get("authorization_grant_profiles_supported"), None);
}

#[tokio::test]
async fn the_token_is_for_the_resource_that_the_assertion_names() {
    let trust = trust_with(|_| {}).await;
    let second = format!("{}/second", trust.house.issuer);
    let audience = async |jti: &str, resource: Value, asked: &[(&str, &str)]| {
        let claims = trust.saying(jti, &json!({ "resource": resource }));
        let answer = trust.ask("app", &trust.idp.sign("oauth-id-jag+jwt", &claims).unwrap(), asked).await;
        let payload = answer.json["access_token"].as_str().map(|token| harness::claims(token)["aud"].clone());
        payload.ok_or_else(|| answer.error().1.to_owned())
    };
    let one = [("resource", second.as_str())];
    assert_eq!(audience("1", json!(second), &[]).await, Ok(json!(second)), "though it is not the first here");
    assert_eq!(audience("2", json!(second), &one).await, Ok(json!(second)));
    let list = json!([trust.house.resource(), second]);
    assert_eq!(audience("3", list.clone(), &one).await, Ok(json!(second)), "one of several");
    let strange = json!(["https://elsewhere.example/mcp", second]);
    assert_eq!(audience("4", strange, &[]).await, Ok(json!(second)), "what is not here is left out");
    for (resource, asked) in [
        (json!(trust.house.resource()), &one[..]),
        (json!("https://elsewhere.example/mcp"), &[]),
        (json!("https://elsewhere.example/mcp"), &one),
    ] {
        assert_eq!(
            audience("5", resource.clone(), asked).await,
            Err("invalid_target".to_owned()),
            "{resource}"
        );
    }
    for malformed in [json!(7), json!([]), json!({ "a": 1 }), json!(null)] {
        assert_eq!(
            audience("5", malformed.clone(), &[]).await,
            Err("invalid_grant".to_owned()),
            "{malformed}"
        );
    }
}

#[tokio::test]
async fn scopes_are_what_is_asked_for_and_said_and_listed() {
    let trust = trust_with(|settings| {
        settings.trusted_issuers[0].rules[0].scopes = ScopeSet::parse("notes:read notes:write").unwrap();
    })
    .await;
    let scopes = async |jti: &str, said: Value, asked: &[(&str, &str)]| {
        let claims = trust.saying(jti, &json!({ "scope": said }));
        let answer = trust.ask("app", &trust.idp.sign("oauth-id-jag+jwt", &claims).unwrap(), asked).await;
        answer.json["scope"].as_str().map(str::to_owned).ok_or_else(|| answer.error().1.to_owned())
    };
    let both = json!("notes:read notes:write");
    let (read, write) = ([("scope", "notes:read")], [("scope", "notes:write")]);
    let wide = [("scope", "notes:read notes:write")];
    assert_eq!(scopes("1", both.clone(), &[]).await, Ok("notes:read notes:write".to_owned()));
    assert_eq!(scopes("2", both.clone(), &read).await, Ok("notes:read".to_owned()));
    assert_eq!(scopes("3", json!("notes:read"), &wide).await, Ok("notes:read".to_owned()));
    assert_eq!(scopes("4", json!("notes:read other"), &[]).await, Ok("notes:read".to_owned()));
    assert_eq!(scopes("once", json!("notes:read"), &write).await, Err("invalid_scope".to_owned()));
    assert_eq!(scopes("once", json!("other"), &[]).await, Err("invalid_scope".to_owned()), "not: everything");
    for unreadable in [json!(["notes:read"]), json!(null), json!(true)] {
        let refused = scopes("once", unreadable.clone(), &[]).await;
        assert_eq!(refused, Err("invalid_grant".to_owned()), "{unreadable} must not mean the default");
    }
    assert_eq!(
        scopes("once", both, &[]).await,
        Ok("notes:read notes:write".to_owned()),
        "nothing used it up"
    );
}

#[tokio::test]
async fn groups_and_roles_bring_scopes() {
    let trust = trust_with(|settings| {
        let rules = &mut settings.trusted_issuers[0].rules;
        let writers = AssertionRule {
            claims: vec![("groups".to_owned(), "writers".to_owned())],
            scopes: ScopeSet::parse("notes:write").unwrap(),
            ..rules[0].clone()
        };
        rules.push(writers);
    })
    .await;
    let scopes = async |jti: &str, groups: Value| {
        let more = json!({ "scope": "notes:read notes:write", "groups": groups });
        trust.present_saying(jti, &more).await.text("scope").to_owned()
    };
    assert_eq!(scopes("1", json!(["readers"])).await, "notes:read");
    assert_eq!(scopes("2", json!(["readers", "writers"])).await, "notes:read notes:write");
    assert_eq!(scopes("3", json!("writers")).await, "notes:read notes:write");
    assert_eq!(scopes("4", json!({ "writers": "writers" })).await, "notes:read");
    assert_eq!(scopes("5", json!([["writers"]])).await, "notes:read");
}

#[tokio::test]
async fn it_lives_for_an_hour_at_most_and_always_counts_once() {
    let trust = trust_with(|settings| settings.trusted_issuers[0].once = false).await;
    let now = trust.house.clock.now().unix();
    let long = trust.present_saying("once", &json!({ "exp": now + 3_601 })).await;
    assert_eq!(long.error(), (400, "invalid_grant"));
    assert_eq!(trust.present_saying("once", &json!({ "exp": now + 3_600 })).await.status, 200);
    let again = trust.present_saying("once", &json!({ "exp": now + 3_600 })).await;
    assert_eq!(again.error(), (400, "invalid_grant"), "whatever the setting says");
}

#[tokio::test]
async fn details_that_are_not_known_grant_nothing() {
    let trust = trust_with(|_| {}).await;
    let details = json!([{ "type": "notes", "actions": ["read"] }]);
    let beside = trust.present_saying("1", &json!({ "authorization_details": details })).await;
    assert_eq!(beside.text("scope"), "notes:read");
    assert_eq!(beside.json.get("authorization_details"), None);
    let mut alone = trust.saying("2", &json!({ "authorization_details": details }));
    alone.as_object_mut().unwrap().remove("scope");
    assert_eq!(trust.present(&alone).await.error(), (400, "invalid_grant"), "not: the default scopes");
    let malformed = trust.present_saying("3", &json!({ "authorization_details": "read" })).await;
    assert_eq!(malformed.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn whoever_acts_for_the_person_stands_in_the_token() {
    let trust = trust_with(|_| {}).await;
    let act = json!({ "sub": "agent-7", "act": { "sub": "agent-1" } });
    let tokens = trust.present_saying("1", &json!({ "act": act })).await;
    let claims = harness::claims(tokens.text("access_token"));
    assert_eq!((&claims["act"], &claims["sub"]), (&act, &json!(format!("{IDP}#alice"))));
    for malformed in [json!("agent-7"), json!({}), json!({ "sub": 7 })] {
        let refused = trust.present_saying("2", &json!({ "act": malformed })).await;
        assert_eq!(refused.error(), (400, "invalid_grant"), "{malformed}");
    }
}

#[tokio::test]
async fn one_that_is_bound_to_a_key_needs_the_key() {
    let trust = trust_with(|settings| settings.dpop_nonces = false).await;
    let (key, other) = (SigningKey::generate_es256().unwrap(), SigningKey::generate_es256().unwrap());
    let bound = json!({ "cnf": { "jkt": key.thumbprint() } });
    let present = async |jti: &str, more: &Value, shown: Option<&SigningKey>| {
        let assertion = trust.idp.sign("oauth-id-jag+jwt", &trust.saying(jti, more)).unwrap();
        let form = [
            ("grant_type", JWT_BEARER),
            ("client_id", "app"),
            ("client_secret", "s"),
            ("assertion", assertion.as_str()),
        ];
        let mut request = trust.house.http.post(trust.house.url("/token")).form(&form);
        if let Some(key) = shown {
            request = request.header("DPoP", proof(&trust.house, key, jti));
        }
        trust.house.send(request).await
    };
    assert_eq!(present("a", &bound, None).await.error(), (400, "invalid_grant"));
    assert_eq!(present("b", &bound, Some(&other)).await.error(), (400, "invalid_grant"));
    for strange in [json!({ "cnf": {} }), json!({ "cnf": { "kid": "1" } }), json!({ "cnf": "x" })] {
        assert_eq!(present("c", &strange, Some(&key)).await.error(), (400, "invalid_grant"), "{strange}");
    }
    let tokens = present("d", &bound, Some(&key)).await;
    assert_eq!(tokens.text("token_type"), "DPoP", "and the token is bound to the same key");
    assert_eq!(harness::claims(tokens.text("access_token"))["cnf"], bound["cnf"]);
}

#[tokio::test]
async fn a_client_that_shows_no_key_or_secret_has_no_use_for_it() {
    let trust = trust_with(|settings| {
        let public = settings.trusted_issuers[0].rules[0].clone();
        settings.trusted_issuers[0].rules.push(AssertionRule { client_id: "robot".to_owned(), ..public });
    })
    .await;
    let claims = trust.saying("1", &json!({ "client_id": "robot" }));
    let public = trust.ask("robot", &trust.idp.sign("oauth-id-jag+jwt", &claims).unwrap(), &[]).await;
    assert_eq!(public.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn an_account_is_found_by_issuer_and_subject_then_by_a_verified_address() {
    let trust = linked(&["example.com"], false).await;
    let alice = json!({ "email": "Ada@example.com", "email_verified": true });
    assert_eq!(trust.present(&trust.id_jag("1")).await.error(), (400, "invalid_grant"), "nobody here");
    let house = &trust.house;
    let id = house.server.users().add_without_password("ada@example.com").await.unwrap();
    for unproven in [
        json!({ "email": "ada@example.com" }),
        json!({ "email": "ada@example.com", "email_verified": false }),
        json!({ "email": "ada@example.com", "email_verified": "true" }),
        json!({ "email": USER, "email_verified": true }),
        json!({ "email": "ada@example.com.evil.example", "email_verified": true }),
        json!({ "email": "ada@other.example", "email_verified": true }),
        json!({ "email": "x@evil.example@example.com", "email_verified": true }),
        json!({ "email": ["ada@example.com"], "email_verified": true }),
    ] {
        assert_eq!(trust.present_saying("1", &unproven).await.error(), (400, "invalid_grant"), "{unproven}");
    }
    assert_eq!(trust.subject_of("1", &alice).await, id);
    assert_eq!(trust.subject_of("2", &json!({})).await, id, "by issuer and subject from now on");
    let moved = json!({ "email": "eve@example.com", "email_verified": true });
    assert_eq!(trust.subject_of("3", &moved).await, id, "and by nothing else");
    let other = json!({ "sub": "bob" });
    assert_eq!(trust.present_saying("4", &other).await.error(), (400, "invalid_grant"));
    assert_eq!(trust.users().await.len(), 2, "nobody was made");
}

#[tokio::test]
async fn an_address_that_changes_hands_takes_nothing_along() {
    for create in [false, true] {
        let trust = linked(&["example.com"], create).await;
        let id = trust.house.server.users().add_without_password("ada@example.com").await.unwrap();
        let saying = |mut whose: Value| {
            (whose["email"], whose["email_verified"]) = (json!("ada@example.com"), json!(true));
            whose
        };
        assert_eq!(trust.subject_of("1", &saying(json!({}))).await, id);
        for whose in
            [json!({ "sub": "new" }), json!({ "tenant": "b" }), json!({ "sub": "new", "tenant": "b" })]
        {
            let refused = trust.present_saying("2", &saying(whose.clone())).await;
            assert_eq!(refused.error(), (400, "invalid_grant"), "{whose}");
        }
        assert_eq!(trust.users().await.len(), 2);
        assert_eq!(trust.subject_of("2", &saying(json!({}))).await, id);
    }
}

#[tokio::test]
async fn without_domains_no_address_counts() {
    let trust = linked(&[], false).await;
    trust.house.server.users().add_without_password("ada@example.com").await.unwrap();
    let alice = json!({ "email": "ada@example.com", "email_verified": true });
    assert_eq!(trust.present_saying("1", &alice).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn whoever_is_new_gets_an_account_where_the_operator_says_so() {
    let trust = linked(&["example.com"], true).await;
    let first = trust.subject_of("1", &json!({})).await;
    assert_eq!(trust.subject_of("2", &json!({})).await, first);
    let bob = json!({ "sub": "bob", "email": "bob@example.com", "email_verified": true });
    let second = trust.subject_of("3", &bob).await;
    assert_ne!(first, second);
    let users = trust.users().await;
    let name = |id: &str| users.iter().find(|user| user.0 == id).unwrap().1.clone();
    assert_eq!((name(&first).as_str(), name(&second).as_str()), ("alice (idp.example)", "bob@example.com"));
    // An assertion that breaks a rule makes nobody.
    let eve = json!({ "sub": "eve", "scope": "other" });
    assert_eq!(trust.present_saying("4", &eve).await.status, 400);
    assert_eq!(trust.present_saying("3", &json!({ "sub": "eve" })).await.status, 400, "used before");
    assert_eq!(trust.users().await.len(), 3);
    let tenants = [json!({ "tenant": "a" }), json!({ "tenant": "b" }), json!({ "tenant": "b/c&d" })];
    let mut all = vec![first];
    for (n, tenant) in tenants.iter().enumerate() {
        all.push(trust.subject_of(&format!("t{n}"), tenant).await);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "a subject of another tenant is somebody else");
    let malformed = trust.present_saying("5", &json!({ "tenant": ["a"] })).await;
    assert_eq!(malformed.error(), (400, "invalid_grant"));
}

// Row 24 of never-again.
#[tokio::test]
async fn a_user_who_is_disabled_gets_nothing_and_the_tokens_end() {
    let trust = linked(&["example.com"], true).await;
    let ada = json!({ "email": "ada@example.com", "email_verified": true });
    let before = trust.present_saying("1", &ada).await;
    let bob = trust.present_saying("2", &json!({ "sub": "bob" })).await;
    // By another process.
    let users = trust.house.store().await.users();
    assert!(users.disable("ada@example.com").await.unwrap());
    trust.house.server.keep_house().await.unwrap();
    assert!(trust.house.is_revoked(before.text("access_token")));
    assert!(!trust.house.is_revoked(bob.text("access_token")));
    assert_eq!(trust.present_saying("3", &ada).await.error(), (400, "invalid_grant"));
    let other_subject = json!({ "sub": "new", "email": "ada@example.com", "email_verified": true });
    let by_address = trust.present_saying("4", &other_subject).await;
    assert_eq!(by_address.error(), (400, "invalid_grant"), "by no other way either");
    assert!(users.enable("ada@example.com").await.unwrap());
    let after = trust.present_saying("5", &ada).await;
    assert!(!trust.house.is_revoked(after.text("access_token")));
    assert!(trust.house.is_revoked(before.text("access_token")), "what was before stays dead");
    assert!(users.remove("ada@example.com").await.unwrap());
    trust.house.server.keep_house().await.unwrap();
    assert!(trust.house.is_revoked(after.text("access_token")));
}

// Row 32 of never-again.
#[tokio::test]
async fn introspection_sees_every_layer_that_such_a_token_hangs_on() {
    for end in ["nothing", "issuer", "client", "user", "token"] {
        let trust = linked(&[], true).await;
        let tokens = trust.present(&trust.id_jag("1")).await;
        let token = tokens.text("access_token");
        let sub = trust.house.verify(token).sub;
        let name = trust.users().await.into_iter().find(|user| user.0 == sub).unwrap().1;
        let app = [("client_id", "app"), ("client_secret", "s"), ("token", token)];
        let asked = async || trust.house.post("/introspect", &app).await;
        assert_eq!(asked().await.json["active"], true);
        let elsewhere = trust.house.store().await;
        match end {
            "issuer" => drop(elsewhere.trusted_issuers().disable(IDP).await.unwrap()),
            "client" => drop(elsewhere.clients().disable("app").await.unwrap()),
            "user" => drop(elsewhere.users().disable(&name).await.unwrap()),
            "token" => drop(trust.house.post("/revoke", &app).await),
            _ => {}
        }
        let (told, lives) = (asked().await, end == "nothing");
        assert!(told.json["active"] == lives || (end == "client" && told.status == 401), "{end}: {told:?}");
        trust.house.server.keep_house().await.unwrap();
        assert_eq!(trust.house.is_revoked(token), !lives, "{end}");
    }
}

// Rows 24 and 25 of never-again.
#[tokio::test]
async fn what_was_exchanged_for_such_a_token_ends_with_its_issuer() {
    const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
    let trust = trust_with(|settings| {
        let issuer = settings.issuer.as_str().trim_end_matches('/').to_owned();
        settings.exchange = vec![ExchangeRule {
            client_id: "backend".to_owned(),
            from: format!("{issuer}/mcp"),
            to: format!("{issuer}/second"),
            scopes: ScopeSet::parse("notes:read").unwrap(),
        }];
    })
    .await;
    let backend = NewClient {
        id: "backend".to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: vec![EXCHANGE.to_owned()],
        ..NewClient::default()
    };
    trust.house.server.clients().add(backend).await.unwrap();
    let tokens = trust.present(&trust.id_jag("1")).await;
    let second = format!("{}/second", trust.house.issuer);
    let form = [
        ("grant_type", EXCHANGE),
        ("client_id", "backend"),
        ("client_secret", "s"),
        ("subject_token", tokens.text("access_token")),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("resource", &second),
    ];
    let exchanged = trust.house.post("/token", &form).await;
    let claims = harness::claims(exchanged.text("access_token"));
    assert_eq!(
        (&claims["sub"], &claims["act"]),
        (&json!(format!("{IDP}#alice")), &json!({ "sub": "backend" }))
    );
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(trust.house.server.revocations().is_revoked(jti), Ok(false));
    assert!(trust.house.store().await.trusted_issuers().disable(IDP).await.unwrap());
    trust.house.server.keep_house().await.unwrap();
    assert_eq!(trust.house.server.revocations().is_revoked(jti), Ok(true));
    assert_eq!(trust.house.post("/token", &form).await.error(), (400, "invalid_grant"));
}
