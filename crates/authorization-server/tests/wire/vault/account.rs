//! The account page: where servers act, linked and unlinked.

use hallpass_protocol::scope::ScopeSet;
use hallpass_testkit::person::Person;

use super::Delegating;
use crate::harness::{House, NATIVE, PASSWORD, USER};

pub(super) async fn signed_in(two: &Delegating) -> Person {
    signed_in_at(&two.house).await
}

pub(super) async fn signed_in_at(house: &House) -> Person {
    let person = Person::new();
    let login = person.open(house.url("/account")).await;
    login.form().set("username", USER).set("password", PASSWORD).submit().await;
    person
}

pub(super) async fn unlink(two: &Delegating, person: &mut Person) {
    unlink_at(&two.house, person).await;
}

pub(super) async fn unlink_at(house: &House, person: &mut Person) {
    let account = person.open(house.url("/account")).await;
    let is_it =
        |form: &hallpass_testkit::person::Form| form.target().path().ends_with("/third-parties/remove");
    let form = account.forms().into_iter().find(is_it).unwrap_or_else(|| panic!("{}", account.text()));
    form.press("third_party", "hub").submit_and_confirm().await;
}

#[tokio::test]
async fn a_person_sees_where_servers_act_and_ends_it() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    let mut person = signed_in(&two).await;
    let account = person.open(two.house.url("/account")).await;
    assert!(account.text().contains("Servers act for you at"), "{}", account.text());
    assert!(account.text().contains("Notes, with repo"));
    unlink(&two, &mut person).await;
    assert!(two.token().await.is_err());
    let jti = crate::harness::claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
    assert_eq!(two.house.server.revocations().is_revoked(&jti), Ok(true));
    let refused = two.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    // The third party is told, by and by.
    while two.party.asked("/revoke").is_empty() {
        tokio::task::yield_now().await;
    }
    let told = &two.party.asked("/revoke")[0].parameters;
    assert_eq!(
        (told["token"].as_str(), told["token_type_hint"].as_str()),
        ("canary-refresh-1", "refresh_token")
    );
    // And linked anew, from there.
    let account = person.open(two.house.url("/account")).await;
    assert!(account.text().contains("Not linked."));
    let page = account.follow("Link").await;
    let account = two.link(&person, &page).await;
    assert_eq!(account.url().path(), "/account");
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
}

#[tokio::test]
async fn a_link_that_was_sent_asks_whoever_opens_it_to_log_in_and_is_theirs() {
    let two = Delegating::furnished().await;
    let person = Person::new();
    let login = person.open(two.house.url("/acts/hub")).await;
    assert_eq!(login.url().path(), "/login");
    let page = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert_eq!(page.url().path(), "/acts/hub");
    two.link(&person, &page).await;
    assert_eq!(two.token().await.unwrap(), "canary-access-1");
    assert_eq!(person.open(two.house.url("/acts/nobody")).await.status(), 404);
}

/// An open browser that somebody else sits at.
#[tokio::test]
async fn who_was_linked_is_replaced_by_nobody_but_whoever_has_just_logged_in() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    let person = signed_in(&two).await;
    let page = person.open(two.house.url("/acts/hub")).await;
    assert_eq!(page.url().path(), "/acts/hub");
    two.house.advance(11 * 60);
    assert_eq!(page.form().submit().await.url().path(), "/login");
    assert_eq!(person.open(two.house.url("/acts/hub")).await.url().path(), "/login");
    assert_eq!(two.token().await.unwrap(), "canary-access-1");
}

#[tokio::test]
async fn a_foreign_form_unlinks_nothing() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    let person = signed_in(&two).await;
    let account = person.open(two.house.url("/account")).await;
    let is_it =
        |form: &hallpass_testkit::person::Form| form.target().path().ends_with("/third-parties/remove");
    let form = account.forms().into_iter().find(is_it).unwrap();
    let form = form.press("third_party", "hub").set("csrf", "x").set("confirmed", "yes");
    assert_eq!(form.submit().await.status(), 403);
    assert_eq!(two.linked().await, 1);
}

/// No more than is needed: what each login needs, what the apps need that were allowed in, and what there was.
#[tokio::test]
async fn who_links_there_is_asked_for_what_is_needed() {
    let two = Delegating::with(|party| {
        let mut step_up = party.servers[0].clone();
        step_up.scope = Some(super::scope("notes:write"));
        step_up.scopes = ScopeSet::parse("delete").unwrap();
        party.servers.push(step_up);
    })
    .await;
    let asked = async |person: &Person| {
        let page = person.open(two.house.url("/acts/hub")).await;
        two.link(person, &page).await;
        ScopeSet::parse(&two.party.asked("/authorize").last().unwrap().parameters["scope"]).unwrap()
    };
    let set = |text: &str| ScopeSet::parse(text).unwrap();
    let person = signed_in(&two).await;
    assert_eq!(asked(&person).await, set("repo"));
    // An app that was allowed more.
    two.consent(&Person::new(), &two.house.request()).await.form().press("decision", "allow").submit().await;
    assert_eq!(asked(&person).await, set("repo delete"), "what there was");
    two.house.sql("DELETE FROM vault").await;
    assert_eq!(asked(&person).await, set("repo"), "its code was not redeemed");
    let tokens = two.tokens().await;
    two.house.sql("DELETE FROM vault").await;
    assert_eq!(asked(&person).await, set("repo delete"), "what it needs");
    two.house.sql("DELETE FROM vault").await;
    let form = [("client_id", NATIVE), ("token", tokens.text("refresh_token"))];
    assert_eq!(two.house.post("/revoke", &form).await.status, 200);
    assert_eq!(asked(&person).await, set("repo"), "an app that is gone needs nothing");
}

/// Where every need has its scope, whoever comes without an app is asked for all of them.
#[tokio::test]
async fn who_links_there_without_an_app_that_needs_it_is_asked_for_all() {
    let two = Delegating::with(|party| party.servers[0].scope = Some(super::scope("notes:write"))).await;
    let person = signed_in(&two).await;
    let page = person.open(two.house.url("/acts/hub")).await;
    assert!(page.text().contains("<code>repo</code>"), "{}", page.text());
}
