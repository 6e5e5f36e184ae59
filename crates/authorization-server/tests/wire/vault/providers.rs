//! Whole ways over GitHub and Google, as peers that enforce what their documents say: linked, used, renewed as each one has it,
//! and ended.

use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderSettings};
use hallpass_authorization_server::{ActsFor, NoToken, ThirdParty as Party};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::profile::{Endpoints, Profile};
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::{Page, Person};
use hallpass_testkit::providers::{Behaviour, Client, Form, GITHUB, GITHUB_APP, GOOGLE, Provider as Peer};

use super::account;
use crate::harness::{Answer, House, NATIVE, USER};

const CLIENT: &str = "hallpass-there";
const SECRET: &str = "a-secret-of-the-console";
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";
const MAIL: &str = "https://www.googleapis.com/auth/gmail.readonly";

/// A house whose first server acts at that provider.
struct At {
    house: House,
    peer: Peer,
}

impl At {
    async fn new(behaviour: &'static Behaviour, scopes: &str) -> Self {
        Self::with(behaviour, Profile::named(behaviour.name).unwrap(), scopes).await
    }

    async fn with(behaviour: &'static Behaviour, mut profile: Profile, scopes: &str) -> Self {
        let peer = Peer::start(behaviour).await;
        // What is known beforehand is known of the service, and not of its peer.
        if let Some(known) = &mut profile.endpoints {
            let at = |path: &str| format!("{}{path}", peer.peer.origin);
            *known = Endpoints {
                authorization: at("/authorize"),
                token: at("/token"),
                authentication: known.authentication.clone(),
                ..Endpoints::default()
            };
        }
        let provider = Provider::new(ProviderSettings {
            issuer: Issuer::parse(peer.issuer()).unwrap(),
            profile,
            client_id: CLIENT.to_owned(),
            credentials: ProviderCredentials::Secret(Secret::new(SECRET)),
            scopes: ScopeSet::default(),
            tenants: Vec::new(),
            fetcher: Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap(),
        });
        let house = House::furnished_with(|settings| {
            let resource = ResourceIdentifier::parse(&format!("{}/mcp", settings.issuer.as_str())).unwrap();
            let scopes = ScopeSet::parse(scopes).unwrap();
            settings.third_parties.push(Party {
                name: "hub".to_owned(),
                shown: "Hub".to_owned(),
                provider,
                servers: vec![ActsFor { resource, scopes, scope: None }],
            });
        })
        .await;
        let at = Self { house, peer };
        at.console(SECRET);
        at
    }

    /// In the provider's console hallpass has that secret from now on.
    fn console(&self, secret: &str) {
        self.peer.recorded.add(Client {
            id: CLIENT.to_owned(),
            secret: Some(secret.to_owned()),
            redirect_uris: vec![self.house.url("/providers/hub/callback")],
        });
    }

    /// From the login to the page that asks whether the account shall be linked.
    async fn asked(&self, person: &Person) -> Page {
        let page = self.house.log_in(person, &self.house.request()).await;
        assert_eq!(page.url().path(), "/acts/hub", "{}", page.text());
        page
    }

    /// From there to the callback.
    async fn sent_back(&self, person: &Person, page: &Page) -> String {
        let there = page.form().submit().await.location().unwrap();
        person.arrive(there).await.location().unwrap().to_string()
    }

    async fn tokens(&self) -> Answer {
        let person = Person::new();
        let page = self.asked(&person).await;
        let callback = self.sent_back(&person, &page).await;
        let consent = person.arrive(callback).await;
        assert_eq!(consent.url().path(), "/consent", "{}", consent.text());
        let back = consent.form().press("decision", "allow").submit().await;
        let tokens = self.house.redeem(&back.location_param("code").unwrap()).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        tokens
    }

    /// What a gateway gets for her.
    async fn token(&self) -> Result<String, NoToken> {
        let users = self.house.server.users().list().await.unwrap();
        let ada = users.into_iter().find(|user| user.name == USER).unwrap().id;
        let token = self.house.server.vault("hub").unwrap().token(&ada).await;
        token.map(|token| token.expose().to_owned())
    }

    /// What the provider was asked in the browser, last.
    fn request(&self) -> Form {
        self.peer.peer.seen().authorizations.last().unwrap().clone()
    }

    /// The refresh tokens that it was sent, in order.
    fn refreshed_with(&self) -> Vec<String> {
        let sent = self.peer.peer.seen().token_requests;
        sent.iter().filter_map(|form| form.get("refresh_token").cloned()).collect()
    }
}

// https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps: the secret is a parameter, PKCE goes
// along, and a token lasts.
#[tokio::test]
async fn a_token_of_an_oauth_app_of_githubs_lasts() {
    let at = At::new(&GITHUB, "repo read:user").await;
    let tokens = at.tokens().await;
    let asked = at.request();
    assert_eq!(
        (asked["scope"].as_str(), asked["code_challenge_method"].as_str()),
        ("repo read:user", "S256")
    );
    for other in ["resource", "nonce", "access_type", "prompt"] {
        assert!(!asked.contains_key(other), "{other}");
    }
    let seen = at.peer.peer.seen();
    assert_eq!(seen.token_requests[0]["client_secret"], SECRET);
    assert!(!seen.token_headers[0].contains_key("authorization"));
    assert_eq!(at.token().await.unwrap(), "opaque-1");
    assert_eq!(at.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
    at.house.advance(400 * 24 * 60 * 60);
    assert_eq!(at.token().await.unwrap(), "opaque-1");
    assert_eq!(at.peer.peer.seen().token_requests.len(), 1, "and nobody asks for another one");
}

// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens: eight
// hours, and a refresh token that is good once.
#[tokio::test]
async fn a_token_of_a_github_app_is_renewed_each_eight_hours() {
    let at = At::new(&GITHUB_APP, "").await;
    at.tokens().await;
    assert!(!at.request().contains_key("scope"), "what an app may do is set there");
    at.house.advance(28_800 - 61);
    assert_eq!(at.token().await.unwrap(), "opaque-1");
    for count in 2..5 {
        at.house.advance(28_800 - 60);
        assert_eq!(at.token().await.unwrap(), format!("opaque-{count}"));
    }
    let sent = at.refreshed_with();
    assert!(sent.len() == 3 && sent[0] != sent[1] && sent[1] != sent[2], "{sent:?}");
}

// The same page, "bad_refresh_token", with 200.
#[tokio::test]
async fn whoever_ends_the_session_at_github_has_none_here() {
    let at = At::new(&GITHUB_APP, "").await;
    let tokens = at.tokens().await;
    at.peer.recorded.end_sessions();
    at.house.advance(28_800 - 30);
    assert!(matches!(at.token().await, Err(NoToken::NotLinked(_))));
    let refused = at.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
}

// https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors: with 200, too.
#[tokio::test]
async fn what_github_refuses_for_another_reason_ends_no_session() {
    let at = At::new(&GITHUB_APP, "").await;
    let tokens = at.tokens().await;
    // An operator has changed the secret there, and not here yet: incorrect_client_credentials.
    at.console("another");
    at.house.advance(28_800 - 30);
    assert_eq!(at.token().await.unwrap(), "opaque-1", "to its end");
    at.house.advance(30);
    assert!(matches!(at.token().await, Err(NoToken::Unavailable(_))));
    assert_eq!(at.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
    at.console(SECRET);
    at.house.advance(6);
    assert_eq!(at.token().await.unwrap(), "opaque-2");

    // A code that is not good any more: bad_verification_code.
    let at = At::new(&GITHUB_APP, "").await;
    let person = Person::new();
    let page = at.asked(&person).await;
    let callback = at.sent_back(&person, &page).await;
    at.peer.recorded.end_sessions();
    let page = person.arrive(callback).await;
    assert_eq!(page.status(), 502);
    assert!(page.text().contains("Link your account at Hub?"), "{}", page.text());
    let callback = at.sent_back(&person, &page).await;
    assert_eq!(person.arrive(callback).await.url().path(), "/consent", "and once more");
}

#[tokio::test]
async fn github_has_no_place_to_revoke_at_and_is_told_nothing() {
    let at = At::new(&GITHUB, "repo").await;
    at.tokens().await;
    unlink(&at).await;
    assert!(matches!(at.token().await, Err(NoToken::NotLinked(_))));
    assert!(at.peer.peer.seen().revoked.is_empty());
}

// https://developers.google.com/identity/protocols/oauth2/web-server#offline: for `access_type=offline`, at a later login for
// `prompt=consent` alone; and a refresh brings no other refresh token.
#[tokio::test]
async fn googles_refresh_token_is_asked_for_and_kept() {
    let at = At::new(&GOOGLE, CALENDAR).await;
    at.tokens().await;
    let asked = at.request();
    assert_eq!((asked["access_type"].as_str(), asked["prompt"].as_str()), ("offline", "consent"));
    assert_eq!((asked["scope"].as_str(), asked["code_challenge_method"].as_str()), (CALENDAR, "S256"));
    assert!(!asked.contains_key("resource"));
    assert_eq!(at.token().await.unwrap(), "opaque-1");
    for count in 2..5 {
        at.house.advance(3_600 - 60);
        assert_eq!(at.token().await.unwrap(), format!("opaque-{count}"));
    }
    let sent = at.refreshed_with();
    assert!(sent.len() == 3 && sent.iter().all(|one| *one == sent[0]), "{sent:?}");
    // Unlinked, it is revoked there: the refresh token, and with it what came of it.
    unlink(&at).await;
    while at.peer.peer.seen().revoked.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(at.peer.peer.seen().revoked, [sent[0].clone()]);
}

#[tokio::test]
async fn by_the_book_google_gives_no_refresh_token_and_people_link_each_hour() {
    let at = At::with(&GOOGLE, Profile::default(), CALENDAR).await;
    at.tokens().await;
    assert!(!at.request().contains_key("access_type"));
    at.house.advance(3_599);
    assert_eq!(at.token().await.unwrap(), "opaque-1");
    at.house.advance(1);
    assert!(matches!(at.token().await, Err(NoToken::NotLinked(_))));
}

// https://developers.google.com/identity/protocols/oauth2#expiration: people take an app's access away in their account.
#[tokio::test]
async fn whoever_takes_the_access_away_at_google_has_no_session_here() {
    let at = At::new(&GOOGLE, CALENDAR).await;
    let tokens = at.tokens().await;
    at.peer.recorded.end_sessions();
    at.house.advance(3_600 - 60);
    assert!(matches!(at.token().await, Err(NoToken::NotLinked(_))));
    let refused = at.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    // The next login links anew.
    at.tokens().await;
    assert_eq!(at.token().await.unwrap(), "opaque-2");
}

// https://developers.google.com/identity/protocols/oauth2/resources/granular-permissions: people untick what they don't want.
#[tokio::test]
async fn whoever_unticks_a_scope_at_google_has_linked_and_is_not_asked_again_and_again() {
    let at = At::new(&GOOGLE, &format!("{CALENDAR} {MAIL}")).await;
    at.peer.peer.script(|script| script.granted = Some(CALENDAR.to_owned()));
    at.tokens().await;
    assert_eq!(at.token().await.unwrap(), "opaque-1");
    let next = at.house.log_in(&Person::new(), &at.house.request()).await;
    assert_eq!(next.url().path(), "/consent");
}

async fn unlink(at: &At) {
    account::unlink_at(&at.house, &mut account::signed_in_at(&at.house).await).await;
}
