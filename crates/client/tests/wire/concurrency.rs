//! Many tasks, and processes that are killed: one refresh, and never a lost or unreadable token.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use hallpass_client::store::{FileStore, MemoryStore, Protection, TokenStore as _};
use hallpass_protocol::time::Timestamp;
use hallpass_testkit::authorization_server::Peer;

use crate::support::{Person, builder, clock, list};

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tasks_and_an_ending_token_make_one_refresh() {
    let (peer, time) = (Peer::start().await, clock());
    let client = builder(&peer, &Person::default()).clock(time.clock()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let old = client.token().await.unwrap().token;
    time.advance(Duration::from_secs(3599));
    let calls = (0..10_000).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.token().await.unwrap().token })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_ne!(call.await.unwrap(), old);
    }
    assert_eq!(peer.seen().grants("refresh_token"), 1);
}

/// Names the file to a child process; see [`a_killed_writer_loses_nothing`].
const FILE: &str = "HALLPASS_TEST_KILLED_WRITER";

fn store(path: &Path) -> FileStore {
    FileStore::protected(path, Protection::KeyFile, None)
}

/// The child's part: writes one token after another, and says which are stored. In a run of its own it has
/// nothing to do.
#[test]
#[allow(clippy::print_stdout)] // The parent reads it.
fn killed_writer() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let store = store(Path::new(&path));
    loop {
        let mut number = 0;
        store
            .update(&mut |document| {
                let mut account = document.accounts()[0].clone();
                number = account.issued_at.unix() + 1;
                account.issued_at = Timestamp::from_unix(number);
                document.put(account);
            })
            .unwrap();
        println!("stored {number}");
    }
}

/// kill -9 at a random point of a write, again and again: `HALLPASS_KILLS=500` for the long run.
#[tokio::test]
async fn a_killed_writer_loses_nothing() {
    let kills: u32 = std::env::var("HALLPASS_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let (peer, memory) = (Peer::start().await, MemoryStore::new());
    builder(&peer, &Person::default()).store(memory.clone()).build().unwrap().login().await.unwrap();
    let account = memory.read().unwrap().accounts()[0].clone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    store(&path).update(&mut |document| document.put(account.clone())).unwrap();

    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "concurrency::killed_writer", "--nocapture"])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Some writes later, at whatever point the child is then.
        let after = 1 + usize::from(rand::random::<u8>() % 8);
        let told = |line: String| line.strip_prefix("stored ").and_then(|n| n.parse::<i64>().ok());
        let mut acknowledged = lines.by_ref().map_while(Result::ok).filter_map(told).nth(after - 1).unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(rand::random::<u16>() % 3000)));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = lines.map_while(Result::ok).filter_map(told).last().unwrap_or(acknowledged);
        let kept = store(&path).read().unwrap_or_else(|error| panic!("round {round}: {error}"));
        let found = &kept.accounts()[0];
        assert!(found.issued_at.unix() >= acknowledged, "round {round}: an acknowledged token is gone");
        assert_eq!(found.refresh_token, account.refresh_token);
    }
}
