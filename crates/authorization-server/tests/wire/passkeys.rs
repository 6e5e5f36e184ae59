//! Passkeys, with an authenticator made of software.

use crate::harness;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::{Form, Page, Person};
use harness::{House, PASSWORD, USER};

const ORIGIN: &str = "http://localhost:4000";
const PRESENT_AND_VERIFIED: u8 = 0x05;

/// Passkeys belong to a name, so this house has one.
async fn house() -> House {
    House::furnished_with(|settings| settings.issuer = Issuer::parse(ORIGIN).unwrap()).await
}

/// What an authenticator would answer; tests change it.
#[derive(Clone)]
struct Answer {
    ceremony: &'static str,
    challenge: String,
    origin: String,
    party: String,
    flags: u8,
    count: u32,
}

impl Answer {
    fn new(ceremony: &'static str, challenge: &str) -> Self {
        Self {
            ceremony,
            challenge: challenge.to_owned(),
            origin: ORIGIN.to_owned(),
            party: "localhost".to_owned(),
            flags: PRESENT_AND_VERIFIED,
            count: 0,
        }
    }

    fn client_data(&self) -> Vec<u8> {
        serde_json::json!({ "type": self.ceremony, "challenge": self.challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    fn authenticator_data(&self) -> Vec<u8> {
        let mut data = digest(&SHA256, self.party.as_bytes()).as_ref().to_vec();
        data.push(self.flags);
        data.extend(self.count.to_be_bytes());
        data
    }
}

struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    user: String,
}

impl Authenticator {
    fn new(id: &[u8]) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self { key, id: id.to_vec(), user: String::new() }
    }

    /// Fills the form of the page for a new passkey.
    fn register(&self, form: Form, mut answer: Answer) -> Form {
        answer.flags |= 0x40;
        let mut data = answer.authenticator_data();
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(b"a COSE key that nobody reads");
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(self.key.public_key()).unwrap();
        form.set("client_data", &URL_SAFE_NO_PAD.encode(answer.client_data()))
            .set("authenticator_data", &URL_SAFE_NO_PAD.encode(data))
            .set("public_key", &URL_SAFE_NO_PAD.encode(spki.as_ref()))
            .set("algorithm", "-7")
    }

    /// Fills the form of the login page.
    fn log_in(&self, form: Form, answer: &Answer) -> Form {
        let (client_data, data) = (answer.client_data(), answer.authenticator_data());
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, &client_data).as_ref());
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        form.set("credential_id", &URL_SAFE_NO_PAD.encode(&self.id))
            .set("client_data", &URL_SAFE_NO_PAD.encode(client_data))
            .set("authenticator_data", &URL_SAFE_NO_PAD.encode(data))
            .set("signature", &URL_SAFE_NO_PAD.encode(signature.as_ref()))
            .set("user_handle", &URL_SAFE_NO_PAD.encode(&self.user))
    }
}

fn attribute(page: &Page, name: &str) -> String {
    let text = page.text();
    let start = text.find(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name}:\n{text}"));
    text[start + name.len() + 2..].split('"').next().unwrap().to_owned()
}

fn form(page: &Page, path: &str) -> Form {
    let found = page.forms().into_iter().find(|form| form.target().path() == path);
    found.unwrap_or_else(|| panic!("no form for {path}:\n{}", page.text()))
}

/// The page for a new passkey, after a login with a password.
async fn new_passkey_page(house: &House, person: &Person, user: &str) -> Page {
    let page = person.open(house.url("/login?then=/account/passkeys")).await;
    let page = page.form().set("username", user).set("password", PASSWORD).submit().await;
    assert_eq!(page.url().path(), "/account/passkeys", "{}", page.text());
    page
}

/// A registered authenticator.
async fn registered(house: &House, user: &str, id: &[u8]) -> Authenticator {
    let mut authenticator = Authenticator::new(id);
    let page = new_passkey_page(house, &Person::new(), user).await;
    authenticator.user = attribute(&page, "data-user");
    let answer = Answer::new("webauthn.create", &attribute(&page, "data-challenge"));
    let account = authenticator.register(form(&page, "/account/passkeys"), answer).submit().await;
    assert_eq!(account.url().path(), "/account", "{}", account.text());
    authenticator
}

/// The login page of a client's request: its passkey form and challenge.
async fn login_page(house: &House, person: &Person) -> (Form, Answer) {
    let page = person.open(house.authorize_url(&house.request())).await;
    let answer = Answer::new("webauthn.get", &attribute(&page, "data-challenge"));
    (form(&page, "/login/passkey"), answer)
}

#[tokio::test]
async fn a_passkey_logs_in_without_name_and_password_all_the_way_to_a_code() {
    let house = house().await;
    let authenticator = registered(&house, USER, b"one").await;
    let person = Person::new();
    let (form, answer) = login_page(&house, &person).await;
    let consent = authenticator.log_in(form, &answer).submit().await;
    assert!(consent.text().contains("Signed in as ada"), "{}", consent.text());
    let back = consent.form().press("decision", "allow").submit().await;
    assert!(back.location_param("code").is_some());
}

#[tokio::test]
async fn each_single_fault_refuses_a_login() {
    let house = house().await;
    let authenticator = registered(&house, USER, b"one").await;
    type Fault = fn(&mut Answer);
    let faults: [(&str, Fault); 7] = [
        ("ceremony", |answer| answer.ceremony = "webauthn.create"),
        ("origin", |answer| answer.origin = "http://localhost:4001".to_owned()),
        ("party", |answer| answer.party = "evil.example".to_owned()),
        ("absent", |answer| answer.flags = 0x04),
        ("unverified", |answer| answer.flags = 0x01),
        ("another challenge", |answer| answer.challenge = "A".repeat(48)),
        ("no challenge", |answer| answer.challenge.clear()),
    ];
    for (fault, make) in faults {
        let (form, mut answer) = login_page(&house, &Person::new()).await;
        make(&mut answer);
        let page = authenticator.log_in(form, &answer).submit().await;
        assert_eq!(page.status(), 403, "{fault}");
        assert!(page.text().contains("This passkey opens nothing here"), "{fault}");
    }
    // What is signed by another key, for another person, or not at all.
    let mut other = Authenticator::new(b"one");
    other.user.clone_from(&authenticator.user);
    let (form, answer) = login_page(&house, &Person::new()).await;
    assert_eq!(other.log_in(form, &answer).submit().await.status(), 403, "another key");
    for (field, value) in
        [("user_handle", "Ym9i"), ("signature", "AAAA"), ("credential_id", "dHdv"), ("client_data", "!")]
    {
        let (form, answer) = login_page(&house, &Person::new()).await;
        let form = authenticator.log_in(form, &answer).set(field, value);
        assert_eq!(form.submit().await.status(), 403, "{field}");
    }
    let (form, answer) = login_page(&house, &Person::new()).await;
    let page = authenticator.log_in(form, &answer).submit().await;
    assert!(page.url().path().ends_with("/consent"), "without a fault it logs in");
}

#[tokio::test]
async fn a_challenge_is_for_one_browser_ten_minutes_and_one_answer() {
    let house = house().await;
    let authenticator = registered(&house, USER, b"one").await;
    let (_, stolen) = login_page(&house, &Person::new()).await;
    let (form, _) = login_page(&house, &Person::new()).await;
    assert_eq!(authenticator.log_in(form, &stolen).submit().await.status(), 403, "another browser's");
    let person = Person::new();
    let (form, answer) = login_page(&house, &person).await;
    let form = authenticator.log_in(form, &answer);
    assert!(form.clone().submit().await.url().path().ends_with("/consent"));
    assert_eq!(form.submit().await.status(), 403, "answered before");
    let (form, answer) = login_page(&house, &Person::new()).await;
    house.advance(10 * 60);
    assert_eq!(authenticator.log_in(form, &answer).submit().await.status(), 403, "too old");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_answer_sent_many_times_at_once_logs_in_once() {
    let house = house().await;
    let authenticator = registered(&house, USER, b"one").await;
    let (form, answer) = login_page(&house, &Person::new()).await;
    let form = authenticator.log_in(form, &answer);
    let attempts: Vec<_> = (0..16)
        .map(|_| {
            let form = form.clone();
            tokio::spawn(async move { form.submit().await.url().path().ends_with("/consent") })
        })
        .collect();
    let mut entered = 0;
    for attempt in attempts {
        entered += usize::from(attempt.await.unwrap());
    }
    assert_eq!(entered, 1);
}

#[tokio::test]
async fn a_counter_that_does_not_grow_is_a_copy() {
    let house = house().await;
    let authenticator = registered(&house, USER, b"one").await;
    for (count, enters) in [(0, true), (7, true), (7, false), (6, false), (0, false), (8, true)] {
        let (form, mut answer) = login_page(&house, &Person::new()).await;
        answer.count = count;
        let page = authenticator.log_in(form, &answer).submit().await;
        assert_eq!(page.url().path().ends_with("/consent"), enters, "{count}");
    }
}

#[tokio::test]
async fn each_single_fault_refuses_a_registration() {
    let house = house().await;
    type Fault = fn(&mut Answer);
    let faults: [(&str, Fault); 6] = [
        ("ceremony", |answer| answer.ceremony = "webauthn.get"),
        ("origin", |answer| answer.origin = "https://evil.example".to_owned()),
        ("party", |answer| answer.party = "evil.example".to_owned()),
        ("absent", |answer| answer.flags = 0x04),
        ("unverified", |answer| answer.flags = 0x01),
        ("challenge", |answer| answer.challenge = "A".repeat(48)),
    ];
    let person = Person::new();
    let page = new_passkey_page(&house, &person, USER).await;
    let good = || Answer::new("webauthn.create", &attribute(&page, "data-challenge"));
    let authenticator = Authenticator::new(b"one");
    for (fault, make) in faults {
        let mut answer = good();
        make(&mut answer);
        let refused = authenticator.register(form(&page, "/account/passkeys"), answer).submit().await;
        assert_eq!(refused.status(), 422, "{fault}");
    }
    for (field, value) in
        [("algorithm", "-8"), ("algorithm", "-35"), ("public_key", "AAAA"), ("client_data", "!")]
    {
        let form = authenticator.register(form(&page, "/account/passkeys"), good()).set(field, value);
        assert_eq!(form.submit().await.status(), 422, "{field}={value}");
    }
    let form = authenticator.register(form(&page, "/account/passkeys"), good());
    assert_eq!(form.clone().submit().await.url().path(), "/account", "without a fault it is taken");
    assert_eq!(form.submit().await.status(), 422, "the challenge was answered");
}

#[tokio::test]
async fn a_passkey_has_one_owner() {
    let house = house().await;
    house.server.users().add("bob", Secret::new(PASSWORD)).await.unwrap();
    registered(&house, USER, b"one").await;
    let page = new_passkey_page(&house, &Person::new(), "bob").await;
    let answer = Answer::new("webauthn.create", &attribute(&page, "data-challenge"));
    let again = Authenticator::new(b"one").register(form(&page, "/account/passkeys"), answer).submit().await;
    assert_eq!(again.status(), 422);
    assert!(again.text().contains("registered already"), "{}", again.text());
}

#[tokio::test]
async fn a_passkey_of_a_disabled_user_or_one_that_was_removed_opens_nothing() {
    let house = house().await;
    let authenticator = registered(&house, USER, b"one").await;
    house.server.users().disable(USER).await.unwrap();
    let (form_disabled, answer) = login_page(&house, &Person::new()).await;
    assert_eq!(authenticator.log_in(form_disabled, &answer).submit().await.status(), 403);
    house.server.users().enable(USER).await.unwrap();
    let person = Person::new();
    let page = new_passkey_page(&house, &person, USER).await;
    assert!(attribute(&page, "data-known").contains(&URL_SAFE_NO_PAD.encode(b"one")));
    let account = person.open(house.url("/account")).await;
    let removal = form(&account, "/account/passkeys/remove");
    let (name, value) = removal.buttons()[0].clone();
    removal.press(&name, &value).submit_and_confirm().await;
    let (form_removed, answer) = login_page(&house, &Person::new()).await;
    assert_eq!(authenticator.log_in(form_removed, &answer).submit().await.status(), 403);
}

#[tokio::test]
async fn a_passkey_is_both_factors_and_the_way_in_while_others_guess() {
    let house = house().await;
    let authenticator = registered(&house, USER, b"one").await;
    for _ in 0..6 {
        let page = Person::new().open(house.authorize_url(&house.request())).await;
        page.form().set("username", USER).set("password", "wrong password").submit().await;
    }
    let (form, answer) = login_page(&house, &Person::new()).await;
    let page = authenticator.log_in(form, &answer).submit().await;
    assert!(page.url().path().ends_with("/consent"), "{}", page.text());
}

#[tokio::test]
async fn adding_a_passkey_takes_a_recent_login() {
    let house = house().await;
    let person = Person::new();
    let page = new_passkey_page(&house, &person, USER).await;
    house.advance(10 * 60);
    let later = person.open(house.url("/account/passkeys")).await;
    assert!(later.url().path().ends_with("/login"));
    let answer = Answer::new("webauthn.create", &attribute(&page, "data-challenge"));
    let late = Authenticator::new(b"one").register(form(&page, "/account/passkeys"), answer).submit().await;
    assert!(late.url().path().ends_with("/login"));
}

#[tokio::test]
async fn scripts_are_files_of_this_server_and_only_where_they_are_needed() {
    let house = house().await;
    let person = Person::new();
    let login = person.open(house.authorize_url(&house.request())).await;
    let policy = |page: &Page| page.header("content-security-policy").unwrap().to_owned();
    assert!(policy(&login).ends_with("; script-src 'self'"), "{}", policy(&login));
    assert!(!login.text().contains("<script>"), "nothing inline");
    let consent = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert!(!policy(&consent).contains("script-src"));
    let script = person.open(house.url("/passkeys.js")).await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.header("x-content-type-options"), Some("nosniff"));
    // A server that is known by an IP address has none.
    let plain = House::furnished().await;
    let login = Person::new().open(plain.authorize_url(&plain.request())).await;
    assert!(!login.text().contains("data-passkey"));
}
