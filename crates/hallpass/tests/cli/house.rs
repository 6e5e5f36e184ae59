//! A house with one user and one app, whose servers come and go: they are killed, or their clock is changed.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use hallpass_protocol::pkce::CodeVerifier;
use hallpass_testkit::database::{DatabasePlace, TestDatabase};
use hallpass_testkit::person::Person;
use serde_json::Value;

use crate::program::{Serving, command, run, run_with_input, said};

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-allowed-0123";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";
const PASSWORD: &str = "correct horse battery";
const ROBOT_SECRET: &str = "0123456789abcdef0123";

/// What a client knows after its request: the answer, or that the connection broke.
pub(crate) type Outcome = Option<(u16, Value)>;

pub(crate) struct House {
    config: tempfile::NamedTempFile,
    data: tempfile::TempDir,
    pub(crate) base: String,
    pub(crate) port: u16,
}

/// A free port, found by asking for one: clients come back to the same address after a restart.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl House {
    /// With the user `ada`, and the clients `ide` (public) and `robot` (for itself).
    pub(crate) fn new(database: &TestDatabase) -> Self {
        // Nobody listens there: a request that is let through is answered by 502.
        Self::before(database, "http://127.0.0.1:1/mcp")
    }

    /// The same before a server of one's own.
    pub(crate) fn before(database: &TestDatabase, upstream: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let port = free_port();
        let base = format!("http://localhost:{port}");
        let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        writeln!(config, "listen = \"127.0.0.1:{port}\"\npublic_url = \"{base}\"").unwrap();
        writeln!(config, "[server]\nupstream = \"{upstream}\"").unwrap();
        if let DatabasePlace::Url(url) = database.place() {
            writeln!(config, "[database]\nurl = \"{url}\"").unwrap();
        }
        let house = Self { config, data, base, port };
        let add = house.with_config(&["user", "add", "ada", "--password-stdin"]);
        said(&run_with_input(house.data(), &add, &format!("{PASSWORD}\n")));
        house.run(&["client", "add", "--id", "ide", "--redirect-uri", CALLBACK]);
        let robot = ["client", "add", "--id", "robot", "--grant", "client_credentials", "--secret-stdin"];
        said(&run_with_input(house.data(), &house.with_config(&robot), &format!("{ROBOT_SECRET}\n")));
        house
    }

    fn data(&self) -> &Path {
        self.data.path()
    }

    fn with_config<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["--config", self.config.path().to_str().unwrap()], args].concat()
    }

    /// Runs a command of the operator's, as a process of its own.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        said(&run(self.data(), &self.with_config(args)))
    }

    /// `serve`, to be started; on another address, perhaps.
    pub(crate) fn serve(&self, args: &[&str]) -> Command {
        command(self.data(), &[&["serve"], &*self.with_config(args)].concat())
    }

    pub(crate) fn start(&self) -> Serving {
        self.start_by(self.serve(&[]))
    }

    /// Starts it, and waits until it serves.
    pub(crate) fn start_by(&self, mut serve: Command) -> Serving {
        let mut serving = Serving::spawn(&mut serve);
        serving.line_with("Ctrl-C");
        serving
    }

    pub(crate) fn client(&self) -> Client {
        Client { http: reqwest::Client::new(), base: self.base.clone() }
    }

    /// A connection for each request, so that no two have to meet the same server.
    pub(crate) fn restless_client(&self) -> Client {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Client { http, ..self.client() }
    }

    /// By login where the person has no session. Consent is asked for each time, since the app is on this machine and has
    /// no secret.
    pub(crate) async fn code(&self, person: &Person) -> String {
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge().to_string();
        let request = [
            ("response_type", "code"),
            ("client_id", "ide"),
            ("redirect_uri", CALLBACK),
            ("state", "s"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let url = url::Url::parse_with_params(&format!("{}/authorize", self.base), request).unwrap();
        let mut page = person.open(url.as_str()).await;
        if page.form().fields().iter().any(|(name, _)| name == "username") {
            page = page.form().set("username", "ada").set("password", PASSWORD).submit().await;
        }
        page = page.form().press("decision", "allow").submit().await;
        page.location_param("code").unwrap()
    }
}

/// The app, and the robot.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    async fn send(&self, path: &str, form: &[(&str, &str)]) -> Outcome {
        let answer = self.http.post(format!("{}{path}", self.base)).form(form).send().await.ok()?;
        let status = answer.status().as_u16();
        // Too many at once for this machine: nothing was done, as when no answer came.
        if status == 503 {
            return None;
        }
        Some((status, answer.json().await.ok()?))
    }

    pub(crate) async fn redeem(&self, code: &str) -> Outcome {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "ide"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.send("/token", &form).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Outcome {
        let form = [("grant_type", "refresh_token"), ("client_id", "ide"), ("refresh_token", token)];
        self.send("/token", &form).await
    }

    pub(crate) async fn revoke(&self, token: &str) -> Outcome {
        self.send("/revoke", &[("client_id", "ide"), ("token", token)]).await
    }

    /// A token for the robot itself.
    pub(crate) async fn own(&self) -> Outcome {
        let form = [("grant_type", "client_credentials"), ("client_id", "robot")];
        self.send("/token", &[&form[..], &[("client_secret", ROBOT_SECRET)]].concat()).await
    }

    /// Whether the protected server lets this token in; `None` where no answer came.
    pub(crate) async fn is_let_in(&self, token: &str) -> Option<bool> {
        let call = self.http.post(format!("{}/mcp", self.base)).bearer_auth(token).body("{}");
        match call.send().await.ok()?.status().as_u16() {
            502 => Some(true),
            401 => Some(false),
            503 => None,
            other => panic!("{other}"),
        }
    }
}

pub(crate) fn status(outcome: &Outcome) -> u16 {
    outcome.as_ref().map_or(0, |(status, _)| *status)
}

pub(crate) fn refresh_token(outcome: &Outcome) -> String {
    member(outcome, "refresh_token")
}

pub(crate) fn access_token(outcome: &Outcome) -> String {
    member(outcome, "access_token")
}

fn member(outcome: &Outcome, name: &str) -> String {
    outcome.as_ref().unwrap().1[name].as_str().unwrap().to_owned()
}
