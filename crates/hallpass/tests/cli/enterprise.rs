//! `token` without a person, at hallpass's own server: an identity provider of a company says who somebody is, a platform says
//! what a workload is.

use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use hallpass_protocol::Timestamp;
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_testkit::authorization_server::Peer;
use reqwest::StatusCode;
use serde_json::json;

use crate::house::free_port;
use crate::program::{Serving, complained, run, run_with_input, said};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A server that takes the word of a company and of a platform, both of which are this peer.
struct Company {
    folder: tempfile::TempDir,
    peer: Peer,
    key: SigningKey,
    base: String,
    config: PathBuf,
    serving: Option<Serving>,
}

impl Company {
    async fn start(kind: &str, more: &str) -> Self {
        let (folder, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
        let key = SigningKey::generate_es256().unwrap();
        let jwks = folder.path().join("jwks.json");
        std::fs::write(&jwks, json!(JwkSet { keys: vec![key.public_jwk()] }).to_string()).unwrap();
        let port = free_port();
        let base = format!("http://localhost:{port}");
        let config = folder.path().join("hallpass.toml");
        // Nobody listens behind: a request that is let through is answered by 502.
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\npublic_url = \"{base}\"\n\
             [server]\nupstream = \"http://127.0.0.1:1/mcp\"\n\
             [server.scopes]\n\"notes:read\" = {{ says = \"Read your notes\" }}\n\
             [[authorization_server.trusted_issuers]]\nissuer = \"{}\"\njwks = \"{}\"\nkind = \"{kind}\"\n{more}\n",
            peer.origin,
            jwks.display(),
        );
        std::fs::File::create(&config).unwrap().write_all(text.as_bytes()).unwrap();
        let mut company = Self { folder, peer, key, base, config, serving: None };
        let add = ["client", "add", "--id", "app", "--grant", JWT_BEARER, "--secret-stdin"];
        said(&run_with_input(company.data(), &company.with_config(&add), "0123456789abcdef0123\n"));
        company.run(&["client", "add", "--id", "robot", "--grant", JWT_BEARER]);
        let mut serving = Serving::start(company.data(), &company.with_config(&[]));
        serving.line_with("Ctrl-C");
        company.serving = Some(serving);
        company
    }

    fn data(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn with_config<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [args, &["--config", self.config.to_str().unwrap()]].concat()
    }

    /// As the operator.
    fn run(&self, args: &[&str]) -> String {
        said(&run(self.data(), &self.with_config(args)))
    }

    /// A file for the client.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn signed(&self, typ: &str, more: &serde_json::Value) -> String {
        let now = Timestamp::from(SystemTime::now()).unix();
        let mut claims = json!({"iss": self.peer.origin, "aud": self.base, "iat": now, "exp": now + 300});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.key.sign(typ, &claims).unwrap()
    }

    async fn answers(&self, token: &str) -> StatusCode {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let request = reqwest::Client::new().post(format!("{}/mcp", self.base)).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body);
        request.header("accept", "application/json, text/event-stream").send().await.unwrap().status()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_lets_its_people_in_and_whoever_leaves_is_out() {
    let company = Company::start(
        "id-jag",
        "accounts = \"created\"\nemail_domains = [\"example.com\"]\n\
         rules = [{ client_id = \"app\", subject = \"*\", scopes = [\"notes:read\"] }]",
    )
    .await;
    let explained = company.run(&["config", "check"]);
    assert!(explained.contains("people of a company") && explained.contains("app may have notes:read"));
    let mcp = format!("{}/mcp", company.base);
    let (secret, id_token) =
        (company.file("secret", "0123456789abcdef0123\n"), company.file("id", "a.b.c\n"));
    let with = |command: &str, jti: &str| {
        let id_jag = company.signed(
            "oauth-id-jag+jwt",
            &json!({"sub": "ada", "client_id": "app", "jti": jti, "resource": mcp, "scope": "notes:read",
                    "email": "ada@example.com", "email_verified": true}),
        );
        company.peer.script(|script| {
            script.grant = Some((
                200,
                json!({"access_token": id_jag, "token_type": "N_A", "expires_in": 300,
                       "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag"}),
            ));
        });
        let mode = [
            command,
            &mcp,
            "--mode",
            "enterprise-managed",
            "--authorization-server",
            &company.base,
            "--client-id",
            "app",
            "--client-secret-file",
            &secret,
            "--id-token-file",
            &id_token,
            "--idp",
            &company.peer.origin,
            "--idp-client-id",
            "wiki",
        ];
        run(company.data(), &[&mode[..], &["--no-dpop"]].concat())
    };
    let granted = said(&with("login", "1"));
    assert!(granted.contains("has granted app a token") && granted.contains("notes:read"), "{granted}");
    let token = said(&with("token", "2")).trim().to_owned();
    assert_eq!(company.answers(&token).await, StatusCode::BAD_GATEWAY, "let through");
    // What our client asked the identity provider for (RFC 8693, enterprise-managed authorization §4).
    let asked = company.peer.seen().token_requests.last().unwrap().clone();
    assert_eq!(asked["audience"], company.base);
    assert_eq!(asked["resource"], mcp);
    assert_eq!(asked["requested_token_type"], "urn:ietf:params:oauth:token-type:id-jag");
    assert!(company.run(&["user", "list"]).contains("ada@example.com"));
    let replayed = with("token", "2");
    assert!(complained(&replayed).contains("used before"), "{}", complained(&replayed));
    company.run(&["user", "disable", "ada@example.com"]);
    while company.answers(&token).await != StatusCode::UNAUTHORIZED {}
    let left = with("token", "3");
    assert!(complained(&left).contains("cannot be used any more"), "{}", complained(&left));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_comes_in_by_what_its_platform_says() {
    let company = Company::start(
        "workload",
        "rules = [{ client_id = \"robot\", subject = \"deploy\", scopes = [\"notes:read\"] }]",
    )
    .await;
    let mcp = format!("{}/mcp", company.base);
    for (subject, endpoint, lets_in) in
        [("deploy", "", true), ("deploy", "/token", true), ("other", "", false)]
    {
        let audience = format!("{}{endpoint}", company.base);
        let claims = json!({"sub": subject, "jti": format!("{subject}{endpoint}"), "aud": audience});
        let file = company.file("assertion", &company.signed("JWT", &claims));
        let mode = [
            "token",
            &mcp,
            "--mode",
            "workload-identity",
            "--authorization-server",
            &company.base,
            "--client-id",
            "robot",
            "--assertion-file",
            &file,
            "--no-dpop",
        ];
        let answer = run(company.data(), &mode);
        if lets_in {
            let token = said(&answer);
            assert_eq!(company.answers(token.trim()).await, StatusCode::BAD_GATEWAY, "{audience}");
        } else {
            assert!(complained(&answer).contains("has not listed"), "{}", complained(&answer));
        }
    }
}

#[test]
fn a_rule_that_lets_in_everybody_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hallpass.toml");
    std::fs::write(
        &config,
        "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.scopes]\nread = {}\n\
         [[authorization_server.trusted_issuers]]\nissuer = \"https://token.actions.githubusercontent.com\"\n\
         kind = \"workload\"\nrules = [{ client_id = \"ci\", subject = \"repo:acme/*\", scopes = [\"read\"] }]\n",
    )
    .unwrap();
    let answer = run(folder.path(), &["config", "check", config.to_str().unwrap()]);
    assert_eq!(answer.status.code(), Some(3));
    let says = complained(&answer);
    assert!(says.contains("pins no repository") && says.contains("OWNER/NAME"), "{says}");
    assert!(says.contains("hallpass.toml"), "{says}");
}
