//! Two servers on one PostgreSQL database.

use std::io::Write;

use hallpass_protocol::dpop::Proof;
use hallpass_protocol::{Secret, SigningKey, Timestamp};
use hallpass_testkit::database::{DatabasePlace, TestDatabase};
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;
use serde_json::json;

use crate::house::free_port;
use crate::outside::Outside;
use crate::program::{Serving, run, said};

/// A key that is added opens at both, and a revoked one at neither; a nonce of either is good at both; a proof is good at one
/// of them, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_are_one_server() {
    let database = TestDatabase::postgres();
    let DatabasePlace::Url(url) = database.place() else { panic!("asked for PostgreSQL") };
    let (outside, upstream) = (Outside::start().await, Upstream::start().await);
    let data = tempfile::tempdir().unwrap();
    let ports = [free_port(), free_port()];
    let public = format!("localhost:{}", ports[0]);
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        file,
        "public_url = \"http://{public}\"\n[server]\nupstream = \"{}\"\n\
         [server.credentials]\napi_keys = true\ndpop_nonces = true\n\
         [[server.issuers]]\nissuer = \"{}\"\n[database]\nurl = \"{url}\"\nconnections = 3\n",
        upstream.url("/mcp"),
        outside.issuer.issuer,
    )
    .unwrap();
    let config = file.path().to_str().unwrap();
    let mut replicas = ports.map(|port| {
        Serving::start(data.path(), &["--config", config, "--listen", &format!("127.0.0.1:{port}")])
    });
    for replica in &mut replicas {
        replica.line_with("Ctrl-C");
    }
    let http = reqwest::Client::new();
    let send = async |at: usize, fields: &[(&str, &str)]| {
        let mut request = http.post(format!("http://127.0.0.1:{}/mcp", ports[at])).header("host", &public);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body("{}").send().await.unwrap()
    };

    let key = said(&run(data.path(), &["--config", config, "key", "add", "ci", "--scope", "mcp"]));
    let key = key.trim();
    for at in [0, 1] {
        while send(at, &[("x-api-key", key)]).await.status() != StatusCode::OK {}
    }
    said(&run(data.path(), &["--config", config, "key", "revoke", "ci"]));
    for at in [0, 1] {
        while send(at, &[("x-api-key", key)]).await.status() != StatusCode::UNAUTHORIZED {}
    }

    let (holder, endpoint) = (SigningKey::generate_es256().unwrap(), format!("http://{public}/mcp"));
    let now: Timestamp = std::time::SystemTime::now().into();
    let mut claims = outside.issuer.claims(&endpoint, "mcp", now);
    claims["cnf"] = json!({"jkt": holder.thumbprint()});
    let token = outside.issuer.sign(&claims);
    let (secret, url) = (Secret::new(token.as_str()), endpoint.parse().unwrap());
    let proof = |nonce: Option<&str>, jti: &str| {
        let access_token = Some(&secret);
        let proof = Proof { method: &reqwest::Method::POST, url: &url, access_token, nonce, jti, now };
        proof.sign(&holder).unwrap()
    };
    let authorization = format!("DPoP {token}");
    let show =
        async |at: usize, proof: &str| send(at, &[("authorization", &authorization), ("dpop", proof)]).await;
    let asked = show(0, &proof(None, "1")).await;
    assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
    let nonce = asked.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let good = proof(Some(&nonce), "2");
    assert_eq!(show(1, &good).await.status(), StatusCode::OK);
    for at in [0, 1] {
        assert_eq!(show(at, &good).await.status(), StatusCode::UNAUTHORIZED, "{at}");
    }
    assert_eq!(show(0, &proof(Some(&nonce), "3")).await.status(), StatusCode::OK);
}
