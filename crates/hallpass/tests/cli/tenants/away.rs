//! A tenant whose database is away keeps no other from serving.

use std::io::Write;

use hallpass_testkit::database::Cluster;
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;

use super::{SECRET, furnish, server};
use crate::house::free_port;
use crate::program::Serving;

/// Its database is not there when the process starts, comes, and goes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_go_on_while_the_database_of_one_is_away() {
    let (upstream, port, data) = (Upstream::start().await, free_port(), tempfile::tempdir().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new_in(folder.path());
    let monitoring = free_port();
    let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        config,
        "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n\
         monitoring.listen = \"127.0.0.1:{monitoring}\"\n{}{}[tenants.globex.database]\nurl = \"{}\"\n",
        server("acme", &upstream),
        server("globex", &upstream),
        cluster.url(),
    )
    .unwrap();
    for tenant in ["acme", "globex"] {
        furnish(data.path(), config.path(), tenant);
    }
    cluster.crash();
    let mut serving = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
    serving.line_with("Ctrl-C");
    let http = reqwest::Client::new();
    let base = |tenant: &str| format!("http://localhost:{port}/t/{tenant}");
    let ask = async |tenant: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
        http.post(format!("{}/token", base(tenant))).form(&form).send().await.unwrap().status()
    };
    let ready = async || {
        let answer = http.get(format!("http://localhost:{monitoring}/readyz")).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    for path in [
        format!("{}/jwks", base("globex")),
        format!("{}/notes/mcp", base("globex")),
        format!("{}/", base("globex")),
        format!("http://localhost:{port}/.well-known/oauth-protected-resource/t/globex/notes/mcp"),
        format!("http://localhost:{port}/.well-known/oauth-authorization-server/t/globex"),
    ] {
        let answer = http.get(&path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
    }
    assert_eq!(ask("acme").await, StatusCode::OK);
    assert_eq!(ready().await.0, StatusCode::OK);

    cluster.start();
    while ask("globex").await != StatusCode::OK {}
    assert_eq!(ready().await, (StatusCode::OK, "ready\n".to_owned()));

    // It answers nothing any more, and the others do not wait for it.
    cluster.freeze(true);
    // A token for the robot itself is signed by what is remembered; a device is written down.
    let globex = tokio::spawn({
        let (http, url) = (http.clone(), format!("{}/device_authorization", base("globex")));
        async move { http.post(url).form(&[("client_id", "ide")]).send().await.unwrap().status() }
    });
    for _ in 0..20 {
        assert_eq!(ask("acme").await, StatusCode::OK);
    }
    assert_eq!(ready().await, (StatusCode::OK, "ready, without the database of globex\n".to_owned()));
    assert_eq!(globex.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    cluster.freeze(false);
    while ask("globex").await != StatusCode::OK {}
}
