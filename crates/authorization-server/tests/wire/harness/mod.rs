//! A server in this process, on a free port, with a clock that tests move.
#![allow(unreachable_pub, reason = "a module of tests, not a crate")]

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_authorization_server::{
    AuthorizationServer, DatabaseUrl, MasterKey, NewClient, Resource, Settings, Store, StoreError, TokenForm,
};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{AccessTokenClaims, Expected, UnverifiedJwt};
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::database::{DatabasePlace, TestDatabase};
use hallpass_testkit::person::{Page, Person};
use serde_json::Value;
use sqlx::Connection;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

pub const USER: &str = "ada";
pub const PASSWORD: &str = "correct horse battery";
pub const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-allowed-0123";
pub const CALLBACK: &str = "http://127.0.0.1:4711/callback";
pub const WEB_CALLBACK: &str = "https://app.example/callback";
/// A public client of the harness, with [`CALLBACK`].
pub const NATIVE: &str = "native";
/// A confidential client of the harness, with [`WEB_CALLBACK`].
pub const WEB: &str = "web";
pub const WEB_SECRET: &str = "s3cret";
/// Another public client, with [`CALLBACK`] too.
pub const OTHER: &str = "other";

/// A running server.
pub struct House {
    pub issuer: String,
    pub clock: FakeClock,
    pub server: AuthorizationServer,
    pub http: reqwest::Client,
    pub database: TestDatabase,
    serving: JoinHandle<()>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl House {
    /// With one user and three clients.
    pub async fn furnished() -> Self {
        Self::furnished_with(|_| {}).await
    }

    pub async fn furnished_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::furnished_on(TestDatabase::new(), change).await
    }

    /// On this very database.
    pub async fn furnished_on(database: TestDatabase, change: impl FnOnce(&mut Settings)) -> Self {
        let house = Self::on(database, "", change).await;
        house.server.users().add(USER, Secret::new(PASSWORD)).await.unwrap();
        for (id, secret, redirect_uri) in [
            (NATIVE, None, "http://127.0.0.1/callback"),
            (OTHER, None, "http://127.0.0.1/callback"),
            (WEB, Some(WEB_SECRET), WEB_CALLBACK),
        ] {
            let client = NewClient {
                id: id.to_owned(),
                secret: secret.map(Secret::new),
                redirect_uris: vec![redirect_uri.to_owned()],
                ..NewClient::default()
            };
            house.server.clients().add(client).await.unwrap();
        }
        house
    }

    /// As at the first start. The issuer may have a path.
    pub async fn empty_with(path: &str, change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(TestDatabase::new(), path, change).await
    }

    async fn on(database: TestDatabase, path: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}{path}", listener.local_addr().unwrap());
        let clock = FakeClock::at(Timestamp::from_unix(1_800_000_000));
        let mut settings = settings(&issuer);
        change(&mut settings);
        let store = open(&database, &clock).await;
        let fetcher = Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap();
        let server = AuthorizationServer::start(settings, store, fetcher).await.unwrap();
        let serving = serve(&server, listener);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { issuer, clock, server, http, database, serving }
    }

    /// Another replica: the same issuer on the same database, at an address of its own.
    pub async fn replica(&self) -> Replica {
        self.replica_with(|_| {}).await
    }

    /// The same with other settings.
    pub async fn replica_with(&self, change: impl FnOnce(&mut Settings)) -> Replica {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let fetcher = Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap();
        let mut settings = settings(&self.issuer);
        change(&mut settings);
        let server = AuthorizationServer::start(settings, self.store().await, fetcher).await.unwrap();
        let serving = serve(&server, listener);
        Replica { address, server, serving }
    }

    /// The same database, as another process opens it.
    pub async fn store(&self) -> Store {
        open(&self.database, &self.clock).await
    }

    /// Runs a statement past the store.
    pub async fn sql(&self, statement: &'static str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }

    /// One number, asked past the store.
    pub async fn number(&self, question: &'static str) -> i64 {
        sqlx::query_scalar(question).fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// A connection past the store.
    pub async fn connect(&self) -> sqlx::AnyConnection {
        let url = match self.database.place() {
            DatabasePlace::File(path) => format!("sqlite://{}", path.display()),
            DatabasePlace::Url(url) => url.to_owned(),
        };
        sqlx::AnyConnection::connect(&url).await.unwrap()
    }

    /// All that the database holds, as whoever has stolen it finds it.
    pub async fn everything_stored(&self) -> Vec<u8> {
        match self.database.place() {
            DatabasePlace::File(path) => {
                let log = path.with_extension("db-wal");
                [path, log].into_iter().flat_map(|path| std::fs::read(path).unwrap()).collect()
            }
            DatabasePlace::Url(_) => {
                let all = "SELECT CAST(schema_to_xml(CURRENT_SCHEMA, true, false, '') AS TEXT)";
                let all: String = sqlx::query_scalar(all).fetch_one(&mut self.connect().await).await.unwrap();
                all.into_bytes()
            }
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    pub fn resource(&self) -> String {
        format!("{}/mcp", self.issuer)
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A good request of [`NATIVE`], to be changed.
    pub fn request(&self) -> Vec<(&'static str, String)> {
        vec![
            ("response_type", "code".to_owned()),
            ("client_id", NATIVE.to_owned()),
            ("redirect_uri", CALLBACK.to_owned()),
            ("state", "a state/+&".to_owned()),
            ("code_challenge", CodeVerifier::parse(VERIFIER).unwrap().challenge().to_string()),
            ("code_challenge_method", "S256".to_owned()),
            ("resource", self.resource()),
            ("scope", "notes:read notes:write".to_owned()),
        ]
    }

    /// A good request of [`WEB`].
    pub fn web_request(&self) -> Vec<(&'static str, String)> {
        let mut request = self.request();
        set(&mut request, "client_id", WEB);
        set(&mut request, "redirect_uri", WEB_CALLBACK);
        request
    }

    pub fn authorize_url(&self, request: &[(&'static str, String)]) -> String {
        Url::parse_with_params(&self.url("/authorize"), request).unwrap().into()
    }

    /// Opens /authorize and logs in; what comes next is returned.
    pub async fn log_in(&self, person: &Person, request: &[(&'static str, String)]) -> Page {
        let page = person.open(self.authorize_url(request)).await;
        page.form().set("username", USER).set("password", PASSWORD).submit().await
    }

    /// The whole way to a code of that request.
    pub async fn code_for(&self, request: &[(&'static str, String)]) -> String {
        let consent = self.log_in(&Person::new(), request).await;
        let back = consent.form().press("decision", "allow").submit().await;
        back.location_param("code").unwrap()
    }

    /// The whole way to a code for [`NATIVE`].
    pub async fn code(&self) -> String {
        self.code_for(&self.request()).await
    }

    /// A form to an endpoint.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.http.post(self.url(path)).form(form)).await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            json: response.json().await.unwrap_or(Value::Null),
        }
    }

    /// Redeems a code as [`NATIVE`].
    pub async fn redeem(&self, code: &str) -> Answer {
        self.post("/token", &redemption(code)).await
    }

    /// Tokens for [`NATIVE`], by the whole way.
    pub async fn tokens(&self) -> Answer {
        let tokens = self.redeem(&self.code().await).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        tokens
    }

    pub async fn refresh(&self, client: &str, token: &str) -> Answer {
        self.post(
            "/token",
            &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)],
        )
        .await
    }

    /// Verifies an access token as a resource server does.
    pub fn verify(&self, token: &str) -> AccessTokenClaims {
        let issuer = Issuer::parse(&self.issuer).unwrap();
        let audience = self.resource();
        let expected = Expected {
            issuer: &issuer,
            audience: &[&audience],
            typ: &["at+jwt"],
            now: self.clock.now(),
            leeway: Duration::ZERO,
        };
        let jwt = UnverifiedJwt::parse(token).unwrap();
        let verified = jwt.verify(&self.server.verifying_keys().current(), &expected).unwrap();
        verified.decode().unwrap()
    }

    pub fn is_revoked(&self, token: &str) -> bool {
        self.server.revocations().is_revoked(&self.verify(token).jti).unwrap()
    }
}

/// What a JWT says, whoever it is for.
pub fn claims(token: &str) -> Value {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// Another server of the same house.
pub struct Replica {
    pub address: String,
    pub server: AuthorizationServer,
    serving: JoinHandle<()>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn serve(server: &AuthorizationServer, listener: TcpListener) -> JoinHandle<()> {
    let router = server.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
}

/// What an endpoint answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub json: Value,
}

impl Answer {
    pub fn text(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.json))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn error(&self) -> (u16, &str) {
        (self.status, self.json["error"].as_str().unwrap_or_default())
    }
}

/// Replaces, adds, or with an empty value takes away.
pub fn set(request: &mut Vec<(&'static str, String)>, name: &'static str, value: &str) {
    request.retain(|(key, _)| *key != name);
    if !value.is_empty() {
        request.push((name, value.to_owned()));
    }
}

pub fn redemption(code: &str) -> [(&'static str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", NATIVE),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub fn settings(issuer: &str) -> Settings {
    let scope = |name| Scope::parse(name).unwrap();
    let resource = |path: &str, name: &str| Resource {
        identifier: ResourceIdentifier::parse(&format!("{issuer}{path}")).unwrap(),
        name: name.to_owned(),
        scopes: vec![
            (scope("notes:read"), "read your notes".to_owned()),
            (scope("notes:write"), "write and change your notes".to_owned()),
        ],
        default: ScopeSet::parse("notes:read").unwrap(),
        access_tokens: TokenForm::Jwt,
    };
    Settings::new(
        Issuer::parse(issuer).unwrap(),
        vec![resource("/mcp", "Notes"), resource("/second", "Second notes")],
    )
}

/// As this process or another one opens it.
async fn open(database: &TestDatabase, clock: &FakeClock) -> Store {
    let key = MasterKey::load_or_create(&database.folder().join("master.key")).unwrap();
    open_with(database, clock, key).await.unwrap()
}

/// With another master key than its own, perhaps.
pub async fn open_with(
    database: &TestDatabase,
    clock: &FakeClock,
    key: MasterKey,
) -> Result<Store, StoreError> {
    match database.place() {
        DatabasePlace::File(path) => Store::open(&path, key, clock.clock()).await,
        DatabasePlace::Url(url) => {
            let url = DatabaseUrl::parse(url).unwrap();
            Store::connect(&url, Store::CONNECTIONS, key, clock.clock()).await
        }
    }
}
