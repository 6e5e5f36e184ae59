//! Two providers as those of two tenants, in each arrangement: tokens and people of one are nothing at the other.
//!
//! One tenant has a host, the other is below a path of the public URL.

use std::io::Write;
use std::time::{Duration, SystemTime};

use hallpass_protocol::Timestamp;
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::time::Clock;
use hallpass_testkit::person::{Page, Person};
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, ThirdParty};
use hallpass_testkit::upstream::Upstream;
use reqwest::Method;
use reqwest::header::HOST;
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};
use url::Url;

use super::{CALLBACK, VERIFIER, issuer};
use crate::house::free_port;
use crate::program::Serving;

/// By host, and by path.
const BOTH: [&str; 2] = ["acme", "hooli"];

/// Two tenants of one process, each with a provider of its own.
struct Two {
    port: u16,
    parties: [ThirdParty; 2],
    http: reqwest::Client,
    /// What each registered.
    clients: [String; 2],
    _kept: (Serving, Upstream, TempDir, NamedTempFile, NamedTempFile),
}

impl Two {
    /// `of` writes a tenant's own lines: its table, its provider's issuer.
    async fn start(of: impl Fn(&str, &str) -> String) -> Self {
        let clock = || Clock::new(|| SystemTime::now().into());
        let parties = [ThirdParty::start(clock()).await, ThirdParty::start(clock()).await];
        let (upstream, port, data) = (Upstream::start().await, free_port(), tempfile::tempdir().unwrap());
        let mut secret = NamedTempFile::new().unwrap();
        writeln!(secret, "{CLIENT_SECRET}").unwrap();
        let mut config = NamedTempFile::with_suffix(".toml").unwrap();
        write!(config, "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n").unwrap();
        for (tenant, party) in BOTH.into_iter().zip(&parties) {
            let host = if tenant == "acme" { "host = \"acme.localhost\"\n" } else { "" };
            let (upstream, issuer) = (upstream.url("/mcp"), party.issuer());
            write!(
                config,
                "[third_parties.of-{tenant}]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"{}\"\n\
                 [tenants.{tenant}]\n{host}[tenants.{tenant}.servers.notes]\nupstream = \"{upstream}\"\n\
                 scopes.default = [\"read\"]\nscopes.read = {{}}\n{}",
                secret.path().display(),
                of(tenant, issuer),
            )
            .unwrap();
        }
        let mut serving = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
        serving.line_with("Ctrl-C");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let clients = [String::new(), String::new()];
        Self { port, parties, http, clients, _kept: (serving, upstream, data, secret, config) }
    }

    async fn with_clients(mut self) -> Self {
        for at in 0..2 {
            let body = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
            let request = self.request(Method::POST, &format!("{}/register", self.issuer(at))).json(&body);
            let registered: Value = request.send().await.unwrap().json().await.unwrap();
            self.clients[at] = registered["client_id"].as_str().unwrap().to_owned();
        }
        self
    }

    fn issuer(&self, at: usize) -> String {
        issuer(BOTH[at], self.port)
    }

    fn endpoint(&self, at: usize) -> String {
        format!("{}/notes/mcp", self.issuer(at))
    }

    /// To this machine, whatever host the URL names.
    fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let url = Url::parse(url).unwrap();
        let mut here = url.clone();
        here.set_host(Some("127.0.0.1")).unwrap();
        self.http.request(method, here).header(HOST, format!("{}:{}", url.host_str().unwrap(), self.port))
    }

    async fn call(&self, at: usize, token: &str) -> u16 {
        let request = self.request(Method::POST, &self.endpoint(at)).bearer_auth(token);
        request.header("content-type", "application/json").body("{}").send().await.unwrap().status().as_u16()
    }

    /// Who is named as authorization server.
    async fn named(&self, at: usize) -> Value {
        let url = Url::parse(&self.endpoint(at)).unwrap();
        let document = format!("/.well-known/oauth-protected-resource{}", url.path());
        let document = self.request(Method::GET, url.join(&document).unwrap().as_str());
        let document: Value = document.send().await.unwrap().json().await.unwrap();
        document["authorization_servers"].clone()
    }

    fn authorize(&self, at: usize) -> Url {
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge();
        let (endpoint, client_id) = (self.endpoint(at), &self.clients[at]);
        let request = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("state", "x"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", &endpoint),
        ];
        Url::parse_with_params(&format!("{}/authorize", self.issuer(at)), request).unwrap()
    }

    async fn redeem(&self, at: usize, code: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.clients[at]),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let request = self.request(Method::POST, &format!("{}/token", self.issuer(at))).form(&form);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A token of that provider's for that endpoint.
    fn signed(&self, party: usize, audience: &str) -> String {
        let now = Timestamp::from(SystemTime::now());
        let claims = json!({ "iss": self.parties[party].issuer(), "sub": "sub-of-ada", "client_id": "robot", "aud": audience,
            "scope": "read", "jti": "one", "iat": now, "exp": now.after(Duration::from_secs(60)) });
        self.parties[party].script().key.sign("at+jwt", &claims).unwrap()
    }

    /// The address that the tenant's provider sends a person back to.
    async fn away(&self, at: usize, page: &Page, person: &Person) -> Url {
        let there = page.location().unwrap_or_else(|| panic!("{}", page.text()));
        assert!(there.as_str().starts_with(self.parties[at].issuer()), "each its own: {there}");
        person.arrive(there).await.location().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn external_takes_the_tokens_of_a_tenants_own_provider_alone() {
    let two = Two::start(|tenant, issuer| {
        format!(
            "arrangement = \"external\"\n[[tenants.{tenant}.servers.notes.issuers]]\nissuer = \"{issuer}\"\n"
        )
    })
    .await;
    for (at, tenant) in BOTH.into_iter().enumerate() {
        assert_eq!(two.named(at).await, json!([two.parties[at].issuer()]));
        let endpoint = two.endpoint(at);
        assert_eq!(two.call(at, &two.signed(at, &endpoint)).await, 200, "{tenant}");
        // Of the other's provider, for this server; of its own, for the other server.
        assert_eq!(two.call(at, &two.signed(1 - at, &endpoint)).await, 401, "{tenant}");
        assert_eq!(two.call(at, &two.signed(at, &two.endpoint(1 - at))).await, 401, "{tenant}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxied_hands_on_the_tokens_of_a_tenants_own_provider_and_takes_no_others() {
    let two = Two::start(|tenant, issuer| {
        // One audience for both, as careless as can be.
        format!(
            "arrangement = \"proxied\"\n[[tenants.{tenant}.servers.notes.issuers]]\nissuer = \"{issuer}\"\n\
             audiences = [\"api://notes\"]\n[tenants.{tenant}.authorization_server]\nproxied = \"of-{tenant}\"\n"
        )
    })
    .await
    .with_clients()
    .await;
    let mut tokens = Vec::new();
    for at in 0..2 {
        let (own, other) = (two.issuer(at), two.issuer(1 - at));
        assert_eq!(two.named(at).await[0].as_str().unwrap().trim_end_matches('/'), own);
        two.parties[at].script().access_claims = Some(json!({ "aud": "api://notes", "scope": "read" }));
        let person = Person::new();
        let consent = person.open(two.authorize(at)).await;
        let agreed = consent.form().press("decision", "allow").submit().await;
        let callback = two.away(at, &agreed, &person).await;
        assert!(callback.as_str().starts_with(&format!("{own}/provider/callback")), "{callback}");
        // What comes back is of the tenant that it was begun at.
        let astray = callback.as_str().replace(&own, &other);
        assert_eq!(person.arrive(&astray).await.location_param("code"), None);
        let code = person.arrive(callback).await.location_param("code").unwrap();
        assert_eq!(two.redeem(1 - at, &code).await.0, 400);
        let (status, answer) = two.redeem(at, &code).await;
        assert_eq!(status, 200, "{answer}");
        tokens.push(answer);
    }
    for (at, answer) in tokens.iter().enumerate() {
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!((two.call(at, token).await, two.call(1 - at, token).await), (200, 401), "{}", BOTH[at]);
        assert_eq!(two.call(at, &two.signed(at, "api://notes")).await, 401, "not handed on");
        let refresh = async |here: usize| {
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", two.clients[here].as_str()),
                ("refresh_token", answer["refresh_token"].as_str().unwrap()),
            ];
            let request = two.request(Method::POST, &format!("{}/token", two.issuer(here))).form(&form);
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!((refresh(1 - at).await, refresh(at).await), (400, 200), "{}", BOTH[at]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_through_their_tenants_own_provider() {
    let two = Two::start(|tenant, _| {
        format!("[tenants.{tenant}.authorization_server.sign_in.of-{tenant}]\nanybody = true\n")
    })
    .await
    .with_clients()
    .await;
    let mut tokens = Vec::new();
    for at in 0..2 {
        let (own, other) = (two.issuer(at), two.issuer(1 - at));
        let person = Person::new();
        let login = person.open(two.authorize(at)).await;
        assert!(!login.text().contains(&format!("of-{}", BOTH[1 - at])), "{}", login.text());
        let left = login.follow(&format!("Continue with of-{}", BOTH[at])).await;
        let callback = two.away(at, &left, &person).await;
        let astray = callback.as_str().replace(&own, &other).replace(BOTH[at], BOTH[1 - at]);
        assert!(person.arrive(&astray).await.status().is_client_error());
        let consent = person.arrive(callback).await;
        let back = consent.form().press("decision", "allow").submit().await;
        let code = back.location_param("code").unwrap_or_else(|| panic!("{}", back.text()));
        assert_eq!(two.redeem(1 - at, &code).await.0, 400);
        let (status, answer) = two.redeem(at, &code).await;
        assert_eq!(status, 200, "{answer}");
        tokens.push(answer["access_token"].as_str().unwrap().to_owned());
    }
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!((two.call(at, token).await, two.call(1 - at, token).await), (200, 401), "{}", BOTH[at]);
        // The provider's own tokens are nobody's where hallpass issues them.
        assert_eq!(two.call(at, &two.signed(at, &two.endpoint(at))).await, 401);
    }
}
