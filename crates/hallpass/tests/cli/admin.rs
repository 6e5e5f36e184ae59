//! `hallpass user`, `client`, `accounts` and `config`, for people and for programs.

use crate::program::{run, run_with_input, said};
use serde_json::Value;

const PASSWORD: &str = "correct horse battery\n";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn users_come_and_go() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    said(&run_with_input(data, &["user", "add", "alice", "--password-stdin"], PASSWORD));
    said(&run_with_input(data, &["user", "add", "bob", "--password-stdin"], PASSWORD));
    said(&run(data, &["user", "disable", "bob"]));

    let users = json(&said(&run(data, &["user", "list", "--json"])));
    assert_eq!(users[0]["name"], "alice");
    assert_eq!(users[0]["disabled_at"], Value::Null);
    assert!(users[1]["disabled_at"].is_i64(), "{users}");
    let table = said(&run(data, &["user", "list"]));
    assert!(table.starts_with("NAME") && table.contains("disabled"), "{table}");

    said(&run(data, &["user", "remove", "bob"]));
    assert_eq!(json(&said(&run(data, &["user", "list", "--json"]))).as_array().unwrap().len(), 1);
}

#[test]
fn a_user_that_is_not_there_and_one_that_is() {
    let data = tempfile::tempdir().unwrap();
    let add = ["user", "add", "alice", "--password-stdin"];
    said(&run_with_input(data.path(), &add, PASSWORD));
    let again = run_with_input(data.path(), &add, PASSWORD);
    assert_eq!(again.status.code(), Some(1));
    let missing = run(data.path(), &["user", "disable", "mallory"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("hallpass user list"));
}

#[test]
fn a_user_is_looked_after() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let alice = || json(&said(&run(data, &["user", "list", "--json"])))[0].clone();
    said(&run_with_input(data, &["user", "add", "alice", "--password-stdin", "--admin"], PASSWORD));
    assert_eq!(alice()["admin"], true);
    said(&run(data, &["user", "admin", "alice", "--revoke"]));
    assert_eq!(alice()["admin"], false);
    said(&run_with_input(data, &["user", "passwd", "alice", "--password-stdin"], "another password\n"));
    said(&run(data, &["user", "disable", "alice"]));
    said(&run(data, &["user", "enable", "alice"]));
    assert_eq!(alice()["disabled_at"], Value::Null);
    for (arguments, why) in [
        (&["user", "link", "alice"][..], "hallpass serve"),
        (&["user", "totp", "reset", "alice"], "no user alice with one-time codes"),
        (&["user", "enable", "mallory"], "hallpass user list"),
        // Looked at before a password is asked for.
        (&["user", "passwd", "mallory"], "hallpass user list"),
        (&["user", "link", "mallory"], "hallpass user list"),
        (&["user", "totp", "reset", "mallory"], "hallpass user list"),
        (&["client", "add", "--id", "x", "--grant", "bogus"], "token-exchange"),
        (&["client", "add", "--id", "x"], "--redirect-uri"),
    ] {
        let refused = run(data, arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(why), "{arguments:?}");
    }
}

#[test]
fn a_link_before_there_is_an_address_leaves_no_user_behind() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let refused = run(data, &["user", "add", "alice", "--link"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("hallpass serve"));
    assert_eq!(json(&said(&run(data, &["user", "list", "--json"]))), serde_json::json!([]));
}

#[test]
fn clients_come_and_go() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let uri = ["--redirect-uri", "http://127.0.0.1/callback"];
    said(&run(data, &[&["client", "add", "--id", "ide"], &uri[..]].concat()));
    let web =
        ["client", "add", "--id", "web", "--secret-stdin", "--redirect-uri", "https://app.example.com/cb"];
    let added = said(&run_with_input(data, &web, "0123456789abcdef0123\n"));
    assert!(!added.contains("0123456789"), "the secret is printed: {added}");

    let clients = json(&said(&run(data, &["client", "list", "--json"])));
    let find = |id| clients.as_array().unwrap().iter().find(|c| c["client_id"] == id).unwrap().clone();
    assert_eq!(find("ide")["confidential"], false);
    assert_eq!(find("web")["confidential"], true);
    assert!(!clients.to_string().contains("0123456789"));

    said(&run(data, &["client", "remove", "ide"]));
    assert_eq!(run(data, &["client", "remove", "ide"]).status.code(), Some(1));
}

#[test]
fn a_client_secret_that_could_be_guessed_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let add =
        ["client", "add", "--id", "web", "--secret-stdin", "--redirect-uri", "https://app.example.com/cb"];
    for (secret, words) in [
        ("short".to_owned(), ["5 characters", "20 random ones"]),
        ("0123456789abcdef012".to_owned(), ["19 characters", "openssl rand"]),
        ("x".repeat(16_385), ["longer than 16384 bytes", "nothing was done"]),
        ("x".repeat(40_000), ["longer than 16384 bytes", "wrong thing"]),
    ] {
        let refused = run_with_input(data.path(), &add, &(secret.clone() + "\n"));
        assert_eq!(refused.status.code(), Some(1));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(words.iter().all(|word| said.contains(word)) && !said.contains(&secret), "{said}");
    }
    let clients = run(data.path(), &["client", "list"]);
    assert_eq!(clients.status.code(), Some(3), "nothing was made");
    said(&run_with_input(data.path(), &add, &("x".repeat(16_384) + "\r\n")));
}

/// Profiles for `connect` and `login` make a whole file.
#[test]
fn a_file_of_provider_profiles_is_good() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("providers.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(data.path(), &["config", "check", file.to_str().unwrap()])
    };
    let provider = "[[provider]]\nname = \"company\"\nissuers = [\"https://login.example.com\"]\n";
    let good = said(&check(&format!("data = \"x\"\n{provider}")));
    assert!(
        good.contains("is good, for `connect`") && good.contains("company (https://login.example.com)"),
        "{good}"
    );
    for (text, says) in [
        (format!("listen = \"localhost:0\"\n{provider}"), "no MCP server"),
        ("data = \"x\"\n".to_owned(), "no MCP server"),
        (format!("{provider}omit_resuorce = true\n"), "omit_resuorce"),
    ] {
        let output = check(&text);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{text}");
    }
}

#[test]
fn a_redirect_that_may_not_be_registered() {
    let data = tempfile::tempdir().unwrap();
    let add = ["client", "add", "--id", "x", "--redirect-uri", "http://evil.example/cb"];
    let output = run(data.path(), &add);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("http://evil.example/cb"));
}

#[test]
fn no_logins_are_kept_at_first() {
    let data = tempfile::tempdir().unwrap();
    assert!(said(&run(data.path(), &["accounts"])).contains("hallpass login"));
    assert_eq!(json(&said(&run(data.path(), &["accounts", "--json"]))), serde_json::json!([]));
    let missing = data.path().join("nosuch");
    assert!(said(&run(&missing, &["accounts"])).contains("hallpass login"));
    assert!(!missing.exists(), "who only looks makes nothing");
}

/// The schema is JSON Schema, and describes every setting that the file knows.
#[test]
fn the_schema_describes_every_setting() {
    let data = tempfile::tempdir().unwrap();
    let schema = json(&said(&run(data.path(), &["config", "schema"])));
    let settings = schema["properties"].as_object().unwrap();
    for name in ["listen", "public_url", "tls_in_front", "data", "database", "server", "authorization_server"]
    {
        assert!(settings[name]["description"].is_string() || settings[name]["$ref"].is_string(), "{name}");
    }
}

#[test]
fn every_command_shows_an_example() {
    let data = tempfile::tempdir().unwrap();
    for command in [
        "serve",
        "user",
        "client",
        "config",
        "user add",
        "user list",
        "user disable",
        "user remove",
        "client add",
        "client list",
        "client remove",
        "client token",
        "client token issue",
        "client token list",
        "client token revoke",
        "audit",
        "connect",
        "login",
        "logout",
        "token",
        "accounts",
        "config check",
        "config schema",
        "backup",
        "restore",
        "master-key",
        "master-key rotate",
        "master-key forget-former",
        "completions",
        "health",
        "man",
    ] {
        let args: Vec<_> = command.split(' ').chain(["--help"]).collect();
        assert!(said(&run(data.path(), &args)).contains("Example"), "{command}");
    }
}
