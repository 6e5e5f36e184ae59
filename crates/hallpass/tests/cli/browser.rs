//! What a browser is started with. Everyone on the machine can read that.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::program::{command, said};
use hallpass_testkit::authorization_server::Peer;

/// Never again, row 41, and CVE-2025-6514's lesson: as little as possible goes to a program.
#[tokio::test]
async fn a_browser_is_started_with_an_address_that_holds_no_state() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let (told, script) = (data.path().join("told"), data.path().join("browser"));
    assert!(Command::new("mkfifo").arg(&told).status().unwrap().success());
    std::fs::write(&script, format!("#!/bin/sh\nprintf '%s' \"$*\" > '{}'\n", told.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let child = command(data.path(), &["login", &peer.url()])
        .env("BROWSER", &script)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let arguments =
        tokio::task::spawn_blocking(move || std::fs::read_to_string(told).unwrap()).await.unwrap();
    let address = url::Url::parse(&arguments).unwrap();
    assert!(address.as_str().starts_with("http://127.0.0.1:") && address.query().is_none(), "{arguments}");

    let page = reqwest::get(address.clone()).await.unwrap();
    assert!(page.text().await.unwrap().contains("Done"));
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(said(&output).contains("Logged in"));
    // For a browser elsewhere, the whole address is shown.
    let state = &peer.seen().authorizations[0]["state"];
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains(&format!("state={state}")), "{printed}");
    assert!(!arguments.contains(state.as_str()));
}
