//! What `hallpass config check` prints: everything that the file comes to, and no value that may be secret.

use std::path::Path;

use crate::program::{complained, run, said};

fn told(data: &Path, text: &str) -> String {
    std::fs::write(data.join("secret"), "canary-secret").unwrap();
    let file = data.join("hallpass.toml");
    std::fs::write(&file, text).unwrap();
    let told = said(&run(data, &["config", "check", file.to_str().unwrap()]));
    assert!(!told.contains("canary"), "{told}");
    told
}

fn has(told: &str, lines: &[&str]) {
    for line in lines {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

const UPSTREAM: &str = "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n";

#[test]
fn signing_in_through_others_is_told_with_what_to_register_and_who_enters() {
    let data = tempfile::tempdir().unwrap();
    let parties = "public_url = \"https://mcp.example.com\"\n\
        [third_parties.corp]\nissuer = \"https://login.corp.example\"\nclient_id = \"hallpass\"\nsecret_file = \"secret\"\n\
        [third_parties.hub]\nprofile = \"github\"\nclient_id = \"at-hub\"\nsecret_file = \"secret\"\n";
    let text = format!(
        "{parties}{UPSTREAM}scopes = {{ \"notes:read\" = {{}} }}\n\
         [authorization_server]\npasswords = false\n\
         [authorization_server.sign_in.corp]\nlabel = \"Corp\"\ndomains = [\"corp.example\"]\ngroups = [\"staff\"]\n\
         administrators = [\"ops\"]\nscopes = {{ staff = [\"notes:read\"] }}\nsignals_audience = \"us\"\n\
         [authorization_server.sign_in.hub]\n"
    );
    has(
        &told(data.path(), &text),
        &[
            "people     sign in through Corp or hub alone: passwords are off",
            "provider   https://login.corp.example, where hallpass is hallpass: people sign in through it",
            "registered there: https://mcp.example.com/providers/corp/callback",
            "enters: people of corp.example who are members of staff (claim groups)",
            "members of staff may be granted notes:read",
            "members of ops run this server, and nobody else who comes this way",
            "its security events for us are taken at https://mcp.example.com/security_events",
            "provider   https://github.com/login/oauth, where hallpass is at-hub",
            "https://mcp.example.com/providers/hub/callback",
            "enters: people who have linked their account there, and nobody else",
        ],
    );
    let told = told(data.path(), UPSTREAM);
    has(&told, &["people     sign in by password or passkey\n"]);
    assert!(!told.contains("provider"), "{told}");
}

#[test]
fn a_program_is_told_with_how_it_is_run_and_no_value() {
    let data = tempfile::tempdir().unwrap();
    let text = "[server]\ncommand = [\"sh\", \"--token\", \"canary-argument\"]\nprocess = \"user\"\ndirectory = \"/tmp\"\n\
        process_limits = { processes = 7, sessions_of_a_user = 3, idle = \"5m\", call = \"2m\" }\n\
        [server.environment]\nPLAIN = \"canary-value\"\nWHO = { claim = \"email\" }\nKEY = { file = \"secret\" }\n\
        PATH = { inherit = true }\n";
    let told = told(data.path(), text);
    has(
        &told,
        &[
            "upstream   sh, with 2 arguments\n",
            "process    one for each user, whose sessions share it",
            "at most 7 processes, and 3 sessions of a user; ended after 5m unused; 2m for an answer",
            "in /tmp\n",
            "PLAIN (in the configuration)",
            "WHO (the caller's email)",
            "KEY (in ",
            "PATH (hallpass's own)",
        ],
    );
    let usual = self::told(data.path(), "[server]\ncommand = [\"sh\"]\n");
    has(
        &usual,
        &["upstream   sh\n", "one for each session", "at most 256 processes, and 32 sessions of a user"],
    );
    assert!(!usual.contains("variables"), "{usual}");
}

#[test]
fn how_upstream_is_spoken_to_is_told() {
    let data = tempfile::tempdir().unwrap();
    let sse = told(data.path(), &format!("{UPSTREAM}upstream_transport = \"sse\"\n"));
    has(&sse, &["http://127.0.0.1:1/mcp, by HTTP+SSE (MCP 2024-11-05)\n"]);
    assert!(!sse.contains("listing"), "nothing is said in lists there: {sse}");
    let two = told(data.path(), &format!("{UPSTREAM}upstream_http = \"2\"\n"));
    has(
        &two,
        &["http://127.0.0.1:1/mcp, over HTTP/2\n", "listing    lists of tools say which scopes each needs"],
    );
}

#[test]
fn the_folder_that_is_meant_is_told() {
    let data = tempfile::tempdir().unwrap();
    has(&told(data.path(), UPSTREAM), &[&format!("data       {}\n", data.path().display())]);
    let file = data.path().join("hallpass.toml");
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_hallpass"));
    check
        .args(["config", "check", file.to_str().unwrap()])
        .env_remove("HALLPASS_CONFIG")
        .env_remove("HALLPASS_DATA");
    let usual = said(&check.env("XDG_DATA_HOME", data.path()).output().unwrap());
    has(&usual, &[&format!("data       {}/hallpass, of the user who runs this", data.path().display())]);
}

#[test]
fn a_platform_that_is_named_is_told() {
    let data = tempfile::tempdir().unwrap();
    let text = format!(
        "{UPSTREAM}scopes = {{ \"notes:read\" = {{}} }}\n[[authorization_server.trusted_issuers]]\n\
         issuer = \"https://k8s.example\"\nprofile = \"kubernetes\"\nkind = \"workload\"\n\
         jwks_uri = \"https://k8s.example/keys\"\n\
         rules = [{{ client_id = \"job\", subject = \"system:serviceaccount:a:b\", scopes = [\"notes:read\"] }}]\n"
    );
    has(
        &told(data.path(), &text),
        &["trusted    https://k8s.example (kubernetes; https://k8s.example/keys)"],
    );
}

#[test]
fn limits_are_told_in_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    let text = format!("{UPSTREAM}[server.limits.subject]\nrate = 3\nrequests = 4\nstreams = 1\n");
    has(
        &told(data.path(), &text),
        &["limits     each user: at most 3 requests a second, 4 requests at the same time, 1 open stream"],
    );
}

/// Every request would come back.
#[test]
fn a_server_does_not_stand_before_itself() {
    let data = tempfile::tempdir().unwrap();
    let check = |head: &str, upstream: &str| {
        let file = data.path().join("hallpass.toml");
        std::fs::write(&file, format!("{head}[server]\nupstream = \"{upstream}\"\n")).unwrap();
        let ended = run(data.path(), &["config", "check", file.to_str().unwrap()]);
        (ended.status.code(), complained(&ended))
    };
    let public = "public_url = \"https://mcp.example.com\"\nlisten = \"0.0.0.0:9000\"\n";
    for (head, upstream, own) in [
        (public, "https://mcp.example.com/mcp", true),
        (public, "https://mcp.example.com:443/mcp?x=1", true),
        (public, "http://localhost:9000/mcp", true),
        ("", "http://localhost:8080/mcp", true),
        (public, "https://mcp.example.com/other", false),
        (public, "http://notes:9000/mcp", false),
        (public, "http://localhost:9001/mcp", false),
    ] {
        let (code, why) = check(head, upstream);
        assert_eq!(code, Some(if own { 3 } else { 0 }), "{upstream}: {why}");
        assert!(
            !own || why.contains("this server's own endpoint") && why.contains("hallpass.toml:"),
            "{why}"
        );
    }
}

/// Some faults know their place by themselves: it is said once.
#[test]
fn a_place_is_said_once() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("hallpass.toml");
    let text = format!(
        "{UPSTREAM}arrangement = \"proxied\"\n[[server.issuers]]\nissuer = \"https://login.example.com\"\n\
         [server.proxied]\nscopes = {{ mcp = \"no scope\" }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let why = complained(&run(data.path(), &["config", "check", file.to_str().unwrap()]));
    assert_eq!(why.matches("hallpass.toml:").count(), 1, "{why}");
}
