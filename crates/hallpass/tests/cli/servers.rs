//! Several MCP servers in one process: each is itself, and nothing of one is good at another.

use std::io::Write;

use hallpass_protocol::pkce::CodeVerifier;
use hallpass_testkit::person::Person;
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;
use reqwest::header::{HOST, LOCATION, ORIGIN, WWW_AUTHENTICATE};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::house::free_port;
use crate::outside::Outside;
use crate::program::{Serving, run, run_with_input, said};

const SECRET: &str = "0123456789abcdef0123";
const PASSWORD: &str = "correct horse battery";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";
const NAMES: [&str; 4] = ["notes", "mail", "desk", "out"];

/// `notes` and `mail` at the public URL, `desk` at a host of its own, `out` with somebody else's authorization server.
struct Servers {
    config: NamedTempFile,
    data: TempDir,
    serving: Serving,
    port: u16,
    outside: Outside,
    upstreams: [Upstream; 4],
    http: reqwest::Client,
}

impl Servers {
    async fn start() -> Self {
        let upstreams = [
            Upstream::start().await,
            Upstream::start().await,
            Upstream::start().await,
            Upstream::start().await,
        ];
        let outside = Outside::start().await;
        let [notes, mail, desk, out] = upstreams.each_ref().map(|upstream| upstream.url("/mcp").to_string());
        let (port, issuer) = (free_port(), &outside.issuer.issuer);
        let mut config = NamedTempFile::with_suffix(".toml").unwrap();
        write!(
            config,
            r#"
listen = "127.0.0.1:{port}"
public_url = "http://localhost:{port}"

[servers.notes]
name = "Team notes"
upstream = "{notes}"
credentials = {{ api_keys = true }}
scopes.default = ["read"]
scopes.read = {{ says = "Read your notes" }}
scopes.write = {{ says = "Write notes" }}
tools."write_*" = {{ scopes = ["write"] }}

[servers.mail]
upstream = "{mail}"
credentials = {{ api_keys = true }}
scopes.default = ["read"]
scopes.read = {{ says = "Read your mail" }}
tools."write_*" = "deny"

[servers.desk]
host = "desk.localhost"
upstream = "{desk}"

[servers.out]
path = "/elsewhere"
upstream = "{out}"
arrangement = "external"
scopes.default = ["read"]
issuers = [{{ issuer = "{issuer}" }}]
"#
        )
        .unwrap();
        let data = tempfile::tempdir().unwrap();
        let path = config.path().to_str().unwrap().to_owned();
        let add = |args: &[&str], input: &str| {
            said(&run_with_input(data.path(), &[&["--config", &path], args].concat(), &format!("{input}\n")));
        };
        add(&["user", "add", "ada", "--password-stdin"], PASSWORD);
        add(&["client", "add", "--id", "ide", "--redirect-uri", CALLBACK], "");
        add(&["client", "add", "--id", "robot", "--grant", "client_credentials", "--secret-stdin"], SECRET);
        let mut serving = Serving::start(data.path(), &["--config", &path]);
        serving.line_with("Ctrl-C");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { config, data, serving, port, outside, upstreams, http }
    }

    fn endpoint(&self, name: &str) -> String {
        match name {
            "desk" => format!("http://desk.localhost:{}/desk/mcp", self.port),
            "out" => format!("http://localhost:{}/elsewhere", self.port),
            name => format!("http://localhost:{}/{name}/mcp", self.port),
        }
    }

    /// A request to this machine, whatever host the URL names.
    fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let url = url::Url::parse(url).unwrap();
        let mut here = url.clone();
        here.set_host(Some("127.0.0.1")).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), self.port);
        self.http.request(method, here).header(HOST, host)
    }

    async fn get(&self, url: &str) -> reqwest::Response {
        self.request(reqwest::Method::GET, url).send().await.unwrap()
    }

    async fn json(&self, url: &str) -> Value {
        self.get(url).await.error_for_status().unwrap().json().await.unwrap()
    }

    /// A token for the robot itself, for that resource.
    async fn token(&self, resource: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "robot"),
            ("client_secret", SECRET),
            ("resource", resource),
        ];
        let url = format!("http://localhost:{}/token", self.port);
        let answer = self.http.post(url).form(&form).send().await.unwrap().error_for_status().unwrap();
        answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, name: &str, token: &str, body: &str) -> StatusCode {
        let request = self.request(reqwest::Method::POST, &self.endpoint(name)).bearer_auth(token);
        request
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
            .status()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_server_challenges_and_describes_itself() {
    let house = Servers::start().await;
    let own = format!("http://localhost:{}", house.port);
    for (name, title, metadata) in [
        ("notes", "Team notes", format!("{own}/.well-known/oauth-protected-resource/notes/mcp")),
        ("mail", "mail at ", format!("{own}/.well-known/oauth-protected-resource/mail/mcp")),
        (
            "desk",
            "desk at ",
            format!("http://desk.localhost:{}/.well-known/oauth-protected-resource/desk/mcp", house.port),
        ),
        ("out", "out at ", format!("{own}/.well-known/oauth-protected-resource/elsewhere")),
    ] {
        let answer =
            house.request(reqwest::Method::POST, &house.endpoint(name)).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{name}");
        let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{name}: {challenge}");
        let said = house.json(&metadata).await;
        assert_eq!(said["resource"], house.endpoint(name).as_str());
        assert!(said["resource_name"].as_str().unwrap().starts_with(title), "{said}");
        let issuer =
            if name == "out" { house.outside.issuer.issuer.as_str().to_owned() } else { own.clone() };
        assert_eq!(said["authorization_servers"], serde_json::json!([issuer]), "{name}");
    }
    // At the root of an origin stands what is about its first server.
    let root = "/.well-known/oauth-protected-resource";
    assert_eq!(house.json(&format!("{own}{root}")).await["resource"], house.endpoint("notes").as_str());
    let desk = house.json(&format!("http://desk.localhost:{}{root}", house.port)).await;
    assert_eq!(desk["resource"], house.endpoint("desk").as_str());
    let metadata = house.json(&format!("{own}/.well-known/oauth-authorization-server")).await;
    assert_eq!(metadata["scopes_supported"], serde_json::json!(["read", "mcp", "offline_access"]));
}

/// Never-again 26: a token for one server is refused at every other, whoever has issued it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_at_its_own_server_alone() {
    let house = Servers::start().await;
    let mut tokens = Vec::new();
    for name in ["notes", "mail", "desk"] {
        tokens.push((name, house.token(&house.endpoint(name)).await));
    }
    let issuer = &house.outside.issuer;
    let now = std::time::SystemTime::now().into();
    let foreign = |resource: &str| issuer.sign(&issuer.claims(resource, "read", now));
    tokens.push(("out", foreign(&house.endpoint("out"))));
    for (of, token) in &tokens {
        // Twice, so that a token that was remembered at its own server is tried at the others.
        for at in NAMES.iter().chain(&NAMES) {
            let expected = if at == of { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!(house.call(at, token, "{}").await, expected, "the token of {of} at {at}");
        }
    }
    // What an external issuer signs for a server that does not trust it.
    let token = foreign(&house.endpoint("notes"));
    assert_eq!(house.call("notes", &token, "{}").await, StatusCode::UNAUTHORIZED);
    for upstream in &house.upstreams {
        assert_eq!(upstream.received().len(), 2, "what was permitted, and nothing else");
    }
}

/// One name of a tool, and one scope, are something else at each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_server_has_rules_of_its_own() {
    let house = Servers::start().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_note"}}"#;
    for (name, expected) in
        [("notes", StatusCode::FORBIDDEN), ("mail", StatusCode::FORBIDDEN), ("desk", StatusCode::OK)]
    {
        let token = house.token(&house.endpoint(name)).await;
        assert_eq!(house.call(name, &token, call).await, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_means_one_server_by_host_and_path() {
    let house = Servers::start().await;
    let (port, token) = (house.port, house.token(&house.endpoint("desk")).await);
    let post = |url: String| house.request(reqwest::Method::POST, &url).bearer_auth(&token).body("{}").send();
    for (url, expected) in [
        (format!("http://desk.localhost:{port}/desk/mcp"), StatusCode::OK),
        (format!("http://desk.localhost:{port}/desk/mcp/"), StatusCode::NOT_FOUND),
        (format!("http://desk.localhost:{port}/notes/mcp"), StatusCode::NOT_FOUND),
        (format!("http://localhost:{port}/desk/mcp"), StatusCode::NOT_FOUND),
        (format!("http://localhost:{port}/mcp"), StatusCode::NOT_FOUND),
        (format!("http://evil.localhost:{port}/desk/mcp"), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(post(url.clone()).await.unwrap().status(), expected, "{url}");
    }
    // The pages of the public URL are there alone.
    assert_eq!(
        house.get(&format!("http://desk.localhost:{port}/login")).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        house.get(&format!("http://desk.localhost:{port}/jwks")).await.status(),
        StatusCode::NOT_FOUND
    );
    // A page of another origin may call neither; one of this machine may call what is at `localhost`.
    for (name, origin, expected) in [
        ("desk", format!("http://desk.localhost:{port}"), StatusCode::UNAUTHORIZED),
        ("desk", format!("http://localhost:{port}"), StatusCode::FORBIDDEN),
        ("notes", format!("http://localhost:{port}"), StatusCode::UNAUTHORIZED),
        ("notes", format!("http://desk.localhost:{port}"), StatusCode::FORBIDDEN),
    ] {
        let request = house.request(reqwest::Method::POST, &house.endpoint(name)).header(ORIGIN, &origin);
        assert_eq!(request.body("{}").send().await.unwrap().status(), expected, "{origin} at {name}");
    }
}

/// What is nowhere says what there is, at that host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nowhere_says_which_endpoints_there_are() {
    let house = Servers::start().await;
    let says = async |url: String| house.get(&url).await.text().await.unwrap();
    let said = says(format!("http://localhost:{}/mcp", house.port)).await;
    for name in ["notes", "mail", "out"] {
        assert!(said.contains(&house.endpoint(name)), "{said}");
    }
    assert!(!said.contains("desk"), "{said}");
    let said = says(format!("http://desk.localhost:{}/mcp", house.port)).await;
    assert!(said.contains(&house.endpoint("desk")) && !said.contains("notes"), "{said}");
}

/// Clients of 2025-03-26 look for everything at the origin of the server, and know no resources.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_clients_find_the_way_from_a_host_of_its_own() {
    let house = Servers::start().await;
    let there = |path: &str| format!("http://desk.localhost:{}{path}", house.port);
    let own = format!("http://localhost:{}", house.port);
    let resource = format!("resource=http%3A%2F%2Fdesk.localhost%3A{}%2Fdesk%2Fmcp", house.port);
    for (path, status, to) in [
        (
            "/.well-known/oauth-authorization-server",
            307,
            "/.well-known/oauth-authorization-server".to_owned(),
        ),
        ("/authorize?state=a%20b", 302, format!("/authorize?state=a%20b&{resource}")),
        ("/token", 307, "/token".to_owned()),
        ("/register", 307, "/register".to_owned()),
    ] {
        let answer = house.get(&there(path)).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.headers()[LOCATION], format!("{own}{to}"), "{path}");
    }
}

/// The person reads which server it is, and what the scope means there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_is_about_one_server_and_says_which() {
    let house = Servers::start().await;
    let challenge =
        CodeVerifier::parse("a-verifier-that-is-long-enough-to-be-allowed-0123").unwrap().challenge();
    let consent = async |resources: &[String]| {
        let challenge = challenge.to_string();
        let mut request = vec![
            ("response_type", "code"),
            ("client_id", "ide"),
            ("redirect_uri", CALLBACK),
            ("state", "s"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("scope", "read"),
        ];
        request.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
        let url = format!("http://localhost:{}/authorize", house.port);
        let url = url::Url::parse_with_params(&url, request).unwrap();
        let page = Person::new().open(url.as_str()).await;
        page.form().set("username", "ada").set("password", PASSWORD).submit().await.text().to_owned()
    };
    let page = consent(&[house.endpoint("mail")]).await;
    assert!(page.contains("mail at localhost") && page.contains("Read your mail"), "{page}");
    assert!(!page.contains("notes"), "{page}");
    let page = consent(&[house.endpoint("notes"), house.endpoint("mail")]).await;
    assert!(page.contains("Team notes: Read your notes") && page.contains(": Read your mail"), "{page}");
}

/// A scope of a key is one of its server, as its name is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_is_good_at_one_server() {
    let house = Servers::start().await;
    let config = house.config.path().to_str().unwrap();
    let run = |args: &[&str]| run(house.data.path(), &[&["--config", config], args].concat());
    let refused = run(&["key", "add", "ci", "--scope", "read"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{why}");
    assert!(why.contains("--server NAME (desk, mail, notes, out)"), "{why}");
    let refused = run(&["key", "add", "ci", "--server", "mail", "--scope", "write"]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("the server mail has no such scope; it has read")
    );

    let key = said(&run(&["key", "add", "ci", "--server", "notes", "--scope", "read"])).trim().to_owned();
    while house.call("notes", &key, "{}").await == StatusCode::UNAUTHORIZED {}
    assert_eq!(house.call("notes", &key, "{}").await, StatusCode::OK);
    for other in ["mail", "desk", "out"] {
        assert_eq!(house.call(other, &key, "{}").await, StatusCode::UNAUTHORIZED, "{other}");
    }
    assert!(said(&run(&["key", "list"])).contains("notes"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_know_several_servers() {
    let mut house = Servers::start().await;
    for name in NAMES {
        let endpoint = house.endpoint(name);
        assert!(house.serving.line_with(&endpoint).contains(name), "{name}");
    }
    assert!(house.serving.line_with("protects").contains("4 MCP servers"));
    let config = house.config.path().to_str().unwrap();
    let run = |args: &[&str]| run(house.data.path(), &[&["--config", config], args].concat());
    let checked = said(&run(&["config", "check"]));
    for name in NAMES {
        assert!(
            checked.contains(&format!("server     {name}\n  endpoint   {}", house.endpoint(name))),
            "{checked}"
        );
    }
    let refused = run(&["policy", "explain", "--token", "-", "--tool", "x"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--server NAME"));
    let token = house.token(&house.endpoint("mail")).await;
    let explain =
        ["--config", config, "policy", "explain", "--server", "mail", "--token", "-", "--tool", "write_x"];
    let explained = run_with_input(house.data.path(), &explain, &format!("{token}\n"));
    let says = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.status.code() == Some(1) && says.contains("servers.mail.tools.\"write_*\""), "{says}");
    // A client for one server is refused a token for another.
    let added = [
        "client",
        "add",
        "--id",
        "mailer",
        "--server",
        "mail",
        "--grant",
        "client_credentials",
        "--secret-stdin",
    ];
    said(&run_with_input(
        house.data.path(),
        &[&["--config", config], &added[..]].concat(),
        &format!("{SECRET}\n"),
    ));
    for (name, expected) in [("mail", StatusCode::OK), ("notes", StatusCode::BAD_REQUEST)] {
        let resource = house.endpoint(name);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "mailer"),
            ("client_secret", SECRET),
            ("resource", &resource),
        ];
        let url = format!("http://localhost:{}/token", house.port);
        assert_eq!(house.http.post(url).form(&form).send().await.unwrap().status(), expected, "{name}");
    }
}

/// A file that does not say what it means names the place, and what to do.
#[test]
fn what_two_servers_cannot_both_have() {
    let data = tempfile::tempdir().unwrap();
    let up = "upstream = \"http://127.0.0.1:1/mcp\"";
    for (text, words) in [
        (
            format!("[servers.a]\n{up}\n[server]\n{up}\n"),
            &["line 3, column 2", "[server] and [servers.a] are both there"][..],
        ),
        (
            format!("[servers.a]\n{up}\npath = \"/x\"\n[servers.b]\n{up}\npath = \"/x\"\n"),
            &[":6 (servers.b)", "servers.a is at http://localhost:8080/x as well"],
        ),
        (
            format!(
                "public_url = \"https://a.example\"\n[servers.a]\n{up}\npath = \"/x\"\n[servers.b]\n{up}\npath = \"/x\"\n\
                 host = \"A.example\"\n"
            ),
            &["servers.a is at https://a.example/x as well"],
        ),
        (format!("[servers.a]\n{up}\nhost = \"a.example\"\n"), &[":3", "plain http", "http://a.example"]),
        (format!("[servers.a]\n{up}\n[servers.b]\nname = \"b\"\n"), &[":3", "nothing stands behind b"]),
        (
            format!(
                "[servers.a]\n{up}\n[servers.b]\n{up}\n[servers.b.scopes]\n\"x\" = {{ implies = [\"x\"] }}\n"
            ),
            &[":6", "`x` implies itself"],
        ),
        (
            format!("[servers.a]\n{up}\n[servers.b]\n{up}\narrangement = \"external\"\n"),
            &[":5", "[[servers.b.issuers]]"],
        ),
    ] {
        let mut file = NamedTempFile::with_suffix(".toml").unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let output = run(data.path(), &["config", "check", path]);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}: {why}");
        for word in words {
            assert!(why.contains(word), "{text}: {why}");
        }
    }
    let mut file = NamedTempFile::with_suffix(".toml").unwrap();
    writeln!(file, "[servers.a]\n{up}").unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(data.path(), &["--config", path, "serve", "--demo"]);
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && why.contains("--demo does not say which"), "{why}");
}
