//! The command line, and what the operator is told.

use super::Tenants;
use crate::program::{Serving, complained, run, run_with_input, said};

/// The command line works on one tenant, says which there are where none is named, and a copy opens at its own alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_about_one_tenant() {
    let house = Tenants::start().await;
    for args in [
        &["user", "list"][..],
        &["client", "list"],
        &["key", "list"],
        &["keys", "list"],
        &["issuer", "list"],
        &["audit"],
        &["backup", "/tmp/never-written.db"],
    ] {
        let refused = house.command(args);
        let why = complained(&refused);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {why}");
        assert!(why.contains("--tenant NAME (acme, globex, hooli)"), "{args:?}: {why}");
        let unknown = house.command(&[args, &["--tenant", "initech"]].concat());
        assert!(complained(&unknown).contains("there are acme, globex, hooli"), "{args:?}");
        if args[0] != "backup" {
            said(&house.command(&[args, &["--tenant", "acme"]].concat()));
        }
    }
    said(&run_with_input(
        house.data.path(),
        &[
            "--config",
            house.config.path().to_str().unwrap(),
            "user",
            "--tenant",
            "acme",
            "add",
            "bob",
            "--password-stdin",
        ],
        "correct horse battery\n",
    ));
    assert!(said(&house.command(&["user", "list", "--tenant", "acme"])).contains("bob"));
    assert!(!said(&house.command(&["user", "list", "--tenant", "globex"])).contains("bob"));
    assert!(said(&house.command(&["audit", "--tenant", "acme"])).contains("bob"));
    assert!(!said(&house.command(&["audit", "--tenant", "globex"])).contains("bob"));
    // Without the file nobody knows what there is.
    let lost = run(house.data.path(), &["user", "list"]);
    assert!(
        complained(&lost).contains("holds the data of tenants (acme, globex, hooli)"),
        "{}",
        complained(&lost)
    );

    let copy = house.data.path().join("acme.db");
    let copy = copy.to_str().unwrap();
    said(&house.command(&["backup", copy, "--tenant", "acme"]));
    drop(house.serving);
    let command = |args: &[&str]| {
        run(house.data.path(), &[&["--config", house.config.path().to_str().unwrap()], args].concat())
    };
    let refused = command(&["restore", copy, "--replace", "--tenant", "globex"]);
    assert_eq!(refused.status.code(), Some(3), "{}", complained(&refused));
    said(&command(&["restore", copy, "--replace", "--tenant", "acme"]));
    said(&command(&["master-key", "rotate"]));
    said(&command(&["master-key", "forget-former"]));
    let mut serving = Serving::start(house.data.path(), &["--config", house.config.path().to_str().unwrap()]);
    serving.line_with("Ctrl-C");
}

/// `config check` prints every tenant with what is its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_what_is_each_tenants_own() {
    let house = Tenants::start().await;
    let told = said(&house.command(&["config", "check"]));
    for (tenant, issuer) in [("acme", house.issuer("acme")), ("hooli", house.issuer("hooli"))] {
        for line in [
            format!("tenant     {tenant}: "),
            format!("issuer     {issuer}"),
            format!("database   tenants/{tenant}/hallpass.db in the data folder"),
            format!("server     notes of {tenant}"),
            format!("endpoint   {}", house.endpoint(tenant)),
        ] {
            assert!(told.contains(&line), "{line}\n{told}");
        }
    }
    assert!(told.contains("access token 5m"), "{told}");
}

/// A token of one's own is explained with the tenant that it is of; a server of another tenant does not take it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_explained_as_its_tenants() {
    let house = Tenants::start().await;
    let token = house.data.path().join("token");
    std::fs::write(&token, house.token("acme").await).unwrap();
    let explain = |tenant: &str| {
        let token = token.to_str().unwrap();
        house.command(&["policy", "explain", "--token", token, "--method", "ping", "--tenant", tenant])
    };
    let allowed = said(&explain("acme"));
    assert!(allowed.contains("for robot") && allowed.contains("Allowed"), "{allowed}");
    assert!(!explain("globex").status.success());
}

/// Tokens for one server, out of the audit log of its tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_is_asked_by_server() {
    let house = Tenants::start().await;
    house.token("acme").await;
    let of = |tenant: &str| {
        let events = house.command(&["audit", "--json", "--server", "notes", "--tenant", tenant]);
        said(&events)
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .collect::<Vec<_>>()
    };
    // It is written within a second.
    while of("acme").is_empty() {}
    assert!(of("acme").iter().all(|event| event["event"] == "token_issued"), "{:?}", of("acme"));
    assert!(of("globex").is_empty());
}

/// Lines and counts say whose an event is, by the names of the file and no others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_and_counts_say_the_tenant() {
    let house = Tenants::start().await;
    house.token("acme").await;
    house.token("hooli").await;
    let lines = || {
        let text = std::fs::read_to_string(house.data.path().join("audit.log")).unwrap_or_default();
        let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        events.filter(|event| event["event"] == "token_issued").collect::<Vec<_>>()
    };
    while lines().len() < 2 {}
    let mut tenants: Vec<_> =
        lines().iter().map(|event| event["tenant"].as_str().unwrap().to_owned()).collect();
    tenants.sort();
    assert_eq!(tenants, ["acme", "hooli"]);
    let metrics =
        house.http.get(format!("http://localhost:{}/metrics", house.monitoring)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in metrics.lines().filter(|line| line.starts_with("hallpass_audit_events_total{")) {
        assert!(super::TENANTS.iter().any(|name| line.contains(&format!("tenant=\"{name}\""))), "{line}");
    }
    assert!(metrics.contains("event=\"token_issued\",tenant=\"acme\"} 1\n"), "{metrics}");
}
