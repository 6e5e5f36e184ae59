//! Several processes of one person, real ones: one refresh, one login, and no token lost to kill -9.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, SystemTime},
};

use hallpass_client::{
    Client,
    interaction::{Browser, Never},
    store::{FileStore, Protection, TokenStore as _},
};
use hallpass_protocol::time::Clock;
use hallpass_testkit::authorization_server::Peer;
use http::Method;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{Person, builder, list};

/// What a child is told: the server, the store, and what to do.
const SERVER: &str = "HALLPASS_TEST_SERVER";
const FILE: &str = "HALLPASS_TEST_FILE";
const PART: &str = "HALLPASS_TEST_PART";

/// Tasks in each process.
const TASKS: usize = 200;

fn store(path: &Path) -> FileStore {
    FileStore::protected(path, Protection::KeyFile, None)
}

fn real_clock() -> Clock {
    Clock::new(|| SystemTime::now().into())
}

/// The child's part. In a run of its own it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)] // The parent reads it.
async fn child() {
    let (Ok(server), Some(file)) = (std::env::var(SERVER), std::env::var_os(FILE)) else { return };
    // The parent is the person.
    let browser = Browser::new().announcer(|_| {}).launcher(|url| {
        println!("open {}", url.as_str());
        Ok(())
    });
    let client = Client::builder(&server).unwrap().interaction(browser).store(store(Path::new(&file)));
    let client = client.build().unwrap();
    println!("\nready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    match std::env::var(PART).as_deref() {
        Ok("authorize") => println!("done {}", authorize(&client).await),
        Ok("call") => println!("done {}", call(&client).await),
        _ => loop {
            println!("shown {}", client.token().await.unwrap().token.expose());
        },
    }
}

/// Authorizes that many requests at once, and sends one.
async fn authorize(client: &Client) -> usize {
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.headers(&Method::POST, client.server().url()).await.is_ok() })
        })
        .collect();
    let mut good = 0;
    for task in tasks {
        good += usize::from(task.await.unwrap());
    }
    assert_eq!(client.send(list(client)).await.unwrap().status(), 200);
    good
}

/// Sends requests until each was answered.
async fn call(client: &Client) -> usize {
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.send(list(&client)).await.unwrap().status() == 200 })
        })
        .collect();
    let mut good = 0;
    for task in tasks {
        good += usize::from(task.await.unwrap());
    }
    good
}

/// A running child; it dies with the test.
struct Process {
    child: Child,
    input: ChildStdin,
}

impl Process {
    /// Starts a child, whose lines go to `told` with its number.
    fn start(
        number: usize,
        part: &str,
        peer: &Peer,
        file: &Path,
        told: &UnboundedSender<(usize, String)>,
    ) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::child", "--nocapture"])
            .envs([(SERVER, peer.url()), (PART, part.to_owned())])
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output, told) = (child.stdin.take().unwrap(), child.stdout.take().unwrap(), told.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(told.send((number, line)));
            }
        });
        Self { child, input }
    }

    fn go(&mut self) {
        self.input.write_all(b"go\n").unwrap();
    }

    /// kill -9, and the end of it.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the children say.
struct Told(UnboundedReceiver<(usize, String)>);

impl Told {
    /// The next line that begins so: who said it, and the rest of it.
    async fn next(&mut self, start: &str) -> (usize, String) {
        loop {
            let (number, line) = self.0.recv().await.expect("a child that speaks");
            if let Some(rest) = line.strip_prefix(start) {
                return (number, rest.to_owned());
            }
        }
    }

    /// What else was said, once all children have ended.
    async fn rest(mut self, start: &str) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some((_, line)) = self.0.recv().await {
            rest.extend(line.strip_prefix(start).map(str::to_owned));
        }
        rest
    }
}

/// So many children that are ready, and then start at once.
async fn start(count: usize, part: &str, peer: &Peer, file: &Path) -> (Vec<Process>, Told) {
    let (sender, told) = unbounded_channel();
    let mut told = Told(told);
    let mut processes: Vec<_> =
        (0..count).map(|number| Process::start(number, part, peer, file, &sender)).collect();
    for _ in 0..count {
        told.next("ready").await;
    }
    processes.iter_mut().for_each(Process::go);
    (processes, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_and_an_ended_token_make_one_refresh() {
    let (peer, folder) = (Peer::start().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("tokens.json");
    // By the fake clock, and so long ago for the children.
    let client = builder(&peer, &Person::default()).store(store(&file)).build().unwrap();
    client.login().await.unwrap();
    peer.expire_access_tokens();
    peer.script(|script| script.delay = Duration::from_millis(200));
    let (_processes, mut told) = start(8, "authorize", &peer, &file).await;
    for _ in 0..8 {
        assert_eq!(told.next("done ").await.1, TASKS.to_string());
    }
    assert_eq!(peer.seen().grants("refresh_token"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_and_no_token_make_one_login() {
    let (peer, folder) = (Peer::start().await, tempfile::tempdir().unwrap());
    let (_processes, mut told) = start(8, "call", &peer, &folder.path().join("tokens.json")).await;
    let (_, url) = told.next("open ").await;
    // Everyone else has had the time to ask too.
    while peer.seen().mcp.len() < 8 * 20 {
        tokio::task::yield_now().await;
    }
    reqwest::get(url).await.unwrap();
    let mut opened = 0;
    for _ in 0..8 {
        let done = loop {
            let (_, line) = told.next("").await;
            match line.strip_prefix("done ") {
                Some(done) => break done.to_owned(),
                None => opened += usize::from(line.starts_with("open ")),
            }
        };
        assert_eq!(done, "20");
    }
    let seen = peer.seen();
    assert_eq!((opened, seen.authorizations.len(), seen.grants("authorization_code")), (0, 1, 1));
    assert_eq!(seen.registrations.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_whose_process_is_killed_is_handed_over() {
    let (peer, folder) = (Peer::start().await, tempfile::tempdir().unwrap());
    let (mut processes, mut told) = start(3, "call", &peer, &folder.path().join("tokens.json")).await;
    let (owner, _) = told.next("open ").await;
    processes[owner].kill();
    let (heir, url) = told.next("open ").await;
    assert_ne!(owner, heir);
    reqwest::get(url).await.unwrap();
    for _ in 0..2 {
        assert_eq!(told.next("done ").await.1, "20");
    }
    assert_eq!(peer.seen().grants("authorization_code"), 1);
}

/// kill -9 at a random point of refresh and store, again and again, with an authorization server that rotates and has
/// a grace, as hallpass's own: `HALLPASS_KILLS=500` for the long run.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)] // The long run is to be reported.
async fn a_killed_refresh_loses_no_token() {
    let kills: usize = std::env::var("HALLPASS_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let (peer, folder, person) = (Peer::start().await, tempfile::tempdir().unwrap(), Person::default());
    let file = folder.path().join("tokens.json");
    peer.script(|script| {
        // Less than what a token must have left to be sent: each use is a refresh.
        script.expires_in = 20;
        script.grace = Some(Duration::from_secs(60));
    });
    let unattended = || {
        let client = Client::builder(&peer.url()).unwrap().store(store(&file)).clock(real_clock());
        client.interaction(Never).build().unwrap()
    };
    let first = builder(&peer, &person).clock(real_clock()).store(store(&file)).build().unwrap();
    first.login().await.unwrap();
    let mut shown = vec![first.token().await.unwrap().token.expose().to_owned()];
    for round in 0..kills {
        let (mut processes, mut told) = start(1, "refresh", &peer, &file).await;
        for _ in 0..1 + rand::random::<u8>() % 4 {
            shown.push(told.next("shown ").await.1);
        }
        std::thread::sleep(Duration::from_micros(u64::from(rand::random::<u16>()) / 4));
        processes[0].kill();
        shown.extend(told.rest("shown ").await);
        let kept = store(&file).read().unwrap_or_else(|error| panic!("round {round}: {error}"));
        let kept = &kept.accounts()[0];
        assert!(kept.refresh_token.is_some(), "round {round}: the refresh token is gone");
        // The newest that anyone saw, or one that nobody has seen yet.
        let place = shown.iter().position(|token| *token == kept.access_token.expose());
        assert!(
            place.is_none_or(|place| place + 1 == shown.len()),
            "round {round}: a token was seen, and not kept"
        );
        let client = unattended();
        let token = client.token().await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        shown.push(token.token.expose().to_owned());
        let status = client.send(list(&client)).await.unwrap().status();
        assert_eq!((status.as_u16(), person.logins()), (200, 1), "round {round}");
    }
    let seen = peer.seen();
    let mut sent: Vec<_> = seen.token_requests.iter().filter_map(|form| form.get("refresh_token")).collect();
    let refreshes = sent.len();
    sent.sort();
    sent.dedup();
    println!("{kills} kills, {refreshes} refreshes, {} of them repeated a lost one", refreshes - sent.len());
}
