//! What the command line refuses, with which exit code and which words.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use crate::program::run;

const RUNTIME: i32 = 1;
const USAGE: i32 = 2;
const CONFIGURATION: i32 = 3;

/// Runs hallpass in a new data folder; it must end with `code` and say each of `words` on standard error.
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let data = tempfile::tempdir().unwrap();
    assert_refusal(&run(data.path(), args), code, words);
}

fn assert_refusal(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(
        &["serve", "--upstream", "http://127.0.0.1:1/mcp", "--listen", &address],
        RUNTIME,
        &[&address, "in use", "--listen"],
    );
}

#[test]
fn a_data_folder_that_is_no_folder() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for args in [&["serve", "--upstream", "http://127.0.0.1:1/mcp"][..], &["user", "list"]] {
        let output = run(file.path(), args);
        assert_refusal(&output, CONFIGURATION, &[file.path().to_str().unwrap(), "--data DIR"]);
    }
}

/// Who only looks makes nothing.
#[test]
fn a_data_folder_that_is_not_there() {
    let parent = tempfile::tempdir().unwrap();
    let missing = parent.path().join("nosuch");
    for args in [&["user", "list"][..], &["user", "disable", "x"], &["client", "list"]] {
        let output = run(&missing, args);
        assert_refusal(&output, CONFIGURATION, &[missing.to_str().unwrap(), "hallpass serve", "--data DIR"]);
        assert!(!missing.exists(), "{args:?}");
    }
}

/// Nor does who looks into a folder of something else, or of the client alone.
#[test]
fn a_data_folder_without_a_database() {
    let data = tempfile::tempdir().unwrap();
    for args in [
        &["user", "list"][..],
        &["user", "list", "--json"],
        &["user", "disable", "x"],
        &["client", "list"],
        &["keys", "list"],
        &["issuer", "list"],
        &["key", "list"],
        &["backup", "copy.db"],
        &["master-key", "rotate"],
    ] {
        let output = run(data.path(), args);
        assert_refusal(
            &output,
            CONFIGURATION,
            &["no database", data.path().to_str().unwrap(), "hallpass user add"],
        );
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "{args:?}");
    }
}

/// The folder that this user may not enter. Whoever runs as root may enter any, so it is a folder
/// in the kernel's own tree there, which nobody may write to.
#[test]
#[cfg(target_os = "linux")]
fn a_data_folder_that_may_not_be_written() {
    let add = ["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/callback"];
    let output = run(Path::new("/proc/sys/hallpass"), &add);
    assert_refusal(&output, CONFIGURATION, &["/proc/sys/hallpass", "--data DIR"]);
}

#[test]
fn broken_toml_names_line_and_column() {
    let broken = file("listen = \"localhost:0\"\n[server\nname = 1\n");
    let path = broken.path().to_str().unwrap();
    for args in [&["--config", path, "serve"][..], &["config", "check", path]] {
        refused(args, CONFIGURATION, &[path, "line 2, column 8"]);
    }
}

#[test]
fn an_unknown_setting_names_line_and_column() {
    let unknown = file("[server]\nupstraem = \"http://localhost:3000/mcp\"\n");
    let path = unknown.path().to_str().unwrap();
    refused(&["config", "check", path], CONFIGURATION, &["line 2, column 1", "upstraem"]);
}

#[test]
fn a_configuration_file_that_is_not_there() {
    refused(&["--config", "no-such-file.toml", "serve"], CONFIGURATION, &["no-such-file.toml"]);
}

#[test]
fn nothing_to_protect() {
    refused(&["serve"], CONFIGURATION, &["--upstream", "--demo"]);
}

#[test]
fn a_public_url_that_others_could_read() {
    let plain = "http://mcp.example.com";
    refused(
        &["serve", "--upstream", "http://127.0.0.1:1/mcp", "--public-url", plain],
        CONFIGURATION,
        &[plain, "--tls-in-front"],
    );
}

#[test]
fn a_public_url_that_is_no_origin() {
    refused(&["serve", "--demo", "--public-url", "https://mcp.example.com/mcp"], USAGE, &["server.path"]);
}

#[test]
fn an_unknown_option() {
    refused(&["serve", "--dmeo"], USAGE, &["--demo"]);
}

#[test]
fn a_password_never_comes_from_the_arguments() {
    refused(&["user", "add", "alice", "--password", "correct horse"], USAGE, &["--password"]);
}

#[test]
fn no_terminal_and_no_standard_input() {
    refused(&["user", "add", "alice"], RUNTIME, &["--password-stdin"]);
    // Nothing is made for a user who is not.
    let parent = tempfile::tempdir().unwrap();
    let missing = parent.path().join("nosuch");
    assert_refusal(&run(&missing, &["user", "add", "alice"]), RUNTIME, &["--password-stdin"]);
    assert!(!missing.exists());
    refused(&["user", "add", "alice", "--password-stdin"], RUNTIME, &["standard input"]);
}
