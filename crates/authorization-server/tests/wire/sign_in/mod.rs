//! Signing in through somebody else's provider: who enters, as whom, and what an answer may not do.

mod callback;
mod faults;
mod fresh;
mod linked;
mod logout;
mod scopes;
mod who_enters;

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

use crate::harness::{Answer, House, NATIVE, PASSWORD, USER, set};

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
        signals_audience: None,
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

    /// A device that somebody has allowed who is signed in with this browser; what it asks for its tokens with.
    async fn allowed_device(&self, person: &Person, scope: &str) -> Vec<(&'static str, String)> {
        const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
        let grant_types = vec![GRANT.to_owned()];
        let tv = NewClient { id: "tv".to_owned(), grant_types, ..NewClient::default() };
        self.house.server.clients().add(tv).await.unwrap();
        let begun = self.house.post("/device_authorization", &[("client_id", "tv"), ("scope", scope)]).await;
        let page = person.open(begun.text("verification_uri_complete")).await;
        let decided = page.form().press("decision", "allow").submit().await;
        assert_eq!(decided.status(), 200, "{}", decided.text());
        let code = begun.text("device_code").to_owned();
        vec![("grant_type", GRANT.to_owned()), ("client_id", "tv".to_owned()), ("device_code", code)]
    }

    async fn poll(&self, device: &[(&'static str, String)]) -> Answer {
        let form: Vec<_> = device.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.house.post("/token", &form).await
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

fn speaks_for_acme(issuer: &str) -> TrustedIssuer {
    TrustedIssuer {
        issuer: Issuer::parse(issuer).unwrap(),
        keys: IssuerKeys::Value(JwkSet { keys: Vec::new() }),
        kind: AssertionKind::IdJag,
        audience: None,
        logout_audience: None,
        signals_audience: None,
        accounts: Some(AccountLinking { email_domains: vec!["acme.example".to_owned()], create: true }),
        once: true,
        rules: Vec::new(),
    }
}

fn link_form(account: &Page) -> Form {
    let mut forms = account.forms().into_iter();
    forms.find(|form| form.target().path().ends_with("/link")).unwrap_or_else(|| panic!("{}", account.text()))
}
