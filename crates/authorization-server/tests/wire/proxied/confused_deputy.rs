//! The attack that MCP "Security Best Practices" describes under "Confused Deputy Problem" (2026-07-28), played step by step
//! against a provider that remembers its consent: whoever has been there once is sent back without a question. It fails at
//! each step.

use hallpass_protocol::pkce::CodeVerifier;
use hallpass_testkit::person::{Page, Person};
use serde_json::json;
use url::Url;

use super::{Fronted, parameter};
use crate::harness::{CALLBACK, NATIVE, VERIFIER, redemption, set};

const ATTACKERS_SITE: &str = "https://attacker.example/collect";

/// A person who has logged in through the honest client before, and somebody who wants their tokens.
struct Scene {
    fronted: Fronted,
    victim: Person,
    attacker: Person,
    /// The client that the attacker has registered.
    malicious: String,
}

impl Scene {
    async fn set() -> Self {
        let fronted = Fronted::furnished().await;
        // Step 1 and 2 of the attack: a normal login, after which the provider asks the victim nothing any more.
        let victim = Person::new();
        let callback = fronted.sent_back(&victim, &fronted.house.request()).await;
        assert!(victim.open(callback).await.location_param("code").is_some());
        let body = json!({ "client_name": "Totally honest", "redirect_uris": [ATTACKERS_SITE],
            "token_endpoint_auth_method": "none" });
        let house = &fronted.house;
        let registered = house.send(house.http.post(house.url("/register")).json(&body)).await;
        let malicious = registered.text("client_id").to_owned();
        Self { fronted, victim, attacker: Person::new(), malicious }
    }

    /// The link that the attacker sends to the victim (step 3).
    fn link(&self) -> Vec<(&'static str, String)> {
        let mut request = self.fronted.house.request();
        set(&mut request, "client_id", &self.malicious);
        set(&mut request, "redirect_uri", ATTACKERS_SITE);
        request
    }

    async fn codes(&self) -> i64 {
        self.fronted.house.number("SELECT COUNT(*) FROM codes").await
    }

    /// Nothing has gone to the attacker, and nothing was made that could.
    async fn failed(&self, page: &Page) {
        assert!(!leads_to_the_attacker(page), "{:?}", page.location());
        assert_eq!(page.location_param("code"), None);
        assert_eq!(self.codes().await, 1, "the honest one, and no other");
    }
}

fn leads_to_the_attacker(page: &Page) -> bool {
    page.location().is_some_and(|to| to.host_str() == Some("attacker.example"))
}

// Steps 4 and 5: the provider would skip its consent. Ours comes first, for this client, and names it.
#[tokio::test]
async fn the_link_leads_to_a_question_and_not_to_the_provider() {
    let scene = Scene::set().await;
    let asked = scene.fronted.party.asked("/authorize").len();
    let page = scene.fronted.consent(&scene.victim, &scene.link()).await;
    assert_eq!((page.status().as_u16(), page.location()), (200, None));
    for part in ["Totally honest", "attacker.example", ATTACKERS_SITE, "registered itself"] {
        assert!(page.text().contains(part), "{part}");
    }
    assert_eq!(scene.fronted.party.asked("/authorize").len(), asked);
    assert_eq!(
        scene.fronted.house.number("SELECT COUNT(*) FROM provider_legs").await,
        0,
        "no state before a yes"
    );
    let denied = page.form().press("decision", "deny").submit().await;
    assert_eq!(denied.location_param("error").as_deref(), Some("access_denied"));
    assert_eq!(denied.location_param("code"), None);
    scene.failed(&page).await;
}

// The consent for the honest client counts for no other, and for no later request of its own: it is asked each time.
#[tokio::test]
async fn what_was_agreed_to_for_one_client_is_nothing_to_another() {
    let scene = Scene::set().await;
    for request in [scene.link(), scene.fronted.house.request()] {
        let page = scene.fronted.consent(&scene.victim, &request).await;
        assert!(page.text().contains("Allow "), "{}", page.text());
        assert_eq!(page.location(), None);
    }
    // The form of the honest request, sent for the malicious one.
    let honest = scene.fronted.consent(&scene.victim, &scene.fronted.house.request()).await.form();
    let malicious = scene.fronted.consent(&scene.victim, &scene.link()).await.form();
    let interaction = malicious.fields().iter().find(|(name, _)| name == "interaction").unwrap().1.clone();
    let swapped = honest.set("interaction", &interaction).press("decision", "allow").submit().await;
    assert_eq!(swapped.status().as_u16(), 403);
    scene.failed(&swapped).await;
}

// The attacker answers the question in the victim's place: with a form of their own, from their own browser, from their site.
#[tokio::test]
async fn nobody_else_says_yes() {
    let scene = Scene::set().await;
    let form = scene.fronted.consent(&scene.victim, &scene.link()).await.form().press("decision", "allow");
    scene.failed(&form.clone().submit_as(&scene.attacker).await).await;
    let own = scene.fronted.consent(&scene.attacker, &scene.link()).await.form().press("decision", "allow");
    scene.failed(&own.submit_as(&scene.victim).await).await;
    let interaction = form.fields().iter().find(|(name, _)| name == "interaction").unwrap().1.clone();
    let house = &scene.fronted.house;
    let cookies: Vec<String> =
        scene.victim.cookies().iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
    for origin in ["https://attacker.example", "null"] {
        let sent = house
            .http
            .post(house.url("/consent"))
            .header("origin", origin)
            .header("cookie", cookies.join("; "));
        let sent =
            sent.form(&[("interaction", interaction.as_str()), ("decision", "allow"), ("csrf", "guess")]);
        let answer = sent.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get("location")), (403, None), "{origin}");
    }
    assert_eq!(scene.fronted.house.number("SELECT COUNT(*) FROM provider_legs").await, 0);
}

// Step 6: another place for the code. The registered one is compared before anybody is asked or sent anywhere (row 8).
#[tokio::test]
async fn a_swapped_redirect_uri_goes_nowhere() {
    let scene = Scene::set().await;
    let elsewhere = [
        ATTACKERS_SITE,
        "http://127.0.0.1.attacker.example/callback",
        "http://127.0.0.1@attacker.example/callback",
        "http://127.0.0.1:4711/callback/../evil",
        "http://127.0.0.1:4711/callback?to=attacker",
        "http://127.0.0.1:4711/Callback",
        "https://127.0.0.1:4711/callback",
    ];
    for uri in elsewhere {
        let mut request = scene.fronted.house.request();
        set(&mut request, "redirect_uri", uri);
        let page = scene.fronted.consent(&scene.victim, &request).await;
        assert_eq!((page.status().as_u16(), page.location()), (400, None), "{uri}");
    }
    // Twice is refused as well (row 12).
    let mut twice = scene.fronted.house.request();
    twice.push(("redirect_uri", ATTACKERS_SITE.to_owned()));
    let page = scene.fronted.consent(&scene.victim, &twice).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
    scene.failed(&page).await;
}

// Past our consent: the victim is sent straight to the provider, as our one client there, with a state of the attacker's.
#[tokio::test]
async fn a_forged_state_brings_the_victim_back_to_nothing() {
    let scene = Scene::set().await;
    let mut there = Url::parse(&format!("{}/authorize", scene.fronted.party.issuer())).unwrap();
    there.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", hallpass_testkit::third_party::CLIENT_ID),
        ("redirect_uri", &scene.fronted.house.url("/provider/callback")),
        ("state", "a state of the attacker's"),
        ("code_challenge", CodeVerifier::parse(VERIFIER).unwrap().challenge().as_str()),
        ("code_challenge_method", "S256"),
        ("scope", "openid notes:read notes:write"),
    ]);
    let callback = scene.victim.open(there).await.location().unwrap();
    assert!(parameter(&callback, "code").is_some(), "the provider asks nothing");
    let page = scene.victim.open(callback).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
    scene.failed(&page).await;
}

// The attacker says yes in their own browser, for their own client, and lets the victim do the rest (row 27).
#[tokio::test]
async fn a_real_state_of_the_attackers_browser_is_of_no_use_in_the_victims() {
    let scene = Scene::set().await;
    let there = scene.fronted.agreed(&scene.attacker, &scene.link()).await;
    let callback = scene.victim.open(there).await.location().unwrap();
    let page = scene.victim.open(&callback).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
    scene.failed(&page).await;
    // And with the victim's cookie jar emptied, or planted with a cookie of another shape.
    scene.victim.forget();
    scene.failed(&scene.victim.open(&callback).await).await;
}

// The provider's code is put into a leg of the attacker's own: it belongs to another proof key and another state.
#[tokio::test]
async fn a_code_of_the_victims_does_not_fit_into_a_leg_of_the_attackers() {
    let scene = Scene::set().await;
    let stolen = scene.fronted.sent_back(&scene.victim, &scene.fronted.house.request()).await;
    let own = scene.fronted.sent_back(&scene.attacker, &scene.link()).await;
    let mut injected = own.clone();
    let code = parameter(&stolen, "code").unwrap();
    let pairs: Vec<(String, String)> = own
        .query_pairs()
        .map(|(name, value)| {
            (name.to_string(), if name == "code" { code.clone() } else { value.into_owned() })
        })
        .collect();
    injected.query_pairs_mut().clear().extend_pairs(pairs);
    let page = scene.attacker.open(injected).await;
    assert_eq!(page.location_param("code"), None);
    assert_eq!(page.location_param("error").as_deref(), Some("server_error"));
    assert_eq!(scene.codes().await, 1);
}

// Step 7: a code of ours that was seen on its way is of no use without its client, its verifier, and a second time.
#[tokio::test]
async fn a_stolen_code_opens_nothing() {
    let scene = Scene::set().await;
    let house = &scene.fronted.house;
    let code = scene.fronted.code().await;
    let as_attacker = [
        ("grant_type", "authorization_code"),
        ("client_id", scene.malicious.as_str()),
        ("code", &code),
        ("redirect_uri", ATTACKERS_SITE),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(house.post("/token", &as_attacker).await.error(), (400, "invalid_grant"));
    let guessed = "a-verifier-of-the-attackers-that-is-long-enough-to-be-one";
    let without_verifier = [
        ("grant_type", "authorization_code"),
        ("client_id", NATIVE),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", guessed),
    ];
    assert_eq!(house.post("/token", &without_verifier).await.error(), (400, "invalid_grant"));
    let tokens = house.post("/token", &redemption(&code)).await;
    assert_eq!(tokens.status, 200);
    assert_eq!(house.post("/token", &redemption(&code)).await.error(), (400, "invalid_grant"));
    let refreshed = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"), "two had the code, so neither keeps anything");
}
