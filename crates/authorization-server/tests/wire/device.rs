//! Devices without a browser (RFC 8628).

use crate::harness;
use hallpass_authorization_server::{AuditFilter, NewClient};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::{Page, Person};
use harness::{Answer, House, NATIVE, PASSWORD, USER};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const TV: &str = "tv";

async fn house() -> House {
    let house = House::furnished().await;
    for id in [TV, "radio"] {
        let client = NewClient {
            id: id.to_owned(),
            grant_types: vec![GRANT.to_owned(), "refresh_token".to_owned()],
            ..NewClient::default()
        };
        house.server.clients().add(client).await.unwrap();
    }
    house
}

async fn begin(house: &House) -> Answer {
    let form = [("client_id", TV), ("scope", "notes:read")];
    let begun = house.post("/device_authorization", &form).await;
    assert_eq!(begun.status, 200, "{:?}", begun.json);
    begun
}

async fn poll_as(house: &House, client: &str, begun: &Answer) -> Answer {
    let code = begun.text("device_code");
    house.post("/token", &[("grant_type", GRANT), ("client_id", client), ("device_code", code)]).await
}

async fn poll(house: &House, begun: &Answer) -> Answer {
    poll_as(house, TV, begun).await
}

/// Opens the page, and logs in on the way.
async fn open_as(begun: &Answer, person: &Person, name: &str) -> Page {
    let login = person.open(begun.text("verification_uri_complete")).await;
    login.form().set("username", name).set("password", PASSWORD).submit().await
}

#[tokio::test]
async fn a_device_gets_tokens_when_its_person_allows_it() {
    let house = house().await;
    let begun = begin(&house).await;
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    assert_eq!(begun.text("verification_uri"), house.url("/device"));
    assert_eq!((&begun.json["interval"], &begun.json["expires_in"]), (&5.into(), &900.into()));
    assert_eq!(poll(&house, &begun).await.error(), (400, "authorization_pending"));
    let consent = open_as(&begun, &Person::new(), USER).await;
    assert!(consent.text().contains(begun.text("user_code")), "{}", consent.text());
    assert!(consent.text().contains("read your notes") && !consent.text().contains("write and change"));
    let done = consent.form().press("decision", "allow").submit().await;
    assert!(done.text().contains("connected"));
    house.advance(5);
    let tokens = poll(&house, &begun).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    let claims = house.verify(tokens.text("access_token"));
    assert_eq!(claims.other["auth_time"], claims.iat.unix() - 5, "of the login on the way");
    assert_eq!((claims.client_id.as_str(), claims.scope.unwrap().to_string()), (TV, "notes:read".to_owned()));
    assert_eq!(house.refresh(TV, tokens.text("refresh_token")).await.status, 200);
    // Long after that it is a replay: nobody keeps the tokens.
    house.advance(60);
    assert_eq!(poll(&house, &begun).await.error(), (400, "invalid_grant"));
    assert!(house.server.revocations().is_revoked(&claims.jti).unwrap());
}

/// The answer was lost on the way, as a refresh's may be.
#[tokio::test]
async fn a_device_that_lost_its_answer_gets_it_again() {
    let house = house().await;
    let begun = begin(&house).await;
    let consent = open_as(&begun, &Person::new(), USER).await;
    consent.form().press("decision", "allow").submit().await;
    let lost = poll(&house, &begun).await;
    house.advance(59);
    assert_eq!(poll_as(&house, "radio", &begun).await.error(), (400, "invalid_grant"), "not for another");
    let again = poll(&house, &begun).await;
    assert_eq!(again.text("refresh_token"), lost.text("refresh_token"), "one family, one token");
    assert_eq!(house.verify(again.text("access_token")).sub, house.verify(lost.text("access_token")).sub);
    let next = house.refresh(TV, again.text("refresh_token")).await;
    assert_eq!(next.status, 200);
    let first = again.text("refresh_token").to_owned();
    assert!(!house.everything_stored().await.windows(first.len()).any(|bytes| bytes == first.as_bytes()));
    house.advance(1);
    assert_eq!(poll(&house, &begun).await.error(), (400, "invalid_grant"), "a minute, and no more");
    assert_eq!(house.refresh(TV, next.text("refresh_token")).await.error(), (400, "invalid_grant"));
}

/// A code that was redeemed is no way around the pace, and no way to fill the audit log.
#[tokio::test]
async fn whoever_redeems_again_and_again_is_held_to_the_pace() {
    let house = house().await;
    let begun = begin(&house).await;
    let consent = open_as(&begun, &Person::new(), USER).await;
    consent.form().press("decision", "allow").submit().await;
    let tokens = poll(&house, &begun).await;
    assert_eq!(tokens.status, 200);
    for _ in 0..5 {
        assert_eq!(poll(&house, &begun).await.error(), (400, "slow_down"));
    }
    house.advance(29);
    assert_eq!(poll(&house, &begun).await.error(), (400, "slow_down"), "thirty seconds by now");
    house.advance(30);
    // The last second of the grace window, and too soon; then a replay, which ends the grant whenever it comes.
    assert_eq!(poll(&house, &begun).await.error(), (400, "slow_down"));
    house.advance(1);
    assert_eq!(poll(&house, &begun).await.error(), (400, "invalid_grant"));
    assert_eq!(house.refresh(TV, tokens.text("refresh_token")).await.error(), (400, "invalid_grant"));
    for _ in 0..5 {
        assert_eq!(poll(&house, &begun).await.error(), (400, "slow_down"));
    }
    house.advance(600);
    assert_eq!(poll(&house, &begun).await.error(), (400, "invalid_grant"));
    house.server.keep_house().await.unwrap();
    let noted = async |kind: &str| {
        let events = house.server.audit_log().list(&AuditFilter::default(), 1000).await.unwrap();
        events.iter().filter(|event| event.event == kind).count()
    };
    assert_eq!(noted("token_issued").await, 1);
    assert_eq!(noted("code_replayed").await, 1);
    // Of the replays that were refused in time, and of the refresh; `slow_down` is a normal course.
    assert_eq!(noted("request_refused").await, 3);
}

#[tokio::test]
async fn a_device_that_was_disconnected_gets_nothing_again() {
    let house = house().await;
    let begun = begin(&house).await;
    let consent = open_as(&begun, &Person::new(), USER).await;
    consent.form().press("decision", "allow").submit().await;
    let tokens = poll(&house, &begun).await;
    let form = [("client_id", TV), ("token", tokens.text("refresh_token"))];
    assert_eq!(house.post("/revoke", &form).await.status, 200);
    house.advance(5);
    assert_eq!(poll(&house, &begun).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_device_that_always_binds_needs_its_proof() {
    let house = house().await;
    let details =
        hallpass_authorization_server::ClientDetails { dpop_bound_access_tokens: true, ..Default::default() };
    let id = "bound".to_owned();
    let client = NewClient { id, grant_types: vec![GRANT.to_owned()], details, ..NewClient::default() };
    house.server.clients().add(client).await.unwrap();
    let begun = house.post("/device_authorization", &[("client_id", "bound")]).await;
    // What it has said when it began counts, whatever is known of it now.
    assert_eq!(house.number("SELECT COUNT(*) FROM device_codes WHERE must_bind = 'dpop'").await, 1);
    assert_eq!(poll_as(&house, "bound", &begun).await.error(), (400, "invalid_dpop_proof"));
}

#[tokio::test]
async fn a_denied_or_late_device_gets_nothing() {
    let house = house().await;
    let denied = begin(&house).await;
    let consent = open_as(&denied, &Person::new(), USER).await;
    consent.form().press("decision", "deny").submit().await;
    assert_eq!(poll(&house, &denied).await.error(), (400, "access_denied"));
    let late = begin(&house).await;
    house.advance(900);
    assert_eq!(poll(&house, &late).await.error(), (400, "expired_token"));
    let unknown =
        house.post("/token", &[("grant_type", GRANT), ("client_id", TV), ("device_code", "x")]).await;
    assert_eq!(unknown.error(), (400, "invalid_grant"));
    let none = house.post("/token", &[("grant_type", GRANT), ("client_id", TV)]).await;
    assert_eq!(none.error(), (400, "invalid_request"));
}

#[tokio::test]
async fn whoever_asks_too_soon_waits_longer() {
    let house = house().await;
    let begun = begin(&house).await;
    assert_eq!(poll(&house, &begun).await.error(), (400, "authorization_pending"));
    house.advance(4);
    assert_eq!(poll(&house, &begun).await.error(), (400, "slow_down"));
    house.advance(9);
    assert_eq!(poll(&house, &begun).await.error(), (400, "slow_down"), "ten seconds by now");
    house.advance(15);
    assert_eq!(poll(&house, &begun).await.error(), (400, "authorization_pending"));
}

// Row 29 of never-again.
#[tokio::test]
async fn a_device_code_belongs_to_its_client() {
    let house = house().await;
    let begun = begin(&house).await;
    let consent = open_as(&begun, &Person::new(), USER).await;
    consent.form().press("decision", "allow").submit().await;
    assert_eq!(poll_as(&house, "radio", &begun).await.error(), (400, "invalid_grant"));
    assert_eq!(poll(&house, &begun).await.status, 200, "and nothing was spoilt");
}

// Row 30 of never-again.
#[tokio::test]
async fn a_second_person_decides_nothing() {
    let house = house().await;
    house.server.users().add("eve", Secret::new(PASSWORD)).await.unwrap();
    let begun = begin(&house).await;
    let (owner, eve) = (Person::new(), Person::new());
    let consent = open_as(&begun, &owner, USER).await;
    let refused = open_as(&begun, &eve, "eve").await;
    assert_eq!((refused.status().as_u16(), refused.forms().len()), (403, 0));
    // Nor with the owner's form, in a browser of her own.
    let own = begin(&house).await;
    let form = eve.open(own.text("verification_uri_complete")).await;
    for decision in ["allow", "deny"] {
        let form = form.form().set("user_code", begun.text("user_code"));
        assert_eq!(form.press("decision", decision).submit().await.status(), 403);
    }
    assert_eq!(poll(&house, &begun).await.error(), (400, "authorization_pending"));
    assert_eq!(consent.form().press("decision", "allow").submit().await.status(), 200);
    house.advance(5);
    let claims = house.verify(poll(&house, &begun).await.text("access_token"));
    let users = house.server.users().list().await.unwrap();
    assert_eq!(claims.sub, users.iter().find(|user| user.name == USER).unwrap().id);
}

// Row 30 of never-again, the other half.
#[tokio::test]
async fn guesses_are_limited() {
    let house = house().await;
    let begun = begin(&house).await;
    let person = Person::new();
    let login = person.open(house.url("/login?then=/device")).await;
    login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let guess =
        async |code: &str| person.open(house.url(&format!("/device?user_code={code}"))).await.status();
    for n in 0..5 {
        assert_eq!(guess("BBBB-BBBB").await, 404, "{n}");
    }
    assert_eq!(guess("BBBB-BBBB").await, 429);
    assert_eq!(guess(begun.text("user_code")).await, 429, "a right one has to wait too");
    house.advance(60);
    assert_eq!(guess(begun.text("user_code")).await, 200);
    assert_eq!(guess("AEIOU").await, 404, "what is no code is not counted");
}

#[tokio::test]
async fn a_device_of_ones_own_buys_no_more_guesses() {
    let house = house().await;
    let begun = begin(&house).await;
    let person = Person::new();
    open_as(&begun, &person, USER).await;
    let open = async |code: &str| person.open(house.url(&format!("/device?user_code={code}"))).await.status();
    for n in 0..5 {
        assert_eq!(open("BBBB-BBBB").await, 404, "{n}");
        if n < 4 {
            assert_eq!(open(begun.text("user_code")).await, 200, "{n}");
        }
    }
    assert_eq!(open("BBBB-BBBB").await, 429);
}

#[tokio::test]
async fn a_device_that_the_page_was_not_opened_for_is_not_decided_on() {
    let house = house().await;
    let begun = begin(&house).await;
    let consent = open_as(&begun, &Person::new(), USER).await;
    // As if the form were there and nobody had opened it: whoever has the cookies can make one.
    house.sql("UPDATE device_codes SET user_id = NULL").await;
    assert_eq!(consent.form().press("decision", "allow").submit().await.status(), 400);
    assert_eq!(poll(&house, &begun).await.error(), (400, "authorization_pending"));
}

#[tokio::test]
async fn what_was_allowed_ends_with_its_person_and_its_client() {
    for end in ["person", "client", "client for ever"] {
        let house = house().await;
        let begun = begin(&house).await;
        let consent = open_as(&begun, &Person::new(), USER).await;
        consent.form().press("decision", "allow").submit().await;
        match end {
            "person" => {
                assert!(house.server.users().disable(USER).await.unwrap());
                assert!(house.server.users().enable(USER).await.unwrap());
            }
            "client" => {
                assert!(house.server.clients().disable(TV).await.unwrap());
                assert!(house.server.clients().enable(TV).await.unwrap());
            }
            _ => {
                assert!(house.server.clients().remove(TV).await.unwrap());
                let client = NewClient {
                    id: TV.to_owned(),
                    grant_types: vec![GRANT.to_owned()],
                    ..NewClient::default()
                };
                house.server.clients().add(client).await.unwrap();
            }
        }
        assert_eq!(poll(&house, &begun).await.error(), (400, "invalid_grant"), "{end}");
    }
}

#[tokio::test]
async fn the_page_belongs_to_a_login_and_to_its_form() {
    let house = house().await;
    let begun = begin(&house).await;
    let stranger = Person::new().open(begun.text("verification_uri_complete")).await;
    assert!(stranger.text().contains("Password"), "the login comes first");
    let person = Person::new();
    let consent = open_as(&begun, &person, USER).await;
    let forged = consent.form().set("csrf", "x").press("decision", "allow").submit().await;
    assert_eq!(forged.status(), 403);
    assert_eq!(poll(&house, &begun).await.error(), (400, "authorization_pending"));
    assert_eq!(person.open(house.url("/device")).await.forms().len(), 1);
}

#[tokio::test]
async fn only_clients_of_the_grant_begin_and_only_with_what_they_may() {
    let house = house().await;
    let begin = async |form: &[(&str, &str)]| house.post("/device_authorization", form).await;
    assert_eq!(begin(&[("client_id", NATIVE)]).await.error(), (400, "unauthorized_client"));
    assert_eq!(begin(&[("client_id", "nobody")]).await.error(), (401, "invalid_client"));
    assert_eq!(begin(&[("client_id", TV), ("scope", "x")]).await.error(), (400, "invalid_scope"));
    let elsewhere = [("client_id", TV), ("resource", "https://evil.example/")];
    assert_eq!(begin(&elsewhere).await.error(), (400, "invalid_target"));
}

#[tokio::test]
async fn a_person_who_was_disabled_meanwhile_connects_nothing() {
    let house = house().await;
    let begun = begin(&house).await;
    let consent = open_as(&begun, &Person::new(), USER).await;
    consent.form().press("decision", "allow").submit().await;
    assert!(house.server.users().disable(USER).await.unwrap());
    assert_eq!(poll(&house, &begun).await.error(), (400, "invalid_grant"));
}
