//! `external` before seven identity providers, which behave as their documents say: whose tokens are taken, what
//! `config check --online` says of them, and how a client logs in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hallpass_client::Profile;
use hallpass_resource_server::Provider as Reading;
use hallpass_testkit::providers::{
    ALL, AUTH0, Behaviour, COGNITO, Client, ENTRA, GITHUB, GOOGLE, KEYCLOAK, OKTA, Provider, TENANT,
};
use hallpass_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::house::free_port;
use crate::program::{Serving, complained, log_in, run, said};

const SECRET: &str = "a-secret-of-the-console";

/// What an operator writes for each, beside the issuer; the scope that a login asks for.
fn written(behaviour: &Behaviour) -> (&'static str, &'static str) {
    match behaviour.name {
        "entra" => (
            "audiences = [\"6e74172b-be56-4843-9ff4-e66a39bb12e3\"]\nscope_prefix = \"api://notes/\"\n\
             tenants = [\"3f0c7a52-8d55-4f0e-9d1f-0a4c3f6f2b11\"]\n",
            "api://notes/notes.read",
        ),
        "google" => ("tenants = [\"acme.example\"]\n", "openid"),
        "github" => ("", "read:user"),
        "okta" => ("audiences = [\"api://default\"]\n", "notes:read"),
        "keycloak" => ("audiences = [\"https://notes.example\"]\n", "notes:read"),
        _ => ("", "notes:read"),
    }
}

/// `profile = "…"`; for a provider that has one name on the whole internet, which a peer on this machine cannot bear, the
/// same in the words of the file.
fn read_as(name: &str) -> String {
    let Some(reading) = Reading::named(name) else { return String::new() };
    if reading.issuers.is_empty() {
        return format!("profile = \"{name}\"\n");
    }
    let mut claims = format!("client = {:?}", reading.client);
    if !reading.scopes.is_empty() {
        claims += &format!(", scopes = {:?}", reading.scopes);
    }
    if let Some(tenant) = reading.tenant {
        claims += &format!(", tenant = {tenant:?}");
    }
    let kind =
        reading.kind.map(|(claim, values)| format!("kind = {{ claim = {claim:?}, values = {values:?} }}\n"));
    let types = reading.types;
    format!(
        "types = {types:?}\nwithout_id = {}\nclaims = {{ {claims} }}\n{}",
        !reading.id,
        kind.unwrap_or_default()
    )
}

/// What clients know of the provider, for the issuer on this machine.
fn known(provider: &Provider) -> String {
    let mut profile = Profile::named(provider.behaviour().name).unwrap();
    profile.issuers = vec![provider.issuer().to_owned()];
    if let Some(endpoints) = &mut profile.endpoints {
        endpoints.authorization = format!("{}/authorize", provider.peer.origin);
        endpoints.token = format!("{}/token", provider.peer.origin);
        endpoints.device = None;
    }
    listed(profile)
}

fn listed(profile: Profile) -> String {
    toml::to_string(&BTreeMap::from([("provider", vec![profile])])).unwrap()
}

/// `hallpass serve` before a provider.
struct House {
    provider: Provider,
    _upstream: Upstream,
    folder: TempDir,
    endpoint: String,
    serving: Serving,
}

impl House {
    async fn before(behaviour: &'static Behaviour) -> Self {
        let (provider, upstream) = (Provider::start(behaviour).await, Upstream::start().await);
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let (lines, scope) = written(behaviour);
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n\
             [server]\nupstream = \"{}\"\narrangement = \"external\"\n[server.scopes]\ndefault = [\"{scope}\"]\n\
             [[server.issuers]]\nissuer = \"{}\"\n{lines}{}\n{}",
            upstream.url("/mcp"),
            provider.issuer(),
            read_as(behaviour.name),
            known(&provider),
        );
        let config = folder.path().join("hallpass.toml");
        std::fs::write(&config, text).unwrap();
        std::fs::write(folder.path().join("known.toml"), known(&provider)).unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let data = folder.path().join("data");
        let mut serving = Serving::start(&data, &["--config", config.to_str().unwrap()]);
        let endpoint = serving.value_of("MCP endpoint");
        serving.line_with("Ctrl-C");
        Self { provider, _upstream: upstream, folder, endpoint, serving }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A client as the provider's console would make it.
    fn register(&self, id: &str, secret: Option<&str>, redirect_uri: &str) {
        self.provider.recorded.add(Client {
            id: id.to_owned(),
            secret: secret.map(str::to_owned),
            redirect_uris: vec![redirect_uri.to_owned()],
        });
    }

    async fn status(&self, token: &str) -> u16 {
        let request = reqwest::Client::new().post(&self.endpoint).bearer_auth(token);
        let request = request.header("content-type", "application/json").body("{}");
        request.send().await.unwrap().status().as_u16()
    }

    /// A token that is right but for these claims.
    fn token(&self, claims: &Value) -> String {
        let (_, scope) = written(self.provider.behaviour());
        let request = [
            ("client_id", "ide"),
            ("scope", scope),
            ("audience", self.endpoint.as_str()),
            ("resource", self.endpoint.as_str()),
        ];
        self.provider.token(&request, claims)
    }

    async fn log_in(&self, args: &[&str]) -> (std::process::Output, String) {
        let known = self.file("known.toml");
        let args = [&[self.endpoint.as_str(), "--provider-file", &known][..], args].concat();
        log_in(&self.folder.path().join("client"), &args).await
    }

    /// The token of the login, renewed where it has to be.
    async fn kept_token(&self) -> String {
        let (data, known) = (self.folder.path().join("client"), self.file("known.toml"));
        let endpoint = self.endpoint.clone();
        let ended =
            tokio::task::spawn_blocking(move || run(&data, &["token", &endpoint, "--provider-file", &known]));
        said(&ended.await.unwrap()).trim().to_owned()
    }
}

type Wrong = (&'static str, Value);

/// A right token of theirs is taken; one for another audience or tenant, or of another kind, is not.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_taken_as_each_provider_writes_them_and_only_for_this_server() {
    let others: [(&'static Behaviour, Vec<Wrong>); 5] = [
        (
            &ENTRA,
            vec![
                ("another API", json!({"aud": "00000003-0000-0000-c000-000000000000"})),
                ("another tenant", json!({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"})),
                ("no tenant", json!({"tid": null})),
                ("another tenant's issuer", json!({"iss": "https://login.microsoftonline.com/other/v2.0"})),
                ("an ID token", json!({"azp": null, "scp": null, "nonce": "n"})),
            ],
        ),
        (
            &OKTA,
            vec![
                ("the org authorization server", json!({"aud": "https://acme.okta.com"})),
                ("an ID token", json!({"cid": null, "scp": null, "aud": "ide"})),
            ],
        ),
        (
            &AUTH0,
            vec![
                ("another API", json!({"aud": "https://other.example/api"})),
                ("userinfo alone", json!({"aud": ["https://acme.auth0.com/userinfo"]})),
                ("an ID token", json!({"aud": "ide", "azp": null})),
            ],
        ),
        (
            &KEYCLOAK,
            vec![
                ("no mapper", json!({"aud": "account"})),
                ("an ID token", json!({"typ": "ID"})),
                ("a refresh token", json!({"typ": "Refresh"})),
            ],
        ),
        (
            &COGNITO,
            vec![
                ("no resource", json!({"aud": null})),
                ("an ID token", json!({"token_use": "id"})),
                ("another pool's client", json!({"aud": "1example23456789"})),
            ],
        ),
    ];
    for (behaviour, wrong) in others {
        let house = House::before(behaviour).await;
        assert_eq!(house.status(&house.token(&json!({}))).await, 200, "{}", behaviour.name);
        for (what, claims) in wrong {
            assert_eq!(house.status(&house.token(&claims)).await, 401, "{}: {what}", behaviour.name);
        }
        let weak = match behaviour.name {
            "entra" | "okta" => json!({"scp": "other"}),
            _ => json!({"scope": "other"}),
        };
        assert_eq!(house.status(&house.token(&weak)).await, 403, "{}", behaviour.name);
        assert_eq!(house.serving.lines_so_far().iter().filter(|line| line.contains("panicked")).count(), 0);
    }
    assert!(ENTRA.issuer.contains(TENANT));
}

/// How the client logs in where it can, and that the login is worth something: the token is renewed, and taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_the_provider_logs_in_and_is_let_through() {
    let port = free_port().to_string();
    let fixed = format!("http://127.0.0.1:{port}/callback");
    let any = "http://127.0.0.1/callback";
    let arrangements: [(&'static Behaviour, &str, &[&str], bool); 5] = [
        (&ENTRA, "http://localhost/callback", &["--client-id", "ide", "--callback-host", "localhost"], true),
        (&OKTA, any, &["--client-id", "ide"], true),
        // It registers itself.
        (&AUTH0, any, &[], true),
        (&KEYCLOAK, any, &["--client-id", "ide"], true),
        (&COGNITO, &fixed, &["--client-id", "ide", "--callback-port", &port], true),
    ];
    for (behaviour, redirect_uri, args, renewed) in arrangements {
        let house = House::before(behaviour).await;
        house.register("ide", None, redirect_uri);
        house.provider.peer.script(|script| script.expires_in = 1);
        let audience = format!("audience={}", house.endpoint);
        let more = match behaviour.name {
            "auth0" => vec!["--authorize-param", &audience],
            _ => vec![],
        };
        let (output, told) = house.log_in(&[args, &more].concat()).await;
        assert!(output.status.success(), "{}: {told}{}", behaviour.name, complained(&output));
        let token = house.kept_token().await;
        assert_eq!(house.status(&token).await, 200, "{}", behaviour.name);
        let seen = house.provider.peer.seen();
        assert_eq!(seen.grants("refresh_token") > 0, renewed, "{}", behaviour.name);
    }
}

/// Google and GitHub: whoever logs in there holds a token that tells nobody else anything.
#[tokio::test(flavor = "multi_thread")]
async fn an_opaque_token_that_nobody_explains_is_refused() {
    for behaviour in [&GOOGLE, &GITHUB] {
        let house = House::before(behaviour).await;
        house.register("ide", Some(SECRET), "http://127.0.0.1/callback");
        let (issuer, secret) = (house.provider.issuer().to_owned(), house.file("secret"));
        let args = ["--client-id", "ide", "--authorization-server", &issuer, "--client-secret-file", &secret];
        let (output, told) = house.log_in(&args).await;
        assert!(output.status.success(), "{}: {told}{}", behaviour.name, complained(&output));
        assert_eq!(house.status("opaque-1").await, 401, "{}", behaviour.name);
        let seen = house.provider.peer.seen();
        let refreshable = seen.authorizations[0].get("access_type").map(String::as_str);
        assert_eq!(refreshable, (behaviour.name == "google").then_some("offline"));
    }
}

/// What clients run into that treat each provider by the book.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_know_the_provider_fails_as_documented() {
    let s256 = Profile { s256: true, ..Profile::default() };
    let cases: [(&'static Behaviour, Profile, &[&str], &str); 5] = [
        (&ENTRA, Profile::default(), &["--client-id", "ide"], "S256"),
        (&ENTRA, s256.clone(), &["--client-id", "ide"], "AADSTS9010010"),
        (&OKTA, Profile::default(), &[], "an API token is needed"),
        (&KEYCLOAK, Profile::default(), &[], "Trusted Hosts"),
        (&COGNITO, Profile::default(), &["--client-id", "ide"], "S256"),
    ];
    for (behaviour, profile, args, word) in cases {
        let house = House::before(behaviour).await;
        house.register("ide", None, "http://127.0.0.1/callback");
        let profile = Profile {
            name: "by the book".to_owned(),
            issuers: vec![house.provider.issuer().to_owned()],
            ..profile
        };
        std::fs::write(house.file("known.toml"), listed(profile)).unwrap();
        let (output, told) = house.log_in(args).await;
        assert_eq!(output.status.code(), Some(1), "{}: {told}", behaviour.name);
        assert!(told.contains(word), "{}: {word}: {told}", behaviour.name);
    }
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs/providers/README.md")
}

/// The table of docs/providers/README.md: feature, then a verdict for each provider.
fn table() -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let text = std::fs::read_to_string(document()).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows =
        text.lines().skip_while(|line| !line.starts_with("| feature")).take_while(|l| l.starts_with('|'));
    let names = cells(rows.next().unwrap())[1..].to_vec();
    let rows = rows.skip(1).map(cells).map(|row| (row[0].clone(), row[1..].to_vec()));
    (names, rows.collect())
}

/// What the check says of each is what the table in the documents says.
#[tokio::test(flavor = "multi_thread")]
async fn the_online_check_says_what_the_documents_say() {
    let (names, rows) = table();
    assert_eq!(names, ALL.map(|behaviour| behaviour.name));
    let mut said = BTreeMap::<String, Vec<String>>::new();
    for (at, behaviour) in ALL.into_iter().enumerate() {
        let house = House::before(behaviour).await;
        let (data, file) = (house.folder.path().to_owned(), house.file("hallpass.toml"));
        let ended = tokio::task::spawn_blocking(move || {
            run(&data, &["config", "check", &file, "--online", "--json"])
        });
        let ended = ended.await.unwrap();
        let all: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(all[0]["profile"], behaviour.name);
        // The peers know nothing of pages, and nobody's documents say what theirs do.
        let of_programs = |feature: &&Value| !feature["check"].as_str().unwrap().starts_with("browser.");
        for feature in all[0]["features"].as_array().unwrap().iter().filter(of_programs) {
            let row = said.entry(feature["feature"].as_str().unwrap().to_owned()).or_default();
            row.resize(at, "–".to_owned());
            row.push(feature["verdict"].as_str().unwrap().to_owned());
        }
        let fails = all[0]["verdict"] == "fault";
        assert_eq!(ended.status.code(), Some(i32::from(fails)), "{}", behaviour.name);
    }
    said.values_mut().for_each(|row| row.resize(ALL.len(), "–".to_owned()));
    let lines: Vec<_> = said.iter().map(|(name, row)| format!("| {name} | {} |", row.join(" | "))).collect();
    assert_eq!(said, rows, "the table should be\n{}", lines.join("\n"));
}
