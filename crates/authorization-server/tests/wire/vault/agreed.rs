//! What people agreed to before a server acted at a third party, or with more scopes there, lets no app act for them there.

use hallpass_authorization_server::{NewClient, NoToken};
use hallpass_protocol::linked_token::LinkedToken;
use hallpass_testkit::person::Person;

use super::Delegating;
use crate::harness::{Answer, NATIVE, PASSWORD, USER, claims, set};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Before the table was written, and before it got more `scopes`.
const BEFORE: [&str; 2] = ["acts_at = ''", "acts_at = REPLACE(acts_at, 'repo', 'gist')"];

impl Delegating {
    async fn earlier(&self, table: &str, before: &str) {
        let statement = format!("UPDATE {table} SET {before}");
        let mut connection = self.house.connect().await;
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }

    /// What the gateway gets for an app that shows this access token; the same of memory, once it was looked for.
    async fn token_for(&self, tokens: &Answer) -> Result<LinkedToken, NoToken> {
        let jti = claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
        let (vault, ada) = (self.vault(), self.ada().await);
        let looked = vault.token_for(&ada, &jti).await;
        assert!(vault.known(&ada).is_some(), "for other apps");
        assert_eq!(vault.known_for(&ada, &jti).is_some(), looked.is_ok());
        looked
    }
}

#[tokio::test]
async fn a_consent_that_is_remembered_is_asked_for_again() {
    for before in BEFORE {
        let two = Delegating::furnished().await;
        let person = Person::new();
        let consent = two.consent(&person, &two.house.web_request()).await;
        consent.form().press("decision", "allow").submit().await;
        let open = async || person.open(two.house.authorize_url(&two.house.web_request())).await;
        assert!(open().await.location_param("code").is_some(), "remembered");
        two.earlier("consents", before).await;
        let page = open().await;
        assert_eq!(page.url().path(), "/consent", "{before}");
        assert!(page.text().contains("acts for you at <strong>Hub</strong>"), "{}", page.text());
        let mut silent = two.house.web_request();
        set(&mut silent, "prompt", "none");
        let refused = person.open(two.house.authorize_url(&silent)).await;
        assert_eq!(refused.location_param("error").as_deref(), Some("consent_required"));
        page.form().press("decision", "allow").submit().await;
        assert!(open().await.location_param("code").is_some(), "remembered anew");
    }
}

#[tokio::test]
async fn a_grant_of_before_has_no_token_there_and_its_client_logs_in_again() {
    for before in BEFORE {
        let two = Delegating::furnished().await;
        let tokens = two.tokens().await;
        two.earlier("grants", before).await;
        assert!(matches!(two.token_for(&tokens).await, Err(NoToken::NotAgreed(_))), "{before}");
        let refused = two.house.refresh(NATIVE, tokens.text("refresh_token")).await;
        assert_eq!(refused.error(), (400, "invalid_grant"));
        let says = refused.text("error_description");
        assert!(says.contains("Hub") && says.contains("log in again"), "{says}");
        // The account is linked, so nobody is asked for it again; of the consent they are.
        let consent = two.house.log_in(&Person::new(), &two.house.request()).await;
        assert_eq!(consent.url().path(), "/consent");
        let back = consent.form().press("decision", "allow").submit().await;
        let anew = two.house.redeem(&back.location_param("code").unwrap()).await;
        assert_eq!(two.token_for(&anew).await.unwrap().expose(), "canary-access-1");
        assert_eq!(two.house.refresh(NATIVE, anew.text("refresh_token")).await.status, 200);
        assert!(two.token_for(&tokens).await.is_err(), "that of before has not got it by that");
    }
}

/// The operator takes it back: nothing was lost.
#[tokio::test]
async fn a_refusal_of_that_ends_nothing() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    two.earlier("grants", "acts_at = REPLACE(acts_at, 'repo', 'gist')").await;
    assert_eq!(two.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 400);
    two.earlier("grants", "acts_at = REPLACE(acts_at, 'gist', 'repo')").await;
    assert_eq!(two.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn a_name_that_stands_for_somebody_else_was_told_to_nobody() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    two.earlier("grants", "acts_at = REPLACE(acts_at, 'issuer\":\"', 'issuer\":\"x')").await;
    assert!(matches!(two.token_for(&tokens).await, Err(NoToken::NotAgreed(_))));
}

#[tokio::test]
async fn a_code_of_before_begins_nothing() {
    let two = Delegating::furnished().await;
    let code = two.code().await;
    two.earlier("codes", BEFORE[0]).await;
    assert_eq!(two.house.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(two.house.number("SELECT COUNT(*) FROM grants").await, 0);
}

#[tokio::test]
async fn a_device_that_was_allowed_before_gets_nothing() {
    let two = Delegating::furnished().await;
    let house = &two.house;
    let grant_types = vec![DEVICE.to_owned(), "refresh_token".to_owned()];
    let client = NewClient { id: "tv".to_owned(), grant_types, ..NewClient::default() };
    house.server.clients().add(client).await.unwrap();
    let resource = house.resource();
    let form = [("client_id", "tv"), ("scope", "notes:read"), ("resource", resource.as_str())];
    let begun = house.post("/device_authorization", &form).await;
    let person = Person::new();
    let login = person.open(begun.text("verification_uri_complete")).await;
    let page = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let consent = two.link(&person, &page).await;
    // A page that was shown while less was configured: it is shown anew.
    let again = consent.form().set("acts", "of another page").press("decision", "allow").submit().await;
    assert_eq!(again.url().path(), "/device");
    let done = again.form().press("decision", "allow").submit().await;
    assert!(!done.text().contains("Connect this device?"), "{}", done.text());
    let poll = [("grant_type", DEVICE), ("client_id", "tv"), ("device_code", begun.text("device_code"))];
    two.earlier("device_codes", "acts_at = REPLACE(acts_at, 'repo', 'gist')").await;
    house.advance(6);
    assert_eq!(house.post("/token", &poll).await.error(), (400, "invalid_grant"));
    two.earlier("device_codes", "acts_at = REPLACE(acts_at, 'gist', 'repo')").await;
    house.advance(6);
    let tokens = house.post("/token", &poll).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(two.token_for(&tokens).await.unwrap().expose(), "canary-access-1");
    two.earlier("grants", BEFORE[0]).await;
    let replica = two.replica().await;
    let jti = claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
    let there = replica.server.vault("hub").unwrap().token_for(&two.ada().await, &jti).await;
    assert!(matches!(there, Err(NoToken::NotAgreed(_))));
}

/// A page that stood open while the operator added something stands for what was on it.
#[tokio::test]
async fn a_page_of_before_is_shown_anew() {
    let two = Delegating::furnished().await;
    let consent = two.consent(&Person::new(), &two.house.request()).await;
    let again = consent.form().set("acts", "of another page").press("decision", "allow").submit().await;
    assert_eq!((again.url().path(), again.location_param("code")), ("/consent", None));
    assert_eq!(two.house.number("SELECT COUNT(*) FROM consents").await, 0);
    let back = again.form().press("decision", "allow").submit().await;
    assert!(back.location_param("code").is_some());
}

/// Another login does both. What has no page of consent is led to the page where it is linked.
#[tokio::test]
async fn whoever_has_to_be_asked_again_is_not_told_to_link_before_it() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    let jti = claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
    let (vault, ada) = (two.vault(), two.ada().await);
    two.house.sql("UPDATE vault SET issuer = 'https://other.example'").await;
    two.house.advance(61);
    two.earlier("grants", BEFORE[0]).await;
    assert!(matches!(vault.token_for(&ada, &jti).await, Err(NoToken::NotAgreed(_))));
    let exchanged = format!("{jti}.client.x");
    assert!(matches!(vault.token_for(&ada, &exchanged).await, Err(NoToken::NotLinked(_))));
}

/// The company, or the operator, has decided about those.
#[tokio::test]
async fn what_hangs_on_more_than_a_grant_has_nothing_to_do_with_a_page() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    two.earlier("grants", BEFORE[0]).await;
    let jti = claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
    let exchanged = format!("{jti}.client.x");
    assert!(two.vault().token_for(&two.ada().await, &exchanged).await.is_ok());
    assert!(matches!(two.vault().token_for(&two.ada().await, "unknown.x").await, Err(NoToken::NotAgreed(_))));
}
