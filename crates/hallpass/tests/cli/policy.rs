//! `hallpass policy explain`, and what `config check` says of rules.

use std::io::Write;
use std::path::Path;

use crate::program::{run, run_with_input, said};

const RULES: &str = r#"
[server]
upstream = "http://127.0.0.1:1/mcp"
[server.scopes]
default = ["notes:read"]
"notes:admin" = { implies = ["notes:read", "notes:write"], says = "Manage all notes" }
[server.tools]
"write_*" = { scopes = ["notes:write"] }
"purge"   = { scopes = ["notes:admin"], when = { claim = "groups", has = "ops" }, fresh = "5m" }
"debug"   = "deny"
"#;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A token that nobody signed: it is only to be explained.
fn token(scope: &str) -> String {
    let key = hallpass_testkit::issuer::TestIssuer::new("https://login.example.com");
    key.token("https://mcp.example.com/mcp", scope, hallpass_protocol::Timestamp::from_unix(1))
}

fn explain(data: &Path, rules: &Path, scope: &str, operation: &[&str]) -> (Option<i32>, String) {
    let config = rules.to_str().unwrap();
    let args = [&["policy", "explain", "--config", config, "--token", "-"][..], operation].concat();
    let output = run_with_input(data, &args, &token(scope));
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.code(), text)
}

#[test]
fn it_says_which_line_decided() {
    let data = tempfile::tempdir().unwrap();
    let rules = file(RULES);
    for (scope, operation, code, words) in [
        (
            "notes:read",
            ["--tool", "write_note"],
            1,
            &[":8 (server.tools.\"write_*\"): needs notes:write", "notes:write"][..],
        ),
        ("notes:admin", ["--tool", "write_note"], 0, &["yes", ":8 ", "Allowed"]),
        ("notes:admin", ["--tool", "debug"], 1, &[":10 ", "is denied", "no login opens it"]),
        (
            "notes:admin",
            ["--tool", "purge"],
            1,
            &[":9 ", "only when groups has \"ops\"", "not for this account"],
        ),
        ("notes:read", ["--tool", "list"], 0, &["a tool without a rule: needs", "Allowed"]),
        ("", ["--method", "tools/list"], 1, &["every request: needs notes:read"]),
    ] {
        let (status, text) = explain(data.path(), rules.path(), scope, &operation);
        assert_eq!(status, Some(code), "{operation:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is missing in: {text}");
        }
    }
}

/// Arguments are seen by everyone; what stands there by mistake is not repeated.
#[test]
fn a_token_is_no_argument() {
    let data = tempfile::tempdir().unwrap();
    let rules = file(RULES);
    let config = rules.path().to_str().unwrap();
    let token = token("notes:read");
    let output =
        run(data.path(), &["policy", "explain", "--config", config, "--token", &token, "--tool", "list"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("--token takes a file") && !text.contains(&token[..20]), "{text}");
}

#[test]
fn a_check_states_what_holds_without_a_rule() {
    let data = tempfile::tempdir().unwrap();
    let rules = file(RULES);
    let text = said(&run(data.path(), &["config", "check", rules.path().to_str().unwrap()]));
    assert!(text.contains("tool       without a rule needs notes:read"), "{text}");
}

#[test]
fn a_mistake_in_a_rule_names_file_and_line() {
    let data = tempfile::tempdir().unwrap();
    for (line, what) in [
        ("\"purge\" = { scopes = [\"notes admin\"] }", "`notes admin`"),
        ("\"\" = \"deny\"", "pattern"),
        ("\"purge\" = \"allow\"", "\"deny\""),
        ("\"purge\" = { when = { claim = \"x\" } }", "`has` and `is`"),
    ] {
        let rules =
            file(&format!("[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.tools]\n{line}\n"));
        let path = rules.path().to_str().unwrap();
        let output = run(data.path(), &["config", "check", path]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(path) && text.contains(what), "{text}");
        assert!(text.contains(":4:") || text.contains("line 4"), "{text}");
    }
}
