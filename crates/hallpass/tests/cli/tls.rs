//! TLS that ends at hallpass itself, with curl as the client.

use std::path::Path;
use std::process::Command;

use crate::program::{Serving, run, said};
use hallpass_testkit::tls::{Authority, BasicConstraints, CertificateParams, IsCa, Issued};

/// Files with a certificate and its key.
fn keep(folder: &Path, name: &str, issued: &Issued) {
    std::fs::write(folder.join(format!("{name}.pem")), &issued.chain).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), &issued.key).unwrap();
}

fn configuration(folder: &Path, tls: &str) -> String {
    let here = folder.display();
    let text = format!(
        "listen = \"localhost:0\"\n[tls]\ncertificate = \"{here}/server.pem\"\nkey = \"{here}/server.key\"\n{tls}\n\
         [server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.credentials]\ncertificates = [\
         {{ authority = \"{here}/ca.pem\", name = \"agent.example\", scopes = [\"mcp\"] }}]\n"
    );
    let path = folder.join("hallpass.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Past the door is a 502: nothing listens behind it.
#[test]
fn curl_shows_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    for (name, issued) in [
        ("server", authority.issue(&["localhost"])),
        ("agent", authority.issue(&["agent.example"])),
        ("other", authority.issue(&["other.example"])),
        ("foreign", stranger.issue(&["agent.example"])),
    ] {
        keep(folder.path(), name, &issued);
    }
    let of_authority = format!("client_certificates = [\"{}/ca.pem\"]", folder.path().display());
    for (asks, agent, foreign) in
        [("", "401", "401"), ("client_certificates = \"any\"", "502", "401"), (&*of_authority, "502", "000")]
    {
        let data = tempfile::tempdir().unwrap();
        let config = configuration(folder.path(), asks);
        let mut serving = Serving::start(data.path(), &["--config", &config]);
        let endpoint = serving.value_of("MCP endpoint");
        assert!(endpoint.starts_with("https://localhost:"), "{endpoint}");
        let curl = |who: &[&str]| {
            let usual = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--data", "{}"];
            let output = Command::new("curl")
                .current_dir(folder.path())
                .args(usual)
                .args(["--cacert", "ca.pem", &endpoint])
                .args(who)
                .output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        assert_eq!(curl(&[]), "401", "{asks}");
        assert_eq!(curl(&["--cert", "agent.pem", "--key", "agent.key"]), agent, "{asks}");
        assert_eq!(curl(&["--cert", "other.pem", "--key", "other.key"]), "401", "{asks}");
        assert_eq!(curl(&["--cert", "foreign.pem", "--key", "foreign.key"]), foreign, "{asks}");
    }
}

#[test]
fn what_cannot_serve_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    keep(folder.path(), "server", &authority.issue(&["localhost"]));
    let refused = |asks: &str, word: &str| {
        let config = configuration(folder.path(), asks);
        let output = run(folder.path(), &["config", "check", &config]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(word), "{text}");
    };
    refused("client_certificates = \"some\"", "line 5");
    refused("client_certificates = [\"/nowhere.pem\"]", "/nowhere.pem");
    let key = format!("client_certificates = [\"{}/server.key\"]", folder.path().display());
    refused(&key, "holds no certificate");
    std::fs::copy(folder.path().join("ca.pem"), folder.path().join("server.pem")).unwrap();
    refused("", "cannot be used together");
}

/// At the authorization server of the same process: who a client is, and what its token is bound to.
#[test]
fn curl_gets_a_token_that_its_certificate_alone_can_use() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    for name in ["localhost", "agent.example", "other.example"] {
        let short = name.split('.').next().unwrap().replace("localhost", "server");
        keep(folder.path(), &short, &authority.issue(&[name]));
    }
    let here = folder.path().display();
    let asks = format!(
        "client_certificates = [\"{here}/ca.pem\"]\n[authorization_server.mutual_tls]\nauthorities = [\"{here}/ca.pem\"]"
    );
    let config = configuration(folder.path(), &asks);
    let data = tempfile::tempdir().unwrap();
    let add = ["client", "add", "--id", "agent", "--grant", "client_credentials", "--certificate"];
    let args = [&["--config", &config][..], &add, &["dns=agent.example", "--certificate-bound"]].concat();
    said(&run(data.path(), &args));
    let mut serving = Serving::start(data.path(), &["--config", &config]);
    let endpoint = serving.value_of("MCP endpoint");
    let curl = |args: &[&str]| {
        let output = Command::new("curl")
            .current_dir(folder.path())
            .args(["--silent", "--cacert", "ca.pem"])
            .args(args)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let token = endpoint.replace("/mcp", "/token");
    let form = ["--data", "grant_type=client_credentials&client_id=agent", &token];
    for who in [&["--cert", "other.pem", "--key", "other.key"][..], &[]] {
        let refused = curl(&[who, &form].concat());
        assert!(refused.contains("invalid_client"), "{refused}");
    }
    let agent = ["--cert", "agent.pem", "--key", "agent.key"];
    let tokens: serde_json::Value = serde_json::from_str(&curl(&[&agent[..], &form].concat())).unwrap();
    let bearer = format!("authorization: Bearer {}", tokens["access_token"].as_str().unwrap());
    let call = [
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        "--header",
        &bearer,
        "--data",
        "{}",
        &endpoint,
    ];
    // Past the door is a 502.
    assert_eq!(curl(&[&agent[..], &call].concat()), "502");
    assert_eq!(curl(&call), "401");
}

/// Renewed by whoever renews certificates: the files change, and the process goes on.
#[cfg(unix)]
#[test]
fn a_certificate_is_renewed_while_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, next) = (Authority::new(), Authority::new());
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.path().join("next.pem"), next.pem()).unwrap();
    keep(folder.path(), "server", &authority.issue(&["localhost"]));
    let config = configuration(folder.path(), "");
    let data = tempfile::tempdir().unwrap();
    let mut serving = Serving::start_heard(data.path(), &["--config", &config]);
    let endpoint = serving.value_of("MCP endpoint");
    serving.line_with("Ctrl-C");
    let trusted = |authority: &str| {
        let asks = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--data", "{}"];
        let mut curl = Command::new("curl");
        let curl = curl.current_dir(folder.path()).args(asks).args(["--cacert", authority, &endpoint]);
        let output = curl.output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert_eq!((trusted("ca.pem").as_str(), trusted("next.pem").as_str()), ("401", "000"));
    // What cannot serve changes nothing, and says why.
    std::fs::write(folder.path().join("server.pem"), "no certificate").unwrap();
    serving.line_with("the former one is served on");
    assert_eq!(trusted("ca.pem"), "401");
    keep(folder.path(), "server", &next.issue(&["localhost"]));
    serving.line_with("New connections get the certificate");
    assert_eq!((trusted("ca.pem").as_str(), trusted("next.pem").as_str()), ("000", "401"));
    // Asked for, it is read whether it has changed or not.
    let before = serving.lines_so_far().len();
    serving.signal("HUP");
    let renewed = serving.next_line_with("New connections get the certificate", before);
    assert!(renewed.contains("server.pem"), "{renewed}");
    assert_eq!(trusted("next.pem"), "401", "it goes on");
    assert_eq!(serving.terminate(), Some(0));
}

/// An authority's own certificate, shown as a server's: what a newcomer makes with one line of openssl.
#[test]
fn a_doctor_says_in_words_that_a_certificate_is_an_authoritys() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    let signs = authority.issue_with(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.subject_alt_names =
            CertificateParams::new(["localhost".to_owned()]).unwrap().subject_alt_names;
    });
    keep(folder.path(), "server", &signs);
    let config = configuration(folder.path(), "");
    let data = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(data.path(), &["--config", &config]);
    let endpoint = serving.value_of("MCP endpoint");
    let ca = folder.path().join("ca.pem");
    let output = run(data.path(), &["doctor", &endpoint, "--ca-file", ca.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("CA:TRUE") && told.contains("CA:FALSE") && !told.contains("CaUsedAsEndEntity"),
        "{told}"
    );
}
