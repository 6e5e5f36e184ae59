//! `[tls.acme]`: a certificate from a real authority by a hallpass with the feature, and a word by one without.

#![allow(clippy::expect_used, reason = "Tests fail by panicking.")]

use std::path::Path;

use crate::program::run;

fn configured(folder: &Path, listen: &str, acme: &str) -> String {
    let file = folder.join("hallpass.toml");
    let text = format!(
        "listen = \"{listen}\"\npublic_url = \"https://localhost\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[tls.acme]\n{acme}\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// There would never be a certificate.
#[cfg(not(feature = "acme"))]
#[test]
fn without_the_feature_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = configured(folder.path(), "localhost:0", "terms_agreed = true");
    for args in [&["config", "check", &file][..], &["--config", &file, "serve"]] {
        let output = run(folder.path(), args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("hallpass.toml:5: ") && said.contains("--features acme"), "{said}");
    }
}

#[cfg(feature = "acme")]
mod got {
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use hallpass_protocol::certificate::from_pem;

    use super::*;
    use crate::program::{Serving, complained, said};

    /// Caddy as an authority of its own, which is nobody's of ours.
    struct Caddy {
        child: Child,
        directory: String,
        root: std::path::PathBuf,
    }

    impl Caddy {
        async fn start(folder: &Path) -> Self {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let file = folder.join("Caddyfile");
            let text = format!(
                "{{\n admin off\n auto_https disable_redirects\n skip_install_trust\n}}\n\
                 https://127.0.0.1:{port} {{\n tls internal\n acme_server\n}}\n"
            );
            std::fs::write(&file, text).unwrap();
            let child = Command::new("caddy")
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(&file)
                .envs([("HOME", folder), ("XDG_DATA_HOME", folder)])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("caddy is installed: apt-get install caddy");
            let root = folder.join("caddy/pki/authorities/local/root.crt");
            let directory = format!("https://127.0.0.1:{port}/acme/local/directory");
            let caddy = Self { child, directory, root };
            let until = std::time::Instant::now() + Duration::from_secs(30);
            while !caddy.answers().await {
                assert!(std::time::Instant::now() < until, "no Caddy");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            caddy
        }

        fn client(&self) -> Option<reqwest::Client> {
            let root = std::fs::read(&self.root).ok()?;
            let root = reqwest::Certificate::from_pem(&root).ok()?;
            reqwest::Client::builder().tls_certs_only([root]).build().ok()
        }

        async fn answers(&self) -> bool {
            match self.client() {
                Some(client) => {
                    client.get(&self.directory).send().await.is_ok_and(|answer| answer.status() == 200)
                }
                None => false,
            }
        }
    }

    impl Drop for Caddy {
        fn drop(&mut self) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }

    /// Authorities look at port 443 and nowhere else, so this needs that port on 127.0.0.1.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_real_authority_issues_a_certificate_that_is_kept() {
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let caddy = Caddy::start(folder.path()).await;
        let acme = format!(
            "directory = \"{}\"\nterms_agreed = true\ncontact = [\"mailto:ops@example.com\"]\nca = \"{}\"",
            caddy.directory,
            caddy.root.display()
        );
        let file = configured(folder.path(), "127.0.0.1:443", &acme);
        let checked = said(&run(data.path(), &["config", "check", &file]));
        assert!(checked.contains("for localhost, got by itself from https://127.0.0.1:"), "{checked}");
        let mut serving = Serving::start_heard(data.path(), &["--config", &file]);
        let told = serving.line_with("get a new certificate for localhost, good until ");
        let metadata = "https://localhost/.well-known/oauth-protected-resource/mcp";
        let shown = |data: &Path| {
            let text = std::fs::read_to_string(data.join("acme/certificate.pem")).unwrap();
            from_pem(&text).unwrap()
        };
        let client = caddy.client().unwrap();
        assert_eq!(client.get(metadata).send().await.unwrap().status(), 200, "{told}");
        let first = shown(data.path());
        assert_eq!(serving.terminate(), Some(0));
        // What is kept is served at once, and nobody is asked.
        drop(caddy);
        let mut serving = Serving::start_heard(data.path(), &["--config", &file]);
        serving.line_with("Ctrl-C");
        assert_eq!(client.get(metadata).send().await.unwrap().status(), 200);
        assert_eq!(shown(data.path()), first);
        assert_eq!(serving.terminate(), Some(0));
    }

    #[test]
    fn what_can_not_be_meant_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (acme, says) in [
            ("", "terms of service"),
            ("terms_agreed = false", "terms of service"),
            ("terms_agreed = true\ndirectory = \"http://ca.example/d\"", "over https"),
            ("terms_agreed = true\nnames = [\"10.0.0.1\"]", "is an address"),
            ("terms_agreed = true\nca = \"/no/such\"", "/no/such"),
            ("terms_agreed = true\n[tls]\ncertificate = \"/a\"\nkey = \"/b\"", "in their place"),
        ] {
            let file = configured(folder.path(), "localhost:0", acme);
            let output = run(folder.path(), &["config", "check", &file]);
            let told = complained(&output);
            assert_eq!(output.status.code(), Some(3), "{told}");
            assert!(told.contains(says), "{acme}: {told}");
        }
    }
}
