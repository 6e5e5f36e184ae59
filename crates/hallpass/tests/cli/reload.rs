//! Another configuration without a restart: what changes, what goes on, and what changes nothing.

use std::path::PathBuf;

use hallpass_protocol::dpop::Proof;
use hallpass_protocol::{Secret, SigningKey};
use hallpass_testkit::upstream::{Events, Upstream};
use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use serde_json::Value;
use tempfile::TempDir;

use crate::house::free_port;
use crate::program::{Serving, command, run_with_input, said};

const SECRET: &str = "0123456789abcdef0123";
const SERVED: &str = "is served now";

/// A process whose configuration is a file that tests write anew.
struct Reloaded {
    folder: TempDir,
    serving: Serving,
    port: u16,
    notes: Upstream,
    mail: Upstream,
    http: reqwest::Client,
}

impl Reloaded {
    /// With these lines after where it listens.
    async fn start(servers: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let (notes, mail) = (Upstream::start().await, Upstream::start().await);
        let data = folder.path().join("data");
        let file = folder.path().join("hallpass.toml");
        std::fs::write(&file, whole(port, servers, &notes, &mail)).unwrap();
        let path = file.to_str().unwrap();
        let robot = [
            "--config",
            path,
            "client",
            "add",
            "--id",
            "robot",
            "--grant",
            "client_credentials",
            "--secret-stdin",
        ];
        said(&run_with_input(&data, &robot, &format!("{SECRET}\n")));
        let mut serve = command(&data, &["serve", "--config", path]);
        serve.stderr(std::process::Stdio::piped());
        let mut serving = Serving::spawn(&mut serve);
        serving.line_with("Ctrl-C");
        Self { folder, serving, port, notes, mail, http: reqwest::Client::new() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("hallpass.toml")
    }

    fn write(&self, servers: &str) {
        std::fs::write(self.file(), whole(self.port, servers, &self.notes, &self.mail)).unwrap();
    }

    /// Writes it, asks for it to be read, and waits until the program has said this of it.
    fn change(&mut self, servers: &str, says: &str) -> String {
        self.write(servers);
        self.ask(says)
    }

    fn ask(&mut self, says: &str) -> String {
        let so_far = self.serving.lines_so_far().len();
        self.serving.signal("HUP");
        self.serving.next_line_with(says, so_far)
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    async fn asks_for_a_token(&self, path: &str) -> reqwest::Response {
        let resource = self.url(path);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "robot"),
            ("client_secret", SECRET),
            ("resource", &resource),
        ];
        self.http.post(self.url("/token")).form(&form).send().await.unwrap()
    }

    async fn token(&self, path: &str) -> String {
        let answer: Value =
            self.asks_for_a_token(path).await.error_for_status().unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, path: &str, token: &str) -> u16 {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write"}}"#;
        let request =
            self.http.post(self.url(path)).bearer_auth(token).header("content-type", "application/json");
        request.body(body).send().await.unwrap().status().as_u16()
    }

    /// A stream that answers a GET, and its far end.
    async fn listen(&self, path: &str, token: &str, upstream: &Upstream) -> (reqwest::Response, Events) {
        let events = upstream.answer_with_events();
        let request = self.http.get(self.url(path)).bearer_auth(token).header(ACCEPT, "text/event-stream");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        (answer, events)
    }
}

fn whole(port: u16, servers: &str, notes: &Upstream, mail: &Upstream) -> String {
    let servers =
        servers.replace("NOTES", notes.url("/mcp").as_str()).replace("MAIL", mail.url("/mcp").as_str());
    format!("listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n{servers}")
}

const NOTES: &str = "[servers.notes]\nupstream = \"NOTES\"\nscopes.default = [\"read\"]\n";
const MAIL: &str = "[servers.mail]\nupstream = \"MAIL\"\nscopes.default = [\"read\"]\n";

fn both() -> String {
    format!("{NOTES}{MAIL}")
}

/// API keys are kept under a server's name: whoever takes a name takes its keys, and no other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_follow_the_name_of_their_server() {
    let server = |name: &str, path: &str| {
        format!(
            "[servers.{name}]\npath = \"{path}\"\nupstream = \"NOTES\"\ncredentials.api_keys = true\nscopes.default = [\"read\"]\n"
        )
    };
    let mut house = Reloaded::start(&[server("notes", "/one"), server("mail", "/two")].concat()).await;
    let data = house.folder.path().join("data");
    let file = house.file();
    let add =
        ["--config", file.to_str().unwrap(), "key", "add", "bob", "--scope", "read", "--server", "mail"];
    let key = said(&run_with_input(&data, &add, ""));
    let key = key.split_whitespace().find(|word| word.starts_with("hpk_")).unwrap().to_owned();
    // It is known within a second.
    while house.call("/two", &key).await != 200 {}
    assert_eq!(house.call("/one", &key).await, 401);
    house.change(&[server("mail", "/one"), server("notes", "/two")].concat(), SERVED);
    assert_eq!((house.call("/one", &key).await, house.call("/two", &key).await), (200, 401), "exchanged");
    house.change(&[server("post", "/one"), server("notes", "/two")].concat(), SERVED);
    assert_eq!((house.call("/one", &key).await, house.call("/two", &key).await), (401, 401), "renamed");
}

/// A session id is a secret that one server's log, and its users, may know: it leads nobody else into the session by the way of
/// another server that the same program stands behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_its_callers_in_all_places() {
    let server =
        |name: &str| format!("[servers.{name}]\nupstream = \"NOTES\"\nscopes.default = [\"read\"]\n");
    let keys = "credentials.api_keys = true\n";
    let house = Reloaded::start(&[server("one"), server("two"), keys.to_owned()].concat()).await;
    let data = house.folder.path().join("data");
    let file = house.file();
    let add = ["--config", file.to_str().unwrap(), "key", "add", "bob", "--scope", "read", "--server", "two"];
    let key = said(&run_with_input(&data, &add, ""));
    let key = key.split_whitespace().find(|word| word.starts_with("hpk_")).unwrap().to_owned();
    while house.call("/two/mcp", &key).await != 200 {}
    let token = house.token("/one/mcp").await;
    let answer = http::Response::builder().header("mcp-session-id", "s3ss10n").body("{}".into()).unwrap();
    house.notes.answer(answer);
    assert_eq!(house.call("/one/mcp", &token).await, 200);
    let within = async |path: &str, credential: &str| {
        let request = house.http.post(house.url(path)).bearer_auth(credential);
        let request = request.header("content-type", "application/json").header("mcp-session-id", "s3ss10n");
        request.body("{}").send().await.unwrap().status().as_u16()
    };
    assert_eq!(within("/two/mcp", &key).await, 404);
    assert_eq!(within("/one/mcp", &token).await, 200);
}

/// A server comes, has other rules, and goes; what is not touched goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_come_change_and_go() {
    let mut house = Reloaded::start(NOTES).await;
    let notes = house.token("/notes/mcp").await;
    assert_eq!(house.call("/notes/mcp", &notes).await, 200);
    assert_eq!(house.call("/mail/mcp", &notes).await, 404);
    assert_eq!(house.asks_for_a_token("/mail/mcp").await.status(), StatusCode::BAD_REQUEST);

    house.change(&both(), SERVED);
    assert!(house.serving.line_with("new ").ends_with("/mail/mcp"));
    let mail = house.token("/mail/mcp").await;
    assert_eq!(house.call("/mail/mcp", &mail).await, 200);
    assert_eq!(house.call("/notes/mcp", &notes).await, 200, "a token of before is good");
    assert_eq!(house.call("/notes/mcp", &mail).await, 401);

    house.change(&format!("{}tools.\"write\" = \"deny\"\n", both()), SERVED);
    assert!(house.serving.line_with("changed ").ends_with("/mail/mcp"));
    assert_eq!(house.call("/mail/mcp", &mail).await, 403);
    assert_eq!(house.call("/notes/mcp", &notes).await, 200);

    house.change(MAIL, SERVED);
    assert!(house.serving.line_with("gone ").ends_with("/notes/mcp"));
    assert_eq!(house.call("/notes/mcp", &notes).await, 404);
    assert_eq!(house.asks_for_a_token("/notes/mcp").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(house.call("/mail/mcp", &mail).await, 200);
}

/// A stream goes on where its server is what it was, and ends where it has changed. What is being answered is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_where_their_server_has_changed() {
    let mut house = Reloaded::start(&both()).await;
    let (notes, mail) = (house.token("/notes/mcp").await, house.token("/mail/mcp").await);
    let (kept, kept_events) = house.listen("/notes/mcp", &notes, &house.notes).await;
    let (mut ended, ended_events) = house.listen("/mail/mcp", &mail, &house.mail).await;
    let post_events = house.mail.answer_with_events();
    let post = house.http.post(house.url("/mail/mcp")).bearer_auth(&mail).body("{}").send().await.unwrap();

    house.change(&format!("{}allowed_origins = [\"https://a.example\"]\n", both()), SERVED);
    assert_eq!(ended.chunk().await.unwrap(), None, "the stream of the server that has changed");
    ended_events.until_abandoned().await;
    kept_events.release("data: still there\n\n");
    drop(kept_events);
    assert_eq!(kept.text().await.unwrap(), "data: still there\n\n");
    post_events.release("data: answered\n\n");
    drop(post_events);
    assert_eq!(post.text().await.unwrap(), "data: answered\n\n");
}

/// The line and the column are told, once; what was before goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_served_changes_nothing_and_says_why() {
    let mut house = Reloaded::start(NOTES).await;
    let token = house.token("/notes/mcp").await;
    for (servers, says) in [
        (format!("{}tool = 1\n", both()), "line 9"),
        ("[servers.notes\n".to_owned(), "line 3, column 15"),
        (format!("{}path = \"/notes/mcp\"\n", both()), ":9 (servers.mail)"),
        (format!("{NOTES}[servers.mail]\n"), "nothing stands behind mail"),
        (format!("{NOTES}[authorization_server]\naccess_token_lifetime = \"2d\"\n"), ":7"),
        (format!("{NOTES}public_client_id = \"nobody\"\n"), "no such client"),
        ("".to_owned(), "no MCP server to protect"),
    ] {
        house.change(&servers, says);
        assert_eq!(house.call("/notes/mcp", &token).await, 200, "{servers}");
        assert_eq!(house.call("/mail/mcp", &token).await, 404, "{servers}");
    }
    std::fs::remove_file(house.file()).unwrap();
    house.ask("can't read");
    assert_eq!(house.call("/notes/mcp", &token).await, 200);
    house.change(&both(), SERVED);
    assert_eq!(house.call("/mail/mcp", &token).await, 401);
}

/// What cannot change while it runs is named, and nothing else of that file is served either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_restart_is_named() {
    let mut house = Reloaded::start(NOTES).await;
    let token = house.token("/notes/mcp").await;
    for (more, setting) in [
        ("data = \"/tmp/elsewhere\"\n", "restart needed for data"),
        ("tls_in_front = true\n", "restart needed for tls_in_front"),
        ("monitoring.listen = \"127.0.0.1:1\"\n", "restart needed for monitoring"),
        ("log.access = \"stdout\"\n", "restart needed for log"),
        ("database.connections = 3\ndatabase.url = \"postgres://a@b/c\"\n", "restart needed for database"),
    ] {
        house.change(&format!("{more}{}", both()), setting);
        assert_eq!(house.call("/mail/mcp", &token).await, 404, "{more}");
    }
    let text = whole(house.port, &both(), &house.notes, &house.mail);
    std::fs::write(house.file(), text.replace("http://localhost", "http://127.0.0.1")).unwrap();
    house.ask("public_url (the issuer)");
    std::fs::write(house.file(), text.replace("listen = \"127.0.0.1", "listen = \"127.0.0.2")).unwrap();
    house.ask("restart needed for listen");
    assert_eq!(house.call("/notes/mcp", &token).await, 200);
    house.change(&both(), SERVED);
    assert_eq!(house.call("/mail/mcp", &token).await, 401);
}

/// Nobody has to ask: the file is looked at, and read once it stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_is_read() {
    let mut house = Reloaded::start(NOTES).await;
    let token = house.token("/notes/mcp").await;
    house.write(&both());
    house.serving.line_with(SERVED);
    assert_eq!(house.call("/mail/mcp", &token).await, 401);
}

/// A process of a stdio server, and the session with it, outlives other rules; another command is another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_outlive_other_rules() {
    let server = |lines: &str| {
        // Answers each line with one result; the id of a request is always 1 here.
        let script = "while read -r line; do echo '{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":1,\\\"result\\\":{\\\"pid\\\":'$$'}}'; done";
        format!(
            "[servers.shell]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nscopes.default = [\"read\"]\n{lines}"
        )
    };
    let mut house = Reloaded::start(&server("")).await;
    let token = house.token("/shell/mcp").await;
    let post = async |house: &Reloaded, session: Option<&str>, method: &str| {
        let params =
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}"#;
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let mut request = house.http.post(house.url("/shell/mcp")).bearer_auth(&token).body(body);
        request = request.header("content-type", "application/json");
        request = request.header(ACCEPT, "application/json, text/event-stream");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        let answer = request.send().await.unwrap();
        let id = answer.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        (answer.status().as_u16(), id, answer.text().await.unwrap())
    };
    let (status, session, first) = post(&house, None, "initialize").await;
    assert_eq!(status, 200, "{first}");
    let session = session.as_deref();
    house.change(&server("tools.\"purge\" = \"deny\"\n"), SERVED);
    let (status, _, second) = post(&house, session, "ping").await;
    assert_eq!((status, second.contains("pid")), (200, true), "{second}");
    let pid =
        |text: &str| text.split("\"pid\":").nth(1).map(|rest| rest.split('}').next().unwrap().to_owned());
    assert_eq!(pid(&first), pid(&second));
    house.change(&server("environment = { A = \"b\" }\n"), SERVED);
    assert_eq!(post(&house, session, "ping").await.0, 404, "another command, and no session of it");
}

/// Whoever has overheard a proof does not get in by waiting for a change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_that_was_there_before_stays_so() {
    let file = |lines: &str| format!("{NOTES}{lines}[authorization_server]\ndpop_nonces = false\n");
    let mut house = Reloaded::start(&file("")).await;
    let (endpoint, token_endpoint) = (house.url("/notes/mcp"), house.url("/token"));
    let (holder, now) = (SigningKey::generate_es256().unwrap(), std::time::SystemTime::now().into());
    let sign = |url: &str, token: Option<&Secret>| {
        let (url, method) = (url.parse().unwrap(), reqwest::Method::POST);
        let proof = Proof { method: &method, url: &url, access_token: token, nonce: None, jti: "once", now };
        proof.sign(&holder).unwrap()
    };
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
    let request = house.http.post(&token_endpoint).form(&form).header("dpop", sign(&token_endpoint, None));
    let tokens: Value = request.send().await.unwrap().json().await.unwrap();
    let token = Secret::new(tokens["access_token"].as_str().unwrap());
    let proof = sign(&endpoint, Some(&token));
    let call = async |house: &Reloaded| {
        let request = house.http.post(&endpoint).header("dpop", &proof).body("{}");
        request.header("authorization", format!("DPoP {}", token.expose())).send().await.unwrap().status()
    };
    assert_eq!(call(&house).await, StatusCode::OK);
    assert_eq!(call(&house).await, StatusCode::UNAUTHORIZED);
    house.change(&file("tools.\"purge\" = \"deny\"\n"), SERVED);
    assert_eq!(call(&house).await, StatusCode::UNAUTHORIZED);
}
