//! The arrangement before providers that do otherwise, as peers that enforce what their documents say: with its profile each is
//! asked as it wants to be, and what it gives is read as it writes it.

use std::time::SystemTime;

use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderSettings};
use hallpass_authorization_server::{NewClient, Proxied, ProxiedResource, Settings};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_testkit::person::{Page, Person};
use hallpass_testkit::providers::{AUTH0, Behaviour, Client, ENTRA, Provider as Peer};
use url::Url;

use super::{TABLE, parameter};
use crate::harness::{Answer, CALLBACK, House, NATIVE, claims, redemption, set};

const CLIENT: &str = "hallpass-there";
const SECRET: &str = "a-secret-of-the-console";
/// The client id of the API at the peer that is Entra.
const ENTRA_API: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

/// A house before a provider, with the provider's own profile, and no word of its quirks elsewhere.
struct Before {
    house: House,
    peer: Peer,
}

impl Before {
    async fn start(behaviour: &'static Behaviour, called: &str, audiences: &[&str]) -> Self {
        let profile = Profile::named(behaviour.name).unwrap();
        Self::with(behaviour, profile, called, audiences).await
    }

    async fn with(behaviour: &'static Behaviour, profile: Profile, called: &str, audiences: &[&str]) -> Self {
        let peer = Peer::start(behaviour).await;
        let resource = |identifier: &hallpass_protocol::resource::ResourceIdentifier| ProxiedResource {
            identifier: identifier.clone(),
            called: called.to_owned(),
            audiences: audiences.iter().map(|&one| one.to_owned()).collect(),
            scopes: Vec::new(),
            grants: ScopeSet::default(),
            parameters: Vec::new(),
            introspect: None,
            table: TABLE.to_owned(),
        };
        let provider = Provider::new(ProviderSettings {
            issuer: Issuer::parse(peer.issuer()).unwrap(),
            profile,
            client_id: CLIENT.to_owned(),
            credentials: ProviderCredentials::Secret(Secret::new(SECRET)),
            scopes: ScopeSet::parse("openid").unwrap(),
            tenants: Vec::new(),
            fetcher: Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap(),
        });
        let proxied = |settings: &Settings| Proxied {
            provider,
            resources: settings.resources.iter().map(|one| resource(&one.identifier)).collect(),
            patience: Proxied::PATIENCE,
        };
        let house = House::furnished_with(|settings| settings.proxied = Some(proxied(settings))).await;
        // The peers sign by the clock on the wall.
        house.clock.set(Timestamp::from(SystemTime::now()));
        peer.recorded.add(Client {
            id: CLIENT.to_owned(),
            secret: Some(SECRET.to_owned()),
            redirect_uris: vec![house.url("/provider/callback")],
        });
        Self { house, peer }
    }

    /// Where the provider is asked, and the answer to the client.
    async fn answered(&self, request: &[(&'static str, String)]) -> (Url, Page) {
        let person = Person::new();
        let page = person.open(self.house.authorize_url(request)).await;
        let agreed = page.form().press("decision", "allow").submit().await;
        let there = agreed.location().unwrap_or_else(|| panic!("{}", agreed.text()));
        let callback = person.open(&there).await.location().unwrap();
        (there, person.open(callback).await)
    }

    async fn tokens(&self, request: &[(&'static str, String)]) -> (Url, Answer) {
        let (there, back) = self.answered(request).await;
        let code = back.location_param("code").unwrap_or_else(|| panic!("{:?}", back.location()));
        let answer = self.house.post("/token", &redemption(&code)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        (there, answer)
    }

    /// What the provider was sent for tokens, last.
    fn last_form(&self) -> std::collections::HashMap<String, String> {
        self.peer.peer.seen().token_requests.last().unwrap().clone()
    }

    /// Why there is no code.
    async fn refused(&self) -> String {
        let (_, back) = self.answered(&self.house.request()).await;
        assert_eq!(back.location_param("code"), None);
        format!("{:?}", back.location())
    }
}

// Entra names what a token is for in its scopes, and refuses `resource` beside them (AADSTS9010010):
// https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc, https://github.com/punkpeye/mcp-remote/issues/217.
// The audience of a token of version 2 is the API's client id, a GUID, and `scp` has no API's name:
// https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference.
#[tokio::test]
async fn entra_is_asked_by_scopes_and_its_audience_is_a_number() {
    let before = Before::start(&ENTRA, "api://notes", &[ENTRA_API]).await;
    let (there, tokens) = before.tokens(&before.house.request()).await;
    let scopes = "api://notes/notes:read api://notes/notes:write openid offline_access";
    assert_eq!(parameter(&there, "scope").as_deref(), Some(scopes));
    assert_eq!((parameter(&there, "resource"), parameter(&there, "audience")), (None, None));
    assert!(parameter(&there, "code_challenge").is_some(), "S256, though its metadata does not say so");
    assert!(!before.last_form().contains_key("resource"));
    let said = claims(tokens.text("access_token"));
    assert_eq!((&said["aud"], &said["scp"]), (&ENTRA_API.into(), &"notes:read notes:write".into()));
    assert_eq!(tokens.text("scope"), "notes:read notes:write");
    // A refresh without `scope` is one for another resource (AADSTS90009):
    // https://github.com/modelcontextprotocol/typescript-sdk/issues/2718
    let refreshed = before.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.status, 200, "{:?}", refreshed.json);
    let form = before.last_form();
    assert!(form["scope"].contains("api://notes/notes:read") && !form.contains_key("resource"), "{form:?}");
    // The name by which it is asked for is not its audience.
    let before = Before::start(&ENTRA, "api://notes", &["api://notes"]).await;
    let why = before.refused().await;
    assert!(why.contains("server_error") && why.contains("not+for+this+server"), "{why}");
}

// By the book, each of Entra's rules ends the login.
#[tokio::test]
async fn without_its_profile_entra_refuses_and_the_client_hears_that() {
    let by_the_book = || Profile { s256: true, ..Profile::default() };
    let before = Before::with(&ENTRA, by_the_book(), "https://mcp.example/mcp", &[ENTRA_API]).await;
    let why = before.refused().await;
    assert!(why.contains("server_error") && why.contains("invalid_target"), "AADSTS9010010: {why}");
    let silent = Profile { omit_resource: true, ..by_the_book() };
    let before = Before::with(&ENTRA, silent, "api://notes", &[ENTRA_API]).await;
    let why = before.refused().await;
    assert!(why.contains("server_error") && why.contains("invalid_client"), "AADSTS650053: {why}");
}

// Auth0 names an API by `audience`; without one the token is opaque, and for /userinfo alone. A refresh token needs
// `offline_access`: https://auth0.com/docs/secure/tokens/access-tokens,
// https://auth0.com/docs/secure/tokens/refresh-tokens/get-refresh-tokens.
#[tokio::test]
async fn auth0_is_asked_by_audience_and_gives_refresh_tokens_for_offline_access() {
    let before = Before::start(&AUTH0, "https://notes.example/api", &["https://notes.example/api"]).await;
    let (there, tokens) = before.tokens(&before.house.request()).await;
    assert_eq!(parameter(&there, "audience").as_deref(), Some("https://notes.example/api"));
    assert_eq!(parameter(&there, "resource"), None);
    assert!(parameter(&there, "scope").unwrap().contains("offline_access"));
    let said = claims(tokens.text("access_token"));
    assert_eq!(said["aud"][0], "https://notes.example/api", "and /userinfo beside it, for openid: {said}");
    let refreshed = before.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.status, 200, "{:?}", refreshed.json);

    // A client that wants no refresh token asks for none, and Auth0 gives none.
    let mut request = before.house.request();
    set(&mut request, "client_id", "once");
    let once = NewClient {
        id: "once".to_owned(),
        redirect_uris: vec![CALLBACK.to_owned()],
        grant_types: vec!["authorization_code".to_owned()],
        ..NewClient::default()
    };
    before.house.server.clients().add(once).await.unwrap();
    let (there, back) = before.answered(&request).await;
    assert!(!parameter(&there, "scope").unwrap().contains("offline_access"));
    assert!(back.location_param("code").is_some());

    // Asked without an audience it answers with what nobody here can judge.
    let silent = Profile { resource_parameter: None, ..Profile::named("auth0").unwrap() };
    let before = Before::with(&AUTH0, silent, "https://notes.example/api", &[]).await;
    let why = before.refused().await;
    assert!(why.contains("opaque"), "{why}");
}
