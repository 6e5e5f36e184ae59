//! The arrangement `proxied`: the users and the tokens are a provider's.

mod agreed;
mod audience;
mod callback;
mod confused_deputy;
mod metadata;
mod providers;
mod refresh;
mod revoke;
mod token;

use std::time::Duration;

use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderSettings};
use hallpass_authorization_server::{Introspect, Proxied, ProxiedResource, Settings};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::person::{Page, Person};
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, ThirdParty};
use url::Url;

use crate::harness::{Answer, House, redemption};

/// What the provider calls the resource of the harness.
const CALLED: &str = "api://notes";
/// What an operator sets for that.
const TABLE: &str = "[[server.issuers]]";

/// A house whose tokens are those of this provider.
struct Fronted {
    house: House,
    party: ThirdParty,
    /// The provider's.
    clock: FakeClock,
}

impl Fronted {
    async fn furnished() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Proxied)) -> Self {
        let clock = FakeClock::at(Timestamp::from_unix(1_800_000_000));
        let party = ThirdParty::start(clock.clock()).await;
        let house = House::furnished_with(|settings| {
            let mut all = proxied(&party, settings);
            change(&mut all);
            settings.proxied = Some(all);
        })
        .await;
        Self { house, party, clock }
    }

    fn advance(&self, seconds: u64) {
        self.house.advance(seconds);
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Opens /authorize; the page of consent.
    async fn consent(&self, person: &Person, request: &[(&'static str, String)]) -> Page {
        person.open(self.house.authorize_url(request)).await
    }

    /// The address at the provider that a person is sent to who agrees.
    async fn agreed(&self, person: &Person, request: &[(&'static str, String)]) -> Url {
        let page = self.consent(person, request).await.form().press("decision", "allow").submit().await;
        page.location().unwrap_or_else(|| panic!("no way to the provider:\n{}", page.text()))
    }

    /// The address of the callback that the provider sends the person back to.
    async fn sent_back(&self, person: &Person, request: &[(&'static str, String)]) -> Url {
        let there = self.agreed(person, request).await;
        person.open(there).await.location().unwrap()
    }

    /// The answer to the client, at its redirect URI.
    async fn answered(&self, request: &[(&'static str, String)]) -> Page {
        let person = Person::new();
        let callback = self.sent_back(&person, request).await;
        person.open(callback).await
    }

    async fn code(&self) -> String {
        let page = self.answered(&self.house.request()).await;
        page.location_param("code")
            .unwrap_or_else(|| panic!("no code: {:?}\n{}", page.location(), page.text()))
    }

    async fn tokens(&self) -> Answer {
        let answer = self.house.post("/token", &redemption(&self.code().await)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        answer
    }

    /// How often the provider was asked for tokens with that grant.
    fn asked_with(&self, grant: &str) -> usize {
        let asked = self.party.asked("/token");
        asked.iter().filter(|asked| asked.parameters["grant_type"] == grant).count()
    }

    fn refreshes(&self) -> usize {
        self.asked_with("refresh_token")
    }

    /// What was given back to the provider.
    fn given_back(&self) -> Vec<String> {
        self.party.asked("/revoke").iter().map(|asked| asked.parameters["token"].clone()).collect()
    }
}

/// The provider, for every resource of these settings.
fn proxied(party: &ThirdParty, settings: &Settings) -> Proxied {
    let provider = Provider::new(ProviderSettings {
        issuer: Issuer::parse(party.issuer()).unwrap(),
        profile: Profile::default(),
        client_id: CLIENT_ID.to_owned(),
        credentials: ProviderCredentials::Secret(Secret::new(CLIENT_SECRET)),
        scopes: ScopeSet::parse("openid").unwrap(),
        tenants: Vec::new(),
        fetcher: Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap(),
    });
    let resource = |identifier: &hallpass_protocol::resource::ResourceIdentifier| ProxiedResource {
        identifier: identifier.clone(),
        called: CALLED.to_owned(),
        audiences: vec![CALLED.to_owned()],
        scopes: Vec::new(),
        grants: ScopeSet::default(),
        parameters: Vec::new(),
        introspect: Some(Introspect::new(|_| std::future::ready(Ok(())))),
        table: TABLE.to_owned(),
    };
    let resources = settings.resources.iter().map(|one| resource(&one.identifier)).collect();
    Proxied { provider, resources, patience: Proxied::PATIENCE }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
