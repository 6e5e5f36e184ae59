//! Tokens as providers write them: their access tokens are taken, what else they sign is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use hallpass_resource_server::policy::Rule;
use hallpass_resource_server::{Provider, Refusal, Settings};
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, protect_with, scopes};

/// A server that takes that provider's tokens, of these tenants.
fn taking(name: &str, tenants: &[&str], change: impl FnOnce(&mut Settings)) -> Protected {
    let provider = Provider::named(name).unwrap();
    protect_with(|settings| {
        let first = settings.issuers.remove(0);
        let mut trusted = provider.trusted(first.issuer, first.keys);
        trusted.claims.tenants = tenants.iter().map(|one| (*one).to_owned()).collect();
        settings.issuers.push(trusted);
        change(settings);
    })
}

/// Signs what the provider would write: claims of its own beside those that every token has.
fn token(server: &Protected, typ: &str, claims: &Value) -> String {
    let now = NOW.unix();
    let mut all = json!({ "iss": server.issuer.issuer, "aud": RESOURCE, "iat": now, "exp": now + 600 });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    server.issuer.key.sign(typ, &all).unwrap()
}

/// The documents beside each entry of `providers.rs` show these.
#[test]
fn access_tokens_are_read_as_their_provider_writes_them() {
    for (name, typ, claims, (subject, client, scope, tenant)) in [
        (
            "entra",
            "JWT",
            json!({"sub": "AAAA", "oid": "o-1", "azp": "app-1", "scp": "notes.read notes.write", "tid": "t-1", "uti": "u", "ver": "2.0"}),
            ("AAAA", "app-1", "notes.read notes.write", Some("t-1")),
        ),
        (
            "entra",
            "JWT",
            json!({"sub": "s", "appid": "app-1", "roles": ["notes.admin"], "tid": "t-1", "ver": "1.0"}),
            ("s", "app-1", "notes.admin", Some("t-1")),
        ),
        (
            "okta",
            "",
            json!({"sub": "ada@acme.example", "uid": "00u1", "cid": "0oa1", "scp": ["notes:read"], "jti": "AT.1", "ver": 1}),
            ("ada@acme.example", "0oa1", "notes:read", None),
        ),
        (
            "auth0",
            "JWT",
            json!({"sub": "auth0|1", "azp": "app", "scope": "openid notes:read", "permissions": ["notes:write"], "org_id": "org_1"}),
            ("auth0|1", "app", "openid notes:read", Some("org_1")),
        ),
        (
            "auth0",
            "at+jwt",
            json!({"sub": "auth0|1", "client_id": "app", "scope": "notes:read", "jti": "j"}),
            ("auth0|1", "app", "notes:read", None),
        ),
        (
            "keycloak",
            "JWT",
            json!({"sub": "u-1", "typ": "Bearer", "azp": "app", "scope": "notes:read", "jti": "j", "realm_access": {"roles": ["x"]}}),
            ("u-1", "app", "notes:read", None),
        ),
        (
            "cognito",
            "",
            json!({"sub": "u-1", "token_use": "access", "client_id": "app", "scope": "api/notes:read", "jti": "j", "version": 2}),
            ("u-1", "app", "api/notes:read", None),
        ),
        (
            "google",
            "JWT",
            json!({"sub": "113", "azp": "113", "hd": "acme.example", "email": "a@acme.example"}),
            ("113", "113", "", Some("acme.example")),
        ),
        (
            "github-actions",
            "JWT",
            json!({"sub": "repo:acme/x:ref:refs/heads/main", "repository": "acme/x", "repository_owner": "acme", "repository_owner_id": "65", "jti": "j"}),
            ("repo:acme/x:ref:refs/heads/main", "acme/x", "", Some("65")),
        ),
        (
            "kubernetes",
            "",
            json!({"sub": "system:serviceaccount:mcp:bot", "aud": [RESOURCE], "kubernetes.io": {"namespace": "mcp", "serviceaccount": {"name": "bot"}}}),
            ("system:serviceaccount:mcp:bot", "system:serviceaccount:mcp:bot", "", Some("mcp")),
        ),
    ] {
        let server = taking(name, &[], |_| {});
        let verified = server
            .server
            .verify(&token(&server, typ, &claims))
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let caller = verified.caller();
        assert_eq!(
            (caller.subject(), caller.client_id(), caller.tenant()),
            (subject, client, tenant),
            "{name}"
        );
        assert_eq!(*caller.scopes(), scopes(scope), "{name}");
    }
}

/// What a person may do is not what they let an app do.
#[test]
fn an_app_gets_none_of_the_rights_of_its_user() {
    for (name, claims, granted) in [
        (
            "auth0",
            json!({"sub": "auth0|1", "azp": "app", "scope": "notes:read", "permissions": ["notes:read", "notes:admin"]}),
            "notes:read",
        ),
        ("auth0", json!({"sub": "auth0|1", "azp": "app", "permissions": ["notes:admin"]}), ""),
        (
            "entra",
            json!({"sub": "s", "azp": "app-1", "scp": "notes:read", "roles": ["notes:admin"], "tid": "t-1"}),
            "notes:read",
        ),
        ("entra", json!({"sub": "s", "azp": "app-1", "scp": "", "roles": ["notes:admin"], "tid": "t-1"}), ""),
        // An application of its own, without a user.
        ("entra", json!({"sub": "s", "azp": "app-1", "roles": ["notes:admin"], "tid": "t-1"}), "notes:admin"),
    ] {
        let server = taking(name, &[], |_| {});
        let verified = server.server.verify(&token(&server, "JWT", &claims)).unwrap();
        assert_eq!(*verified.caller().scopes(), scopes(granted), "{name} {claims}");
    }
}

/// Even where such a token has this server as its audience.
#[test]
fn what_else_a_provider_signs_is_no_access_token() {
    for (name, typ, claims) in [
        // No `azp`.
        ("entra", "JWT", json!({"sub": "AAAA", "oid": "o-1", "tid": "t-1", "nonce": "n", "ver": "2.0"})),
        // No `cid`.
        ("okta", "", json!({"sub": "00u1", "jti": "ID.1", "amr": ["pwd"], "ver": 1})),
        ("keycloak", "JWT", json!({"sub": "u-1", "typ": "ID", "azp": "app", "jti": "j"})),
        (
            "keycloak",
            "JWT",
            json!({"sub": "u-1", "typ": "Refresh", "azp": "app", "jti": "j", "scope": "notes:read"}),
        ),
        ("keycloak", "JWT", json!({"sub": "u-1", "azp": "app", "jti": "j", "scope": "notes:read"})),
        ("keycloak", "logout+jwt", json!({"sub": "u-1", "typ": "Bearer", "azp": "app", "jti": "j"})),
        ("cognito", "", json!({"sub": "u-1", "token_use": "id", "client_id": "app", "jti": "j"})),
        ("cognito", "", json!({"sub": "u-1", "token_use": ["access"], "client_id": "app", "jti": "j"})),
        ("cognito", "", json!({"sub": "u-1", "client_id": "app", "jti": "j"})),
        // What has no `jti` cannot be revoked one by one: only where the provider gives none.
        ("github-actions", "JWT", json!({"sub": "repo:acme/x:ref:refs/heads/main", "repository": "acme/x"})),
        // A type that is another provider's.
        ("auth0", "", json!({"sub": "auth0|1", "azp": "app", "scope": "notes:read"})),
    ] {
        let server = taking(name, &[], |_| {});
        assert!(server.server.verify(&token(&server, typ, &claims)).is_err(), "{name} {claims}");
    }
}

/// Anybody's workflow gets a token for any audience.
#[tokio::test]
async fn of_an_issuer_for_everybody_the_named_tenants_tokens_are_taken() {
    let server = taking("github-actions", &["65"], |_| {});
    let of = |owner: Value| {
        let claims = json!({"sub": "repo:x", "repository": "acme/x", "repository_owner": "acme", "repository_owner_id": owner, "jti": "j"});
        token(&server, "JWT", &claims)
    };
    assert_eq!(server.post(&of(json!("65")), "{}").await.status(), 200);
    for owner in [json!("66"), json!("acme"), json!(["65"]), json!(null), json!(65), json!("065")] {
        assert!(matches!(server.server.verify(&of(owner.clone())), Err(Refusal::UntrustedTenant)), "{owner}");
        let response = server.post(&of(owner.clone()), "{}").await;
        assert_eq!(
            (response.status().as_u16(), response.headers().contains_key("www-authenticate")),
            (401, true),
            "{owner}"
        );
    }
}

#[tokio::test]
async fn an_issuer_may_grant_scopes_to_each_of_its_tokens() {
    let server = taking("kubernetes", &["mcp"], |settings| {
        settings.issuers[0].claims.grants = scopes("notes:read");
        settings.policy.tools =
            vec![Rule::scopes("write_*", scopes("notes:write")), Rule::scopes("*", scopes("notes:read"))];
    });
    let claims = json!({"sub": "system:serviceaccount:mcp:bot", "kubernetes.io": {"namespace": "mcp"}});
    let token = token(&server, "", &claims);
    let call = |tool: &str| json!({"id": 1, "method": "tools/call", "params": {"name": tool}}).to_string();
    assert_eq!(server.post(&token, call("list")).await.status(), 200);
    assert_eq!(server.post(&token, call("write_note")).await.status(), 403);
}
