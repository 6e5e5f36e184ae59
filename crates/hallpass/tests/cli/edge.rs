//! Logs and counts of a program that runs.

use std::io::Write;

use serde_json::Value;

use crate::program::{Serving, command, complained, run};

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_and_events_are_logged_and_counted() {
    let data = tempfile::tempdir().unwrap();
    let logs = tempfile::tempdir().unwrap();
    let (port, asked) = (free_port(), free_port());
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        file,
        "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         [monitoring]\nlisten = \"127.0.0.1:{asked}\"\n\
         [log]\naccess = \"{0}/access.log\"\naudit = \"{0}/audit.log\"\n\
         [server]\nupstream = \"http://127.0.0.1:1/mcp\"\n",
        logs.path().display()
    )
    .unwrap();
    let mut serving = Serving::start(data.path(), &["--config", file.path().to_str().unwrap()]);
    serving.line_with("Ctrl-C");
    let url = format!("http://127.0.0.1:{port}");
    let http = reqwest::Client::new();
    assert_eq!(http.post(format!("{url}/mcp?x=canary")).send().await.unwrap().status(), 401);
    assert_eq!(http.get(format!("{url}/authorize?client_id=nobody")).send().await.unwrap().status(), 400);
    let metrics = reqwest::get(format!("http://127.0.0.1:{asked}/metrics")).await.unwrap();
    let kind = metrics.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = metrics.text().await.unwrap();
    for start in [
        "hallpass_build_info{version=\"",
        &format!("hallpass_requests_total{{server=\"{url}/mcp\",status=\"4xx\",decision=\"refused\"}} 1"),
        &format!("hallpass_refusals_total{{server=\"{url}/mcp\",rule=\"no_credential\"}} 1"),
        "hallpass_tokens_verified_total{by=\"memory\"} 0",
        "process_open_fds ",
        "process_resident_memory_bytes ",
    ] {
        assert!(text.lines().any(|line| line.starts_with(start)), "{start}\n{text}");
    }
    assert!(serving.terminate() == Some(0));
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(logs.path().join(name)).unwrap();
        assert!(!text.contains("canary"), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let access = lines("access.log");
    assert_eq!(access.len(), 2);
    assert_eq!((&access[0]["path"], &access[0]["rule"]), (&"/mcp".into(), &"no_credential".into()));
    assert_eq!((&access[1]["path"], &access[1]["status"]), (&"/authorize".into(), &400.into()));
    assert!(lines("audit.log").iter().any(|line| line["event"] == "error_page"), "{:?}", lines("audit.log"));
}

/// Nothing serves whose log cannot be written.
#[test]
fn a_log_that_cannot_be_written_stops_the_start() {
    let data = tempfile::tempdir().unwrap();
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let nowhere = data.path().join("nowhere/access.log");
    write!(
        file,
        "listen = \"localhost:0\"\n[log]\naccess = \"{}\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n",
        nowhere.display()
    )
    .unwrap();
    let config = file.path().to_str().unwrap();
    let told = complained(&command(data.path(), &["serve", "--config", config]).output().unwrap());
    assert!(told.contains("log.access") && told.contains("nowhere/access.log"), "{told}");
    std::fs::write(
        file.path(),
        "[log]\naccess = \"./a.log\"\naudit = \"./a.log\"\n[server]\nupstream = \"http://h/mcp\"\n",
    )
    .unwrap();
    let told = complained(&run(data.path(), &["config", "check", config]));
    assert!(told.contains("same file"), "{told}");
}

/// A listed proxy is believed, by the listener and by the authorization server's log; each of its clients has its own limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_proxy_says_who_asks() {
    let data = tempfile::tempdir().unwrap();
    let logs = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        file,
        "listen = \"127.0.0.1:{port}\"\npublic_url = \"https://mcp.example.com\"\n\
         [proxy]\ntrusted = [\"127.0.0.0/8\"]\nhost = true\n\
         [limits.address]\nrate = 1\nburst = 2\n\
         [log]\naccess = \"{0}/access.log\"\naudit = \"{0}/audit.log\"\n\
         [server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.limits.subject]\nrequests = 5\n",
        logs.path().display()
    )
    .unwrap();
    let config = file.path().to_str().unwrap();
    let checked = run(data.path(), &["config", "check", config]);
    let said = String::from_utf8(checked.stdout).unwrap();
    for line in [
        "proxies    127.0.0.0/8: who the client is, they say by X-Forwarded-For",
        "limits     each address: at most 1 request a second, as many as 2 in one go after a pause",
        "limits     each user: at most 5 requests at the same time",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let mut serving = Serving::start(data.path(), &["--tls-in-front", "--config", config]);
    serving.line_with("Ctrl-C");
    let http = reqwest::Client::new();
    let ask = async |from: &str, proto: &str| {
        let request = http.get(format!("http://127.0.0.1:{port}/authorize?client_id=nobody"));
        let request =
            request.header("x-forwarded-host", "mcp.example.com").header("x-forwarded-proto", proto);
        request.header("x-forwarded-for", from).header("forwarded", "for=6.6.6.6").send().await.unwrap()
    };
    for (from, proto, status) in [
        ("6.6.6.6, 203.0.113.9", "https", 400),
        ("203.0.113.9", "https", 400),
        ("203.0.113.9", "https", 429),
        ("203.0.113.10", "https", 400),
        ("203.0.113.11", "http", 403),
    ] {
        let answer = ask(from, proto).await;
        assert_eq!(answer.status(), status, "{from} {proto}: {}", answer.text().await.unwrap());
    }
    assert!(serving.terminate() == Some(0));
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(logs.path().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let access: Vec<_> =
        lines("access.log").iter().map(|line| (line["address"].clone(), line["rule"].clone())).collect();
    let said = |address: &str, rule: Value| (address.into(), rule);
    let expected = [
        said("203.0.113.9", Value::Null),
        said("203.0.113.9", Value::Null),
        said("203.0.113.9", "address_rate".into()),
        said("203.0.113.10", Value::Null),
        said("203.0.113.11", "plain_http".into()),
    ];
    assert_eq!(access, expected);
    assert!(lines("access.log").iter().all(|line| line["peer"] == "127.0.0.1"));
    assert!(
        lines("audit.log").iter().any(|line| line["address"] == "203.0.113.10"),
        "{:?}",
        lines("audit.log")
    );
}

/// Limits by address behind a proxy that nobody lists would be one limit for everybody.
#[test]
fn what_can_not_be_meant_is_said() {
    let data = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let config = file.path().to_str().unwrap();
    let server = "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n";
    for (text, says) in [
        ("public_url = \"https://h\"\n[limits.address]\nrate = 1\n", "list it in [proxy]"),
        ("[proxy]\nprotocol = true\n", "lists nobody"),
        ("[proxy]\ntrusted = [\"0.0.0.0/0\"]\n", "everybody"),
        ("[limits.address]\nrate = 0\n", "rate"),
        ("[log]\naccess = \"sdtout\"\n", "./access.log"),
    ] {
        std::fs::write(file.path(), format!("{text}{server}")).unwrap();
        let told = complained(&run(data.path(), &["config", "check", config]));
        assert!(told.contains(says), "{text}: {told}");
    }
}
