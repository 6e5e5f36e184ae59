//! Signing in through somebody else's provider: who enters, as whom, and what an answer may not do.

use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderSettings};
use hallpass_authorization_server::{
    AccountLinking, AssertionKind, AssertionRule, ExchangeRule, GroupRules, IssuerKeys, NewClient, Settings,
    SignIn, TrustedIssuer, WhoEnters,
};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::person::{Form, Page, Person};
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, ThirdParty};
use serde_json::{Value, json};

use super::harness::{House, NATIVE, PASSWORD, USER, set};

struct Two {
    house: House,
    party: ThirdParty,
}

fn way(party: &ThirdParty) -> SignIn {
    SignIn {
        name: "acme".to_owned(),
        shown: "Acme".to_owned(),
        provider: Provider::new(ProviderSettings {
            issuer: Issuer::parse(party.issuer()).unwrap(),
            profile: Profile::default(),
            client_id: CLIENT_ID.to_owned(),
            credentials: ProviderCredentials::Secret(Secret::new(CLIENT_SECRET)),
            scopes: ScopeSet::parse("openid email").unwrap(),
            tenants: Vec::new(),
            fetcher: Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap(),
        }),
        who: WhoEnters { anybody: true, ..WhoEnters::default() },
        groups: GroupRules::default(),
    }
}

impl Two {
    async fn with(change: impl FnOnce(&mut SignIn)) -> Self {
        Self::with_settings(|way, _| change(way)).await
    }

    async fn with_settings(change: impl FnOnce(&mut SignIn, &mut Settings)) -> Self {
        let clock = FakeClock::at(Timestamp::from_unix(1_800_000_000));
        let party = ThirdParty::start(clock.clock()).await;
        let mut way = way(&party);
        let house = House::furnished_with(|settings| {
            change(&mut way, settings);
            settings.sign_in.push(way);
        })
        .await;
        Self { house, party }
    }

    fn email(&self, email: &str, verified: bool) {
        self.party.script().claims = json!({ "email": email, "email_verified": verified });
    }

    /// As far as the address that the provider sends the browser back to.
    async fn to_the_callback(&self, person: &Person, request: &[(&'static str, String)]) -> String {
        let login = person.open(self.house.authorize_url(request)).await;
        self.through(person, &login, "Continue with Acme").await
    }

    async fn through(&self, person: &Person, page: &Page, link: &str) -> String {
        let away = page.follow(link).await;
        let there = away.location().unwrap_or_else(|| panic!("{}", away.text()));
        assert!(there.as_str().starts_with(self.party.issuer()), "{there}");
        person.arrive(there).await.location().unwrap().to_string()
    }

    /// By the button of the account page, as far as the address that the provider sends the browser back to.
    async fn link(&self, person: &Person, account: &Page) -> String {
        let away = link_form(account).submit().await;
        let there = away.location().unwrap_or_else(|| panic!("{}", away.text()));
        assert!(there.as_str().starts_with(self.party.issuer()), "{there}");
        person.arrive(there).await.location().unwrap().to_string()
    }

    /// The whole way to the page of consent, or to why not.
    async fn sign_in(&self, person: &Person) -> Page {
        let callback = self.to_the_callback(person, &self.house.request()).await;
        person.arrive(callback).await
    }

    /// The whole way to the claims of an access token.
    async fn claims(&self, person: &Person) -> hallpass_protocol::AccessTokenClaims {
        let back = self.sign_in(person).await.form().press("decision", "allow").submit().await;
        let code = back.location_param("code").unwrap_or_else(|| panic!("{:?}", back.location()));
        self.house.verify(self.house.redeem(&code).await.text("access_token"))
    }
}

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

fn speaks_for_acme(issuer: &str) -> TrustedIssuer {
    TrustedIssuer {
        issuer: Issuer::parse(issuer).unwrap(),
        keys: IssuerKeys::Value(JwkSet { keys: Vec::new() }),
        kind: AssertionKind::IdJag,
        audience: None,
        logout_audience: None,
        accounts: Some(AccountLinking { email_domains: vec!["acme.example".to_owned()], create: true }),
        once: true,
        rules: Vec::new(),
    }
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
    assert!(consent.text().contains("write and change"));
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
    assert!(!consent.text().contains("write and change"), "{}", consent.text());
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

/// Row 4.
#[tokio::test]
async fn row_4_a_callback_that_comes_twice_is_refused() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let callback = two.to_the_callback(&person, &two.house.request()).await;
    let tokens = || two.party.asked("/token").len();
    assert_eq!(person.arrive(&callback).await.status(), 200);
    assert_eq!(tokens(), 1);
    let again = person.arrive(&callback).await;
    assert_eq!((again.status().as_u16(), tokens()), (400, 1), "the provider is not even asked");
    assert!(again.text().contains("has come back before"));
}

/// Rows 27 and 28: nobody finishes what another browser began, and nobody gets a code of it.
#[tokio::test]
async fn rows_27_and_28_a_callback_in_another_browser_is_refused() {
    let two = Two::with(|_| {}).await;
    let (victim, attacker) = (Person::new(), Person::new());
    let callback = two.to_the_callback(&attacker, &two.house.request()).await;
    let page = victim.arrive(&callback).await;
    assert_eq!(page.status(), 400, "{}", page.text());
    assert!(page.header("location").is_none() && two.party.asked("/token").is_empty());
    assert!(victim.cookies().iter().all(|cookie| !cookie.name.contains("session")), "no session");
    // With cookies, but another's leg.
    drop(two.to_the_callback(&victim, &two.house.request()).await);
    assert_eq!(victim.arrive(&callback).await.status(), 400);
    assert_eq!(attacker.arrive(&callback).await.status(), 200, "its own browser goes on");
}

/// State and browser first, then the issuer, then what it says (rows 4 and 44).
#[tokio::test]
async fn what_an_answer_says_counts_after_who_says_it() {
    let two = Two::with(|_| {}).await;
    let at = |query: &str| format!("{}?{query}", two.house.url("/providers/acme/callback"));
    let own = two.party.issuer().to_owned();
    let person = Person::new();
    let made_up =
        person.arrive(at(&format!("state=x&iss={own}&error=call+0190&error_description=call+0190"))).await;
    assert_eq!(made_up.status(), 400);
    assert!(!made_up.text().contains("0190"));
    let state = async |person: &Person| {
        let login = person.open(two.house.authorize_url(&two.house.request())).await;
        login.follow("Continue with Acme").await.location_param("state").unwrap()
    };
    for (answer, status) in [
        ("code=x&iss=https://evil.example".to_owned(), 502),
        ("error=access_denied&error_description=call+0190&iss=https://evil.example".to_owned(), 502),
        ("code=x".to_owned(), 502),
        (format!("error=access_denied&error_description=call+0190&iss={own}"), 403),
        (format!("code=unknown&iss={own}"), 502),
        (format!("code=a&error=b&iss={own}"), 502),
    ] {
        let person = Person::new();
        let query = format!("state={}&{answer}", state(&person).await);
        let page = person.arrive(at(&query)).await;
        assert_eq!(page.status(), status, "{answer}: {}", page.text());
        assert!(!page.text().contains("0190") && page.text().contains("Continue with Acme"), "to try again");
        assert_eq!(person.arrive(at(&query)).await.status(), 400, "an answer counts once, whatever it says");
    }
    let elsewhere = person.arrive(at("state=x").replace("/acme/", "/evil/")).await;
    assert_eq!(elsewhere.status(), 404);
}

#[tokio::test]
async fn a_provider_that_is_down_ends_nothing() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let callback = two.to_the_callback(&person, &two.house.request()).await;
    two.party.script().instead_of_tokens = Some((503, String::new()));
    let page = person.arrive(&callback).await;
    assert_eq!(page.status(), 503);
    two.party.script().instead_of_tokens = None;
    let callback = two.through(&person, &page, "Continue with Acme").await;
    assert_eq!(person.arrive(&callback).await.status(), 200, "the request of the app waits still");
}

#[tokio::test]
async fn another_site_sends_nobody_to_the_provider() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let away = person.arrive(two.house.url("/login/with/acme?then=/account")).await;
    assert_eq!((away.status().as_u16(), away.url().path()), (200, "/login"));
    assert_eq!(two.house.number("SELECT COUNT(*) FROM provider_legs").await, 0);
}

#[tokio::test]
async fn a_new_login_is_asked_of_the_provider_and_proven() {
    let two = Two::with(|_| {}).await;
    let asked = || two.party.asked("/authorize").pop().unwrap().parameters;
    let arrive = async |name: &'static str, value: &str, claims: Value| {
        two.party.script().claims = claims;
        let mut request = two.house.request();
        set(&mut request, name, value);
        let person = Person::new();
        let callback = two.to_the_callback(&person, &request).await;
        person.arrive(callback).await.status().as_u16()
    };
    assert_eq!(arrive("state", "x", json!({})).await, 200);
    assert!(!asked().contains_key("prompt") && !asked().contains_key("max_age"));
    assert_eq!(arrive("prompt", "login", json!({ "auth_time": 1_800_000_000 })).await, 200);
    assert_eq!(asked()["prompt"], "login");
    assert_eq!(arrive("prompt", "login", json!({ "auth_time": 1_799_999_900 })).await, 403);
    assert_eq!(arrive("max_age", "60", json!({ "auth_time": 1_799_999_950 })).await, 200);
    assert_eq!(asked()["max_age"], "60");
    assert_eq!(arrive("max_age", "60", json!({ "auth_time": 1_799_999_900 })).await, 403);
    assert_eq!(arrive("max_age", "60", json!({})).await, 502, "not said, not proven");
}

/// What is dangerous on the account page wants a login of a moment ago, and not one that goes on at the provider.
#[tokio::test]
async fn whoever_is_logged_in_shows_anew_who_they_are() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let arrive = async |claims: Value| {
        two.party.script().claims = claims;
        let login = person.open(two.house.url("/login?then=/account")).await;
        let callback = two.through(&person, &login, "Continue with Acme").await;
        person.arrive(callback).await.status().as_u16()
    };
    let asked = || two.party.asked("/authorize").pop().unwrap().parameters;
    assert_eq!(arrive(json!({ "auth_time": 1_799_990_000 })).await, 200);
    assert!(!asked().contains_key("prompt"), "nobody was logged in here");
    assert_eq!(arrive(json!({ "auth_time": 1_799_990_000 })).await, 403);
    assert_eq!(asked()["prompt"], "login");
    assert_eq!(arrive(json!({ "auth_time": 1_800_000_000 })).await, 200);
}

/// The time of the login at the provider is the time of the login.
#[tokio::test]
async fn tokens_say_when_the_person_logged_in_at_the_provider() {
    let two = Two::with(|_| {}).await;
    two.party.script().claims = json!({ "auth_time": 1_799_990_000 });
    assert_eq!(two.claims(&Person::new()).await.other["auth_time"], 1_799_990_000);
}

#[tokio::test]
async fn passwords_can_be_switched_off() {
    let two = Two::with_settings(|_, settings| settings.passwords = false).await;
    let person = Person::new();
    let login = person.open(two.house.authorize_url(&two.house.request())).await;
    assert!(!login.text().contains("type=\"password\"") && login.text().contains("Continue with Acme"));
    // Whoever makes the form up gets nowhere.
    let other = Two::with(|_| {}).await;
    let form = Person::new().open(other.house.authorize_url(&other.house.request())).await.form();
    let form = form.set("username", USER).set("password", PASSWORD);
    let fields: Vec<_> = form.fields().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(two.house.post("/login", &fields).await.status, 404);
    assert_eq!(two.sign_in(&person).await.status(), 200);
    let account = person.open(two.house.url("/account")).await;
    assert!(!account.text().contains("/account/password"), "{}", account.text());
    assert_eq!(person.open(two.house.url("/account/password")).await.status(), 404);
}

#[tokio::test]
async fn an_account_is_linked_by_its_owner_and_unlinked() {
    let two = Two::with(|way| way.who = WhoEnters::default()).await;
    let person = Person::new();
    let login = person.open(two.house.url("/login?then=/account")).await;
    let account = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let callback = two.link(&person, &account).await;
    // Not in a browser in which somebody else has logged in meanwhile, and not in one with nobody.
    assert_eq!(Person::new().arrive(&callback).await.status(), 400);
    let account = person.arrive(&callback).await;
    assert!(account.text().contains("Linked") && account.text().contains("Unlink"), "{}", account.text());
    let fresh = Person::new();
    let consent = two.sign_in(&fresh).await;
    assert!(consent.text().contains(USER), "signed in as the one who linked it");

    two.house.server.users().add("bob", Secret::new(PASSWORD)).await.unwrap();
    let bob = Person::new();
    let login = bob.open(two.house.url("/login?then=/account")).await;
    let page = login.form().set("username", "bob").set("password", PASSWORD).submit().await;
    let callback = two.link(&bob, &page).await;
    assert_eq!(bob.arrive(&callback).await.status(), 409, "it is ada's");

    let unlink = account.forms().into_iter().find(|form| form.target().path().ends_with("/remove")).unwrap();
    let (name, value) = unlink.buttons()[0].clone();
    let account = unlink.press(&name, &value).submit_and_confirm().await;
    assert!(account.text().contains("Not linked"), "{}", account.text());
    assert_eq!(two.sign_in(&Person::new()).await.status(), 403);
}

fn link_form(account: &Page) -> Form {
    let mut forms = account.forms().into_iter();
    forms.find(|form| form.target().path().ends_with("/link")).unwrap_or_else(|| panic!("{}", account.text()))
}

/// Whoever is sent there unasked may be signed in there as somebody else, who would then be in here. Browsers without Fetch
/// Metadata say nothing of where a request comes from.
#[tokio::test]
async fn linking_begins_with_a_form_of_the_account_page_alone() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let login = person.open(two.house.url("/login?then=/account")).await;
    let account = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let policy = account.header("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:*"),
        "Chrome asks at each redirect: {policy}"
    );
    let cookies: Vec<_> = person.cookies().iter().map(|one| format!("{}={}", one.name, one.value)).collect();
    let old_browser = async |method: http::Method, form: &[(&str, &str)]| {
        let url = two.house.url("/account/providers/acme/link");
        let request = two.house.http.request(method, url).header("cookie", cookies.join("; ")).form(form);
        two.house.send(request).await.status
    };
    let begun = async || two.house.number("SELECT COUNT(*) FROM provider_legs").await;
    assert_eq!(old_browser(http::Method::GET, &[]).await, 405);
    assert_eq!(old_browser(http::Method::POST, &[]).await, 403);
    assert_eq!(old_browser(http::Method::POST, &[("csrf", "x")]).await, 403);
    assert_eq!(begun().await, 0);
    let form = link_form(&account);
    let (_, csrf) = form.fields().iter().find(|(name, _)| name == "csrf").unwrap();
    assert_eq!(old_browser(http::Method::POST, &[("csrf", csrf)]).await, 303);
    assert_eq!(begun().await, 1);
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

#[tokio::test]
async fn nothing_of_the_provider_is_kept() {
    let two = Two::with(|_| {}).await;
    two.claims(&Person::new()).await;
    drop(two.to_the_callback(&Person::new(), &two.house.request()).await);
    let stored = String::from_utf8_lossy(&two.house.everything_stored().await).into_owned();
    assert!(!stored.contains("canary"), "no token, code or secret of the provider");
}
