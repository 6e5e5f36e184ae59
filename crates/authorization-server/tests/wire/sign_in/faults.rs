//! What goes wrong at a provider: what the person sees, and what stands in the log.

use std::time::Duration;

use hallpass_authorization_server::AuditFilter;

use super::*;

type Change = fn(&Two);

/// A fault, what the page says with which status, and what the audit log says of why.
struct Row {
    fault: &'static str,
    change: Change,
    status: u16,
    sees: &'static str,
    logged: Option<&'static str>,
}

const fn row(
    fault: &'static str,
    change: Change,
    status: u16,
    sees: &'static str,
    logged: Option<&'static str>,
) -> Row {
    Row { fault, change, status, sees, logged }
}

const AWAY: &str = "Acme does not answer right now. Try again in a moment.";
const NO: &str = "Acme did not sign you in.";
const UNUSABLE: &str = "What Acme answered cannot be used.";
const CLOSED: &str = "Your account at Acme opens nothing here.";
const CONSENT: &str = "Allow access?";

fn claim(two: &Two, name: &str, seconds: i64) {
    two.party.script().claims = json!({ name: two.house.clock.now().unix() + seconds });
}

fn another_key(two: &Two, published: bool) {
    let mut script = two.party.script();
    script.key = SigningKey::generate_es256().unwrap();
    if published {
        script.published = vec![script.key.clone()];
    }
}

/// Issue 7's list, each by itself.
const FAULTS: [Row; 16] = [
    row("nothing", |_| {}, 200, CONSENT, None),
    row(
        "down",
        |two| two.party.script().instead_of_tokens = Some((503, String::new())),
        503,
        AWAY,
        Some("the provider answered 503"),
    ),
    row(
        "in trouble",
        |two| two.party.script().instead_of_tokens = Some((429, String::new())),
        503,
        AWAY,
        Some("the provider answered 429"),
    ),
    row(
        "slow",
        |two| two.party.script().hesitates = Duration::from_secs(600),
        503,
        AWAY,
        Some("the provider does not answer"),
    ),
    row("keys rotated", |two| another_key(two, true), 200, CONSENT, None),
    row(
        "a key that is not published",
        |two| another_key(two, false),
        502,
        UNUSABLE,
        Some("the provider's ID token is not taken: no key for this token"),
    ),
    row("its clock ahead, within bounds", |two| claim(two, "iat", 30), 200, CONSENT, None),
    row(
        "its clock too far ahead",
        |two| claim(two, "iat", 31),
        502,
        UNUSABLE,
        Some("the token was issued in the future"),
    ),
    row("its clock behind, within bounds", |two| claim(two, "exp", -29), 200, CONSENT, None),
    row(
        "its clock too far behind",
        |two| claim(two, "exp", -30),
        502,
        UNUSABLE,
        Some("the token has expired"),
    ),
    row(
        "consent withdrawn",
        |two| answer(two, "access_denied"),
        403,
        NO,
        Some("the provider answered: access_denied"),
    ),
    row("it is in trouble with itself", |two| answer(two, "server_error"), 403, NO, Some("server_error")),
    row(
        "the person was deactivated there, between code and token",
        |two| two.party.script().instead_of_tokens = Some((400, r#"{"error":"invalid_grant"}"#.to_owned())),
        502,
        UNUSABLE,
        Some("the provider refuses: invalid_grant"),
    ),
    row(
        "no ID token",
        |two| two.party.script().answer = json!({ "id_token": null }),
        502,
        UNUSABLE,
        Some("no ID token"),
    ),
    row(
        "another person's UserInfo",
        |two| two.party.script().user_info = json!({ "sub": "sub-of-eve" }),
        502,
        UNUSABLE,
        Some("somebody else than the ID token"),
    ),
    row("the person was deactivated here", |_| {}, 403, CLOSED, Some("the account is disabled")),
];

fn answer(two: &Two, error: &str) {
    let said = [("error", error), ("iss", two.party.issuer()), ("error_description", "call 0190")];
    let said = said.map(|(name, value)| (name.to_owned(), value.to_owned()));
    two.party.script().instead_of_a_code = Some(said.to_vec());
}

#[tokio::test]
async fn each_fault_is_told_to_the_person_and_logged() {
    for Row { fault, change, status, sees, logged } in FAULTS {
        let two = Two::with(|way| {
            let mut settings = way.provider.settings().clone();
            let policy =
                Policy { allow_loopback: true, timeout: Duration::from_secs(3), ..Policy::default() };
            settings.fetcher = Fetcher::new(policy).unwrap();
            way.provider = Provider::new(settings);
        })
        .await;
        if fault == "the person was deactivated here" {
            two.sign_in(&Person::new()).await;
            let users = two.house.server.users();
            let name = users.list().await.unwrap().into_iter().find(|user| user.name != USER).unwrap().name;
            assert!(users.disable(&name).await.unwrap());
        }
        let person = Person::new();
        let login = person.open(two.house.authorize_url(&two.house.request())).await;
        change(&two);
        let callback = two.through(&person, &login, "Continue with Acme").await;
        let page = person.arrive(callback).await;
        assert_eq!(page.status(), status, "{fault}: {}", page.text());
        assert!(page.text().contains(sees), "{fault}: {}", page.text());
        assert!(!page.text().contains("0190"), "{fault}: what anybody can write is not shown");
        if status != 200 {
            // The request of the app waits still: the way is offered again.
            assert!(page.text().contains("Continue with Acme"), "{fault}");
        }
        two.house.server.close().await.unwrap();
        let events = two.house.server.audit_log().list(&AuditFilter::default(), 1000).await.unwrap();
        let refused = events.iter().find(|event| event.event == "login_refused");
        let detail = refused.and_then(|event| event.detail.as_deref());
        if fault == "the person was deactivated here" {
            let refused = refused.unwrap();
            assert!(refused.user_id.is_some() && refused.address.is_some(), "who it was: {refused:?}");
            assert!(detail.unwrap().contains("sub-of-ada"), "{detail:?}");
        }
        match logged {
            Some(logged) => {
                let detail = detail.unwrap_or_else(|| panic!("{fault}: {events:?}"));
                assert!(detail.starts_with("through acme: ") && detail.contains(logged), "{fault}: {detail}");
            }
            None => assert_eq!(detail, None, "{fault}"),
        }
    }
}

/// Nobody is even sent there.
#[tokio::test]
async fn a_provider_whose_metadata_cannot_be_had_is_told_before_anybody_leaves() {
    let two = Two::with(|way| {
        let mut settings = way.provider.settings().clone();
        settings.issuer = Issuer::parse("http://127.0.0.1:9").unwrap();
        way.provider = Provider::new(settings);
    })
    .await;
    let login = Person::new().open(two.house.authorize_url(&two.house.request())).await;
    let page = login.follow("Continue with Acme").await;
    assert_eq!(page.status(), 503);
    assert!(page.text().contains(AWAY) && page.text().contains("name=\"password\""), "{}", page.text());
}
