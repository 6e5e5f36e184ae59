//! A file system without room, for real: the kernel refuses what the file would grow by.

use std::{fs, path::Path, process::Command};

use hallpass_client::{
    Client, Error,
    interaction::Never,
    store::{FileStore, Protection, TokenStore as _},
};
use hallpass_testkit::authorization_server::Peer;

use crate::support::{Person, builder, clock, list};

/// Names file and server to the child process.
const FILE: &str = "HALLPASS_TEST_FULL_DISK_FILE";
const SERVER: &str = "HALLPASS_TEST_FULL_DISK_SERVER";

fn store(path: &Path) -> FileStore {
    FileStore::protected(path, Protection::KeyFile, None)
}

/// The child's part, under the limit. In a run of its own it has nothing to do.
#[tokio::test]
async fn full_disk_child() {
    let (Some(path), Ok(server)) = (std::env::var_os(FILE), std::env::var(SERVER)) else { return };
    let client = Client::builder(&server).unwrap().interaction(Never).store(store(Path::new(&path)));
    let client = client.clock(clock().clock()).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains(&path.to_string_lossy().into_owned()) && text.contains("free space"), "{text}");
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "with the token that is not stored");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_no_token_and_is_named() {
    let (peer, folder) = (Peer::start().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("tokens.json");
    let client = builder(&peer, &Person::default()).store(store(&path)).build().unwrap();
    client.login().await.unwrap();
    // More than the limit allows.
    store(&path)
        .update(&mut |document| {
            for n in 0..20 {
                let mut other = document.accounts()[0].clone();
                other.server = format!("https://{n}.example/mcp");
                document.put(other);
            }
        })
        .unwrap();
    let before = fs::read(&path).unwrap();
    assert!(before.len() > 4096);
    peer.expire_access_tokens();

    // Without the signal, a write past the limit is an error as on a full disk.
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full_disk::full_disk_child", "--nocapture"])
        .env(FILE, &path)
        .env(SERVER, peer.url())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(peer.seen().grants("refresh_token"), 1, "{said}");
    assert_eq!(fs::read(&path).unwrap(), before, "the old file is whole");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().ends_with(".new")), "{names:?}");
}
