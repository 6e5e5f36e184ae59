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
    assert_eq!(output.status.code(), Some(2));
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

/// Who asks a program whether something is allowed must not take "I could not look" for "no".
#[test]
fn what_cannot_be_judged_is_not_refused() {
    let data = tempfile::tempdir().unwrap();
    let rules = file(RULES);
    let config = rules.path().to_str().unwrap();
    let ask = ["policy", "explain", "--tool", "list", "--token", "-"];
    let output = run_with_input(data.path(), &ask, &token("notes:read"));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("--config FILE"), "{text}");
    let output = run_with_input(data.path(), &[&["--config", config], &ask[..]].concat(), "opaque\n");
    assert_eq!(output.status.code(), Some(2));
    let missing = ["--config", config, "policy", "explain", "--tool", "list", "--token", "/no/such/file"];
    assert_eq!(run(data.path(), &missing).status.code(), Some(2));
}

/// One rule, and nothing about scopes: nothing that is printed is blank.
#[test]
fn a_single_rule_that_denies() {
    let data = tempfile::tempdir().unwrap();
    let rules = file("[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.tools]\ndebug = \"deny\"\n");
    let text = said(&run(data.path(), &["config", "check", rules.path().to_str().unwrap()]));
    assert!(text.contains("login asks mcp\n") && text.contains("without a rule needs mcp\n"), "{text}");
}

#[test]
fn a_check_states_all_that_the_file_comes_to() {
    let data = tempfile::tempdir().unwrap();
    let file = file(&format!(
        "data = \"/var/lib/hallpass\"\n{RULES}\n[server.credentials]\napi_keys = true\ndigest = [\"SHA-256\"]\n\
         [authorization_server]\nregistration = \"off\"\naccess_token_lifetime = \"5m\"\n\
         [database]\nurl = \"postgres://localhost/hallpass\"\n"
    ));
    let text = said(&run(data.path(), &["config", "check", file.path().to_str().unwrap()]));
    // What the command line says wins.
    for line in [
        "upstream   http://127.0.0.1:1/mcp",
        &format!("data       {}\n", data.path().display()),
        "database   postgres://localhost/hallpass (10 connections)",
        "credential Bearer, API keys, Digest (SHA-256)",
        "DPoP       tokens that are bound to a key are taken",
        "access token 5m, unused refresh token 30d",
        "registration is off",
        "no claim `groups`",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// Somebody else's authorization server has lifetimes of its own, which nobody here knows.
#[test]
fn a_check_says_nothing_of_an_authorization_server_that_is_not_there() {
    let data = tempfile::tempdir().unwrap();
    let file = file(
        "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\narrangement = \"external\"\n\
         [[server.issuers]]\nprofile = \"entra\"\ntenants = [\"7a1e\"]\naudiences = [\"api://notes\"]\n",
    );
    let text = said(&run(data.path(), &["config", "check", file.path().to_str().unwrap()]));
    for absent in ["lifetimes", "refresh token", "keys  ", "clients  "] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }
    for line in [
        "issuer     https://login.microsoftonline.com/7a1e/v2.0 (entra)",
        "typ JWT; user sub, client azp or appid, scopes scp (in a token without: roles), tenant tid (7a1e only)",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// An empty list says nothing: nowhere does it mean "everybody" or "everything".
#[test]
fn an_empty_list_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let issuer = "[[server.issuers]]\nissuer = \"https://id.example\"\n";
    let workload = "[[authorization_server.trusted_issuers]]\nissuer = \"https://idp.example\"\nkind = \"workload\"\njwks_uri = \"https://idp.example/jwks\"\n";
    for settings in [
        format!("{issuer}algorithms = []"),
        format!("{issuer}types = []"),
        format!("{issuer}audiences = []"),
        format!("{issuer}tenants = []"),
        format!("{issuer}grants = []"),
        format!("{issuer}claims = {{ client = [] }}"),
        format!("{issuer}claims = {{ scopes = [] }}"),
        format!("{issuer}kind = {{ claim = \"typ\", values = [] }}"),
        "[server.credentials]\ndigest = []".to_owned(),
        "[server.credentials]\ncertificates = [{ authority = \"x.pem\", name = \"*\", scopes = [] }]"
            .to_owned(),
        "[server.cedar]\npolicies = []".to_owned(),
        "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nclient_certificates = []".to_owned(),
        "[authorization_server]\nregistration_redirects = []".to_owned(),
        "[authorization_server.metadata_documents]\nallow = []".to_owned(),
        format!("{workload}rules = []"),
        format!(
            "{workload}rules = [{{ client_id = \"ci\", subject = \"*\", scopes = [\"mcp\"], resources = [] }}]"
        ),
    ] {
        let file = file(&format!("[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n{settings}\n"));
        let output = run(data.path(), &["config", "check", file.path().to_str().unwrap()]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{settings}: {text}");
        assert!(text.contains("the list is empty"), "{settings}: {text}");
    }
}

/// A token is read as `serve` would read it.
#[test]
fn an_explanation_reads_a_token_as_its_issuer_writes_it() {
    let data = tempfile::tempdir().unwrap();
    let key = hallpass_testkit::issuer::TestIssuer::new("https://login.example.com");
    let now = hallpass_protocol::Timestamp::from_unix(1);
    let mut claims = key.claims("https://mcp.example.com/mcp", "", now);
    claims["roles"] = serde_json::json!(["notes:read", "notes:write"]);
    for (issuer, code) in [("claims = { scopes = [\"roles\"] }", 0), ("without_id = true", 1)] {
        let rules =
            file(&format!("{RULES}[[server.issuers]]\nissuer = \"https://login.example.com\"\n{issuer}\n"));
        let config = rules.path().to_str().unwrap();
        let args = ["policy", "explain", "--config", config, "--token", "-", "--tool", "write_note"];
        let output = run_with_input(data.path(), &args, &key.sign(&claims));
        assert_eq!(output.status.code(), Some(code), "{issuer}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Whatever `serve` would refuse, `config check` refuses: with the same code, and with the line.
#[test]
fn a_check_refuses_what_serve_would() {
    let data = tempfile::tempdir().unwrap();
    for (settings, line, what) in [
        ("[authorization_server]\naccess_token_lifetime = \"2d\"", 5, "a day at most"),
        ("[authorization_server]\nrotate_keys_every = \"1h\"", 5, "rotated less often"),
        ("[database]\nurl = \"postgres://ada:sesame@db.example/x\"", 5, "holds a password"),
        ("[database]\nurl = \"mysql://db.example/x\"", 5, "postgres://"),
        ("[database]\nurl = \"postgres://db.example/x?sslmode=maybe\"", 5, "verify-full"),
        ("[database]\nurl = \"postgres://db.example/x?sslmod=require\"", 5, "sslmod;"),
        ("[database]\nurl = \"postgres://db.example/x\"\npassword_file = \"/no/such\"", 6, "/no/such"),
        ("[database]\nconnections = 0", 5, "connections is 0"),
        (
            "[[authorization_server.trusted_issuers]]\nissuer = \"https://idp.example\"\nkind = \"workload\"\n\
             jwks_uri = \"https://idp.example/jwks\"\n\
             rules = [{ client_id = \"ci\", subject = \"job\", scopes = [\"notes:raed\"] }]",
            4,
            "`notes:raed`",
        ),
    ] {
        let file = file(&format!(
            "listen = \"localhost:0\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n{settings}\n"
        ));
        let path = file.path().to_str().unwrap();
        for args in [&["config", "check", path][..], &["--config", path, "serve"]] {
            let output = run(data.path(), args);
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{args:?}: {text}");
            assert!(text.contains(&format!("{path}:{line}: ")) && text.contains(what), "{args:?}: {text}");
            assert!(!text.contains("sesame"), "{text}");
        }
    }
}

#[test]
fn where_the_server_is_named_wrongly_the_line_is_told() {
    let data = tempfile::tempdir().unwrap();
    for (text, line, what) in [
        ("[server]\nupstream = \"http://a.example/mcp\"\ncommand = [\"sh\"]", 3, "both set"),
        ("[server]\nupstream = \"ftp://a.example/mcp\"", 2, "http or https"),
        ("[server]\nupstream = \"http://u:p@a.example/mcp\"", 2, "user name or a password"),
        ("[server]\ncommand = [\"no-such-program-here\"]", 2, "no-such-program-here"),
        ("public_url = \"http://a.example\"\n[server]\nupstream = \"http://b.example/mcp\"", 1, "plain http"),
    ] {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let output = run(data.path(), &["config", "check", path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(&format!("{path}:{line}: ")) && said.contains(what), "{said}");
    }
}

/// Of several servers, the audience tells which one a token of hallpass itself is for.
#[test]
fn a_token_for_another_server_is_not_allowed() {
    let data = tempfile::tempdir().unwrap();
    let rules = file(
        "public_url = \"https://mcp.example.com\"\n\
         [servers.notes]\nupstream = \"http://localhost:1/mcp\"\nscopes.default = [\"read\"]\n\
         [servers.mail]\nupstream = \"http://localhost:2/mcp\"\nscopes.default = [\"read\"]\n",
    );
    let issuer = hallpass_testkit::issuer::TestIssuer::new("https://mcp.example.com");
    let now = hallpass_protocol::Timestamp::from_unix(1);
    let token = issuer.token("https://mcp.example.com/notes/mcp", "read", now);
    let config = rules.path().to_str().unwrap();
    for (server, code, says) in
        [("notes", 0, "Allowed."), ("mail", 1, "the token is for https://mcp.example.com/notes/mcp, not for")]
    {
        let args =
            ["policy", "explain", "--config", config, "--server", server, "--tool", "list", "--token", "-"];
        let output = run_with_input(data.path(), &args, &token);
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(says), "{text}");
    }
}
