//! What the environment says, where it is of no use, and what is made without being asked for.

use std::process::{Output, Stdio};

use crate::program::{command, complained, run, run_with_input, said};

const URL: &str = "https://mcp.example/mcp";

fn with(args: &[&str], name: &str, value: &str) -> Output {
    let data = tempfile::tempdir().unwrap();
    let mut command = command(data.path(), args);
    command.env_remove("HALLPASS_PASSPHRASE").env(name, value);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_proxy_that_is_none_is_refused_by_the_name_of_its_variable() {
    for value in ["http://user:s3cret@", "garbage://"] {
        for command in ["login", "logout", "token", "doctor", "connect"] {
            let output = with(&[command, URL], "HTTPS_PROXY", value);
            let message = complained(&output);
            assert_eq!(output.status.code(), Some(3), "{command}: {message}");
            assert!(message.contains("HTTPS_PROXY in the environment"), "{command}: {message}");
            assert!(!message.contains("s3cret") && !message.contains("garbage"), "{message}");
        }
    }
    said(&with(&["logout", URL, "--no-proxy"], "HTTPS_PROXY", "garbage://"));
}

#[test]
fn a_variable_that_is_empty_says_nothing_of_the_token_store() {
    said(&with(&["accounts"], "HALLPASS_TOKEN_STORE", ""));
    let wrong = with(&["accounts"], "HALLPASS_TOKEN_STORE", "nowhere");
    assert_eq!(wrong.status.code(), Some(2), "{}", complained(&wrong));
}

#[test]
fn without_a_passphrase_the_variable_to_set_is_named_before_anything_is_done() {
    for command in ["login", "token", "logout"] {
        let output = with(&[command, URL, "--token-store", "passphrase"], "HALLPASS_PASSPHRASE", "");
        let message = complained(&output);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.contains("set HALLPASS_PASSPHRASE") && !message.contains("untouched"), "{message}");
    }
}

/// A slip of the pen in `--data` makes a new folder, with nobody in it.
#[test]
fn a_data_folder_that_had_to_be_made_is_named() {
    let parent = tempfile::tempdir().unwrap();
    for (folder, args, input) in [
        ("user", &["user", "add", "alice", "--password-stdin"][..], "correct horse battery staple\n"),
        ("client", &["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/callback"], ""),
        ("key", &["key", "add", "ci"], ""),
    ] {
        let data = parent.path().join(folder);
        let made = run_with_input(&data, args, input);
        said(&made);
        let told = format!("made a new data folder at {}", data.display());
        assert!(complained(&made).contains(&told), "{folder}: {}", complained(&made));
        assert!(!complained(&run_with_input(&data, args, input)).contains("made a new"), "{folder}");
    }
    let looked = run(&parent.path().join("none"), &["user", "list"]);
    assert!(!complained(&looked).contains("made a new"));
}

#[test]
fn what_is_no_message_is_answered_and_not_carried() {
    let data = tempfile::tempdir().unwrap();
    let output = run_with_input(data.path(), &["connect", "http://127.0.0.1:9/mcp"], "{}\n5\n\"x\"\n[]\n{\n");
    let answers: Vec<serde_json::Value> =
        said(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> = answers.iter().map(|answer| answer["error"]["code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [-32600, -32600, -32600, -32600, -32700]);
    assert!(answers.iter().all(|answer| answer["id"].is_null()), "{answers:?}");
}
