//! `hallpass client token`, `hallpass audit`, and the settings as their page shows them.

use serde_json::Value;

use crate::program::{LoggingIn, Serving, run, run_with_input, said};

const PASSWORD: &str = "correct horse battery\n";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn tokens_to_register_with_come_and_go() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let issued = said(&run(data, &["client", "token", "issue", "--note", "laptops", "--uses", "3"]));
    assert_eq!(issued.lines().count(), 1, "the token alone, to be piped: {issued}");
    assert_eq!(issued.trim().len(), 43);
    said(&run(data, &["client", "token", "issue", "--unlimited", "--expires", "1h"]));
    let tokens = json(&said(&run(data, &["client", "token", "list", "--json"])));
    let tokens = tokens.as_array().unwrap();
    let laptops = tokens.iter().find(|token| token["note"] == "laptops").unwrap();
    assert_eq!((&laptops["uses"], &laptops["used"]), (&3.into(), &0.into()));
    assert!(tokens.iter().any(|token| token["uses"].is_null()));
    let table = said(&run(data, &["client", "token", "list"]));
    assert!(table.contains("0 of 3") && table.contains("0 of any number"), "{table}");
    assert!(!table.contains(issued.trim()), "it is shown once");
    let id = laptops["id"].as_str().unwrap();
    said(&run(data, &["client", "token", "revoke", id]));
    assert_eq!(run(data, &["client", "token", "revoke", id]).status.code(), Some(1));
    assert_eq!(run(data, &["client", "token", "issue", "--uses", "0"]).status.code(), Some(2));
}

#[test]
fn what_was_done_by_hand_stands_in_the_audit_log() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    said(&run_with_input(data, &["user", "add", "alice", "--password-stdin"], PASSWORD));
    said(&run(data, &["user", "disable", "alice"]));
    said(&run(data, &["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/callback"]));
    said(&run(data, &["client", "remove", "ide"]));
    let events = |arguments: &[&str]| -> Vec<Value> {
        said(&run(data, &[&["audit", "--json"], arguments].concat())).lines().map(json).collect()
    };
    let names = |events: Vec<Value>| -> Vec<String> {
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(events(&["--client", "ide"])), ["client_removed", "client_added"]);
    assert_eq!(names(events(&["--user", "Alice", "--since", "1h"])), ["user_disabled", "user_added"]);
    assert_eq!(events(&["--user", "alice"])[0]["actor"], "command line");
    assert!(events(&["--reference", "-none"]).is_empty());
    let table = said(&run(data, &["audit"]));
    assert!(
        table.starts_with("TIME") && table.contains("User disabled") && table.contains(" UTC"),
        "{table}"
    );
    assert!(!table.contains(PASSWORD.trim()));
}

#[test]
fn a_list_of_hosts_with_no_host_in_it_is_refused_with_its_line() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("hallpass.toml");
    for (setting, wrong) in [
        ("registration_redirects", "https://app.example"),
        ("metadata_documents.allow", "*"),
        ("metadata_documents.deny", "a.*.example"),
    ] {
        std::fs::write(&file, format!("[authorization_server]\n{setting} = [{wrong:?}]\n")).unwrap();
        let refused = run(data.path(), &["config", "check", file.to_str().unwrap()]);
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(3), "{setting}");
        assert!(why.contains("line 2") && why.contains(wrong) && why.contains("*.example.com"), "{why}");
    }
}

/// Who switches off what registered itself is told that it can come back.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_client_that_registered_itself_it_is_told_that_it_can_again() {
    for (registration, told) in [("open", true), ("off", false)] {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("hallpass.toml");
        let text = |registration: &str| {
            format!(
                "listen = \"localhost:0\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n\
                 [authorization_server]\nregistration = \"{registration}\"\n"
            )
        };
        std::fs::write(&file, text("open")).unwrap();
        let config = file.to_str().unwrap();
        let mut serving = Serving::start(data.path(), &["--config", config]);
        let endpoint = serving.value_of("MCP endpoint");
        let body = serde_json::json!({ "redirect_uris": ["http://127.0.0.1/callback"] });
        let register = endpoint.replace("/mcp", "/register");
        let answer = reqwest::Client::new().post(register).json(&body).send().await.unwrap();
        let id = json(&answer.text().await.unwrap())["client_id"].as_str().unwrap().to_owned();
        drop(serving);
        std::fs::write(&file, text(registration)).unwrap();
        said(&run(
            data.path(),
            &["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/callback"],
        ));
        let disable = |id: &str| said(&run(data.path(), &["--config", config, "client", "disable", id]));
        assert_eq!(disable(&id).contains("may do so again"), told, "{registration}");
        assert!(!disable("ide").contains("may do so again"));
    }
}

/// Who has no token to register with is told what else there is.
#[tokio::test(flavor = "multi_thread")]
async fn where_registration_takes_a_token_a_login_names_the_other_way() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("hallpass.toml");
    let text = "listen = \"localhost:0\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n\
                [authorization_server]\nregistration = \"token\"\n";
    std::fs::write(&file, text).unwrap();
    let mut serving = Serving::start(data.path(), &["--config", file.to_str().unwrap()]);
    let endpoint = serving.value_of("MCP endpoint");
    let (ended, why) = LoggingIn::start(data.path(), &[&endpoint]).ended().await;
    assert!(
        !ended.status.success() && why.contains("--client-id") && why.contains("hallpass client token issue"),
        "{why}"
    );
    assert!(why.contains("--registration-token-file"), "{why}");
}

/// RFC 7591 §1.2: from the file or the environment, and never from an argument.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_token_to_register_with_logs_in() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("hallpass.toml");
    let text = "listen = \"localhost:0\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n\
                [authorization_server]\nregistration = \"token\"\n";
    std::fs::write(&file, text).unwrap();
    let config = file.to_str().unwrap();
    let mut serving = Serving::start(data.path(), &["--config", config]);
    let endpoint = serving.value_of("MCP endpoint");
    let token = said(&run(data.path(), &["--config", config, "client", "token", "issue"]));
    let at = data.path().join("token.txt");
    std::fs::write(&at, &token).unwrap();
    let args = [endpoint.as_str(), "--registration-token-file", at.to_str().unwrap()];
    let mut login = LoggingIn::start(data.path(), &args);
    let line = login.line_with("/authorize?").await.unwrap();
    assert!(line.contains("client_id="), "registered, and on the way to the browser: {line}");
    let clients = said(&run(data.path(), &["--config", config, "client", "list"]));
    assert!(clients.contains("hallpass"), "{clients}");
    std::fs::write(&at, " \n").unwrap();
    let (ended, why) = LoggingIn::start(data.path(), &args).ended().await;
    assert!(ended.status.code() == Some(3) && why.contains("is empty"), "{why}");
}
