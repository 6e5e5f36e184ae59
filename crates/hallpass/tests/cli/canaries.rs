//! Canaries: every program of a house at its most talkative, `RUST_LOG=trace`, with hyper, rustls and sqlx. What goes over
//! the wire and is secret, and what commands were given, stands in nobody's log, in no output but the one that it is for,
//! not in the audit log, and in no file in the clear.

use std::path::Path;
use std::process::Stdio;

use hallpass_protocol::Secret;
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use hallpass_testkit::person::Person;
use http::Method;
use serde_json::{Value, json};

use crate::program::{Serving, command};
use crate::wire::Wire;

const PASSWORD: &str = "canary-password-of-ada";
const SECRET: &str = "canary-client-secret-0123";
const BASIC: &str = "canary-password-of-robot";
const VERIFIER: &str = "canary-verifier-that-is-long-enough-0123456789-abcdef";
const CALLBACK: &str = "http://127.0.0.1/cb";

/// What programs have said: on standard error, and on standard output.
#[derive(Default)]
struct Said {
    errors: Vec<(String, String)>,
    outputs: Vec<(String, String)>,
}

impl Said {
    /// Runs a command to its end, at its most talkative; gives its standard output.
    fn run(&mut self, data: &Path, args: &[&str], input: &str) -> String {
        let mut command = command(data, args);
        command.env("RUST_LOG", "trace").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(output.status.success(), "{args:?}: {error}");
        self.errors.push((args.join(" "), error));
        self.outputs.push((args.join(" "), out.clone()));
        out.trim().to_owned()
    }
}

fn upstream() -> axum::Router {
    axum::Router::new().fallback(async |body: String| {
        let asked: Value = serde_json::from_str(&body).unwrap_or_default();
        axum::Json(json!({
            "jsonrpc": "2.0", "id": asked["id"],
            "result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "echo", "version": "1"}},
        }))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_says_a_secret_at_its_most_talkative() {
    let (house, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, own) = (house.path(), home.path());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, upstream()).await.unwrap() });
    let (wire, leads) = Wire::listen().await;
    let (port, public) = (free_port(), format!("http://localhost:{}", wire.port));
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let configuration = format!(
        "listen = \"127.0.0.1:{port}\"\npublic_url = \"{public}\"\n[server]\nupstream = \"http://{behind}/mcp\"\n\
         [server.credentials]\napi_keys = true\nbasic = true\n\
         [log]\naccess = \"{0}/access.log\"\naudit = \"{0}/audit.log\"\n",
        data.display()
    );
    std::fs::write(file.path(), configuration).unwrap();
    let config = file.path().to_str().unwrap();

    let mut said = Said::default();
    let mut serving = Serving::spawn(
        command(data, &["serve", "--config", config]).env("RUST_LOG", "trace").stderr(Stdio::piped()),
    );
    let setup = serving.line_with("/setup?token=");
    let setup = setup[setup.find("http").unwrap()..].to_owned();
    serving.line_with("Ctrl-C");
    leads.send(port).unwrap();

    // By the command line.
    said.run(data, &["user", "add", "bob", "--password-stdin"], "canary-password-of-bob\n");
    said.run(data, &["user", "passwd", "bob", "--password-stdin"], &format!("{PASSWORD}\n"));
    let link = said.run(data, &["user", "link", "bob"], "");
    said.run(
        data,
        &["client", "add", "--id", "web", "--redirect-uri", CALLBACK, "--secret-stdin"],
        &format!("{SECRET}\n"),
    );
    let key = said.run(data, &["key", "add", "ci", "--scope", "mcp"], "");
    said.run(data, &["key", "add", "robot", "--as", "basic", "--password-stdin"], &format!("{BASIC}\n"));
    let initial = said.run(data, &["client", "token", "issue"], "");

    // By a browser and a client of a web site. The set-up link is dead by now, and is tried.
    let person = Person::new();
    assert_eq!(person.open(&setup).await.status(), 410);
    assert_eq!(Person::new().open(&link).await.status(), 200);
    let tokens = web_site(&public, &person).await;
    calls(&public, &tokens, &key).await;

    // By hallpass as a client.
    let server = format!("{public}/mcp");
    let login = tokio::task::spawn_blocking({
        let (server, own) = (server.clone(), own.to_owned());
        move || {
            let mut command = command(&own, &["login", &server, "--no-dpop", "--token-store", "auto"]);
            command
                .env("RUST_LOG", "trace")
                .env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
                .env_remove("BROWSER");
            Serving::spawn(command.stderr(Stdio::piped()))
        }
    });
    let mut login = login.await.unwrap();
    let line = login.line_with("/authorize?");
    let address = line[line.find("http://").unwrap()..].split_whitespace().next().unwrap().to_owned();
    let consent = sign_in(person.open(&address).await).await;
    let back = consent.form().press("decision", "allow").submit().await;
    reqwest::get(back.location().unwrap()).await.unwrap();
    let told = login.rest();
    said.errors.push(("login".to_owned(), told));
    let token = said.run(own, &["token", &server], "");
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    });
    let answered = said.run(own, &["connect", &server], &format!("{initialize}\n"));
    assert!(answered.contains("\"echo\""), "{answered}");
    said.run(own, &["doctor", &server], "");
    said.run(own, &["logout", &server], "");

    // Nothing is kept for later: the audit log is written each second, and at the end.
    assert_eq!(serving.signal_and_wait(), Some(0));
    let served = serving.rest();
    said.errors.push(("serve".to_owned(), served));
    let audit = said.run(data, &["audit", "--json"], "");

    // They lie in the data folder, where every file is looked through.
    let lines = |name: &str| std::fs::read_to_string(data.join(name)).unwrap().lines().count();
    assert!(lines("access.log") > 20 && lines("audit.log") > 5, "both logs were written");

    let mut secrets = wire.secrets();
    for (value, name) in [
        (PASSWORD, "password"),
        ("canary-password-of-bob", "password"),
        (SECRET, "client secret"),
        (BASIC, "password of an account"),
        (VERIFIER, "verifier"),
        (&*key, "API key"),
        (&*initial, "initial access token"),
        (&*token, "access token of the client"),
        (link.split("token=").nth(1).unwrap(), "password link"),
        (setup.split("token=").nth(1).unwrap(), "set-up link"),
    ] {
        secrets.insert(value.to_owned(), name.to_owned());
    }
    let kinds: std::collections::BTreeSet<_> = secrets.values().map(String::as_str).collect();
    for kind in [
        "access_token",
        "authorization",
        "code",
        "code_verifier",
        "cookie",
        "csrf",
        "dpop",
        "password",
        "refresh_token",
        "set-cookie",
        "x-api-key",
    ] {
        assert!(kinds.contains(kind), "no {kind} went over the wire: {kinds:?}");
    }
    for program in ["serve", "login"] {
        let log = said.errors.iter().find(|(name, _)| name == program).unwrap();
        assert!(log.1.contains("TRACE"), "{program} was heard");
    }
    let shown = ["key add ci", "user link bob", "client token issue", "token http"];
    for (value, name) in &secrets {
        for (program, text) in &said.errors {
            // The banner is on standard output, which is read together with the log here.
            let text = if program == "serve" { text.replace(&setup, "") } else { text.clone() };
            let line = text.lines().find(|line| line.contains(value.as_str()));
            assert!(line.is_none(), "{name} is in the log of {program}: {line:?}");
        }
        for (program, text) in &said.outputs {
            let is_meant = shown.iter().any(|shown| program.starts_with(shown));
            assert!(is_meant || !text.contains(value.as_str()), "{name} is in the output of {program}");
        }
        assert!(!audit.contains(value.as_str()), "{name} is in the audit log");
        for folder in [data, own] {
            for file in files(folder) {
                let bytes = std::fs::read(&file).unwrap();
                let found = bytes.windows(value.len()).any(|window| window == value.as_bytes());
                assert!(!found, "{name} is in {}", file.display());
            }
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

async fn sign_in(page: hallpass_testkit::person::Page) -> hallpass_testkit::person::Page {
    if !page.url().path().ends_with("/login") {
        return page;
    }
    let wrong = page.form().set("username", "bob").set("password", "canary-wrong-password").submit().await;
    wrong.form().set("username", "bob").set("password", PASSWORD).submit().await
}

/// Code, tokens, a refresh, a replay, an introspection and a revocation, by a client with a secret.
async fn web_site(public: &str, person: &Person) -> Value {
    let http = reqwest::Client::new();
    let challenge = hallpass_protocol::pkce::CodeVerifier::parse(VERIFIER).unwrap().challenge().to_string();
    let query = [
        ("response_type", "code"),
        ("client_id", "web"),
        ("redirect_uri", CALLBACK),
        ("state", "a-state-that-is-the-clients"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("scope", "mcp"),
    ];
    let url = url::Url::parse_with_params(&format!("{public}/authorize"), query).unwrap();
    let consent = sign_in(person.open(url).await).await;
    let back = consent.form().press("decision", "allow").submit().await;
    let code = back.location_param("code").unwrap();
    let post = async |path: &str, form: &[(&str, &str)]| -> Value {
        let request = http.post(format!("{public}{path}")).basic_auth("web", Some(SECRET)).form(form);
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_default()
    };
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let wrong =
        [("grant_type", "authorization_code"), ("code", &*code), ("code_verifier", "canary-wrong-verifier")];
    post("/token", &wrong).await;
    let tokens = post("/token", &redeem).await;
    let refresh = tokens["refresh_token"].as_str().unwrap_or_else(|| panic!("{tokens}")).to_owned();
    let next = post("/token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    let access = next["access_token"].as_str().unwrap();
    post("/introspect", &[("token", access)]).await;
    post("/revoke", &[("token", next["refresh_token"].as_str().unwrap())]).await;
    post("/token", &redeem).await;
    // And as a form, wrong.
    let form = [("client_id", "web"), ("client_secret", "canary-wrong-client-secret"), ("token", access)];
    http.post(format!("{public}/revoke")).form(&form).send().await.unwrap();
    tokens
}

/// The MCP endpoint, with each credential that it takes, right and wrong.
async fn calls(public: &str, tokens: &Value, key: &str) {
    let http = reqwest::Client::new();
    let url: url::Url = format!("{public}/mcp").parse().unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let call = || http.post(url.clone()).header("accept", "application/json, text/event-stream").body("{}");
    let signer = SigningKey::generate_es256().unwrap();
    let access_token = Secret::new(token);
    let now = std::time::SystemTime::now().into();
    let proof = Proof {
        method: &Method::POST,
        url: &url,
        access_token: Some(&access_token),
        nonce: None,
        jti: "canary-proof-id-0123",
        now,
    };
    let proof = proof.sign(&signer).unwrap();
    for request in [
        call().bearer_auth(token),
        call().bearer_auth(format!("{token}x")),
        call().header("authorization", format!("DPoP {token}")).header("dpop", proof),
        call().header("x-api-key", key),
        call().header("x-api-key", "hpk_canary-that-is-no-key-0123456789-0123456789"),
        call().bearer_auth(key),
        call().basic_auth("robot", Some(BASIC)),
        call().basic_auth("robot", Some("canary-wrong-password-of-robot")),
        call().header("cookie", "canary-cookie=canary-cookie-value-0123"),
    ] {
        request.send().await.unwrap();
    }
}
