//! Readers that have had enough: `hallpass doctor URL | head -1`.

use std::process::Stdio;

use crate::program::{command, run_with_input, said};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_error() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    said(&run_with_input(
        data.path(),
        &["user", "add", "alice", "--password-stdin"],
        "correct horse battery\n",
    ));
    let url = peer.url();
    std::fs::write(data.path().join("token"), "s3cret\n").unwrap();
    let file = data.path().join("token");
    let bearer = ["token", &url, "--mode", "bearer", "--bearer-file", file.to_str().unwrap()];
    for args in [
        &["accounts"][..],
        &["accounts", "--json"],
        &["user", "list"],
        &["user", "list", "--json"],
        &["client", "list"],
        &["key", "list"],
        &["config", "schema"],
        &["completions", "bash"],
        &["doctor", &url],
        &["doctor", &url, "--json"],
        &bearer,
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(data.path(), args).stdin(Stdio::null()).stdout(writer).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
    // The verdict stands, and `pipefail` sees it.
    peer.script(|script| script.metadata = json!({"code_challenge_methods_supported": ["plain"]}));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output =
        command(data.path(), &["doctor", &url]).stdin(Stdio::null()).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}
