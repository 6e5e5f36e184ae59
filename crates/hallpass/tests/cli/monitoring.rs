//! What orchestrators, load balancers and systemd are told.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use hallpass_testkit::database::{Cluster, DatabasePlace, TestDatabase};

use crate::program::{Serving, command};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn ask(port: u16, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A database that is away makes it unready, and does not make it sick: whoever starts it anew for that helps nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readyz_says_whether_the_database_answers() {
    let data = tempfile::tempdir().unwrap();
    let cluster = Cluster::new_in(data.path());
    let database = TestDatabase::within(&cluster);
    let DatabasePlace::Url(url) = database.place() else { panic!("asked for PostgreSQL") };
    let port = free_port();
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        file,
        "listen = \"localhost:0\"\n[monitoring]\nlisten = \"127.0.0.1:{port}\"\n\
         [server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[database]\nurl = \"{url}\"\n"
    )
    .unwrap();
    let mut serving = Serving::start(&data.path().join("data"), &["--config", file.path().to_str().unwrap()]);
    serving.line_with("Ctrl-C");
    assert_eq!(ask(port, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(ask(port, "/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(ask(port, "/mcp").await.0, 404);
    // Never-again 42: a page whose name leads to this machine by now.
    for (host, expected) in [("evil.example", 403), ("localhost", 200)] {
        let request = reqwest::Client::new().get(format!("http://127.0.0.1:{port}/metrics"));
        let answer = request.header("host", format!("{host}:{port}")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{host}");
    }

    let config = file.path().to_str().unwrap();
    let healthy = |args: &[&str]| {
        let output = command(data.path(), &[&["health"], args].concat()).output().unwrap();
        let (said, told) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        (output.status.code(), said, told)
    };
    assert_eq!(healthy(&["--config", config]), (Some(0), "ready\n".to_owned(), String::new()));
    assert_eq!(healthy(&[&format!("127.0.0.1:{port}")]).0, Some(0));

    cluster.crash();
    let (code, said, told) = healthy(&["--config", config, "--json"]);
    assert_eq!(code, Some(1), "{told}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["ready"], false, "{said}");
    assert!(
        said["says"].as_str().unwrap().contains("database") && told.contains("database"),
        "{said} {told}"
    );
    let (status, said) = ask(port, "/readyz").await;
    assert_eq!(status, 503);
    assert!(said.contains("database"), "{said}");
    assert_eq!(ask(port, "/healthz").await.0, 200);
    cluster.start();
    while ask(port, "/readyz").await.0 != 200 {}
}

/// Nobody there, and somebody who is no hallpass.
#[test]
fn health_is_bad_where_nobody_says_that_it_is_good() {
    let data = tempfile::tempdir().unwrap();
    let gone = format!("127.0.0.1:{}", free_port());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = silent.local_addr().unwrap().to_string();
    for (address, says) in [(&gone, "refused"), (&there, "no answer within 1s")] {
        let output = command(data.path(), &["health", address, "--timeout", "1s"]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(says) && told.contains(address), "{told}");
    }
    let file = data.path().join("hallpass.toml");
    std::fs::write(&file, format!("listen = \"{there}\"\n")).unwrap();
    let output = command(data.path(), &["health", "--config", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("connections are taken"));
}

/// `Type=notify`: READY once requests are taken, STOPPING when the end begins.
#[test]
fn systemd_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut serving = command(folder.path(), &["serve", "--demo", "--listen", "localhost:0"])
        .env("NOTIFY_SOCKET", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let told = || {
        let mut said = [0; 256];
        let length = socket.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).trim().to_owned()
    };
    assert_eq!(told(), "READY=1");
    let ended = Command::new("kill").args(["-TERM", &serving.id().to_string()]).status().unwrap();
    assert!(ended.success());
    assert_eq!(told(), "STOPPING=1");
    assert!(serving.wait().unwrap().success());
}
