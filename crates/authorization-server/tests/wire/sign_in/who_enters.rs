//! Who enters, and as whom.

use super::*;

#[tokio::test]
async fn a_person_enters_as_one_and_the_same_through_a_provider() {
    let two = Two::with(|_| {}).await;
    two.email("ada@acme.example", true);
    let first = two.claims(&Person::new()).await;
    // Another address and another name change nothing: issuer and subject are who it is.
    two.email("lovelace@acme.example", true);
    let again = two.claims(&Person::new()).await;
    assert_eq!(first.sub, again.sub);
    assert!(first.sub.len() > 20 && first.sub != "sub-of-ada", "a subject of ours");
    two.party.script().claims = json!({ "sub": "sub-of-eve" });
    two.party.script().user_info = json!({ "sub": "sub-of-eve" });
    assert_ne!(two.claims(&Person::new()).await.sub, first.sub);
    assert_eq!(two.house.number("SELECT COUNT(*) FROM identities").await, 2);
}

/// An address is never enough: whoever has one like a user's is not that user.
#[tokio::test]
async fn an_address_or_name_of_somebody_here_makes_nobody_them() {
    let two = Two::with(|_| {}).await;
    two.party.script().claims =
        json!({ "email": USER, "email_verified": true, "preferred_username": USER, "name": USER });
    two.claims(&Person::new()).await;
    let users = two.house.server.users().list().await.unwrap();
    assert_eq!(users.len(), 2, "somebody new, with letters behind the name");
    assert_eq!(users.iter().filter(|user| user.name == USER).count(), 1);
}

/// A company's assertion and SCIM find accounts by an address that is a name: nobody is given one that the provider may not speak
/// for.
#[tokio::test]
async fn nobody_is_called_by_an_address_that_is_not_the_providers_to_give() {
    type Change = fn(&mut SignIn, &mut Settings);
    let anybody: Change = |_, _| {};
    let domain: Change = |way, _| way.who.domains = vec!["acme.example".to_owned()];
    let vouched: Change = |way, settings| {
        settings.trusted_issuers = vec![speaks_for_acme(way.provider.settings().issuer.as_str())]
    };
    let elsewhere: Change =
        |_, settings| settings.trusted_issuers = vec![speaks_for_acme("https://idp.example")];
    let verified = json!({ "email": "Ceo@acme.example", "email_verified": true });
    for (change, claims, called) in [
        (anybody, json!({ "preferred_username": "ceo@acme.example" }), "ceo at acme.example"),
        (anybody, json!({ "name": "ceo@acme.example" }), "ceo at acme.example"),
        (anybody, verified.clone(), "Ceo at acme.example"),
        (elsewhere, verified.clone(), "Ceo at acme.example"),
        (domain, verified.clone(), "Ceo@acme.example"),
        (vouched, verified.clone(), "Ceo@acme.example"),
        (vouched, json!({ "email": "ceo@acme.example" }), "sub-of-ada"),
        (vouched, json!({ "email": "a@b.example", "email_verified": true }), "a at b.example"),
    ] {
        let two = Two::with_settings(change).await;
        two.party.script().claims.clone_from(&claims);
        assert_eq!(two.sign_in(&Person::new()).await.status(), 200, "{claims}");
        let users = two.house.server.users().list().await.unwrap();
        let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
        assert!(names.len() == 2 && names.contains(&called), "{claims}: {names:?}");
    }
}

#[tokio::test]
async fn whoever_is_not_listed_stays_out() {
    type Change = fn(&mut SignIn);
    let domain: Change = |way| {
        way.who = WhoEnters { domains: vec!["Acme.example".to_owned()], ..WhoEnters::default() };
    };
    let hosted: Change = |way| {
        way.who.domains = vec!["acme.example".to_owned()];
        let mut settings = way.provider.settings().clone();
        settings.profile.hosted_domain = Some("hd".to_owned());
        way.provider = Provider::new(settings);
    };
    let group: Change = |way| {
        way.who = WhoEnters { groups: vec!["staff".to_owned()], ..WhoEnters::default() };
    };
    let nobody: Change = |way| way.who = WhoEnters::default();
    let good = "ada@acme.example";
    for (change, claims, enters) in [
        (domain, json!({ "email": good, "email_verified": true }), true),
        (domain, json!({ "email": "ADA@ACME.EXAMPLE", "email_verified": true }), true),
        (domain, json!({ "email": good, "email_verified": false }), false),
        (domain, json!({ "email": good }), false),
        (domain, json!({ "email": "eve@evil.example", "email_verified": true }), false),
        (domain, json!({ "email": "eve@sub.acme.example", "email_verified": true }), false),
        (domain, json!({ "email": "acme.example", "email_verified": true }), false),
        (domain, json!({ "email": "eve@acme.example@evil.example", "email_verified": true }), false),
        (hosted, json!({ "hd": "acme.example" }), true),
        (hosted, json!({ "email": good, "email_verified": true }), false),
        (group, json!({ "groups": ["guests", "staff"] }), true),
        (group, json!({ "groups": ["guests"] }), false),
        (group, json!({}), false),
        (nobody, json!({ "email": good, "email_verified": true }), false),
    ] {
        let two = Two::with(change).await;
        two.party.script().claims.clone_from(&claims);
        let page = two.sign_in(&Person::new()).await;
        assert_eq!(page.status() == 200, enters, "{claims}: {}", page.text());
        let made = two.house.number("SELECT COUNT(*) FROM users").await;
        assert_eq!(made, if enters { 2 } else { 1 }, "{claims}");
        if !enters {
            assert_eq!(page.status(), 403);
            assert!(page.text().contains("opens nothing here"), "{}", page.text());
        }
    }
}

#[tokio::test]
async fn a_person_who_is_disabled_here_or_leaves_the_group_stays_out() {
    let two = Two::with(|way| way.who.groups = vec!["staff".to_owned()]).await;
    two.party.script().claims = json!({ "groups": ["staff"], "preferred_username": "bob" });
    let person = Person::new();
    two.claims(&person).await;
    two.party.script().claims = json!({ "groups": [], "preferred_username": "bob" });
    assert_eq!(two.sign_in(&Person::new()).await.status(), 403);
    two.party.script().claims = json!({ "groups": ["staff"], "preferred_username": "bob" });
    assert!(two.house.server.users().disable("bob").await.unwrap());
    assert_eq!(two.sign_in(&Person::new()).await.status(), 403);
    assert!(two.house.server.users().enable("bob").await.unwrap());
    assert_eq!(two.sign_in(&Person::new()).await.status(), 200);
}

/// One who is disabled between the provider's answer and the session gets none.
#[tokio::test]
async fn no_session_begins_for_somebody_who_is_disabled() {
    let two = Two::with(|_| {}).await;
    two.party.script().claims = json!({ "preferred_username": "bob" });
    let person = Person::new();
    two.claims(&person).await;
    assert!(two.house.server.users().disable("bob").await.unwrap());
    assert_eq!(two.house.number("SELECT COUNT(*) FROM sessions").await, 0);
    let page = two.sign_in(&person).await;
    assert!(page.status() == 403 && page.text().contains("opens nothing here"), "{}", page.text());
    assert_eq!(two.house.number("SELECT COUNT(*) FROM sessions").await, 0);
}

/// They may have another way in: a password, a passkey, another provider.
#[tokio::test]
async fn whoever_is_refused_runs_the_server_no_more() {
    let two = Two::with(|way| {
        way.who.groups = vec!["staff".to_owned()];
        way.groups.administrators = vec!["root".to_owned()];
        way.groups.scopes = vec![("staff".to_owned(), ScopeSet::parse("notes:read").unwrap())];
    })
    .await;
    let groups = |groups: Value| {
        two.party.script().claims = json!({ "preferred_username": "bob", "groups": groups });
    };
    let admins = async || two.house.number("SELECT COUNT(*) FROM users WHERE is_admin = 1").await;
    let before = admins().await;
    groups(json!(["staff", "root"]));
    assert_eq!(two.sign_in(&Person::new()).await.status(), 200);
    assert_eq!(admins().await, before + 1);
    groups(json!([]));
    assert_eq!(two.sign_in(&Person::new()).await.status(), 403);
    assert_eq!(admins().await, before);
    assert_eq!(two.house.number("SELECT COUNT(*) FROM users WHERE scopes = ''").await, 1);
}

/// Row 24.
#[tokio::test]
async fn nobody_enters_through_an_issuer_that_is_switched_off() {
    let two = Two::with(|_| {}).await;
    let issuers = two.house.store().await.trusted_issuers();
    // As a server notes that takes its assertions, too.
    let row =
        format!("INSERT INTO trusted_issuers (issuer, own_grant) VALUES ('{}', 'x')", two.party.issuer());
    two.house.sql(row.leak()).await;
    assert_eq!(two.sign_in(&Person::new()).await.status(), 200);
    assert!(issuers.disable(two.party.issuer()).await.unwrap());
    assert_eq!(two.sign_in(&Person::new()).await.status(), 403);
    assert!(issuers.enable(two.party.issuer()).await.unwrap());
    assert_eq!(two.sign_in(&Person::new()).await.status(), 200);
}

/// A text is one group, unless the provider is known to write lists so: `Domain Admins` is neither `Domain` nor `Admins`.
#[tokio::test]
async fn a_text_is_one_group() {
    for (lists_as_text, groups, enters) in [
        (false, "staff", true),
        (false, "not staff", false),
        (false, "staff guests", false),
        (true, "staff guests", true),
    ] {
        let two = Two::with(|way| {
            way.who = WhoEnters { groups: vec!["staff".to_owned()], ..WhoEnters::default() };
            let mut settings = way.provider.settings().clone();
            settings.profile.lists_as_text = lists_as_text;
            way.provider = Provider::new(settings);
        })
        .await;
        two.party.script().claims = json!({ "groups": groups });
        assert_eq!(two.sign_in(&Person::new()).await.status() == 200, enters, "{lists_as_text} {groups}");
    }
}
