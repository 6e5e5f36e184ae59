//! Two replicas, two tenants, one PostgreSQL database with a schema for each.

use std::io::Write;

use hallpass_testkit::database::{DatabasePlace, TestDatabase};
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;
use serde_json::Value;

use super::{SECRET, furnish, server};
use crate::house::free_port;
use crate::program::{Serving, run, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_each_tenant_and_tenants_share_nothing() {
    let database = TestDatabase::postgres_alone();
    let DatabasePlace::Url(url) = database.place() else { panic!("asked for PostgreSQL") };
    let (upstream, data) = (Upstream::start().await, tempfile::tempdir().unwrap());
    let ports = [free_port(), free_port()];
    let public = format!("localhost:{}", ports[0]);
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        file,
        "public_url = \"http://{public}\"\n{}{}[database]\nurl = \"{url}\"\nconnections = 3\n",
        server("acme", &upstream),
        server("globex", &upstream),
    )
    .unwrap();
    let config = file.path().to_str().unwrap();
    // Both at once, on an empty database: one of them makes the schemas.
    let mut replicas = ports.map(|port| {
        Serving::start(data.path(), &["--config", config, "--listen", &format!("127.0.0.1:{port}")])
    });
    for replica in &mut replicas {
        replica.line_with("Ctrl-C");
    }
    for tenant in ["acme", "globex"] {
        furnish(data.path(), file.path(), tenant);
    }
    let http = reqwest::Client::new();
    let post = |at: usize, path: &str| {
        http.post(format!("http://127.0.0.1:{}{path}", ports[at])).header("host", &public)
    };
    let token = async |at: usize, tenant: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
        let answer = post(at, &format!("/t/{tenant}/token")).form(&form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let call = async |at: usize, tenant: &str, token: &str| {
        post(at, &format!("/t/{tenant}/notes/mcp"))
            .bearer_auth(token)
            .body("{}")
            .send()
            .await
            .unwrap()
            .status()
    };
    let acme = token(0, "acme").await;
    let globex = token(1, "globex").await;
    for at in [0, 1] {
        assert_eq!(call(at, "acme", &acme).await, StatusCode::OK);
        assert_eq!(call(at, "globex", &globex).await, StatusCode::OK);
        assert_eq!(call(at, "globex", &acme).await, StatusCode::UNAUTHORIZED);
        assert_eq!(call(at, "acme", &globex).await, StatusCode::UNAUTHORIZED);
    }
    let revoke = async |tenant: &str, token: &str| {
        let form = [("client_id", "robot"), ("client_secret", SECRET), ("token", token)];
        post(0, &format!("/t/{tenant}/revoke")).form(&form).send().await.unwrap()
    };
    // At another tenant it ends nothing; at its own, at every replica.
    revoke("globex", &acme).await;
    assert_eq!(call(1, "acme", &acme).await, StatusCode::OK);
    revoke("acme", &acme).await;
    for at in [0, 1] {
        while call(at, "acme", &acme).await != StatusCode::UNAUTHORIZED {}
        assert_eq!(call(at, "globex", &globex).await, StatusCode::OK);
    }
    let list =
        |tenant: &str| said(&run(data.path(), &["--config", config, "user", "list", "--tenant", tenant]));
    assert!(list("acme").contains("ada") && list("globex").contains("ada"));
    said(&run(data.path(), &["--config", config, "user", "remove", "ada", "--tenant", "acme"]));
    assert!(!list("acme").contains("ada") && list("globex").contains("ada"));
}
