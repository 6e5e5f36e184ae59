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
         [server.scopes]\ndefault = [\"notes:read\"]\n\"notes:read\" = {{}}\n\"notes:write\" = {{}}\n\
         [server.tools]\n\"write_*\" = {{ scopes = [\"notes:write\"] }}\n\
         [[server.issuers]]\nissuer = \"{issuer}\"\naudiences = [\"api://notes\"]\n\
         [authorization_server]\nproxied = \"acme\"\n\
         [third_parties.acme]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"{}\"\n",
        secret.path().display()
    )
}

/// A protected server, and a client that has registered with it.
struct House {
    serving: Serving,
    party: ThirdParty,
    endpoint: String,
    issuer: String,
    http: reqwest::Client,
    client_id: String,
}

impl House {
    async fn start(data: &std::path::Path) -> Self {
        Self::with(data, |config| config).await
    }

    async fn with(data: &std::path::Path, change: impl FnOnce(String) -> String) -> Self {
        let party = ThirdParty::start(Clock::new(|| SystemTime::now().into())).await;
        let upstream = Upstream::start().await;
        let secret = secret();
        let config = file(&change(config(upstream.url("/mcp").as_str(), party.issuer(), &secret)));
        let mut serving = Serving::start_heard(data, &["--config", config.path().to_str().unwrap()]);
        let endpoint = serving.value_of("MCP endpoint");
        let http = reqwest::Client::new();
        let issuer = endpoint.trim_end_matches("/mcp").to_owned();
        let body = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
        let registered = http.post(format!("{issuer}/register")).json(&body).send().await.unwrap();
        let registered: Value = registered.json().await.unwrap();
        let client_id = registered["client_id"].as_str().unwrap().to_owned();
        Self { serving, party, endpoint, issuer, http, client_id }
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

    /// What the client hears where it gets no code.
    async fn refused(&self, error: &str) -> String {
        let back = self.answered().await;
        let said = |name: &str| {
            back.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        assert_eq!(said("error").as_deref(), Some(error), "{back}");
        said("error_description").unwrap()
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

    /// A token of the provider's that did not come this way.
    fn sign(&self, client_id: &str, aud: &str, scope: &str) -> String {
        let now = hallpass_protocol::time::Timestamp::from(SystemTime::now());
        let claims = json!({ "iss": self.party.issuer(), "sub": "sub-of-ada", "client_id": client_id, "aud": aud,
            "scope": scope, "jti": "another", "iat": now, "exp": now.after(std::time::Duration::from_secs(60)) });
        self.party.script().key.sign("at+jwt", &claims).unwrap()
    }

    async fn call(&self, token: &str) -> (u16, String) {
        self.asked(token, &json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await
    }

    async fn write(&self, token: &str) -> u16 {
        let params = json!({ "name": "write_note", "arguments": {} });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        self.asked(token, &body).await.0
    }

    async fn asked(&self, token: &str, body: &Value) -> (u16, String) {
        let request = self.http.post(&self.endpoint).bearer_auth(token).json(body);
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

    // A token of the same provider that did not come this way, whoever's it is.
    for client_id in [CLIENT_ID, "robot"] {
        assert_eq!(house.call(&house.sign(client_id, "api://notes", "notes:read")).await.0, 401);
    }
    assert_eq!(house.call(tokens["refresh_token"].as_str().unwrap()).await.0, 401);
}

// The provider gives its one client all that anybody ever agreed to for any client here.
#[tokio::test]
async fn a_client_may_what_was_agreed_to_for_it_whatever_its_token_says() {
    let data = tempfile::tempdir().unwrap();
    let house = House::start(data.path()).await;
    let much = "openid notes:read notes:write";
    house.party.script().access_claims = Some(json!({ "aud": "api://notes", "scope": much }));
    house.party.script().answer = json!({ "scope": much });
    let tokens = house.tokens().await;
    assert_eq!(tokens["scope"], "notes:read", "{tokens}");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!((house.call(token).await.0, house.write(token).await), (200, 403));
    // What its client gives back is dead here at once, though it is a JWT of somebody else's.
    let form = [("client_id", house.client_id.as_str()), ("token", token)];
    let answer = house.http.post(format!("{}/revoke", house.issuer)).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(house.call(token).await.0, 401);
}

#[tokio::test]
async fn machines_of_the_providers_come_in_where_the_operator_says_so() {
    let data = tempfile::tempdir().unwrap();
    let house =
        House::with(data.path(), |config| format!("{config}[server.proxied]\nother_tokens = true\n")).await;
    for (client_id, aud, scope, status) in [
        ("robot", "api://notes", "notes:read", 200),
        ("robot", "api://other", "notes:read", 401),
        ("robot", "api://notes", "openid", 403),
        (CLIENT_ID, "api://notes", "notes:read", 401),
    ] {
        let (answered, challenge) = house.call(&house.sign(client_id, aud, scope)).await;
        assert_eq!(answered, status, "{client_id} {aud} {scope}");
        assert_eq!(status == 403, challenge.contains("insufficient_scope"), "{challenge}");
    }
}

#[tokio::test]
async fn scopes_that_have_another_name_there_count_here() {
    let data = tempfile::tempdir().unwrap();
    let scopes = "[server.proxied.scopes]\n\"notes:read\" = \"api.read\"\n";
    let house = House::with(data.path(), |config| format!("{config}{scopes}")).await;
    house.party.script().access_claims = Some(json!({ "aud": "api://notes", "scope": "api.read" }));
    house.party.script().answer = json!({ "scope": "api.read" });
    let tokens = house.tokens().await;
    assert_eq!(tokens["scope"], "notes:read", "{tokens}");
    assert_eq!(house.call(tokens["access_token"].as_str().unwrap()).await.0, 200);
}

// An opaque token says nothing about whom it is for: its provider is asked before anybody has it.
#[tokio::test]
async fn an_opaque_token_is_handed_on_where_it_can_be_asked_about_and_is_for_this_server() {
    let data = tempfile::tempdir().unwrap();
    let mut house = House::start(data.path()).await;
    assert!(house.refused("server_error").await.contains("opaque"));
    let logged = house.serving.line_with("opaque");
    assert!(logged.contains("`introspection` to [[server.issuers]]"), "{logged}");

    let data = tempfile::tempdir().unwrap();
    let secret = secret();
    let introspection = format!(
        "audiences = [\"api://notes\"]\nintrospection = {{ client_id = \"{CLIENT_ID}\", secret_file = \"{}\" }}\n",
        secret.path().display()
    );
    let change = |config: String| config.replace("audiences = [\"api://notes\"]\n", &introspection);
    let house = House::with(data.path(), change).await;
    let endpoint = format!("{}/introspect", house.party.issuer());
    house.party.script().metadata = json!({ "introspection_endpoint": endpoint });
    let active = json!({ "active": true, "sub": "sub-of-ada", "client_id": CLIENT_ID, "scope": "notes:read notes:write" });
    let for_other = json!({ "active": true, "sub": "sub-of-ada", "client_id": CLIENT_ID, "aud": "https://other.example" });
    for refused in [json!({ "active": false }), active.clone(), for_other] {
        house.party.script().documents.insert("/introspect".to_owned(), refused);
        assert!(house.refused("server_error").await.contains("would be refused here"));
    }
    let mut good = active;
    good["aud"] = json!("api://notes");
    house.party.script().documents.insert("/introspect".to_owned(), good);
    let tokens = house.tokens().await;
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
    assert_eq!((house.call(token).await.0, house.write(token).await), (200, 403));
}

#[tokio::test]
async fn a_token_for_somebody_else_is_not_handed_on_and_the_setting_is_named() {
    let data = tempfile::tempdir().unwrap();
    let mut house = House::start(data.path()).await;
    house.party.script().access_claims = Some(json!({ "aud": "https://graph.example" }));
    let why = house.refused("server_error").await;
    assert!(why.contains("not for this server") && !why.contains("graph.example"), "{why}");
    let logged = house.serving.line_with("https://graph.example");
    assert!(logged.contains("`audiences` of [[server.issuers]]"), "{logged}");
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
        "access token as the provider says",
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
    let party = |issuer: &str, shown: &str| {
        format!(
            "[authorization_server]\nproxied = \"acme\"\n[third_parties.acme]\nissuer = \"{issuer}\"\nclient_id = \"x\"\n{shown}"
        )
    };
    let client = party("https://login.example.com", &format!("secret_file = \"{path}\"\n"));
    let up = "upstream = \"http://127.0.0.1:1/mcp\"";
    let server = format!("[server]\n{up}\narrangement = \"proxied\"\n");
    let issuer = "[[server.issuers]]\nissuer = \"https://login.example.com\"\n";
    let two = |first: &str, second: &str| {
        format!(
            "[servers.a]\n{up}\narrangement = \"proxied\"\n[[servers.a.issuers]]\nissuer = \"{first}\"\n[servers.b]\n{up}\n{second}\n"
        )
    };
    let other = "arrangement = \"proxied\"\n[[servers.b.issuers]]\nissuer = \"https://other.example\"";
    let google = "[[server.issuers]]\nprofile = \"google\"\ntenants = [\"acme.example\"]\n";
    for (text, words) in [
        (format!("{server}{client}"), &[":3", "the arrangement is proxied", "[[server.issuers]]"][..]),
        (
            format!("{server}{issuer}"),
            &["/provider/callback", "[third_parties.NAME]", "authorization_server.proxied = \"NAME\""],
        ),
        (format!("[server]\n{up}\n{client}"), &[":4", "no server is proxied"]),
        (
            format!("{server}{issuer}[authorization_server]\nproxied = \"nobody\"\n"),
            &["no [third_parties.nobody]"],
        ),
        (
            format!("{server}{issuer}{}", party("https://login.example.com", "")),
            &["secret_file or key_file to [third_parties.acme]"],
        ),
        (
            format!("{server}{issuer}{}", party("https://login.example.com", "secret_file = \"/nowhere\"\n")),
            &["/nowhere"],
        ),
        (
            format!(
                "{server}{issuer}{}",
                party("https://login.example.com", "").replace("client_id = \"x\"\n", "")
            ),
            &["client_id"],
        ),
        (
            format!(
                "{server}{google}{}",
                party("https://accounts.google.com", &format!("secret_file = \"{path}\"\n"))
            ),
            &["[third_parties.acme] are opaque", "add introspection to [[server.issuers]]"],
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
            &["[servers.b] takes the tokens of https://other.example", "is https://login.example.com"],
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
