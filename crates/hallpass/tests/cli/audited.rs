//! What an operator does by the command line stands in the audit log, before the command returns.

use std::io::Write;
use std::path::Path;

use crate::program::{Serving, run, run_with_input, said};
use serde_json::Value;

const PASSWORD: &str = "correct horse battery\n";

/// The newest event.
fn newest(data: &Path, config: &str) -> Value {
    let audit = said(&run(data, &["--config", config, "audit", "--json"]));
    serde_json::from_str(audit.lines().next().unwrap_or("null")).unwrap()
}

#[test]
fn every_command_that_changes_something_is_in_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let backup = folder.path().join("backup.db");
    let backup = backup.to_str().unwrap();
    let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        config,
        r#"
        listen = "localhost:0"
        [server]
        upstream = "http://127.0.0.1:1/mcp"
        credentials.api_keys = true
        [server.scopes]
        "notes:read" = {{ says = "Read your notes" }}
        [[authorization_server.trusted_issuers]]
        issuer = "https://login.example.com"
        jwks_uri = "https://login.example.com/jwks"
        kind = "workload"
        rules = [{{ client_id = "ci", subject = "job", scopes = ["notes:read"] }}]
        "#
    )
    .unwrap();
    let config = config.path().to_str().unwrap();
    // Links need to know where they lead, and issuers that somebody trusts them.
    let mut serving = Serving::start(&data, &["--config", config]);
    serving.line_with("Ctrl-C");
    assert_eq!(serving.terminate(), Some(0));
    let mut token = String::new();
    for (arguments, input, event, detail) in [
        (&["user", "add", "ada", "--password-stdin"][..], PASSWORD, "user_added", "ada"),
        (&["user", "passwd", "ada", "--password-stdin"], PASSWORD, "password_set", "ada"),
        (&["user", "link", "ada"], "", "link_made", "ada"),
        (&["user", "admin", "ada"], "", "admin_given", "ada"),
        (&["user", "admin", "ada", "--revoke"], "", "admin_taken", "ada"),
        (&["user", "disable", "ada"], "", "user_disabled", "ada"),
        (&["user", "enable", "ada"], "", "user_enabled", "ada"),
        (&["user", "remove", "ada"], "", "user_removed", "ada"),
        (&["client", "add", "--id", "web", "--redirect-uri", "http://127.0.0.1/cb"], "", "client_added", ""),
        (&["client", "disable", "web"], "", "client_disabled", ""),
        (&["client", "enable", "web"], "", "client_enabled", ""),
        (&["client", "remove", "web"], "", "client_removed", ""),
        (&["client", "token", "issue"], "", "initial_token_issued", ""),
        (&["client", "token", "revoke", "TOKEN"], "", "initial_token_revoked", ""),
        (&["scim", "token", "issue"], "", "provisioning_token_issued", ""),
        (&["scim", "token", "revoke", "TOKEN"], "", "provisioning_token_revoked", ""),
        (
            &["issuer", "disable", "https://login.example.com"],
            "",
            "issuer_disabled",
            "https://login.example.com",
        ),
        (
            &["issuer", "enable", "https://login.example.com"],
            "",
            "issuer_enabled",
            "https://login.example.com",
        ),
        (&["key", "add", "ci"], "", "account_added", "ci"),
        (&["key", "revoke", "ci"], "", "account_revoked", "ci"),
        (&["keys", "rotate", "--now"], "", "key_published", ""),
        (&["master-key", "rotate"], "", "master_key_rotated", " values"),
        (&["master-key", "forget-former"], "", "master_keys_forgotten", "1"),
        (&["backup", backup], "", "backup_made", "backup.db"),
        (&["restore", backup, "--replace"], "", "restored", "backup.db: 0 grants have ended"),
    ] {
        let words: Vec<&str> =
            arguments.iter().map(|word| if *word == "TOKEN" { &*token } else { word }).collect();
        said(&run_with_input(&data, &[&["--config", config][..], &words].concat(), input));
        let found = newest(&data, config);
        assert_eq!(
            (&found["event"], &found["actor"]),
            (&event.into(), &"command line".into()),
            "{arguments:?}: {found}"
        );
        let told = found["detail"].as_str().unwrap_or_default();
        assert!(told.contains(detail), "{arguments:?}: {found}");
        if event.ends_with("_token_issued") {
            told.clone_into(&mut token);
        }
    }
    // Whoever only looks changes nothing.
    let before = newest(&data, config);
    for arguments in [
        &["user", "list"][..],
        &["client", "list"],
        &["key", "list"],
        &["keys", "list"],
        &["issuer", "list"],
        &["scim", "token", "list"],
    ] {
        said(&run(&data, &[&["--config", config][..], arguments].concat()));
    }
    assert_eq!(newest(&data, config), before);
    // The copy was made before it was noted that it was.
    let table = said(&run(&data, &["--config", config, "audit"]));
    for words in ["Database restored", "API key or password revoked", "Master key rotated", "command line"] {
        assert!(table.contains(words), "{words}: {table}");
    }
}
