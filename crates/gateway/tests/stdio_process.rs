//! What a stdio server's process is given, and how much it may have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use hallpass_gateway::stdio::Variable;
use hallpass_gateway::{Account, Limits, ProcessFor, StdioCommand, Upstream};
use http::StatusCode;
use serde_json::{Value, json};
use support::stdio::{Client, Events, INITIALIZE, modern, program};
use support::{Protected, protect, soon, text};

fn with(environment: &[(&str, Variable)]) -> StdioCommand {
    let environment = environment.iter().map(|(name, variable)| ((*name).into(), variable.clone())).collect();
    StdioCommand { environment, ..program() }
}

fn gateway(command: StdioCommand) -> Protected {
    protect(Upstream::stdio(command, Limits::default()), false)
}

async fn environment(client: &Client<'_>, name: &str) -> Value {
    client.result(1, "environment", json!({"name":name})).await
}

/// Of hallpass's own environment, in which its secrets may stand, nothing but what is listed. cargo's variables stand for them.
#[tokio::test]
async fn the_environment_is_what_is_named_and_nothing_else() {
    assert!(std::env::var("CARGO_MANIFEST_DIR").is_ok() && std::env::var("CARGO_PKG_NAME").is_ok());
    let gateway = gateway(with(&[
        ("API_BASE", "x".into()),
        ("CARGO_PKG_NAME", Variable::Inherited),
        ("NOT_THERE_AT_ALL", Variable::Inherited),
    ]));
    let client = Client::begin(&gateway).await;
    let names = client.result(1, "names", json!({})).await;
    let named = [
        "API_BASE",
        "CARGO_PKG_NAME",
        "HALLPASS_CLIENT",
        "HALLPASS_ISSUER",
        "HALLPASS_SUBJECT",
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LOGNAME",
        "PATH",
        "SHELL",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
    ];
    for name in names.as_array().unwrap() {
        assert!(named.contains(&name.as_str().unwrap()), "{name}");
    }
    assert_eq!(environment(&client, "API_BASE").await, "x");
    assert_eq!(environment(&client, "CARGO_PKG_NAME").await, "hallpass-gateway");
    assert_ne!(environment(&client, "PATH").await, Value::Null);
}

/// A new secret is in the next process, and nothing is in hallpass's own memory of the one before.
#[tokio::test]
async fn a_variable_from_a_file_is_read_as_a_process_starts() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old\n").unwrap();
    let gateway = gateway(with(&[("KEY", Variable::File(file.path().to_owned()))]));
    let first = Client::begin(&gateway).await;
    std::fs::write(file.path(), "new\n").unwrap();
    assert_eq!(environment(&Client::begin(&gateway).await, "KEY").await, "new");
    assert_eq!(environment(&first, "KEY").await, "old");
    std::fs::write(file.path(), "s3cret\0").unwrap();
    let (log, _guard) = support::logged();
    let response = gateway.post(INITIALIZE).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(!text(response).await.contains("KEY"));
    let log = log.lock().unwrap().clone();
    let path = file.path().to_str().unwrap();
    assert!(log.contains(path) && log.contains("NUL") && !log.contains("s3cret"), "{log}");
}

#[tokio::test]
async fn a_process_hears_whose_it_is() {
    let gateway = gateway(with(&[("HALLPASS_SUBJECT", "admin".into())]));
    let client = Client::begin(&gateway).await;
    for (name, value) in [
        // What is known of the caller is said last, by nobody else.
        ("HALLPASS_SUBJECT", "alice"),
        ("HALLPASS_CLIENT", "test-client"),
        ("HALLPASS_ISSUER", "http://localhost:8080"),
    ] {
        assert_eq!(environment(&client, name).await, value, "{name}");
    }
    // Another issuer's alice is somebody else.
    let client = Client::begin_with(&gateway, gateway.token_of_the_other("alice")).await;
    assert_eq!(environment(&client, "HALLPASS_SUBJECT").await, "https://login.example.com#alice");
    assert_eq!(environment(&client, "HALLPASS_ISSUER").await, support::OTHER);
}

fn token_with(gateway: &Protected, claims: &Value) -> String {
    let mut all = gateway.issuer.claims(support::RESOURCE, "notes:read", support::NOW);
    all["sub"] = "alice".into();
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    gateway.issuer.sign(&all)
}

#[tokio::test]
async fn claims_of_the_token_become_variables() {
    for process in [ProcessFor::Session, ProcessFor::User] {
        let command = with(&[
            ("USER_EMAIL", Variable::Claim("email".into())),
            ("USER_ROLES", Variable::Claim("realm_access.roles".into())),
        ]);
        let gateway = gateway(StdioCommand { process, ..command });
        let claims = json!({"email":"alice@example.com","realm_access":{"roles":["a","b"]}});
        let client = Client::begin_with(&gateway, token_with(&gateway, &claims)).await;
        assert_eq!(environment(&client, "USER_EMAIL").await, "alice@example.com");
        assert_eq!(environment(&client, "USER_ROLES").await, r#"["a","b"]"#);
        // The same user with another address gets no process that believes the first one.
        let claims = json!({"email":"alice@example.org","realm_access":{"roles":["a","b"]}});
        let other = Client::begin_with(&gateway, token_with(&gateway, &claims)).await;
        assert_eq!(environment(&other, "USER_EMAIL").await, "alice@example.org");
        assert_eq!(environment(&client, "USER_EMAIL").await, "alice@example.com");
    }
}

#[tokio::test]
async fn without_the_claim_there_is_no_process() {
    for process in [ProcessFor::Session, ProcessFor::User, ProcessFor::Shared] {
        let command = with(&[("USER_EMAIL", Variable::Claim("email".into()))]);
        let gateway = gateway(StdioCommand { process, ..command });
        let claims = [json!({}), json!({"email":null}), json!({"email":"a@example.com"})];
        // What everybody shares is told of nobody.
        let refused = if process == ProcessFor::Shared { 3 } else { 2 };
        for claims in &claims[..refused] {
            let request = gateway.request_as(&token_with(&gateway, claims), "POST");
            let response = gateway.send(request.body(INITIALIZE.into()).unwrap()).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{process:?} {claims}");
            assert!(text(response).await.contains("email"));
        }
    }
}

#[tokio::test]
async fn a_process_runs_in_its_folder() {
    let gateway = gateway(StdioCommand { directory: Some("/".into()), ..program() });
    let client = Client::begin(&gateway).await;
    assert_eq!(client.result(1, "folder", json!({})).await, "/");
}

/// As root under another account, which keeps nothing of root's; else under its own.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_runs_under_its_account() {
    let (own, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let account = match own.is_root() {
        true => Account { user: 65_534, group: 65_533 },
        false => Account { user: own.as_raw(), group: group.as_raw() },
    };
    let Account { user, group } = account;
    let gateway = gateway(StdioCommand { account: Some(account), ..program() });
    let client = Client::begin(&gateway).await;
    let said = client.result(1, "account", json!({})).await;
    assert_eq!(said[0], format!("{user} {user} {user} {user}"));
    assert_eq!(said[1], format!("{group} {group} {group} {group}"));
    assert!(!own.is_root() || said[2] == "", "{said}");
    // Whose home is another's.
    assert_eq!(environment(&client, "HOME").await, Value::Null);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_has_no_more_memory_than_it_may_have() {
    const MIB: u64 = 1024 * 1024;
    for (process, memory) in [
        (ProcessFor::Session, Some(64 * MIB)),
        (ProcessFor::Shared, Some(64 * MIB)),
        (ProcessFor::Session, None),
    ] {
        let command = StdioCommand { process, ..program() };
        let gateway = protect(Upstream::stdio(command, Limits { memory, ..Limits::default() }), false);
        let client = Client::begin(&gateway).await;
        assert_eq!(client.result(1, "allocate", json!({"bytes":MIB})).await, MIB);
        let mut events = Events::of(client.call(2, "allocate", json!({"bytes":100 * MIB})).await);
        let answer = soon(events.next()).await.unwrap();
        assert_eq!(answer["error"]["code"] == -32603, memory.is_some(), "{answer}");
    }
}

/// stderr is the server's log, and says whose; what is on stdout beside messages is told of.
#[tokio::test]
async fn what_a_server_says_on_stderr_is_logged_with_its_session() {
    for (process, name) in [(ProcessFor::Session, None), (ProcessFor::Shared, Some("shared-"))] {
        let (log, _guard) = support::logged();
        let gateway = gateway(StdioCommand { process, ..program() });
        let client = Client::begin(&gateway).await;
        client.result(1, "noise", json!({})).await;
        let name = name.map_or_else(|| client.session.to_str().unwrap()[..8].to_owned(), str::to_owned);
        soon(async {
            while !log.lock().unwrap().contains("a line for the log") {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let log = log.lock().unwrap();
        let line = log.lines().find(|line| line.contains("a line for the log")).unwrap();
        assert!(line.contains(&format!("session=\"{name}")), "{line}");
        assert!(!log.contains(client.session.to_str().unwrap()), "{log}");
    }
}

/// What an operator has to know stands in the log at its usual level: that a program ended by itself, how, and why.
#[tokio::test]
async fn a_program_that_ends_by_itself_is_told_of_with_its_last_words() {
    for process in [ProcessFor::Session, ProcessFor::Shared] {
        let (log, _guard) = support::logged();
        let gateway = gateway(StdioCommand { process, ..program() });
        let client = Client::begin(&gateway).await;
        drop(client.call(1, "complain", json!({})).await);
        let warned = async |what: &str| {
            soon(async {
                loop {
                    let found =
                        log.lock().unwrap().lines().find(|line| line.contains(what)).map(str::to_owned);
                    match found {
                        Some(line) => return line,
                        None => tokio::task::yield_now().await,
                    }
                }
            })
            .await
        };
        let line = warned("nobody told it to").await;
        for part in ["WARN", "session=", "exit status: 3", "complaint 3\"", "complaint 12"] {
            assert!(line.contains(part), "{line}");
        }
        // The last ten.
        assert!(!line.contains("complaint 2\""), "{line}");
    }
}

#[tokio::test]
async fn a_program_that_is_told_to_end_is_none_to_be_warned_of() {
    let (log, _guard) = support::logged();
    let gateway = gateway(program());
    let client = Client::begin(&gateway).await;
    client.result(1, "noise", json!({})).await;
    client.end().await;
    gateway.gateway.close().await;
    let log = log.lock().unwrap();
    assert!(log.contains("the server is gone") && !log.contains("nobody told it to"), "{log}");
}

#[tokio::test]
async fn a_program_that_is_of_no_use_is_told_of_with_its_last_words() {
    let (log, _guard) = support::logged();
    let gateway = gateway(StdioCommand { process: ProcessFor::User, ..modern("refuses") });
    let request = gateway.request("POST").body(INITIALIZE.into()).unwrap();
    assert_eq!(gateway.send(request).await.status(), StatusCode::BAD_GATEWAY);
    gateway.gateway.close().await;
    let log = log.lock().unwrap();
    let line = log.lines().find(|line| line.contains("nobody told it to")).unwrap();
    assert!(line.contains("WARN") && line.contains("the licence is over"), "{line}");
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains("error -32000")), "{log}");
}
