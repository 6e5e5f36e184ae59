//! Several tenants in one process: each is a house of its own, and nothing of one is anything at another.

use std::io::Write;
use std::path::Path;

use hallpass_protocol::pkce::CodeVerifier;
use hallpass_testkit::person::{Page, Person};
use hallpass_testkit::upstream::Upstream;
use reqwest::header::HOST;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::house::free_port;
use crate::program::{Serving, command, run, run_with_input, said};

const SECRET: &str = "0123456789abcdef0123";
const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-allowed-0123";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// `hooli` is below a path of the public URL, the others have hosts.
const TENANTS: [&str; 3] = ["acme", "globex", "hooli"];

mod away;
mod browsers;
mod change;
mod commands;
mod isolation;
mod providers;
mod replicas;

/// One process with three tenants. In each there are `ada`, who is an administrator at acme alone, and the clients `ide` and
/// `robot`, with the same names and secrets, and the same program stands behind all.
struct Tenants {
    config: NamedTempFile,
    data: TempDir,
    serving: Serving,
    port: u16,
    monitoring: u16,
    upstream: Upstream,
    http: reqwest::Client,
}

fn password(tenant: &str) -> String {
    format!("correct horse of {tenant}")
}

impl Tenants {
    async fn start() -> Self {
        let (upstream, port, data) = (Upstream::start().await, free_port(), tempfile::tempdir().unwrap());
        let (mut config, monitoring) = (NamedTempFile::with_suffix(".toml").unwrap(), free_port());
        let server = |name: &str| server(name, &upstream);
        let authorization_server =
            |name: &str| format!("[tenants.{name}.authorization_server]\ndpop_nonces = false\n");
        write!(
            config,
            "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n\
             monitoring.listen = \"127.0.0.1:{monitoring}\"\nlog.audit = \"{}\"\nlog.access = \"{}\"\n\
             [tenants.acme]\nhost = \"acme.localhost\"\n{}{}access_token_lifetime = \"5m\"\n[tenants.globex]\nhost = \"globex.localhost\"\n{}{}\
             {}{}",
            data.path().join("audit.log").display(),
            data.path().join("access.log").display(),
            server("acme"),
            authorization_server("acme"),
            server("globex"),
            authorization_server("globex"),
            server("hooli"),
            authorization_server("hooli"),
        )
        .unwrap();
        for tenant in TENANTS {
            furnish(data.path(), config.path(), tenant);
        }
        let mut serve = command(data.path(), &["serve", "--config", config.path().to_str().unwrap()]);
        let mut serving = Serving::spawn(serve.stderr(std::process::Stdio::piped()));
        serving.line_with("Ctrl-C");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { config, data, serving, port, monitoring, upstream, http }
    }

    fn issuer(&self, tenant: &str) -> String {
        issuer(tenant, self.port)
    }

    fn endpoint(&self, tenant: &str) -> String {
        format!("{}/notes/mcp", self.issuer(tenant))
    }

    fn command(&self, args: &[&str]) -> std::process::Output {
        run(self.data.path(), &[&["--config", self.config.path().to_str().unwrap()], args].concat())
    }

    /// A request to this machine, whatever host the URL names.
    fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let url = url::Url::parse(url).unwrap();
        let mut here = url.clone();
        here.set_host(Some("127.0.0.1")).unwrap();
        self.http.request(method, here).header(HOST, format!("{}:{}", url.host_str().unwrap(), self.port))
    }

    async fn get(&self, url: &str) -> reqwest::Response {
        self.request(reqwest::Method::GET, url).send().await.unwrap()
    }

    async fn json(&self, url: &str) -> Value {
        self.get(url).await.error_for_status().unwrap().json().await.unwrap()
    }

    async fn post(&self, tenant: &str, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}{path}", self.issuer(tenant));
        let answer = self.request(reqwest::Method::POST, &url).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A token for the robot itself.
    async fn token(&self, tenant: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
        let (status, answer) = self.post(tenant, "/token", &form).await;
        assert_eq!(status, 200, "{tenant}: {answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, tenant: &str, token: &str) -> u16 {
        let request = self.request(reqwest::Method::POST, &self.endpoint(tenant)).bearer_auth(token);
        request.header("content-type", "application/json").body("{}").send().await.unwrap().status().as_u16()
    }

    /// By login, where that is asked for, and consent.
    async fn code(&self, tenant: &str, person: &Person) -> String {
        let mut page = self.authorize(tenant, person).await;
        if page.form().fields().iter().any(|(name, _)| name == "username") {
            page = page.form().set("username", "ada").set("password", &password(tenant)).submit().await;
        }
        assert!(page.text().contains(&format!("Read the notes of {tenant}")), "{}", page.text());
        page.form().press("decision", "allow").submit().await.location_param("code").unwrap()
    }

    async fn authorize(&self, tenant: &str, person: &Person) -> Page {
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge().to_string();
        let request = [
            ("response_type", "code"),
            ("client_id", "ide"),
            ("redirect_uri", CALLBACK),
            ("state", "s"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let url =
            url::Url::parse_with_params(&format!("{}/authorize", self.issuer(tenant)), request).unwrap();
        person.open(url.as_str()).await
    }

    async fn redeem(&self, tenant: &str, code: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "ide"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post(tenant, "/token", &form).await
    }
}

/// A server of that tenant, which lets callers in that are of it by what was verified.
fn server(tenant: &str, upstream: &Upstream) -> String {
    format!(
        "[tenants.{tenant}.servers.notes]\nupstream = \"{}\"\ncredentials = {{ api_keys = true }}\n\
         scopes.default = [\"read\"]\nscopes.read = {{ says = \"Read the notes of {tenant}\" }}\ntenants = [\"{tenant}\"]\n",
        upstream.url("/mcp")
    )
}

fn issuer(tenant: &str, port: u16) -> String {
    match tenant {
        host @ ("acme" | "globex") => format!("http://{host}.localhost:{port}"),
        path => format!("http://localhost:{port}/t/{path}"),
    }
}

/// `ada`, `ide` and `robot`.
fn furnish(data: &Path, config: &Path, tenant: &str) {
    let add = |args: &[&str], input: &str| {
        let all = [&["--config", config.to_str().unwrap(), "--tenant", tenant], args].concat();
        // The option stands behind the command that it belongs to.
        let all: Vec<&str> = [&all[..2], &all[4..6], &all[2..4], &all[6..]].concat();
        said(&run_with_input(data, &all, &format!("{input}\n")));
    };
    let admin: &[&str] = if tenant == "acme" { &["--admin"] } else { &[] };
    add(&[&["user", "add", "ada", "--password-stdin"], admin].concat(), &password(tenant));
    let grants = ["authorization_code", "refresh_token", DEVICE].map(|grant| ["--grant", grant]).concat();
    add(&[&["client", "add", "--id", "ide", "--redirect-uri", CALLBACK], &grants[..]].concat(), "");
    add(&["client", "add", "--id", "robot", "--grant", "client_credentials", "--secret-stdin"], SECRET);
}

fn others(tenant: &str) -> impl Iterator<Item = &'static str> {
    TENANTS.into_iter().filter(move |other| *other != tenant)
}
