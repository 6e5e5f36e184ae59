//! The arrangement `proxied`, from the file to a call: a provider has the users and the tokens, and hallpass stands before it.

use std::io::Write;
use std::time::SystemTime;

use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::time::Clock;
use hallpass_testkit::person::Person;
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, ThirdParty};
use hallpass_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use url::Url;

use crate::program::{Serving, run, said};

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-allowed-0123";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn secret() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{CLIENT_SECRET}").unwrap();
    file
}

fn config(upstream: &str, issuer: &str, secret: &NamedTempFile) -> String {
    format!(
        "listen = \"localhost:0\"\n[server]\nupstream = \"{upstream}\"\narrangement = \"proxied\"\n\
         [server.scopes]\n\"notes:read\" = {{}}\n\
         [[server.issuers]]\nissuer = \"{issuer}\"\naudiences = [\"api://notes\"]\n\
         [authorization_server.proxied]\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"{}\"\n",
        secret.path().display()
    )
}

/// A protected server, and a client that has registered with it.
struct House {
    _serving: Serving,
    party: ThirdParty,
    endpoint: String,
    issuer: String,
    http: reqwest::Client,
    client_id: String,
}

impl House {
    async fn start(data: &std::path::Path) -> Self {
        let party = ThirdParty::start(Clock::new(|| SystemTime::now().into())).await;
        let upstream = Upstream::start().await;
        let secret = secret();
        let config = file(&config(upstream.url("/mcp").as_str(), party.issuer(), &secret));
        let mut serving = Serving::start(data, &["--config", config.path().to_str().unwrap()]);
        let endpoint = serving.value_of("MCP endpoint");
        let http = reqwest::Client::new();
        let issuer = endpoint.trim_end_matches("/mcp").to_owned();
        let body = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
        let registered = http.post(format!("{issuer}/register")).json(&body).send().await.unwrap();
        let registered: Value = registered.json().await.unwrap();
        let client_id = registered["client_id"].as_str().unwrap().to_owned();
        Self { _serving: serving, party, endpoint, issuer, http, client_id }
    }

    /// The answer of the provider's people to /authorize, and of hallpass to that.
    async fn answered(&self) -> Url {
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge();
        let request = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", CALLBACK),
            ("state", "x"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", &self.endpoint),
        ];
        let person = Person::new();
        let url = Url::parse_with_params(&format!("{}/authorize", self.issuer), request).unwrap();
        let agreed = person.open(url).await.form().press("decision", "allow").submit().await;
        let there = agreed.location().unwrap_or_else(|| panic!("{}", agreed.text()));
        let callback = person.open(there).await.location().unwrap();
        person.open(callback).await.location().unwrap()
    }

    async fn tokens(&self) -> Value {
        let back = self.answered().await;
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap_or_else(|| panic!("{back}")).1;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("code", &*code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.http.post(format!("{}/token", self.issuer)).form(&form).send().await.unwrap();
        answer.json().await.unwrap()
    }

    async fn call(&self, token: &str) -> (u16, String) {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let request = self.http.post(&self.endpoint).bearer_auth(token).json(&body);
        let answer = request.header("accept", "application/json, text/event-stream").send().await.unwrap();
        let challenge =
            answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), challenge.unwrap_or_default())
    }
}

#[tokio::test]
async fn a_client_registers_here_and_calls_with_the_providers_token() {
    let data = tempfile::tempdir().unwrap();
    let house = House::start(data.path()).await;
    let document = format!("{}/.well-known/oauth-protected-resource/mcp", house.issuer);
    let document: Value = house.http.get(document).send().await.unwrap().json().await.unwrap();
    let named = document["authorization_servers"].as_array().unwrap();
    assert_eq!(named.len(), 1, "the provider is nobody's to ask: {named:?}");
    assert_eq!(named[0].as_str().unwrap().trim_end_matches('/'), house.issuer);

    let front = house.http.get(&house.issuer).send().await.unwrap().text().await.unwrap();
    assert!(
        front.contains(&house.endpoint) && !front.contains("/account"),
        "nobody has an account page: {front}"
    );

    house.party.script().access_claims = Some(json!({ "aud": "api://notes", "scope": "notes:read" }));
    let tokens = house.tokens().await;
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
    assert_eq!(house.call(token).await.0, 200);

    // A token of the same provider for somebody else, which did not come this way, and one without a scope.
    let key = house.party.script().key.clone();
    let now = hallpass_protocol::time::Timestamp::from(SystemTime::now());
    let sign = |aud: &str, scope: &str| {
        let claims = json!({ "iss": house.party.issuer(), "sub": "sub-of-ada", "client_id": CLIENT_ID, "aud": aud,
            "scope": scope, "jti": "another", "iat": now, "exp": now.after(std::time::Duration::from_secs(60)) });
        key.sign("at+jwt", &claims).unwrap()
    };
    assert_eq!(house.call(&sign("api://notes", "notes:read")).await.0, 200);
    assert_eq!(house.call(&sign("api://other", "notes:read")).await.0, 401);
    let (status, challenge) = house.call(&sign("api://notes", "openid")).await;
    assert_eq!(status, 403);
    assert!(challenge.contains("insufficient_scope") && challenge.contains("notes:read"), "{challenge}");
    assert_eq!(house.call(tokens["refresh_token"].as_str().unwrap()).await.0, 401);
}

#[tokio::test]
async fn a_token_for_somebody_else_is_not_handed_on_and_the_setting_is_named() {
    let data = tempfile::tempdir().unwrap();
    let house = House::start(data.path()).await;
    house.party.script().access_claims = Some(json!({ "aud": "https://graph.example" }));
    let back = house.answered().await;
    let said =
        |name: &str| back.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(said("error").as_deref(), Some("server_error"));
    let why = said("error_description").unwrap();
    assert!(
        why.contains("https://graph.example") && why.contains("audiences of [[server.issuers]]"),
        "{why}"
    );
}

#[test]
fn a_file_that_is_right_says_what_to_register() {
    let data = tempfile::tempdir().unwrap();
    let secret = secret();
    let config = format!(
        "public_url = \"https://mcp.example.com\"\n{}",
        config("http://127.0.0.1:1/mcp", "https://login.example.com", &secret)
    );
    let config = file(&config);
    let told = said(&run(data.path(), &["config", "check", config.path().to_str().unwrap()]));
    for word in [
        "https://login.example.com, where hallpass is",
        "https://mcp.example.com/provider/callback",
        "hands on",
    ] {
        assert!(told.contains(word), "{word}\n{told}");
    }
    assert!(!told.contains(CLIENT_SECRET));
}

#[test]
fn mistakes_say_where_they_are_and_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let secret = secret();
    let path = secret.path().display();
    let client = format!("[authorization_server.proxied]\nclient_id = \"x\"\nsecret_file = \"{path}\"\n");
    let up = "upstream = \"http://127.0.0.1:1/mcp\"";
    let server = format!("[server]\n{up}\narrangement = \"proxied\"\n");
    let issuer = "[[server.issuers]]\nissuer = \"https://login.example.com\"\n";
    let two = |first: &str, second: &str| {
        format!(
            "[servers.a]\n{up}\narrangement = \"proxied\"\n[[servers.a.issuers]]\nissuer = \"{first}\"\n[servers.b]\n{up}\n{second}\n"
        )
    };
    let other = "arrangement = \"proxied\"\n[[servers.b.issuers]]\nissuer = \"https://other.example\"";
    for (text, words) in [
        (format!("{server}{client}"), &[":3", "the arrangement is proxied", "[[server.issuers]]"][..]),
        (format!("{server}{issuer}"), &["/provider/callback", "[authorization_server.proxied]"]),
        (format!("[server]\n{up}\n{client}"), &[":3", "no server is proxied"]),
        (
            format!("{server}{issuer}[authorization_server.proxied]\nclient_id = \"x\"\n"),
            &["`secret_file` and `key_file`"],
        ),
        (
            format!("{server}{issuer}[authorization_server.proxied]\nsecret_file = \"{path}\"\n"),
            &["add client_id"],
        ),
        (
            format!(
                "{server}{issuer}[authorization_server.proxied]\nclient_id = \"x\"\nsecret_file = \"/nowhere\"\n"
            ),
            &["/nowhere"],
        ),
        (format!("{server}access_tokens = \"opaque\"\n{issuer}{client}"), &["issues no access tokens"]),
        (
            format!("{server}{issuer}[server.credentials]\ndpop = \"require\"\n{client}"),
            &["bound to no key", "accept"],
        ),
        (
            format!("{server}{issuer}[server.proxied]\nscopes = {{ \"x\" = \"y\" }}\n{client}"),
            &["`x` is no scope of this server", "mcp"],
        ),
        (format!("[server]\n{up}\n[server.proxied]\ncalled = \"x\"\n"), &[":3", "arrangement = \"proxied\""]),
        (
            format!("{}{client}", two("https://login.example.com", other)),
            &["[servers.a] has the tokens of https://login.example.com", "https://other.example"],
        ),
        (
            format!("{}{client}", two("https://login.example.com", "")),
            &["[servers.b] logs people in here, and [servers.a] at a provider"],
        ),
        (
            format!(
                "{server}{issuer}{client}[[authorization_server.exchange]]\nclient_id = \"x\"\nfrom = \"https://a.example\"\n\
                 to = \"https://b.example\"\nscopes = [\"a\"]\n"
            ),
            &["take out [[authorization_server.exchange]]"],
        ),
    ] {
        let config = file(&text);
        let output = run(data.path(), &["config", "check", config.path().to_str().unwrap()]);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}: {why}");
        for word in words {
            assert!(why.contains(word), "{word}\n{text}\n{why}");
        }
    }
}
