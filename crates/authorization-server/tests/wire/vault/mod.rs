//! Servers act for people at a third party: linked at a login, renewed, ended; and who never sees the tokens.

mod account;
mod agreed;
mod ending;
mod linking;
mod machines;
mod providers;
mod renewal;
mod stolen;

use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderSettings};
use hallpass_authorization_server::{ActsFor, NoToken, Settings, ThirdParty as Party, Vault};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::profile::Profile;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::database::TestDatabase;
use hallpass_testkit::person::{Page, Person};
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, ThirdParty};

use crate::harness::{Answer, House, Replica, USER};

/// A house whose first server acts at the hub.
struct Delegating {
    house: House,
    party: ThirdParty,
}

fn party(of: &ThirdParty, issuer: &str) -> Party {
    let resource = ResourceIdentifier::parse(&format!("{issuer}/mcp")).unwrap();
    Party {
        name: "hub".to_owned(),
        shown: "Hub".to_owned(),
        provider: Provider::new(ProviderSettings {
            issuer: Issuer::parse(of.issuer()).unwrap(),
            profile: Profile::default(),
            client_id: CLIENT_ID.to_owned(),
            credentials: ProviderCredentials::Secret(Secret::new(CLIENT_SECRET)),
            scopes: ScopeSet::default(),
            tenants: Vec::new(),
            fetcher: Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap(),
        }),
        servers: vec![ActsFor { resource, scopes: ScopeSet::parse("repo").unwrap(), scope: None }],
    }
}

impl Delegating {
    async fn furnished() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Party)) -> Self {
        Self::with_settings(|party, _| change(party)).await
    }

    async fn with_settings(change: impl FnOnce(&mut Party, &mut Settings)) -> Self {
        Self::on(TestDatabase::new(), change).await
    }

    async fn on(database: TestDatabase, change: impl FnOnce(&mut Party, &mut Settings)) -> Self {
        let clock = hallpass_testkit::clock::FakeClock::at(hallpass_protocol::time::Timestamp::from_unix(
            1_800_000_000,
        ));
        let peer = ThirdParty::start(clock.clock()).await;
        let house = House::furnished_on(database, |settings| {
            let mut party = party(&peer, settings.issuer.as_str());
            change(&mut party, settings);
            settings.third_parties.push(party);
        })
        .await;
        Self { house, party: peer }
    }

    async fn replica(&self) -> Replica {
        let change = |settings: &mut Settings| {
            settings.third_parties.push(party(&self.party, settings.issuer.as_str()));
        };
        self.house.replica_with(change).await
    }

    fn vault(&self) -> Vault {
        self.house.server.vault("hub").unwrap()
    }

    async fn ada(&self) -> String {
        let users = self.house.server.users().list().await.unwrap();
        users.into_iter().find(|user| user.name == USER).unwrap().id
    }

    /// What a gateway gets for her.
    async fn token(&self) -> Result<String, NoToken> {
        let token = self.vault().token(&self.ada().await).await;
        token.map(|token| token.expose().to_owned())
    }

    /// From the page that asks whether it shall be linked, to what comes after the third party.
    async fn link(&self, person: &Person, page: &Page) -> Page {
        let callback = self.to_the_callback(person, page).await;
        person.arrive(callback).await
    }

    async fn to_the_callback(&self, person: &Person, page: &Page) -> String {
        let away = page.form().submit().await;
        let there = away.location().unwrap_or_else(|| panic!("{}", away.text()));
        assert!(there.as_str().starts_with(self.party.issuer()), "{there}");
        person.arrive(there).await.location().unwrap().to_string()
    }

    /// The whole way to the page of consent.
    async fn consent(&self, person: &Person, request: &[(&'static str, String)]) -> Page {
        let page = self.house.log_in(person, request).await;
        self.link(person, &page).await
    }

    async fn code(&self) -> String {
        let consent = self.consent(&Person::new(), &self.house.request()).await;
        let back = consent.form().press("decision", "allow").submit().await;
        back.location_param("code").unwrap()
    }

    async fn tokens(&self) -> Answer {
        let tokens = self.house.redeem(&self.code().await).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        tokens
    }

    /// How often the third party was asked for the next token.
    fn refreshes(&self) -> usize {
        let refresh = |asked: &&hallpass_testkit::third_party::Asked| {
            asked.parameters.get("grant_type").is_some_and(|grant| grant == "refresh_token")
        };
        self.party.asked("/token").iter().filter(refresh).count()
    }

    async fn linked(&self) -> i64 {
        self.house.number("SELECT COUNT(*) FROM vault").await
    }
}

fn scope(name: &str) -> Scope {
    Scope::parse(name).unwrap()
}
