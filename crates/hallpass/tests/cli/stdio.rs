//! `serve` before a command: for whom there is one process, and what it finds in its environment. And TLS towards upstream.

use std::io::Write;

use hallpass_testkit::tls::self_signed;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::program::{Serving, command, run, said};

/// An MCP server that answers every request with its number and four of its variables.
const SERVER: &str = r#"while read -r line; do
id=${line#*\"id\":}; id=${id%%[,\}]*}
case $line in *\"id\"*) echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"pid\":$$,\"a\":\"$A\",\"b\":\"$B\",\"c\":\"$C\",\"d\":\"$D\"}}";; esac
done"#;

/// A session; what its server's process says of itself.
async fn about(endpoint: &str, key: &str) -> Value {
    let http = reqwest::Client::new();
    let post = |body: Value| {
        http.post(endpoint)
            .bearer_auth(key)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.to_string())
    };
    let params =
        json!({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}});
    let begun =
        post(json!({"jsonrpc":"2.0","id":0,"method":"initialize","params":params})).send().await.unwrap();
    assert_eq!(begun.status(), StatusCode::OK);
    let session = begun.headers()["mcp-session-id"].clone();
    let ping = json!({"jsonrpc":"2.0","id":7,"method":"ping"});
    let answer: Value = serde_json::from_str(
        &post(ping).header("mcp-session-id", session).send().await.unwrap().text().await.unwrap(),
    )
    .unwrap();
    assert_eq!(answer["id"], 7);
    answer["result"].clone()
}

#[tokio::test]
async fn processes_are_shared_as_the_file_says_and_see_what_it_names() {
    for (process, shared) in [("session", false), ("user", true), ("shared", true)] {
        let data = tempfile::tempdir().unwrap();
        let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        // Beside the configuration, from wherever hallpass is started.
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "s3cret").unwrap();
        let secret = file.path().file_name().unwrap().to_str().unwrap();
        write!(
            config,
            r#"
listen = "localhost:0"
[server]
command = ["sh", "-c", '''{SERVER}''']
process = "{process}"
environment = {{ A = "said", B = {{ inherit = true }}, D = {{ file = "{secret}" }} }}
process_limits = {{ processes = 4, memory = "512MB", idle = "5m", call = "1m" }}
credentials = {{ api_keys = true }}
"#
        )
        .unwrap();
        let path = config.path().to_str().unwrap();
        let key = said(&run(data.path(), &["--config", path, "key", "add", "ci", "--scope", "mcp"]))
            .trim()
            .to_owned();
        let mut serve = command(data.path(), &["serve", "--config", path]);
        let mut serving = Serving::spawn(serve.env("B", "handed on").env("C", "hidden"));
        let endpoint = serving.value_of("MCP endpoint");
        let (one, two) = (about(&endpoint, &key).await, about(&endpoint, &key).await);
        assert_eq!(one["pid"] == two["pid"], shared, "{process}");
        let said = ["a", "b", "c", "d"].map(|name| one[name].clone());
        assert_eq!(said, ["said", "handed on", "", "s3cret"]);
    }
}

#[test]
fn what_cannot_be_run_so_is_told_with_its_line() {
    let data = tempfile::tempdir().unwrap();
    for (settings, line, what) in [
        ("process = \"all\"", 3, "session"),
        ("process = \"shared\"\nenvironment = { A = { claim = \"email\" } }", 4, "no claim"),
        ("environment = { A = { secret = \"x\" } }", 3, "inherit = true"),
        ("environment = { A = 1 }", 3, "inherit = true"),
        ("environment = { A = { file = \"nowhere\" } }", 3, "nowhere can't be what a variable holds"),
        ("user = \"no-such-user-here\"", 3, "no user no-such-user-here"),
        ("group = \"daemon\"", 3, "user is not"),
        ("process_limits = { memory = \"1GiB\" }", 3, "no size"),
        ("process_limits = { processes = 0 }", 3, "nonzero"),
    ] {
        let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        write!(config, "[server]\ncommand = [\"sh\"]\n{settings}\n").unwrap();
        let path = config.path().to_str().unwrap();
        let output = run(data.path(), &["config", "check", path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{settings}: {said}");
        let place = [format!("{path}:{line}: "), format!("at line {line}, ")];
        assert!(place.iter().any(|place| said.contains(place)) && said.contains(what), "{settings}: {said}");
    }
}

/// How upstream is spoken to: what would come to nothing is told with its place.
#[test]
fn how_upstream_is_spoken_to_is_judged_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let http = "upstream = \"http://localhost:1/sse\"";
    for (settings, what) in [
        (format!("{http}\nupstream_transport = \"sse\"\nupstream_http = \"2\""), None),
        (format!("{http}\nupstream_transport = \"streamable-http\"\nlisting = \"hide\""), None),
        (
            format!("{http}\nupstream_transport = \"sse\"\nlisting = \"hide\""),
            Some("nothing is left out of lists"),
        ),
        (
            "command = [\"sh\"]\nupstream_transport = \"sse\"".to_owned(),
            Some("upstream_transport is set, and no"),
        ),
        ("command = [\"sh\"]\nupstream_http = \"2\"".to_owned(), Some("upstream_http is set, and no")),
        (format!("{http}\nupstream_http = \"3\""), Some("`1.1` or `2`")),
    ] {
        let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        write!(config, "[server]\n{settings}\n").unwrap();
        let output = run(data.path(), &["config", "check", config.path().to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), what.is_none(), "{settings}: {said}");
        assert!(what.is_none_or(|what| said.contains(what)), "{settings}: {said}");
    }
}

/// TLS towards upstream: what cannot be used is told with its file and its fault.
#[test]
fn tls_towards_upstream_is_judged_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (self_signed(|_| {}), self_signed(|_| {}));
    for (name, text) in [
        ("ca.pem", &one.chain),
        ("one.key", &one.key),
        ("other.key", &other.key),
        ("empty.pem", &String::new()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (url, settings, what) in [
        ("https", "ca = \"ca.pem\"", None),
        ("https", "ca = \"ca.pem\"\ncertificate = \"ca.pem\"\nkey = \"one.key\"", None),
        ("http", "ca = \"ca.pem\"", Some("write https")),
        ("https", "", Some("says nothing")),
        ("https", "ca = \"nowhere.pem\"", Some("can't read nowhere.pem")),
        ("https", "ca = \"empty.pem\"", Some("empty.pem: there is no certificate")),
        ("https", "certificate = \"ca.pem\"", Some("key is not")),
        ("https", "certificate = \"ca.pem\"\nkey = \"ca.pem\"", Some("ca.pem: there is no private key")),
        (
            "https",
            "certificate = \"ca.pem\"\nkey = \"other.key\"",
            Some("ca.pem and other.key: certificate and key"),
        ),
    ] {
        let text =
            format!("[server]\nupstream = \"{url}://localhost:1/mcp\"\n[server.upstream_tls]\n{settings}\n");
        std::fs::write(folder.path().join("hallpass.toml"), text).unwrap();
        let mut check = command(folder.path(), &["config", "check", "hallpass.toml"]);
        let output = check.current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), what.is_none(), "{settings}: {said}");
        assert!(what.is_none_or(|what| said.contains(what)), "{settings}: {said}");
    }
}
