//! kill -9 in the middle of code exchanges, refreshes and revocations: after the restart nothing that may happen once has
//! happened twice, nothing that was revoked lives, and whoever lost an answer goes on.
//!
//! `HALLPASS_KILLS=20` makes twenty rounds with a thousand requests at once, on both databases.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::program::{Serving, run, run_with_input, said};
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_testkit::database::{DatabasePlace, TestDatabase};
use hallpass_testkit::person::Person;
use serde_json::Value;

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-allowed-0123";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";

/// What a client knows after its request: the answer, or that the connection broke.
type Outcome = Option<(u16, Value)>;

struct House {
    config: tempfile::NamedTempFile,
    data: tempfile::TempDir,
    base: String,
    person: Person,
    logged_in: bool,
}

impl House {
    fn new(database: &TestDatabase) -> Self {
        let data = tempfile::tempdir().unwrap();
        // A free port, found by asking for one: clients come back to the same address after the restart.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        writeln!(config, "listen = \"127.0.0.1:{port}\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"")
            .unwrap();
        if let DatabasePlace::Url(url) = database.place() {
            writeln!(config, "[database]\nurl = \"{url}\"").unwrap();
        }
        let house = Self {
            config,
            data,
            base: format!("http://localhost:{port}"),
            person: Person::new(),
            logged_in: false,
        };
        let add = house.with_config(&["user", "add", "ada", "--password-stdin"]);
        said(&run_with_input(house.data(), &add, "correct horse battery\n"));
        said(&run(
            house.data(),
            &house.with_config(&["client", "add", "--id", "ide", "--redirect-uri", CALLBACK]),
        ));
        house
    }

    fn data(&self) -> &Path {
        self.data.path()
    }

    fn with_config<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["--config", self.config.path().to_str().unwrap()], args].concat()
    }

    fn start(&self) -> Serving {
        let config = self.config.path().to_str().unwrap();
        let mut serving = Serving::start(self.data(), &["--config", config]);
        serving.line_with("Ctrl-C");
        serving
    }

    /// By login the first time. Consent is asked for each time, since the app is on this machine and has no secret.
    async fn code(&mut self) -> String {
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
        let mut page = self.person.open(url.as_str()).await;
        if !self.logged_in {
            self.logged_in = true;
            page = page.form().set("username", "ada").set("password", "correct horse battery").submit().await;
        }
        page = page.form().press("decision", "allow").submit().await;
        page.location_param("code").unwrap()
    }
}

#[derive(Clone)]
struct Client {
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

    async fn redeem(&self, code: &str) -> Outcome {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "ide"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.send("/token", &form).await
    }

    async fn refresh(&self, token: &str) -> Outcome {
        let form = [("grant_type", "refresh_token"), ("client_id", "ide"), ("refresh_token", token)];
        self.send("/token", &form).await
    }

    async fn revoke(&self, token: &str) -> Outcome {
        self.send("/revoke", &[("client_id", "ide"), ("token", token)]).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum What {
    Redeem,
    Refresh,
    Revoke,
}

fn status(outcome: &Outcome) -> u16 {
    outcome.as_ref().map_or(0, |(status, _)| *status)
}

fn refresh_token(outcome: &Outcome) -> String {
    outcome.as_ref().unwrap().1["refresh_token"].as_str().unwrap().to_owned()
}

/// One round: so many requests at once, the kill after some of them were answered, and the reckoning.
async fn round(house: &mut House, at_once: usize) -> usize {
    let mut serving = house.start();
    let client = Client { http: reqwest::Client::new(), base: house.base.clone() };
    let mut work = Vec::new();
    // A quarter, a quarter, and half of them codes: those last, since they live for a minute, and so does the grace of
    // a refresh token, which is asked for first afterwards.
    for n in 0..at_once {
        let code = house.code().await;
        work.push(match n * 4 / at_once {
            0 => (What::Refresh, refresh_token(&client.redeem(&code).await)),
            1 => (What::Revoke, refresh_token(&client.redeem(&code).await)),
            _ => (What::Redeem, code),
        });
    }
    let answered = Arc::new(AtomicUsize::new(0));
    let running: Vec<_> = work
        .iter()
        .cloned()
        .map(|(what, secret)| {
            let (client, answered) = (client.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                let outcome = match what {
                    What::Redeem => client.redeem(&secret).await,
                    What::Refresh => client.refresh(&secret).await,
                    What::Revoke => client.revoke(&secret).await,
                };
                answered.fetch_add(1, Ordering::SeqCst);
                outcome
            })
        })
        .collect();
    // Another moment in each round: after a tenth of the answers, or after most.
    let moment = at_once * (1 + rand::random::<u64>() as usize % 8) / 10;
    while answered.load(Ordering::SeqCst) < moment {
        tokio::task::yield_now().await;
    }
    serving.kill();
    let mut outcomes = Vec::new();
    for request in running {
        outcomes.push(request.await.unwrap());
    }
    let serving = house.start();
    let client = Client { http: reqwest::Client::new(), base: house.base.clone() };
    let mut lost: HashMap<What, usize> = HashMap::new();
    for ((what, secret), outcome) in work.iter().zip(&outcomes) {
        if outcome.is_none() {
            *lost.entry(*what).or_default() += 1;
        }
        match what {
            What::Redeem => reckon_code(&client, secret, outcome).await,
            What::Refresh => reckon_refresh(&client, secret, outcome).await,
            What::Revoke if status(outcome) == 200 => {
                assert_eq!(status(&client.refresh(secret).await), 400, "what was revoked lives");
            }
            // Whoever gets no answer asks again.
            What::Revoke => {
                assert_eq!(status(&client.revoke(secret).await), 200);
                assert_eq!(status(&client.refresh(secret).await), 400);
            }
        }
    }
    drop(serving);
    lost.values().sum()
}

async fn reckon_code(client: &Client, code: &str, outcome: &Outcome) {
    let again = client.redeem(code).await;
    match (status(outcome), status(&again)) {
        // It was answered, so it is a replay, and ends what came from it.
        (200, 400) => {
            let token = refresh_token(outcome);
            assert_eq!(status(&client.refresh(&token).await), 400, "what was revoked lives");
        }
        // Nobody knows whether it was consumed; it is consumed by now.
        (0, 200) => assert_eq!(status(&client.redeem(code).await), 400),
        (0, 400) => {}
        other => panic!("a code: {other:?}"),
    }
}

async fn reckon_refresh(client: &Client, token: &str, outcome: &Outcome) {
    let again = client.refresh(token).await;
    assert_eq!(status(&again), 200, "whoever lost its answer goes on: {outcome:?} {again:?}");
    let successor = refresh_token(&again);
    if status(outcome) == 200 {
        assert_eq!(refresh_token(outcome), successor, "one token has one successor");
    } else {
        assert_eq!(status(outcome), 0);
    }
    assert_eq!(status(&client.refresh(&successor).await), 200);
}

async fn rounds(database: TestDatabase) {
    let long = std::env::var("HALLPASS_KILLS").ok().map(|kills| kills.parse::<usize>().unwrap());
    let (rounds, at_once) = long.map_or((2, 40), |rounds| (rounds, 1_000));
    let mut house = House::new(&database);
    let mut lost = 0;
    for _ in 0..rounds {
        lost += round(&mut house, at_once).await;
    }
    assert!(lost > 0, "{rounds} rounds of {at_once} requests at once, and no kill hit anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_on_sqlite() {
    rounds(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_on_postgresql() {
    rounds(TestDatabase::postgres()).await;
}
