//! `hallpass key`, and a server that takes what it made.

use std::io::Write;
use std::path::Path;

use crate::program::{Serving, run, run_with_input, said};
use reqwest::StatusCode;

fn file(credentials: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        file,
        "listen = \"localhost:0\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n{credentials}\n"
    )
    .unwrap();
    file
}

fn add(data: &Path, args: &[&str]) -> String {
    said(&run(data, &[&["key", "add"], args].concat())).trim().to_owned()
}

async fn status(endpoint: &str, name: &str, value: &str) -> StatusCode {
    let request = reqwest::Client::new().post(endpoint).header(name, value).body("{}");
    request.send().await.unwrap().status()
}

/// Asks until the answer is that one; a test that waits for ever is ended and fails.
async fn until(endpoint: &str, key: &str, expected: StatusCode) {
    while status(endpoint, "x-api-key", key).await != expected {}
}

/// Past the door is a 502: nothing listens behind it.
#[tokio::test]
async fn a_key_opens_until_it_is_revoked() {
    let data = tempfile::tempdir().unwrap();
    let config = file("[server.credentials]\napi_keys = true\nbasic = true");
    let mut serving = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
    let endpoint = serving.value_of("MCP endpoint");
    let key = add(data.path(), &["ci", "--scope", "mcp", "--expires", "90d"]);
    assert!(key.starts_with("hpk_") && key.len() == 47, "{key}");
    // The database is looked at once a second.
    until(&endpoint, &key, StatusCode::BAD_GATEWAY).await;
    assert_eq!(status(&endpoint, "authorization", &format!("Bearer {key}")).await, StatusCode::BAD_GATEWAY);

    let list = said(&run(data.path(), &["key", "list"]));
    assert!(list.contains("ci") && list.contains("mcp") && list.contains("days"), "{list}");
    said(&run(data.path(), &["key", "revoke", "ci"]));
    until(&endpoint, &key, StatusCode::UNAUTHORIZED).await;
}

/// Whoever has the database alone has nobody's key or password: H(A1) of Digest is as good as one.
#[test]
fn nothing_that_opens_stands_in_the_data_folder_in_the_clear() {
    let data = tempfile::tempdir().unwrap();
    let config = file("[server.credentials]\nrealm = \"notes\"\ndigest = [\"SHA-256\"]");
    let config = config.path().to_str().unwrap();
    let key = add(data.path(), &["ci"]);
    let args = ["--config", config, "key", "add", "meter", "--as", "digest", "--password-stdin"];
    said(&run_with_input(data.path(), &args, "correct horse battery\n"));
    let password = hallpass_protocol::Secret::new("correct horse battery");
    let ha1 = hallpass_protocol::digest::DigestAlgorithm::Sha256.ha1("meter", "notes", &password);
    let hash = {
        use base64::Engine;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(hash)
    };
    let mut files = 0;
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [&key[4..], ha1.expose(), &hash, "correct horse battery"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
        files += 1;
    }
    assert!(files >= 2, "the database and its key");
}

/// curl is a client that nobody here wrote.
#[test]
fn curl_logs_in_with_digest_and_basic() {
    let data = tempfile::tempdir().unwrap();
    let config = file(
        "[server.credentials]\nrealm = \"notes\"\nbasic = true\ndigest = [\"SHA-256\", \"SHA-512-256\"]",
    );
    let config = config.path().to_str().unwrap();
    for (name, how) in [("digest", "digest"), ("basic", "basic")] {
        let args =
            ["--config", config, "key", "add", name, "--as", how, "--password-stdin", "--scope", "mcp"];
        said(&run_with_input(data.path(), &args, "correct horse battery\n"));
    }
    let mut serving = Serving::start(data.path(), &["--config", config]);
    let endpoint = serving.value_of("MCP endpoint");
    let curl = |args: &[&str]| {
        let usual =
            ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--data", "{}", &endpoint];
        let output = std::process::Command::new("curl").args(args).args(usual).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for (args, expected) in [
        (["--digest", "--user", "digest:correct horse battery"], "502"),
        (["--digest", "--user", "digest:wrong"], "401"),
        (["--basic", "--user", "basic:correct horse battery"], "502"),
        (["--basic", "--user", "basic:wrong"], "401"),
        (["--basic", "--user", "digest:correct horse battery"], "401"),
    ] {
        assert_eq!(curl(&args), expected, "{args:?}");
    }
}

#[test]
fn a_name_is_there_once_and_a_secret_is_no_argument() {
    let data = tempfile::tempdir().unwrap();
    let nothing = run(data.path(), &["key", "revoke", "ci"]);
    assert_eq!(nothing.status.code(), Some(3), "not a folder of hallpass's");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    let added = run(data.path(), &["key", "add", "ci"]);
    assert!(String::from_utf8_lossy(&added.stderr).contains("ci has no scope"));
    for (args, code, word) in [
        (&["key", "add", "ci"][..], 1, "there is ci already"),
        (&["key", "add", "a:b"], 1, "a name has"),
        (&["key", "add", "x", "--password", "secret"], 2, "--password"),
        (&["key", "add", "x", "--as", "digest", "--password-stdin"], 1, "standard input"),
        (&["key", "revoke", "nobody"], 1, "there is no nobody"),
    ] {
        let output = run(data.path(), args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(word), "{args:?}: {text}");
    }
}

#[test]
fn mistakes_in_credentials_name_file_and_line() {
    let data = tempfile::tempdir().unwrap();
    for (credentials, what) in [
        (
            "[server.credentials]\ncertificates = [{ authority = \"/nowhere.pem\", name = \"*\", scopes = [\"mcp\"] }]",
            "/nowhere.pem",
        ),
        ("[[server.issuers]]\nissuer = \"http://login.example.com\"", "can't be an issuer"),
        ("[[server.issuers]]\nissuer = \"https://login.example.com\"\nalgorithms = [\"HS256\"]", "HS256"),
        (
            "[[server.issuers]]\nissuer = \"https://login.example.com\"\nintrospection = { client_id = \"x\" }",
            "secret_file",
        ),
        ("[server.credentials]\ndigest = [\"SHA-1\"]", "SHA-1"),
    ] {
        let config = file(credentials);
        let path = config.path().to_str().unwrap();
        let output = run(data.path(), &["config", "check", path]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(path) && text.contains(what), "{text}");
        assert!(text.contains(":4:") || text.contains(":5:") || text.contains("line 5"), "{text}");
    }
}

/// Of two entries only one would count, and nobody could tell which.
#[test]
fn an_issuer_is_there_once() {
    let data = tempfile::tempdir().unwrap();
    let entry = |issuer: &str| format!("[[server.issuers]]\nissuer = \"{issuer}\"\n");
    let twice = entry("https://login.example.com").repeat(2);
    let embedded = "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n";
    let external = format!("{embedded}arrangement = \"external\"\n");
    let named = "public_url = \"https://mcp.example.com\"\n";
    let own = entry("https://mcp.example.com");
    let tenants = "[[server.issuers]]\nprofile = \"entra\"\ntenants = [\"7a1e\", \"7a1e\"]\n";
    for (lines, what) in [
        (format!("{embedded}{twice}"), Some("twice")),
        (format!("{embedded}{tenants}"), Some("twice")),
        (format!("{external}{twice}"), Some("twice")),
        (format!("{named}{embedded}{own}"), Some("this server itself")),
        (
            format!("listen = \"127.0.0.1:8123\"\n{embedded}{}", entry("http://localhost:8123")),
            Some("this server itself"),
        ),
        (format!("{named}{external}{own}"), None),
        (format!("{embedded}{}{own}", entry("https://login.example.com")), None),
    ] {
        let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        config.write_all(lines.as_bytes()).unwrap();
        let path = config.path().to_str().unwrap();
        let output = run(data.path(), &["config", "check", path]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        match what {
            None => assert_eq!(output.status.code(), Some(0), "{lines}{text}"),
            Some(what) => {
                assert_eq!(output.status.code(), Some(3), "{lines}{text}");
                assert!(text.contains(&format!("{path}:")) && text.contains(what), "{lines}{text}");
            }
        }
    }
}

/// A slip of the pen shows at once where the configuration is at hand; without it, that nobody looked is said.
#[test]
fn scopes_and_resources_are_those_of_the_configuration() {
    let data = tempfile::tempdir().unwrap();
    let config = file(
        "[server.credentials]\napi_keys = true\n[server.scopes]\n\"notes:read\" = {}\n[server.tools]\n\"write_*\" = { scopes = [\"notes:write\"] }",
    );
    let text = std::fs::read_to_string(config.path()).unwrap();
    std::fs::write(config.path(), format!("public_url = \"https://mcp.example.com\"\n{text}")).unwrap();
    let config = config.path().to_str().unwrap();
    let client = ["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/callback"];
    for (args, word) in [
        (&["key", "add", "ci", "--scope", "notes:raed"][..], "notes:read, notes:write"),
        (&[&client[..], &["--scope", "notes:raed"]].concat(), "notes:read, notes:write"),
        (
            &[&client[..], &["--resource", "https://mcp.example.com/typo"]].concat(),
            "https://mcp.example.com/mcp",
        ),
    ] {
        let output = run(data.path(), &[&["--config", config], args].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(word), "{args:?}: {text}");
    }
    for args in [
        &["key", "add", "ci", "--scope", "notes:read", "--scope", "notes:write"][..],
        &[&client[..], &["--scope", "notes:write", "--resource", "https://mcp.example.com/mcp"]].concat(),
    ] {
        said(&run(data.path(), &[&["--config", config], args].concat()));
    }
    let unchecked = run(data.path(), &["key", "add", "other", "--scope", "anything"]);
    assert!(String::from_utf8_lossy(&unchecked.stderr).contains("not checked"));
}

#[test]
fn a_secret_of_a_machine_is_long() {
    let data = tempfile::tempdir().unwrap();
    let web = ["client", "add", "--id", "web", "--secret-stdin", "--grant", "client_credentials"];
    for args in [&["key", "add", "x", "--as", "basic", "--password-stdin"][..], &web] {
        let output = run_with_input(data.path(), args, "x\n");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
        assert!(text.contains("could be guessed"), "{args:?}: {text}");
    }
}

#[test]
fn a_list_says_which_tenant_and_what_upstream_hears() {
    let data = tempfile::tempdir().unwrap();
    add(data.path(), &["ci", "--tenant", "acme"]);
    let listed: serde_json::Value =
        serde_json::from_str(&said(&run(data.path(), &["key", "list", "--json"]))).unwrap();
    let table = said(&run(data.path(), &["key", "list"]));
    assert!(table.contains("acme") && table.contains(listed[0]["id"].as_str().unwrap()), "{table}");
}

/// What would open nothing is refused, with what to do; what `serve` takes where nothing is said is taken here, too.
#[test]
fn what_would_open_nothing_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        config,
        "[servers.notes]\nupstream = \"http://localhost:3000/mcp\"\n[servers.out]\narrangement = \"external\"\n\
         upstream = \"http://localhost:3001/mcp\"\nissuers = [{{ issuer = \"https://login.example.com\" }}]\n",
    )
    .unwrap();
    let config = config.path().to_str().unwrap();
    let client = ["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/callback"];
    for (args, says) in [
        (&["key", "add", "ci", "--server", "notes"][..], "api_keys = true in [servers.notes.credentials]"),
        (&["key", "add", "ci", "--server", "notes", "--as", "basic"], "basic = true"),
        (&["key", "add", "ci", "--server", "notes", "--as", "digest"], "digest = [\"SHA-256\"]"),
        (&[&client[..], &["--server", "out"]].concat(), "it is external"),
        (
            &[&client[..], &["--resource", "http://localhost:8080/out/mcp"]].concat(),
            "that server is external",
        ),
        (&[&client[..], &["--resource", "http://localhost:8080/typo"]].concat(), "the server is …/notes/mcp"),
    ] {
        let output = run(data.path(), &[&["--config", config], args].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
    let added = run(data.path(), &[&["--config", config], &client[..], &["--server", "notes"]].concat());
    let told = String::from_utf8_lossy(&added.stderr).into_owned();
    assert!(added.status.success() && told.contains("http://localhost:8080/notes/mcp"), "{told}");
}
