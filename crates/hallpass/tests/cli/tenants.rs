//! Several tenants in one process: each is a house of its own, and nothing of one is anything at another.

use std::io::Write;
use std::path::Path;

use hallpass_protocol::Secret;
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_testkit::person::{Cookie, Page, Person};
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;
use reqwest::header::{HOST, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::house::free_port;
use crate::program::{Serving, complained, run, run_with_input, said};

const SECRET: &str = "0123456789abcdef0123";
const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-allowed-0123";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// `hooli` is below a path of the public URL, the others have hosts.
const TENANTS: [&str; 3] = ["acme", "globex", "hooli"];

/// One process with three tenants. In each there are `ada`, who is an administrator at acme alone, and the clients `ide` and
/// `robot`, with the same names and secrets, and the same program stands behind all.
struct Tenants {
    config: NamedTempFile,
    data: TempDir,
    serving: Serving,
    port: u16,
    upstream: Upstream,
    http: reqwest::Client,
}

fn password(tenant: &str) -> String {
    format!("correct horse of {tenant}")
}

impl Tenants {
    async fn start() -> Self {
        let (upstream, port, data) = (Upstream::start().await, free_port(), tempfile::tempdir().unwrap());
        let mut config = NamedTempFile::with_suffix(".toml").unwrap();
        let server = |name: &str| {
            format!(
                "[tenants.{name}.servers.notes]\nupstream = \"{}\"\ncredentials = {{ api_keys = true }}\n\
                 scopes.default = [\"read\"]\nscopes.read = {{ says = \"Read the notes of {name}\" }}\n",
                upstream.url("/mcp")
            )
        };
        let authorization_server =
            |name: &str| format!("[tenants.{name}.authorization_server]\ndpop_nonces = false\n");
        write!(
            config,
            "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n\
             [tenants.acme]\nhost = \"acme.localhost\"\n{}{}access_token_lifetime = \"5m\"\n[tenants.globex]\nhost = \"globex.localhost\"\n{}{}\
             {}{}",
            server("acme"),
            authorization_server("acme"),
            server("globex"),
            authorization_server("globex"),
            server("hooli"),
            authorization_server("hooli"),
        )
        .unwrap();
        for tenant in TENANTS {
            furnish(data.path(), config.path(), tenant);
        }
        let mut serving = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
        serving.line_with("Ctrl-C");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { config, data, serving, port, upstream, http }
    }

    fn issuer(&self, tenant: &str) -> String {
        issuer(tenant, self.port)
    }

    fn endpoint(&self, tenant: &str) -> String {
        format!("{}/notes/mcp", self.issuer(tenant))
    }

    fn command(&self, args: &[&str]) -> std::process::Output {
        run(self.data.path(), &[&["--config", self.config.path().to_str().unwrap()], args].concat())
    }

    /// A request to this machine, whatever host the URL names.
    fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let url = url::Url::parse(url).unwrap();
        let mut here = url.clone();
        here.set_host(Some("127.0.0.1")).unwrap();
        self.http.request(method, here).header(HOST, format!("{}:{}", url.host_str().unwrap(), self.port))
    }

    async fn get(&self, url: &str) -> reqwest::Response {
        self.request(reqwest::Method::GET, url).send().await.unwrap()
    }

    async fn json(&self, url: &str) -> Value {
        self.get(url).await.error_for_status().unwrap().json().await.unwrap()
    }

    async fn post(&self, tenant: &str, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}{path}", self.issuer(tenant));
        let answer = self.request(reqwest::Method::POST, &url).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A token for the robot itself.
    async fn token(&self, tenant: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
        let (status, answer) = self.post(tenant, "/token", &form).await;
        assert_eq!(status, 200, "{tenant}: {answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, tenant: &str, token: &str) -> u16 {
        let request = self.request(reqwest::Method::POST, &self.endpoint(tenant)).bearer_auth(token);
        request.header("content-type", "application/json").body("{}").send().await.unwrap().status().as_u16()
    }

    /// By login, where that is asked for, and consent.
    async fn code(&self, tenant: &str, person: &Person) -> String {
        let mut page = self.authorize(tenant, person).await;
        if page.form().fields().iter().any(|(name, _)| name == "username") {
            page = page.form().set("username", "ada").set("password", &password(tenant)).submit().await;
        }
        assert!(page.text().contains(&format!("Read the notes of {tenant}")), "{}", page.text());
        page.form().press("decision", "allow").submit().await.location_param("code").unwrap()
    }

    async fn authorize(&self, tenant: &str, person: &Person) -> Page {
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge().to_string();
        let request = [
            ("response_type", "code"),
            ("client_id", "ide"),
            ("redirect_uri", CALLBACK),
            ("state", "s"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let url =
            url::Url::parse_with_params(&format!("{}/authorize", self.issuer(tenant)), request).unwrap();
        person.open(url.as_str()).await
    }

    async fn redeem(&self, tenant: &str, code: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "ide"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post(tenant, "/token", &form).await
    }
}

fn issuer(tenant: &str, port: u16) -> String {
    match tenant {
        "hooli" => format!("http://localhost:{port}/t/hooli"),
        host => format!("http://{host}.localhost:{port}"),
    }
}

/// `ada`, `ide` and `robot`.
fn furnish(data: &Path, config: &Path, tenant: &str) {
    let add = |args: &[&str], input: &str| {
        let all = [&["--config", config.to_str().unwrap(), "--tenant", tenant], args].concat();
        // The option stands behind the command that it belongs to.
        let all: Vec<&str> = [&all[..2], &all[4..6], &all[2..4], &all[6..]].concat();
        said(&run_with_input(data, &all, &format!("{input}\n")));
    };
    let admin: &[&str] = if tenant == "acme" { &["--admin"] } else { &[] };
    add(&[&["user", "add", "ada", "--password-stdin"], admin].concat(), &password(tenant));
    let grants = ["authorization_code", "refresh_token", DEVICE].map(|grant| ["--grant", grant]).concat();
    add(&[&["client", "add", "--id", "ide", "--redirect-uri", CALLBACK], &grants[..]].concat(), "");
    add(&["client", "add", "--id", "robot", "--grant", "client_credentials", "--secret-stdin"], SECRET);
}

fn others(tenant: &str) -> impl Iterator<Item = &'static str> {
    TENANTS.into_iter().filter(move |other| *other != tenant)
}

/// What stands at a route is about that route's tenant, whatever else a request says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_names_the_issuer_of_its_route() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        let (issuer, endpoint) = (house.issuer(tenant), house.endpoint(tenant));
        let url = url::Url::parse(&issuer).unwrap();
        let (origin, base) =
            (url.origin().ascii_serialization(), url.path().trim_end_matches('/').to_owned());
        let mut places = vec![
            format!("{origin}/.well-known/oauth-authorization-server{base}"),
            format!("{origin}/.well-known/openid-configuration{base}"),
        ];
        if !base.is_empty() {
            places.push(format!("{issuer}/.well-known/openid-configuration"));
        }
        for place in places {
            let said = house.json(&place).await;
            assert_eq!(said["issuer"], issuer.as_str(), "{place}");
            for member in ["authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"] {
                let url = said[member].as_str().unwrap();
                assert!(url.starts_with(&format!("{issuer}/")), "{place}: {url}");
            }
        }
        let metadata = format!("{origin}/.well-known/oauth-protected-resource{base}/notes/mcp");
        let answer = house.request(reqwest::Method::POST, &endpoint).body("{}").send().await.unwrap();
        let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
        let said = house.json(&metadata).await;
        assert_eq!((&said["resource"], &said["authorization_servers"]), (&json!(endpoint), &json!([issuer])));
        // Another tenant's name in a field that a stranger writes.
        for field in ["x-forwarded-host", "forwarded", "x-original-host"] {
            let request = house.request(reqwest::Method::GET, &metadata);
            let said: Value =
                request.header(field, "host=globex.localhost").send().await.unwrap().json().await.unwrap();
            assert_eq!(said["resource"], endpoint.as_str());
        }
    }
    // A host that is no tenant's, and the root above tenants, which is nobody's.
    let port = house.port;
    let evil =
        house.get(&format!("http://evil.localhost:{port}/.well-known/oauth-authorization-server")).await;
    assert_eq!(evil.status(), StatusCode::FORBIDDEN);
    for document in ["oauth-authorization-server", "openid-configuration", "oauth-protected-resource"] {
        let answer = house.get(&format!("http://localhost:{port}/.well-known/{document}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{document}");
    }
    // A tenant's path at another tenant's host, and the other way round.
    for url in [
        format!("http://acme.localhost:{port}/t/hooli/jwks"),
        format!("http://localhost:{port}/notes/mcp"),
        format!("http://localhost:{port}/jwks"),
        format!("http://localhost:{port}/t/acme/jwks"),
    ] {
        assert_eq!(house.get(&url).await.status(), StatusCode::NOT_FOUND, "{url}");
    }
    let keys = |tenant: &str| format!("{}/jwks", house.issuer(tenant));
    let [acme, globex, hooli] = [
        house.json(&keys("acme")).await,
        house.json(&keys("globex")).await,
        house.json(&keys("hooli")).await,
    ];
    assert!(acme != globex && globex != hooli && hooli != acme, "each has keys of its own");
}

/// What is nowhere says what there is of that tenant, and nothing of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_other_tenants() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        for path in ["", "/", "/nowhere", "/Account/"] {
            let url = format!("{}{path}", house.issuer(tenant));
            let text = house.get(&url).await.text().await.unwrap();
            assert!(text.contains(&house.issuer(tenant)), "{url}: {text}");
            for other in others(tenant) {
                assert!(!text.contains(other), "{url}: {text}");
            }
        }
    }
    for path in ["/", "/nowhere", "/t", "/t/acme", "/t/hool"] {
        let text = house.get(&format!("http://localhost:{}{path}", house.port)).await.text().await.unwrap();
        assert!(!text.contains("notes/mcp"), "{path}: {text}");
    }
}

/// Never-again 26, between tenants: whatever opens something at one opens nothing at another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_good_at_its_own_tenant_alone() {
    let house = Tenants::start().await;
    let mut credentials = Vec::new();
    for tenant in TENANTS {
        credentials.push((tenant, house.token(tenant).await));
        let key = said(
            &house.command(&["key", "add", "ci", "--server", "notes", "--scope", "read", "--tenant", tenant]),
        );
        credentials.push((tenant, key.trim().to_owned()));
        let (status, tokens) = house.redeem(tenant, &house.code(tenant, &Person::new()).await).await;
        assert_eq!(status, 200, "{tokens}");
        credentials.push((tenant, tokens["access_token"].as_str().unwrap().to_owned()));
    }
    // A key is known within a second.
    for (tenant, credential) in &credentials {
        while house.call(tenant, credential).await != 200 {}
    }
    for (of, credential) in &credentials {
        for at in TENANTS.iter().chain(&TENANTS) {
            let expected = if at == of { 200 } else { 401 };
            assert_eq!(house.call(at, credential).await, expected, "of {of} at {at}");
        }
    }
    // Each is of its tenant, and told apart from its namesakes.
    let subjects: std::collections::HashSet<_> = house
        .upstream
        .received()
        .iter()
        .map(|request| request.headers["x-hallpass-subject"].to_str().unwrap().to_owned())
        .collect();
    assert!(
        subjects.contains("acme/key#ci") && subjects.contains(&format!("{}#robot", house.issuer("hooli"))),
        "{subjects:?}"
    );
}

/// Codes, refresh tokens and device codes are redeemed where they were given, and nowhere else; trying does not use them up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_of_its_own_tenant() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        let code = house.code(tenant, &Person::new()).await;
        for other in others(tenant) {
            let (status, answer) = house.redeem(other, &code).await;
            assert_eq!(
                (status, &answer["error"]),
                (400, &json!("invalid_grant")),
                "the code of {tenant} at {other}"
            );
        }
        let (status, tokens) = house.redeem(tenant, &code).await;
        assert_eq!(status, 200, "{tokens}");
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let form = [("grant_type", "refresh_token"), ("client_id", "ide"), ("refresh_token", refresh)];
        let access = tokens["access_token"].as_str().unwrap();
        let asked = [("client_id", "robot"), ("client_secret", SECRET), ("token", access)];
        for other in others(tenant) {
            let (status, answer) = house.post(other, "/token", &form).await;
            assert_eq!(
                (status, &answer["error"]),
                (400, &json!("invalid_grant")),
                "the grant of {tenant} at {other}"
            );
            let (_, answer) = house.post(other, "/introspect", &asked).await;
            assert_eq!(answer, json!({"active": false}), "the token of {tenant} at {other}");
            // Revoking it there ends nothing here.
            house.post(other, "/revoke", &[("client_id", "ide"), ("token", refresh)]).await;
            house.post(other, "/revoke", &[("client_id", "ide"), ("token", access)]).await;
        }
        assert_eq!(house.call(tenant, access).await, 200);
        assert_eq!(house.post(tenant, "/token", &form).await.0, 200);

        let (_, device) = house.post(tenant, "/device_authorization", &[("client_id", "ide")]).await;
        let device_code = device["device_code"].as_str().unwrap();
        let form = [("grant_type", DEVICE), ("client_id", "ide"), ("device_code", device_code)];
        let user_code = device["user_code"].as_str().unwrap();
        for other in others(tenant) {
            let (_, answer) = house.post(other, "/token", &form).await;
            assert_eq!(answer["error"], "invalid_grant", "the device of {tenant} at {other}");
            let page =
                Person::new().open(&format!("{}/device?user_code={user_code}", house.issuer(other))).await;
            assert!(!page.text().contains(&format!("notes of {tenant}")));
        }
        let (_, answer) = house.post(tenant, "/token", &form).await;
        assert_eq!(answer["error"], "authorization_pending");
    }
}

/// A client that has registered itself with one tenant is nobody at the others, and manages nothing there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_is_of_its_own_tenant() {
    let house = Tenants::start().await;
    for tenant in TENANTS {
        let body =
            json!({"redirect_uris": [CALLBACK], "client_name": "app", "token_endpoint_auth_method": "none"});
        let register = house.request(reqwest::Method::POST, &format!("{}/register", house.issuer(tenant)));
        let client: Value = register.json(&body).send().await.unwrap().json().await.unwrap();
        let (uri, token) = (
            client["registration_client_uri"].as_str().unwrap(),
            client["registration_access_token"].as_str().unwrap(),
        );
        assert!(uri.starts_with(&house.issuer(tenant)), "{uri}");
        let read = async |uri: &str| {
            house.request(reqwest::Method::GET, uri).bearer_auth(token).send().await.unwrap().status()
        };
        assert_eq!(read(uri).await, StatusCode::OK);
        for other in others(tenant) {
            let there = uri.replace(&house.issuer(tenant), &house.issuer(other));
            assert_eq!(read(&there).await, StatusCode::UNAUTHORIZED, "{there}");
            let id = client["client_id"].as_str().unwrap();
            let url = format!(
                "{}/authorize?response_type=code&client_id={id}&redirect_uri={CALLBACK}",
                house.issuer(other)
            );
            let answer = house.get(&url).await;
            assert!(answer.status().is_client_error(), "{}", answer.status());
        }
    }
}

/// Whoever is logged in at one tenant is asked for a password at the next, even where both are at one host, and whoever runs
/// one runs no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_logged_in_at_one_tenant() {
    let house = Tenants::start().await;
    let person = Person::new();
    house.code("acme", &person).await;
    let asks_for_a_password = |page: &Page| page.form().fields().iter().any(|(name, _)| name == "username");
    assert!(!asks_for_a_password(&house.authorize("acme", &person).await), "logged in");
    for other in ["globex", "hooli"] {
        assert!(asks_for_a_password(&house.authorize(other, &person).await), "{other}");
    }
    let admin = person.open(&format!("{}/admin", house.issuer("acme"))).await;
    assert!(admin.text().contains("ada"), "{}", admin.text());
    for other in ["globex", "hooli"] {
        house.code(other, &person).await;
        let page = person.open(&format!("{}/admin", house.issuer(other))).await;
        assert_eq!(page.status(), StatusCode::FORBIDDEN, "{other}: {}", page.text());
    }
    // The very cookie, under the name that it has there.
    let login = |tenant: &str| format!("{}/account", house.issuer(tenant));
    let session = |tenant: &str| {
        let port = house.port;
        match tenant {
            "hooli" => format!("hallpass-session-{port}+t+hooli"),
            _ => format!("hallpass-session-{port}"),
        }
    };
    let of_acme = |cookie: &Cookie| cookie.host == "acme.localhost" && cookie.name == session("acme");
    let cookie = person.cookies().into_iter().find(of_acme).unwrap().value;
    for tenant in TENANTS {
        let request = house.request(reqwest::Method::GET, &login(tenant));
        let answer = request.header("cookie", format!("{}={cookie}", session(tenant))).send().await.unwrap();
        let is_in = answer.status() == StatusCode::OK;
        assert_eq!(is_in, tenant == "acme", "{tenant}: {}", answer.status());
    }
}

/// A proof that is good at one tenant's token endpoint is for no other's, and so is the token that it binds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_for_one_tenant() {
    let house = Tenants::start().await;
    let (holder, now) = (SigningKey::generate_es256().unwrap(), std::time::SystemTime::now().into());
    let method = reqwest::Method::POST;
    let proof = |url: &str, token: Option<&Secret>, jti: &str| {
        let url = url.parse().unwrap();
        Proof { method: &method, url: &url, access_token: token, nonce: None, jti, now }
            .sign(&holder)
            .unwrap()
    };
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
    for tenant in TENANTS {
        let endpoint = format!("{}/token", house.issuer(tenant));
        let ask = async |at: &str, proof: String| {
            let request = house.request(reqwest::Method::POST, at).form(&form).header("dpop", proof);
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };
        for other in others(tenant) {
            let (status, _) =
                ask(&format!("{}/token", house.issuer(other)), proof(&endpoint, None, other)).await;
            assert_eq!(status, 400, "{tenant} at {other}");
        }
        let (status, tokens) = ask(&endpoint, proof(&endpoint, None, "own")).await;
        assert_eq!(status, 200, "{tokens}");
        let token = Secret::new(tokens["access_token"].as_str().unwrap());
        for at in TENANTS {
            let endpoint = house.endpoint(at);
            let shown = proof(&endpoint, Some(&token), at);
            let request = house.request(reqwest::Method::POST, &endpoint).header("dpop", shown).body("{}");
            let request = request.header("authorization", format!("DPoP {}", token.expose()));
            let status = request.send().await.unwrap().status();
            let expected = if at == tenant { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!(status, expected, "{tenant} at {at}");
        }
    }
}

/// A session of the server behind is its caller's: who has the same name at another tenant does not get into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namesakes_do_not_share_a_session() {
    let house = Tenants::start().await;
    let [acme, globex] = [house.token("acme").await, house.token("globex").await];
    let answer = http::Response::builder().header("mcp-session-id", "s3ss10n").body("{}".into()).unwrap();
    house.upstream.answer(answer);
    assert_eq!(house.call("acme", &acme).await, 200);
    let within = async |tenant: &str, token: &str| {
        let request = house.request(reqwest::Method::POST, &house.endpoint(tenant)).bearer_auth(token);
        let request = request.header("content-type", "application/json").header("mcp-session-id", "s3ss10n");
        request.body("{}").send().await.unwrap().status().as_u16()
    };
    assert_eq!(within("globex", &globex).await, 404);
    assert_eq!(within("acme", &acme).await, 200);
}

/// The command line works on one tenant, says which there are where none is named, and a copy opens at its own alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_about_one_tenant() {
    let house = Tenants::start().await;
    for args in [
        &["user", "list"][..],
        &["client", "list"],
        &["key", "list"],
        &["keys", "list"],
        &["issuer", "list"],
        &["audit"],
        &["backup", "/tmp/never-written.db"],
    ] {
        let refused = house.command(args);
        let why = complained(&refused);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {why}");
        assert!(why.contains("--tenant NAME (acme, globex, hooli)"), "{args:?}: {why}");
        let unknown = house.command(&[args, &["--tenant", "initech"]].concat());
        assert!(complained(&unknown).contains("there are acme, globex, hooli"), "{args:?}");
        if args[0] != "backup" {
            said(&house.command(&[args, &["--tenant", "acme"]].concat()));
        }
    }
    said(&run_with_input(
        house.data.path(),
        &[
            "--config",
            house.config.path().to_str().unwrap(),
            "user",
            "--tenant",
            "acme",
            "add",
            "bob",
            "--password-stdin",
        ],
        "correct horse battery\n",
    ));
    assert!(said(&house.command(&["user", "list", "--tenant", "acme"])).contains("bob"));
    assert!(!said(&house.command(&["user", "list", "--tenant", "globex"])).contains("bob"));
    assert!(said(&house.command(&["audit", "--tenant", "acme"])).contains("bob"));
    assert!(!said(&house.command(&["audit", "--tenant", "globex"])).contains("bob"));
    // Without the file nobody knows what there is.
    let lost = run(house.data.path(), &["user", "list"]);
    assert!(
        complained(&lost).contains("holds the data of tenants (acme, globex, hooli)"),
        "{}",
        complained(&lost)
    );

    let copy = house.data.path().join("acme.db");
    let copy = copy.to_str().unwrap();
    said(&house.command(&["backup", copy, "--tenant", "acme"]));
    drop(house.serving);
    let command = |args: &[&str]| {
        run(house.data.path(), &[&["--config", house.config.path().to_str().unwrap()], args].concat())
    };
    let refused = command(&["restore", copy, "--replace", "--tenant", "globex"]);
    assert_eq!(refused.status.code(), Some(3), "{}", complained(&refused));
    said(&command(&["restore", copy, "--replace", "--tenant", "acme"]));
    said(&command(&["master-key", "rotate"]));
    said(&command(&["master-key", "forget-former"]));
    let mut serving = Serving::start(house.data.path(), &["--config", house.config.path().to_str().unwrap()]);
    serving.line_with("Ctrl-C");
}
