//! Canaries: a whole house's day with the log at its most talkative. No secret may stand in the log, in the audit log, or in
//! an answer that it does not belong to. One test, since the log is the process's.

use crate::harness;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallpass_authorization_server::{AuditFilter, NewClient, TokenForm};
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::{Page, Person};
use harness::{Answer, House, NATIVE, PASSWORD, USER, VERIFIER, WEB, WEB_SECRET, redemption, set};
use http::Method;
use serde_json::json;
use totp_rs::Builder;

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What was secret, and what was said. A secret belongs to the answers of one name, if to any.
#[derive(Default)]
struct Ledger {
    secrets: Vec<(&'static str, String, &'static str)>,
    said: Vec<(&'static str, String)>,
}

const NOBODY: &str = "";

impl Ledger {
    fn secret(&mut self, name: &'static str, value: &str, belongs_to: &'static str) {
        assert!(value.len() >= 6, "{name} is too short to be looked for");
        self.secrets.push((name, value.to_owned(), belongs_to));
    }

    fn answer(&mut self, name: &'static str, answer: Answer) -> Answer {
        self.said.push((name, format!("{} {:?}", answer.json, answer.headers)));
        answer
    }

    fn page(&mut self, name: &'static str, page: Page) -> Page {
        let location = page.location().map(String::from).unwrap_or_default();
        self.said.push((name, format!("{} {location} {}", page.url(), page.text())));
        page
    }
}

async fn refused(house: &House, ledger: &mut Ledger, path: &str, form: &[(&str, &str)]) {
    let answer = ledger.answer("a refusal", house.post(path, form).await);
    assert!(answer.status >= 400, "{path} {:?}", answer.json);
}

#[tokio::test]
async fn no_secret_stands_where_it_does_not_belong() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let mut ledger = Ledger::default();
    let house =
        House::furnished_with(|settings| settings.resources[1].access_tokens = TokenForm::Opaque).await;
    for (name, value) in [
        ("password", PASSWORD),
        ("client secret", WEB_SECRET),
        ("verifier", VERIFIER),
        ("wrong password", "hunter2-wrong"),
    ] {
        ledger.secret(name, value, NOBODY);
    }
    people(&house, &mut ledger).await;
    let person = Person::new();
    log_in_and_consent(&house, &mut ledger, &person).await;
    opaque_tokens(&house, &mut ledger).await;
    clients(&house, &mut ledger).await;
    devices_and_keys(&house, &mut ledger).await;
    for cookie in person.cookies() {
        // The browser has it; no page shows it.
        ledger.secret("cookie", &cookie.value, NOBODY);
    }
    house.server.keep_house().await.unwrap();

    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("TRACE") && log.contains("a refresh token was replayed"), "the log was heard");
    let audit = house.server.audit_log().list(&AuditFilter::default(), 10_000).await.unwrap();
    let audit = format!("{audit:?}");
    for event in
        ["token_issued", "refresh_token_replayed", "second_factor_on", "client_registered", "error_page"]
    {
        assert!(audit.contains(event), "{event} is not in the audit log");
    }
    for (name, value, belongs_to) in &ledger.secrets {
        assert!(!log.contains(value), "{name} stands in the log");
        assert!(!audit.contains(value), "{name} stands in the audit log");
        for (answer, text) in &ledger.said {
            let is_there = text.contains(value.as_str());
            assert!(!is_there || answer == belongs_to, "{name} stands in {answer}: {text}");
        }
    }
}

/// A link, a wrong password, one-time codes and recovery codes.
async fn people(house: &House, ledger: &mut Ledger) {
    house.server.users().add("eve", Secret::new(PASSWORD)).await.unwrap();
    let link = house.server.users().link("eve").await.unwrap();
    let (_, token) = link.query_pairs().next().unwrap();
    ledger.secret("link", &token, "the link's page");
    let page = ledger.page("the link's page", Person::new().open(link.as_str()).await);
    let done = page.form().set("password", "another-fine-password").submit().await;
    ledger.secret("new password", "another-fine-password", NOBODY);
    ledger.page("a page", done);
    ledger.page("the link's page", Person::new().open(link.as_str()).await);

    let eve = Person::new();
    let login = ledger.page("a page", eve.open(house.url("/account/second-factor")).await);
    let wrong = login.form().set("username", "eve").set("password", "hunter2-wrong").submit().await;
    let wrong = ledger.page("a page", wrong);
    let page = wrong.form().set("username", "eve").set("password", "another-fine-password").submit().await;
    let text = page.text().to_owned();
    let at = text.find("into the app: <code>").unwrap() + "into the app: <code>".len();
    let spaced = text[at..].split('<').next().unwrap().to_owned();
    let key = spaced.replace(' ', "");
    ledger.secret("one-time code key", &key, "enrolment");
    let page = ledger.page("enrolment", page);
    let totp =
        Builder::new().with_secret(totp_rs::Secret::try_from_base32(key).unwrap().to_vec()).build().unwrap();
    let now = u64::try_from(house.clock.now().unix()).unwrap();
    let code = totp.generate(now).to_string();
    let done = ledger.page("recovery codes", page.form().set("code", &code).submit().await);
    let codes: Vec<String> =
        done.text().split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    for code in &codes {
        ledger.secret("recovery code", code, "recovery codes");
    }
    // Again, with a recovery code that is mistyped first.
    house.advance(30);
    let person = Person::new();
    let login = ledger.page("a page", person.open(house.url("/account")).await);
    let half = login.form().set("username", "eve").set("password", "another-fine-password").submit().await;
    let half = ledger.page("a page", half);
    let wrong = half.form().set("code", "ABCD-EFGH-JKLM").submit().await;
    let through = ledger.page("a page", wrong).form().set("code", &codes[0]).submit().await;
    assert_eq!(ledger.page("a page", through).url().path(), "/account");
    for cookie in eve.cookies().into_iter().chain(person.cookies()) {
        ledger.secret("cookie", &cookie.value, NOBODY);
    }
}

/// Code and tokens, each wrong once; a replay; a revocation; an error page.
async fn log_in_and_consent(house: &House, ledger: &mut Ledger, person: &Person) {
    ledger.page("a page", Person::new().open(house.url("/authorize?client_id=nobody")).await);
    let consent = house.log_in(person, &house.request()).await;
    let consent = ledger.page("a page", consent);
    let back = ledger.page("the redirect", consent.form().press("decision", "allow").submit().await);
    let code = back.location_param("code").unwrap();
    ledger.secret("code", &code, "the redirect");
    let mut wrong = redemption(&code);
    let other = "another-verifier-that-is-long-enough-to-be-one-0123";
    ledger.secret("wrong verifier", other, NOBODY);
    wrong[4].1 = other;
    refused(house, ledger, "/token", &wrong).await;
    let tokens = ledger.answer("the tokens", house.redeem(&code).await);
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    let refresh = tokens.text("refresh_token").to_owned();
    let access = tokens.text("access_token").to_owned();
    ledger.secret("access token", &access, "the tokens");
    ledger.secret("access token's signature", access.rsplit('.').next().unwrap(), "the tokens");
    ledger.secret("refresh token", &refresh, "the tokens");
    let next = ledger.answer("the tokens", house.refresh(NATIVE, &refresh).await);
    ledger.secret("refresh token", next.text("refresh_token"), "the tokens");
    ledger.answer("a refusal", house.refresh("other", &refresh).await);
    let form = [("client_id", NATIVE), ("token", access.as_str())];
    ledger.answer("a revocation", house.post("/revoke", &form).await);
    house.advance(61);
    let replayed = ledger.answer("a refusal", house.refresh(NATIVE, &refresh).await);
    assert_eq!(replayed.error(), (400, "invalid_grant"));
    refused(house, ledger, "/token", &redemption(&code)).await;
    ledger.page("a page", person.open(house.url("/account")).await);
}

/// An opaque access token: told, asked about, exchanged in vain, and given back.
async fn opaque_tokens(house: &House, ledger: &mut Ledger) {
    let mut request = house.request();
    set(&mut request, "resource", &format!("{}/second", house.issuer));
    let code = house.code_for(&request).await;
    let tokens = ledger.answer("the tokens", house.redeem(&code).await);
    let access = tokens.text("access_token").to_owned();
    assert!(access.starts_with("hpa_"), "{access}");
    ledger.secret("opaque access token", &access, "the tokens");
    ledger.secret("refresh token", tokens.text("refresh_token"), "the tokens");
    let web = [("client_id", WEB), ("client_secret", WEB_SECRET), ("token", access.as_str())];
    ledger.answer("an introspection", house.post("/introspect", &web).await);
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", WEB),
        ("client_secret", WEB_SECRET),
        ("subject_token", access.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    refused(house, ledger, "/token", &form).await;
    assert!(house.server.opaque_tokens().find(&access).await.unwrap().is_some());
    let form = [("client_id", NATIVE), ("token", access.as_str())];
    assert_eq!(ledger.answer("a revocation", house.post("/revoke", &form).await).status, 200);
}

/// Confidential, pushed, registered and managed.
async fn clients(house: &House, ledger: &mut Ledger) {
    let wrong = [("client_id", WEB), ("client_secret", "hunter2-wrong"), ("token", "x")];
    refused(house, ledger, "/revoke", &wrong).await;
    let mut request = house.web_request();
    set(&mut request, "client_secret", WEB_SECRET);
    let form: Vec<(&str, &str)> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pushed = ledger.answer("what was pushed", house.post("/par", &form).await);
    assert_eq!(pushed.status, 201, "{:?}", pushed.json);

    let hour = Duration::from_secs(60 * 60);
    let (_, initial) = house.server.clients().issue_initial_access_token("n", None, hour).await.unwrap();
    ledger.secret("initial access token", initial.expose(), NOBODY);
    let metadata = json!({"redirect_uris": ["http://127.0.0.1/cb"]});
    let post = house.http.post(house.url("/register")).bearer_auth(initial.expose()).json(&metadata);
    let made = ledger.answer("the registration", house.send(post).await);
    assert_eq!(made.status, 201, "{:?}", made.json);
    let (manages, uri) = (made.text("registration_access_token"), made.text("registration_client_uri"));
    ledger.secret("registered secret", made.text("client_secret"), "the registration");
    ledger.secret("registration access token", manages, "the registration");
    let bad = json!({"client_id": made.text("client_id"), "client_secret": "hunter2-wrong"});
    let put = house.http.put(uri).bearer_auth(manages).json(&bad);
    let refused = ledger.answer("a refusal", house.send(put).await);
    assert_eq!(refused.status, 400);
    let foreign = house.http.get(house.url("/register/native")).bearer_auth(manages);
    ledger.answer("a refusal", house.send(foreign).await);

    let key = SigningKey::generate_es256().unwrap();
    let now = house.clock.now().unix();
    let claims = json!({"iss": "web", "sub": "web", "aud": "x", "jti": "j", "iat": now, "exp": now + 60});
    let assertion = key.sign("JWT", &claims).unwrap();
    ledger.secret("assertion", &assertion, NOBODY);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    let answer = ledger.answer("a refusal", house.post("/token", &form).await);
    assert_eq!(answer.status, 401);
}

/// A device, and a proof.
async fn devices_and_keys(house: &House, ledger: &mut Ledger) {
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let client =
        NewClient { id: "tv".to_owned(), grant_types: vec![grant.to_owned()], ..NewClient::default() };
    house.server.clients().add(client).await.unwrap();
    let begun = house.post("/device_authorization", &[("client_id", "tv"), ("scope", "notes:read")]).await;
    let begun = ledger.answer("the device", begun);
    ledger.secret("device code", begun.text("device_code"), "the device");
    let person = Person::new();
    let login = person.open(begun.text("verification_uri_complete")).await;
    let consent = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    ledger.page("a page", consent.form().press("decision", "allow").submit().await);
    let poll = [("grant_type", grant), ("client_id", "tv"), ("device_code", begun.text("device_code"))];
    let tokens = ledger.answer("the tokens", house.post("/token", &poll).await);
    ledger.secret("access token of a device", tokens.text("access_token"), "the tokens");

    let url = url::Url::parse(&house.url("/token")).unwrap();
    let now = house.clock.now();
    let proof = Proof { method: &Method::POST, url: &url, access_token: None, nonce: None, jti: "one", now };
    let proof = proof.sign(&SigningKey::generate_es256().unwrap()).unwrap();
    ledger.secret("proof", &proof, NOBODY);
    let form = redemption("x");
    let answer = house.send(house.http.post(house.url("/token")).header("dpop", &proof).form(&form)).await;
    assert_eq!(ledger.answer("a refusal", answer).status, 400);
}
