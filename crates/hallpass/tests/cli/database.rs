//! Backups, the master key, and PostgreSQL, from the command line.

use std::io::Write;

use crate::program::{Serving, run, run_with_input, said};
use hallpass_testkit::database::{DatabasePlace, TestDatabase};

const PASSWORD: &str = "correct horse battery\n";

fn users(data: &std::path::Path) -> String {
    said(&run(data, &["user", "list"]))
}

#[test]
fn a_backup_is_put_back() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (data, copy) = (data.path(), elsewhere.path().join("copy.db"));
    let copy = copy.to_str().unwrap();
    said(&run_with_input(data, &["user", "add", "alice", "--password-stdin"], PASSWORD));
    let mut serving =
        Serving::start(data, &["--upstream", "http://127.0.0.1:1/mcp", "--listen", "localhost:0"]);
    serving.line_with("Ctrl-C");
    let told = said(&run(data, &["backup", copy]));
    assert!(told.contains("master.key"), "{told}");
    said(&run_with_input(data, &["user", "add", "bob", "--password-stdin"], PASSWORD));

    let refused = run(data, &["restore", copy]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("add --replace"));
    let refused = run(data, &["restore", copy, "--replace"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("stop it first"));
    drop(serving);
    let told = said(&run(data, &["restore", copy, "--replace"]));
    assert!(told.contains("log in again"), "{told}");
    assert!(users(data).contains("alice") && !users(data).contains("bob"));

    // The key comes first; none is made that would open nothing.
    let other = tempfile::tempdir().unwrap();
    let refused = run(other.path(), &["restore", copy]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("put the master.key"));
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0, "nothing is made");
    std::fs::copy(data.join("master.key"), other.path().join("master.key")).unwrap();
    said(&run(other.path(), &["restore", copy]));
    assert!(users(other.path()).contains("alice"));
}

/// A database that works goes on working.
#[test]
fn a_copy_of_another_house_replaces_nothing() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, other) = (data.path(), other.path());
    said(&run_with_input(data, &["user", "add", "alice", "--password-stdin"], PASSWORD));
    said(&run_with_input(other, &["user", "add", "bob", "--password-stdin"], PASSWORD));
    let copy = other.join("copy.db");
    let copy = copy.to_str().unwrap();
    said(&run(other, &["backup", copy]));
    let refused = run(data, &["restore", copy, "--replace"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{text}");
    assert!(text.contains("master.key") && text.contains(copy), "{text}");
    assert!(users(data).contains("alice") && !users(data).contains("bob"));

    // A database without its key gets no new one.
    std::fs::remove_file(data.join("master.key")).unwrap();
    let refused = run(data, &["user", "list"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(!data.join("master.key").exists());
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_not_the_end_of_the_house() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    said(&run_with_input(data.path(), &["user", "add", "alice", "--password-stdin"], PASSWORD));
    let key = data.path().join("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = String::from_utf8_lossy(&run(data.path(), &["user", "list"]).stderr).into_owned();
    for advice in ["chmod 600", "master-key rotate", "keys rotate --now"] {
        assert!(text.contains(advice), "{text}");
    }
}

#[test]
fn the_master_key_changes_and_everything_opens() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let args = ["--upstream", "http://127.0.0.1:1/mcp", "--listen", "localhost:0"];
    Serving::start(data, &args).line_with("Ctrl-C");
    let before = std::fs::read(data.join("master.key")).unwrap();
    let told = said(&run(data, &["master-key", "rotate"]));
    assert!(told.contains("former key"), "{told}");
    let both = std::fs::read(data.join("master.key")).unwrap();
    assert_eq!((both.len(), &both[32..]), (64, &before[..]));
    said(&run(data, &["master-key", "forget-former"]));
    assert_eq!(std::fs::read(data.join("master.key")).unwrap(), both[..32]);
    Serving::start(data, &args).line_with("Ctrl-C");
}

#[test]
fn it_serves_on_postgresql() {
    let database = TestDatabase::postgres();
    let DatabasePlace::Url(url) = database.place() else { panic!("asked for PostgreSQL") };
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let upstream = "http://127.0.0.1:1/mcp";
    write!(file, "[server]\nupstream = \"{upstream}\"\n[database]\nurl = \"{url}\"\nconnections = 3\n")
        .unwrap();
    let config = file.path().to_str().unwrap();
    said(&run_with_input(data, &["--config", config, "user", "add", "alice", "--password-stdin"], PASSWORD));
    assert!(said(&run(data, &["--config", config, "user", "list"])).contains("alice"));
    let mut serving = Serving::start(data, &["--config", config, "--listen", "localhost:0"]);
    serving.line_with("Ctrl-C");
    assert!(!data.join("hallpass.db").exists(), "nothing is in the folder but the key");
    let refused = run(data, &["--config", config, "backup", "/nowhere"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("pg_dump"));
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let mut password = tempfile::NamedTempFile::new().unwrap();
    writeln!(password, "sesame").unwrap();
    let said = |url: &str, file: &mut tempfile::NamedTempFile| {
        let path = password.path().display();
        file.as_file().set_len(0).unwrap();
        write!(file, "[database]\nurl = \"{url}\"\npassword_file = \"{path}\"\n").unwrap();
        let data = tempfile::tempdir().unwrap();
        let output = run(data.path(), &["-vv", "--config", file.path().to_str().unwrap(), "user", "list"]);
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let away = said("postgres://ada@localhost:1/hallpass", &mut file);
    assert!(away.contains("postgres://localhost:1/hallpass") && !away.contains("sesame"), "{away}");
    assert!(away.contains("connection refused"), "{away}");
}
