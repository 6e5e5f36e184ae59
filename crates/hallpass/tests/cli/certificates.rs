//! Certificate-bound tokens (RFC 8705) over TLS that ends at hallpass, with curl as the client.

use hallpass_protocol::certificate::{from_pem, thumbprint};
use hallpass_testkit::tls::Authority;
use serde_json::json;

use crate::outside::House;

/// RFC 8705 §3: with the certificate that it is bound to, and with no other, a token opens. Another token opens with any
/// certificate, and with none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_bound_to_a_certificate_opens_with_that_certificate_alone() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    let keep = |name: &str, host: &str| {
        let issued = authority.issue(&[host]);
        std::fs::write(folder.path().join(format!("{name}.pem")), &issued.chain).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), &issued.key).unwrap();
        thumbprint(&from_pem(&issued.chain).unwrap())
    };
    keep("server", "localhost");
    let bound_to = keep("agent", "agent.example");
    keep("other", "agent.example");
    let here = folder.path().display();
    let tls = format!(
        "[tls]\ncertificate = \"{here}/server.pem\"\nkey = \"{here}/server.key\"\nclient_certificates = \"any\""
    );
    let house = House::with("", &tls).await;
    let mut claims = house.claims("notes:read");
    let plain = house.outside.issuer.sign(&claims);
    claims["cnf"] = json!({"x5t#S256": bound_to});
    let bound = house.outside.issuer.sign(&claims);
    let curl = |token: &str, certificate: Option<&str>, field: Option<&str>| {
        let mut curl = std::process::Command::new("curl");
        curl.current_dir(folder.path()).args([
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
        ]);
        curl.args(["--cacert", "ca.pem", "--data", "{}", &house.endpoint]);
        curl.args(["--header", &format!("Authorization: Bearer {token}")]);
        if let Some(name) = certificate {
            curl.args(["--cert", &format!("{name}.pem"), "--key", &format!("{name}.key")]);
        }
        if let Some(field) = field {
            curl.args(["--header", field]);
        }
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    let chain = std::fs::read_to_string(folder.path().join("agent.pem")).unwrap();
    let base64: String = chain.lines().filter(|line| !line.starts_with("--")).collect();
    let said = format!("Client-Cert: :{base64}:");
    for (token, certificate, field, expected) in [
        (&bound, Some("agent"), None, "200"),
        (&bound, Some("other"), None, "401"),
        (&bound, None, None, "401"),
        // From whoever is no listed proxy the field is nothing (RFC 9440 §4).
        (&bound, None, Some(said.as_str()), "401"),
        (&bound, Some("other"), Some(&said), "401"),
        (&plain, Some("other"), None, "200"),
        (&plain, None, None, "200"),
    ] {
        assert_eq!(curl(token, certificate, field), expected, "{certificate:?} {:?}", field.is_some());
    }
    assert_eq!(house.upstream.received().len(), 3);
}
