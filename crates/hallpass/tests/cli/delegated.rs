//! The arrangement `delegated`, from the file to a call: hallpass keeps a third party's tokens, and the server behind acts with them.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::time::Clock;
use hallpass_testkit::database::{DatabasePlace, TestDatabase};
use hallpass_testkit::person::{Page, Person};
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, ThirdParty};
use hallpass_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};
use tokio::sync::Barrier;
use url::Url;

use crate::house::free_port;
use crate::program::{Serving, run, run_with_input, said};

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-allowed-0123";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";
const PASSWORD: &str = "correct horse battery";
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A server that acts at the hub, with the user `ada` and the client `ide`, and all that was ever answered to them.
struct House {
    data: TempDir,
    config: NamedTempFile,
    _secret: NamedTempFile,
    party: ThirdParty,
    upstream: Upstream,
    base: String,
    http: reqwest::Client,
    answered: std::sync::Mutex<String>,
}

impl House {
    async fn new(acts: &str, database: Option<&TestDatabase>) -> Self {
        let party = ThirdParty::start(Clock::new(|| SystemTime::now().into())).await;
        let upstream = Upstream::start().await;
        let secret = file(CLIENT_SECRET);
        let base = format!("http://localhost:{}", free_port());
        let mut text = format!(
            "public_url = \"{base}\"\n[server]\nupstream = \"{}\"\n[server.delegated.hub]\n{acts}\n\
             [server.scopes]\ndefault = [\"notes:read\"]\n\"notes:read\" = {{}}\n\"hub\" = {{}}\n\
             [third_parties.hub]\nissuer = \"{}\"\nlabel = \"The Hub\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"{}\"\n",
            upstream.url("/mcp"),
            party.issuer(),
            secret.path().display(),
        );
        if let Some(DatabasePlace::Url(url)) = database.map(TestDatabase::place) {
            text.push_str(&format!("[database]\nurl = \"{url}\"\nconnections = 5\n"));
        }
        let (data, config) = (tempfile::tempdir().unwrap(), file(&text));
        let answered = std::sync::Mutex::default();
        let http = reqwest::Client::new();
        let house = Self { data, config, _secret: secret, party, upstream, base, http, answered };
        said(&run_with_input(
            house.data.path(),
            &["--config", house.config(), "user", "add", "ada", "--password-stdin"],
            &format!("{PASSWORD}\n"),
        ));
        house.run(&["client", "add", "--id", "ide", "--redirect-uri", CALLBACK]);
        house
    }

    fn config(&self) -> &str {
        self.config.path().to_str().unwrap()
    }

    fn run(&self, args: &[&str]) -> String {
        said(&run(self.data.path(), &[&["--config", self.config()], args].concat()))
    }

    fn start(&self) -> Serving {
        self.start_at(Url::parse(&self.base).unwrap().port().unwrap())
    }

    fn start_at(&self, port: u16) -> Serving {
        let listen = format!("127.0.0.1:{port}");
        let mut serving = Serving::start(self.data.path(), &["--config", self.config(), "--listen", &listen]);
        serving.line_with("Ctrl-C");
        serving
    }

    fn hears(&self, what: impl std::fmt::Display) {
        self.answered.lock().unwrap().push_str(&what.to_string());
    }

    fn sees(&self, page: Page) -> Page {
        self.hears(page.text());
        self.hears(page.location().map(String::from).unwrap_or_default());
        page
    }

    /// The way of a person to tokens for that scope, over the hub where it has to be.
    async fn tokens(&self, scope: &str) -> Value {
        let person = Person::new();
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge().to_string();
        let request = [
            ("response_type", "code"),
            ("client_id", "ide"),
            ("redirect_uri", CALLBACK),
            ("state", "s"),
            ("scope", scope),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let url = Url::parse_with_params(&format!("{}/authorize", self.base), request).unwrap();
        let login = self.sees(person.open(url).await);
        let login = login.form().set("username", "ada").set("password", PASSWORD);
        let mut page = self.sees(login.submit().await);
        if page.url().path().starts_with("/acts/") {
            let away = self.sees(page.form().submit().await);
            let callback = person.arrive(away.location().unwrap()).await.location().unwrap();
            page = self.sees(person.arrive(callback).await);
        }
        let back = self.sees(page.form().press("decision", "allow").submit().await);
        let code = back.location_param("code").unwrap_or_else(|| panic!("{}", back.text()));
        self.ask(&[
            ("grant_type", "authorization_code"),
            ("client_id", "ide"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ])
        .await
        .1
    }

    async fn ask(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.http.post(format!("{}/token", self.base)).form(form).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        self.hears(&text);
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn refresh(&self, tokens: &Value) -> (u16, Value) {
        let token = tokens["refresh_token"].as_str().unwrap();
        self.ask(&[("grant_type", "refresh_token"), ("client_id", "ide"), ("refresh_token", token)]).await
    }

    async fn call_at(&self, base: &str, token: &str) -> u16 {
        let request = self.http.post(format!("{base}/mcp")).bearer_auth(token).body(LIST);
        let host = Url::parse(&self.base).unwrap().authority().to_owned();
        // What a client says where the token goes does not arrive.
        let request = request.header("x-hub-token", "of the client").header("host", host);
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        self.hears(format!("{:?}", answer.headers()));
        let status = answer.status().as_u16();
        self.hears(answer.text().await.unwrap());
        status
    }

    async fn call(&self, tokens: &Value) -> u16 {
        self.call_at(&self.base, tokens["access_token"].as_str().unwrap()).await
    }

    /// What the server behind has found, of each call, in that field.
    fn found(&self, field: &str) -> Vec<String> {
        let value = |received: hallpass_testkit::upstream::Received| {
            received.headers.get(field).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        self.upstream.received().into_iter().map(value).collect()
    }

    fn refreshes(&self) -> usize {
        let asked = self.party.asked("/token");
        asked.iter().filter(|asked| asked.parameters["grant_type"] == "refresh_token").count()
    }
}

#[tokio::test]
async fn the_server_behind_acts_with_the_third_partys_token_and_no_client_sees_it() {
    let house = House::new("field = \"Authorization\"\nscopes = [\"repo\"]", None).await;
    let _serving = house.start();
    let tokens = house.tokens("notes:read").await;
    assert_eq!(house.call(&tokens).await, 200);
    assert_eq!(house.found("authorization"), ["Bearer canary-access-1"]);
    assert_eq!(house.refresh(&tokens).await.0, 200);
    let asked = &house.party.asked("/authorize")[0].parameters;
    assert_eq!(
        (asked["scope"].as_str(), asked["redirect_uri"].as_str()),
        ("repo", &*format!("{}/providers/hub/callback", house.base))
    );
    assert!(!house.answered.lock().unwrap().contains("canary-access"), "a client or a person has seen it");
    assert!(!house.answered.lock().unwrap().contains("canary-refresh"));
    // It is written once a second.
    let written = async {
        while !house.run(&["audit"]).contains("Third party linked") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.unwrap();
    for entry in walk(house.data.path()) {
        let stored = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
        assert!(
            !stored.contains("canary-access") && !stored.contains("canary-refresh"),
            "{}",
            entry.display()
        );
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Where a scope of ours stands for it: without the scope no link and no token, and the field is hallpass's all the same.
#[tokio::test]
async fn where_a_scope_stands_for_it_whoever_lacks_it_is_served_without() {
    let house = House::new("field = \"X-Hub-Token\"\nscope = \"hub\"", None).await;
    let _serving = house.start();
    let plain = house.tokens("notes:read").await;
    assert_eq!(house.call(&plain).await, 200);
    assert!(house.party.asked("/authorize").is_empty());
    let stepped = house.tokens("notes:read hub").await;
    assert_eq!(house.call(&stepped).await, 200);
    assert_eq!(house.found("x-hub-token"), ["", "canary-access-1"]);
}

/// The operator has the server act at a third party after people had allowed apps in, and then with more rights there: nobody acts
/// for a person who was not told.
#[tokio::test]
async fn what_was_allowed_before_the_server_acted_there_lets_nobody_act_there() {
    let acts = "field = \"X-Hub-Token\"\nscopes = [\"repo\"]";
    let house = House::new(acts, None).await;
    let whole = std::fs::read_to_string(house.config.path()).unwrap();
    let write = |text: &str| std::fs::write(house.config.path(), text).unwrap();
    write(&whole.replace(&format!("[server.delegated.hub]\n{acts}\n"), ""));
    let before = {
        let _serving = house.start();
        let tokens = house.tokens("notes:read").await;
        assert_eq!(house.call(&tokens).await, 200);
        tokens
    };
    write(&whole);
    let first = {
        let _serving = house.start();
        let tokens = house.tokens("notes:read").await;
        assert_eq!(house.call(&tokens).await, 200);
        // Linked by now, and told for that app alone which has just been allowed in.
        assert_eq!(house.call(&before).await, 401);
        let (status, said) = house.refresh(&before).await;
        assert_eq!((status, said["error"].as_str()), (400, Some("invalid_grant")));
        assert!(said["error_description"].as_str().unwrap().contains("The Hub"), "{said}");
        tokens
    };
    write(&whole.replace("[\"repo\"]", "[\"repo\", \"gist\"]"));
    let _serving = house.start();
    let tokens = house.tokens("notes:read").await;
    assert_eq!(house.call(&tokens).await, 200);
    assert_eq!(house.call(&first).await, 401);
    assert_eq!(house.refresh(&first).await.0, 400);
    // Before it acted there, the field was anybody's.
    assert_eq!(house.found("x-hub-token"), ["of the client", "canary-access-1", "canary-access-2"]);
}

/// The third party has ended the session: the next call shows it. Grant, access token and streams are over.
#[tokio::test]
async fn a_session_that_has_ended_there_ends_everything_here() {
    let house = House::new("field = \"X-Hub-Token\"", None).await;
    let _serving = house.start();
    house.party.script().lifetime = 0;
    let tokens = house.tokens("notes:read").await;
    let token = tokens["access_token"].as_str().unwrap();
    let _events = house.upstream.answer_with_events();
    let listening = house.http.get(format!("{}/mcp", house.base)).bearer_auth(token);
    let mut stream = listening.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    house.party.end_sessions();
    assert_eq!(house.call(&tokens).await, 401);
    let ended = tokio::time::timeout(Duration::from_secs(15), async {
        while let Ok(Some(_)) = stream.chunk().await {}
    });
    ended.await.unwrap();
    assert_eq!(house.call(&tokens).await, 401);
    let (status, said) = house.refresh(&tokens).await;
    assert_eq!((status, said["error"].as_str()), (400, Some("invalid_grant")));
    let received = house.upstream.received().len();
    // Logging in again links anew.
    house.party.script().lifetime = 3_600;
    let again = house.tokens("notes:read").await;
    assert_eq!(house.call(&again).await, 200);
    assert_eq!(house.upstream.received().len(), received + 1, "nothing went on without a token");
}

#[tokio::test]
async fn a_third_party_that_is_away_costs_a_call_and_no_session() {
    let house = House::new("field = \"X-Hub-Token\"", None).await;
    let port = Url::parse(&house.base).unwrap().port().unwrap();
    let arguments = ["--config", house.config(), "--listen", &format!("127.0.0.1:{port}")];
    let mut serving = Serving::start_heard(house.data.path(), &arguments);
    serving.line_with("Ctrl-C");
    house.party.script().lifetime = 0;
    let tokens = house.tokens("notes:read").await;
    house.party.script().instead_of_tokens = Some((503, String::new()));
    assert_eq!(house.call(&tokens).await, 503);
    // Several servers, of several tenants, may act at a third party of that name.
    for words in ["could not be renewed", "could not be had"] {
        let line = serving.line_with(words);
        assert!(line.contains(&format!("{}/mcp", house.base)), "which server it is about: {line}");
    }
    assert_eq!(house.refresh(&tokens).await.0, 200);
    house.party.script().instead_of_tokens = None;
    house.party.script().lifetime = 3_600;
    let answered = tokio::time::timeout(Duration::from_secs(30), async {
        while house.call(&tokens).await != 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    answered.await.unwrap();
}

/// One token that has ended, and fifty calls at two replicas: the third party is asked once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_at_two_replicas_renew_once() {
    let database = TestDatabase::postgres();
    let house = Arc::new(House::new("field = \"X-Hub-Token\"", Some(&database)).await);
    let port = free_port();
    let _serving = (house.start(), house.start_at(port));
    house.party.script().lifetime = 0;
    let tokens = house.tokens("notes:read").await;
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let before = house.refreshes();
    house.party.script().lifetime = 3_600;
    house.party.script().hesitates = Duration::from_millis(200);
    let barrier = Arc::new(Barrier::new(50));
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let (house, barrier, token) = (Arc::clone(&house), Arc::clone(&barrier), token.clone());
            let base = if n % 2 == 0 { house.base.clone() } else { format!("http://127.0.0.1:{port}") };
            tokio::spawn(async move {
                barrier.wait().await;
                house.call_at(&base, &token).await
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(house.refreshes(), before + 1);
    let found = house.found("x-hub-token");
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|token| *token == found[0]), "{found:?}");
}

#[tokio::test]
async fn a_command_finds_the_token_in_its_environment() {
    let house = House::new("field = \"X-Hub-Token\"", None).await;
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let text = std::fs::read_to_string(house.config.path()).unwrap();
    let line = format!("upstream = \"{}\"", house.upstream.url("/mcp"));
    let script = format!("printf %s \\\"$HUB_TOKEN\\\" > {}; cat > /dev/null", seen.display());
    let text = text.replace(&line, &format!("command = [\"sh\", \"-c\", \"{script}\"]"));
    let text = text.replace("field = \"X-Hub-Token\"", "variable = \"HUB_TOKEN\"");
    std::fs::write(house.config.path(), text).unwrap();
    let _serving = house.start();
    let tokens = house.tokens("notes:read").await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let token = tokens["access_token"].as_str().unwrap();
    let call = house.http.post(format!("{}/mcp", house.base)).bearer_auth(token).json(&body);
    let call = call.header("accept", "application/json, text/event-stream").send();
    let found = async {
        loop {
            match std::fs::read_to_string(&seen) {
                Ok(found) if !found.is_empty() => return found,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::select! {
            found = found => found,
            // The program answers nothing.
            answer = async { drop(call.await); std::future::pending::<String>().await } => answer,
        }
    });
    assert_eq!(found.await.unwrap(), "canary-access-1");
}

#[test]
fn a_file_that_is_right_says_what_to_register() {
    let data = tempfile::tempdir().unwrap();
    let config = file(
        "public_url = \"https://mcp.example.com\"\n[tenants.acme.server]\nupstream = \"http://127.0.0.1:1/mcp\"\n\
         [tenants.acme.server.delegated.github]\nfield = \"Authorization\"\nscopes = [\"repo\", \"read:user\"]\n\
         [third_parties.github]\nprofile = \"github\"\nclient_id = \"Iv1.hallpass\"\n\
         [third_parties.other]\nprofile = \"google\"\nclient_id = \"x\"\n",
    );
    let told = said(&run(data.path(), &["config", "check", config.path().to_str().unwrap()]));
    for words in [
        "https://github.com/login/oauth, where hallpass is Iv1.hallpass: servers act there for people",
        "https://mcp.example.com/t/acme/providers/github/callback",
        "github for whoever calls, by the field authorization; with repo read:user there; linked at the first login",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    assert!(!told.contains("google"), "nobody acts there: {told}");
}

#[test]
fn mistakes_say_where_they_are_and_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let up = "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n";
    let stdio = "[server]\ncommand = [\"sh\"]\n";
    let parties = "[third_parties.a]\nissuer = \"https://a.example\"\nclient_id = \"x\"\n\
                   [third_parties.b]\nprofile = \"github\"\nclient_id = \"x\"\n";
    let issuer = "[[server.issuers]]\nissuer = \"https://login.example.com\"\n";
    for (text, words) in [
        (
            format!("{up}[server.delegated.c]\nfield = \"x-a\"\n{parties}"),
            &[":3", "no [third_parties.c]"][..],
        ),
        (format!("{up}[server.delegated.a]\n{parties}"), &[":3", "field = \"Authorization\""]),
        (format!("{up}[server.delegated.a]\nvariable = \"A\"\n{parties}"), &["speaks HTTP"]),
        (format!("{up}[server.delegated.a]\nfield = \"x-a\"\nvariable = \"A\"\n{parties}"), &["speaks HTTP"]),
        (
            format!("{up}[server.delegated.a]\nfield = \"Host\"\n{parties}"),
            &["belongs to the message itself"],
        ),
        (
            format!("{stdio}[server.delegated.a]\nfield = \"x-a\"\n{parties}"),
            &["variable = \"GITHUB_TOKEN\""],
        ),
        (format!("{stdio}[server.delegated.a]\nvariable = \"A=B\"\n{parties}"), &["`A=B` can't be"]),
        (
            format!("{stdio}process = \"shared\"\n[server.delegated.a]\nvariable = \"A\"\n{parties}"),
            &["everybody shares", "process = \"user\""],
        ),
        (
            format!(
                "{stdio}environment = {{ A = \"x\" }}\n[server.delegated.a]\nvariable = \"A\"\n{parties}"
            ),
            &["the variable A holds something else"],
        ),
        (
            format!(
                "{up}[server.delegated.a]\nfield = \"x-a\"\n[server.delegated.b]\nfield = \"X_A\"\n{parties}"
            ),
            &[":5", "the field x_a holds something else"],
        ),
        (
            format!(
                "{up}tells = \"assertion\"\n[server.delegated.a]\nfield = \"x-hallpass-assertion\"\n{parties}"
            ),
            &["the field x-hallpass-assertion holds something else"],
        ),
        (
            format!("{up}[server.delegated.a]\nfield = \"x-a\"\nscope = \"nobody's\"\n{parties}"),
            &["`nobody's` is no scope of this server", "mcp"],
        ),
        (format!("{up}[server.delegated.a]\nfield = \"x-a\"\nscopes = [\"a b\"]\n{parties}"), &["a b"]),
        (
            format!(
                "{up}arrangement = \"external\"\n[server.delegated.a]\nfield = \"x-a\"\n{issuer}{parties}"
            ),
            &["the arrangement is external", "keeps tokens of third parties for nobody"],
        ),
        (
            format!(
                "{up}arrangement = \"proxied\"\n[server.delegated.a]\nfield = \"x-a\"\n{issuer}{parties}"
            ),
            &["the arrangement is proxied"],
        ),
    ] {
        let config = file(&text);
        let output = run(data.path(), &["config", "check", config.path().to_str().unwrap()]);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}: {why}");
        for word in words {
            assert!(why.contains(word), "{word}\n{text}\n{why}");
        }
    }
    // Beside what is told otherwise it is fine.
    let fine =
        format!("{up}tells = \"assertion\"\n[server.delegated.a]\nfield = \"authorization\"\n{parties}");
    said(&run(data.path(), &["config", "check", file(&fine).path().to_str().unwrap()]));
}

/// A subject of another issuer's that is called like a person here acts for nobody.
#[tokio::test]
async fn another_issuers_subject_of_the_same_name_gets_no_token() {
    let house = House::new("field = \"X-Hub-Token\"", None).await;
    let outside = crate::outside::Outside::start().await;
    let text = std::fs::read_to_string(house.config.path()).unwrap();
    let more = format!("[[server.issuers]]\nissuer = \"{}\"\n", outside.issuer.issuer);
    std::fs::write(house.config.path(), text + &more).unwrap();
    let _serving = house.start();
    let tokens = house.tokens("notes:read").await;
    let token = tokens["access_token"].as_str().unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let ada = serde_json::from_slice::<Value>(&claims).unwrap()["sub"].clone();
    let endpoint = format!("{}/mcp", house.base);
    let mut claims = outside.issuer.claims(&endpoint, "notes:read", SystemTime::now().into());
    claims["sub"] = ada;
    assert_eq!(house.call_at(&house.base, &outside.issuer.sign(&claims)).await, 401);
    assert!(house.found("x-hub-token").is_empty());
    assert_eq!(house.call(&tokens).await, 200);
}
