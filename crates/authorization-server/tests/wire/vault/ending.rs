//! The session there is over, and so is what was granted in its name here.

use hallpass_authorization_server::{AuditFilter, NoToken};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::database::TestDatabase;

use super::Delegating;
use crate::harness::{NATIVE, PASSWORD, USER};

#[tokio::test]
async fn a_session_that_ended_there_ends_grants_and_access_tokens_here() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    let tokens = two.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    two.party.end_sessions();
    two.house.advance(3_545);
    let fresh = two.house.server.revocations();
    // It is good to its end; that the session is over shows when it is to be renewed.
    assert!(matches!(two.token().await, Err(NoToken::NotLinked(_))));
    let jti = crate::harness::claims(tokens.text("access_token"))["jti"].as_str().unwrap().to_owned();
    assert_eq!(fresh.is_revoked(&jti), Ok(true));
    let refused = two.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    two.house.server.keep_house().await.unwrap();
    let kinds: Vec<_> = two
        .house
        .server
        .audit_log()
        .list(&AuditFilter::default(), 100)
        .await
        .unwrap()
        .into_iter()
        .map(|event| (event.event, event.detail.unwrap_or_default()))
        .collect();
    let has =
        |kind: &str, says: &str| kinds.iter().any(|(of, detail)| of == kind && detail.starts_with(says));
    assert!(has("third_party_linked", "hub: repo") && has("third_party_ended", "hub: "), "{kinds:?}");
    assert_eq!(two.linked().await, 0);
}

/// No call has shown it: the refresh does, with words that say what to do.
#[tokio::test]
async fn a_refresh_finds_out_that_the_session_is_over_and_says_so() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    two.party.end_sessions();
    two.house.advance(3_545);
    let refused = two.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    let says = refused.text("error_description");
    assert!(says.contains("Hub") && says.contains("log in again"), "{says}");
    let again = two.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert!(again.text("error_description").contains("revoked"), "{:?}", again.json);
}

#[tokio::test]
async fn a_token_that_nothing_renews_ends_the_session_with_it() {
    let two = Delegating::furnished().await;
    two.party.script().answer = serde_json::json!({"refresh_token": null});
    let tokens = two.tokens().await;
    two.house.advance(3_599);
    assert_eq!(two.token().await.unwrap(), "canary-access-1");
    two.house.advance(1);
    assert!(matches!(two.token().await, Err(NoToken::NotLinked(_))));
    assert_eq!(two.house.refresh(NATIVE, tokens.text("refresh_token")).await.error().1, "invalid_grant");
}

#[tokio::test]
async fn a_code_of_before_begins_nothing_after_the_end() {
    let two = Delegating::furnished().await;
    let code = two.code().await;
    two.house.sql("DELETE FROM vault").await;
    let refused = two.house.redeem(&code).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    assert!(refused.text("error_description").contains("Hub"));
    // Nothing was consumed: it is linked anew, and the code is good while it lives.
    assert_eq!(two.house.number("SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL").await, 0);
    assert_eq!(two.house.number("SELECT COUNT(*) FROM grants").await, 0);
}

/// Between the look at the session and the grant's beginning, it ends: nobody keeps such a grant.
#[tokio::test]
async fn a_session_that_ends_while_a_code_is_redeemed_leaves_no_grant() {
    let two = Delegating::on(TestDatabase::sqlite(), |_, _| {}).await;
    let code = two.code().await;
    two.house
        .sql("CREATE TRIGGER at_that_moment AFTER UPDATE OF used_at ON codes BEGIN DELETE FROM vault; END")
        .await;
    assert_eq!(two.house.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(two.house.number("SELECT COUNT(*) FROM grants WHERE revoked_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_name_that_stands_for_somebody_else_by_now_has_no_session() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    two.house.sql("UPDATE vault SET issuer = 'https://former.example'").await;
    let other = two.replica().await;
    let vault = other.server.vault("hub").unwrap();
    assert!(matches!(vault.token(&two.ada().await).await, Err(NoToken::NotLinked(_))));
    drop(tokens);
    assert!(other.server.vault("nobody").is_none());
}

/// A reload: the same process, with what it has in memory.
#[tokio::test]
async fn a_name_that_stands_for_somebody_else_after_a_reload_has_no_session() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    assert!(two.token().await.is_ok(), "in memory");
    let former = hallpass_testkit::third_party::ThirdParty::start(two.house.clock.clock()).await;
    let mut settings = crate::harness::settings(&two.house.issuer);
    settings.third_parties.push(super::party(&former, &two.house.issuer));
    let server = two.house.server.with_settings(settings).await.unwrap();
    let vault = server.vault("hub").unwrap();
    assert!(matches!(vault.token(&two.ada().await).await, Err(NoToken::NotLinked(_))));
}

/// Word of an end is forgotten after a day; what is in memory is not believed that long, with or without an end of its own.
#[tokio::test]
async fn what_is_in_memory_is_believed_for_a_minute() {
    let two = Delegating::furnished().await;
    two.party.script().answer = serde_json::json!({"expires_in": null});
    two.tokens().await;
    assert!(two.token().await.is_ok());
    two.house.sql("DELETE FROM vault").await;
    two.house.advance(60);
    // What was revoked is known anew, so that memory counts.
    while two.house.server.revocations().is_revoked("x").is_err() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(two.token().await, Err(NoToken::NotLinked(_))));
}

/// Row 24 of never-again.
#[tokio::test]
async fn whoever_is_disabled_or_removed_has_no_token_there() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    let (replica, ada) = (two.replica().await, two.ada().await);
    assert!(two.house.server.users().disable(USER).await.unwrap());
    let vault = replica.server.vault("hub").unwrap();
    assert!(matches!(vault.token(&ada).await, Err(NoToken::NotLinked(_))));
    assert_eq!(two.house.refresh(NATIVE, tokens.text("refresh_token")).await.error().1, "invalid_grant");
    assert!(two.house.server.users().remove(USER).await.unwrap());
    assert_eq!(two.linked().await, 0);
    two.house.server.users().add(USER, Secret::new(PASSWORD)).await.unwrap();
    assert!(vault.token(&two.ada().await).await.is_err(), "another person of that name");
}

#[tokio::test]
async fn what_one_replica_ends_is_not_remembered_in_the_other() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    let (replica, ada) = (two.replica().await, two.ada().await);
    let vault = replica.server.vault("hub").unwrap();
    assert_eq!(vault.token(&ada).await.unwrap().expose(), "canary-access-1");
    let mut person = super::account::signed_in(&two).await;
    super::account::unlink(&two, &mut person).await;
    let heard = async {
        while vault.token(&ada).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    // The promise is a second; the bound is longer, for machines that do much else.
    tokio::time::timeout(std::time::Duration::from_secs(15), heard).await.unwrap();
}
