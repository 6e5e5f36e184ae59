//! `/scim/v2` (RFC 7643, RFC 7644).

use std::time::Duration;

use crate::assertions::trust_with;
use crate::harness;
use hallpass_authorization_server::{AccountLinking, AuditFilter};
use harness::{Answer, House, PASSWORD, USER};
use reqwest::Method;
use serde_json::{Value, json};

const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A server with an identity provider that has its token.
struct Provisioned {
    house: House,
    token: String,
}

async fn provisioned() -> Provisioned {
    let house = House::furnished().await;
    let token = token(&house).await.1;
    Provisioned { house, token }
}

async fn token(house: &House) -> (String, String) {
    let tokens = house.store().await.provisioning_tokens();
    let (id, token) = tokens.issue("idp", DAY).await.unwrap();
    (id, token.expose().to_owned())
}

impl Provisioned {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { self.house.url(path) };
        self.house.http.request(method, url).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Answer {
        self.house.send(self.request(Method::GET, path)).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("content-type", "application/scim+json");
        self.house.send(request.body(body.to_string())).await
    }

    async fn create(&self, body: &Value) -> Answer {
        self.send(Method::POST, "/scim/v2/Users", body).await
    }

    async fn patch(&self, id: &str, operations: Value) -> Answer {
        let body = json!({ "schemas": [PATCH_OP], "Operations": operations });
        self.send(Method::PATCH, &format!("/scim/v2/Users/{id}"), &body).await
    }

    async fn find(&self, filter: &str) -> Answer {
        let users = self.house.url("/scim/v2/Users");
        let url = url::Url::parse_with_params(&users, [("filter", filter)]).unwrap();
        self.get(url.as_str()).await
    }

    /// The id of the user of the harness.
    async fn ada(&self) -> String {
        self.find(&format!("userName eq \"{USER}\"")).await.json["Resources"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// Which rule was broken, in SCIM's form.
fn refusal(answer: &Answer) -> (u16, &str) {
    let is_scim = answer.header("content-type") == Some("application/scim+json");
    assert!(is_scim && answer.json["status"].as_str() == Some(&answer.status.to_string()), "{answer:?}");
    assert_eq!(answer.json["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert!(answer.json["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    (answer.status, answer.json["scimType"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn somebody_is_made_read_replaced_and_removed() {
    let scim = provisioned().await;
    let bob = json!({
        "schemas": [USER_SCHEMA], "userName": "bob@example.com", "externalId": "0042", "displayName": "Bob",
        "name": { "givenName": "Bob" }, "emails": [{ "value": "bob@example.com", "primary": true }],
        "title": "not kept", "password": "not kept either",
    });
    let made = scim.create(&bob).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.text("id").to_owned();
    let location = scim.house.url(&format!("/scim/v2/Users/{id}"));
    assert_eq!(made.header("location"), Some(location.as_str()));
    assert_eq!(made.header("content-type"), Some("application/scim+json"));
    for (name, value) in [
        ("userName", json!("bob@example.com")),
        ("externalId", json!("0042")),
        ("active", json!(true)),
        ("displayName", json!("Bob")),
        ("name", json!({ "givenName": "Bob" })),
        ("schemas", json!([USER_SCHEMA])),
    ] {
        assert_eq!(made.json[name], value, "{name}");
    }
    assert_eq!((made.json.get("title"), made.json.get("password")), (None, None));
    assert_eq!(made.json["meta"]["location"], json!(location));
    assert_eq!(made.json["meta"]["created"], json!("2027-01-15T08:00:00Z"));
    let read = scim.get(&location).await;
    assert_eq!((read.status, &read.json), (200, &made.json));
    // PUT says all there is.
    scim.house.advance(60);
    let path = format!("/scim/v2/Users/{id}");
    let put = scim.send(Method::PUT, &path, &json!({ "userName": "Bob2", "active": true })).await;
    assert_eq!((put.status, put.text("userName")), (200, "Bob2"));
    assert_eq!((put.json.get("externalId"), put.json.get("emails")), (None, None));
    assert_eq!(put.json["meta"]["lastModified"], json!("2027-01-15T08:01:00Z"));
    assert_eq!(scim.send(Method::DELETE, &path, &json!({})).await.status, 204);
    assert_eq!(refusal(&scim.get(&path).await), (404, ""));
    assert_eq!(refusal(&scim.send(Method::DELETE, &path, &json!({})).await), (404, ""));
    assert_eq!(
        refusal(&scim.patch(&id, json!([{ "op": "replace", "path": "active", "value": true }])).await),
        (404, "")
    );
}

#[tokio::test]
async fn somebody_is_found_by_name_external_id_or_id() {
    let scim = provisioned().await;
    let made = scim.create(&json!({ "userName": "Bob@example.com", "externalId": "Q-1" })).await;
    let id = made.text("id").to_owned();
    for found in [
        "userName eq \"bob@EXAMPLE.com\"".to_owned(),
        "externalId eq \"Q-1\"".to_owned(),
        format!("id eq \"{id}\""),
        "urn:ietf:params:scim:schemas:core:2.0:User:username EQ \"bob@example.com\"".to_owned(),
    ] {
        let answer = scim.find(&found).await;
        assert_eq!(
            (answer.json["totalResults"].as_u64(), &answer.json["Resources"][0]),
            (Some(1), &made.json),
            "{found}"
        );
    }
    for nobody in ["userName eq \"eve\"", "externalId eq \"q-1\"", "userName eq \"' OR 1=1 --\""] {
        let answer = scim.find(nobody).await;
        assert_eq!((answer.status, answer.json["totalResults"].as_u64()), (200, Some(0)), "{nobody}");
        assert_eq!(answer.json["Resources"], json!([]));
    }
    for wrong in
        ["userName ne \"bob\"", "userName eq bob", "displayName eq \"Bob\"", "active eq true", "userName pr"]
    {
        assert_eq!(refusal(&scim.find(wrong).await), (400, "invalidFilter"), "{wrong}");
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let scim = provisioned().await;
    for n in 0..4 {
        scim.house.advance(1);
        assert_eq!(scim.create(&json!({ "userName": format!("user {n}") })).await.status, 201);
    }
    let page = async |query: &str| {
        let answer = scim.get(&format!("/scim/v2/Users?{query}")).await;
        let all = answer.json["Resources"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = all.iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect();
        assert_eq!(answer.json["totalResults"], 5, "{query}");
        assert_eq!(answer.json["itemsPerPage"], names.len());
        (answer.json["startIndex"].as_u64().unwrap(), names)
    };
    let all = [USER, "user 0", "user 1", "user 2", "user 3"].map(str::to_owned);
    assert_eq!(page("").await, (1, all.to_vec()));
    assert_eq!(page("startIndex=2&count=2").await, (2, all[1..3].to_vec()));
    assert_eq!(page("startIndex=0&count=1").await, (1, all[..1].to_vec()));
    assert_eq!(page("startIndex=-7&count=1000000").await, (1, all.to_vec()));
    assert_eq!(page("count=0").await, (1, Vec::new()));
    assert_eq!(page("count=-1").await, (1, Vec::new()));
    assert_eq!(page("startIndex=9223372036854775807").await.1, Vec::<String>::new());
    assert_eq!(refusal(&scim.get("/scim/v2/Users?count=many").await), (400, "invalidValue"));
}

#[tokio::test]
async fn no_list_is_longer_than_is_said() {
    let scim = provisioned().await;
    scim.house
        .sql(
            "INSERT INTO users (id, name, name_key, password_hash, created_at)
             WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 300)
             SELECT 'id' || n, 'name' || n, 'name' || n, 'h', 1 FROM many",
        )
        .await;
    let most = scim.get("/scim/v2/ServiceProviderConfig").await.json["filter"]["maxResults"].as_u64();
    for (query, count) in [("", 100), ("?count=1000", most.unwrap())] {
        let answer = scim.get(&format!("/scim/v2/Users{query}")).await.json;
        assert_eq!(answer["totalResults"], 301);
        assert_eq!(answer["Resources"].as_array().unwrap().len() as u64, count);
    }
}

#[tokio::test]
async fn a_name_is_one_persons() {
    let scim = provisioned().await;
    let taken = scim.create(&json!({ "userName": USER.to_uppercase() })).await;
    assert_eq!(refusal(&taken), (409, "uniqueness"));
    let bob = scim.create(&json!({ "userName": "bob" })).await.text("id").to_owned();
    let rename = json!([{ "op": "replace", "path": "userName", "value": USER }]);
    assert_eq!(refusal(&scim.patch(&bob, rename).await), (409, "uniqueness"));
    let same = json!([{ "op": "replace", "path": "userName", "value": "BOB" }]);
    assert_eq!(scim.patch(&bob, same).await.text("userName"), "BOB");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_scims_form_and_changes_nothing() {
    let scim = provisioned().await;
    let post = async |kind: &str, body: String| {
        let request = scim.request(Method::POST, "/scim/v2/Users").header("content-type", kind);
        let answer = scim.house.send(request.body(body)).await;
        let (status, kind) = refusal(&answer);
        (status, kind.to_owned())
    };
    let json = "application/json";
    let wrong = |status: u16, kind: &str| (status, kind.to_owned());
    assert_eq!(post("text/plain", "{}".to_owned()).await, wrong(415, ""));
    assert_eq!(post(json, "{".to_owned()).await, wrong(400, "invalidSyntax"));
    assert_eq!(post(json, "[]".to_owned()).await, wrong(400, "invalidSyntax"));
    let twice = r#"{"userName":"bob","userName":"eve"}"#.to_owned();
    assert_eq!(post(json, twice).await, wrong(400, "invalidSyntax"));
    assert_eq!(post(json, "{}".to_owned()).await, wrong(400, "invalidValue"));
    let long = json!({ "userName": "bob", "title": "x".repeat(70_000) }).to_string();
    assert_eq!(post(json, long).await, wrong(413, ""));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(post(json, deep).await, wrong(400, "invalidSyntax"));
    assert_eq!(scim.house.number("SELECT COUNT(*) FROM users").await, 1);
    // Of several changes one that is refused undoes the others.
    let ada = scim.ada().await;
    let operations = json!([
        { "op": "replace", "path": "displayName", "value": "Changed" },
        { "op": "replace", "path": "id", "value": "x" },
    ]);
    assert_eq!(refusal(&scim.patch(&ada, operations).await), (400, "mutability"));
    assert_eq!(scim.get(&format!("/scim/v2/Users/{ada}")).await.json.get("displayName"), None);
    let post = scim.request(Method::POST, &format!("/scim/v2/Users/{ada}"));
    assert_eq!(refusal(&scim.house.send(post).await), (405, ""));
}

/// No database keeps U+0000, and PostgreSQL fails where it is asked for.
#[tokio::test]
async fn no_value_and_no_id_holds_what_no_database_keeps() {
    let scim = provisioned().await;
    for (name, value) in [
        ("userName", json!("a\0b")),
        ("externalId", json!("a\0b")),
        ("emails", json!([{ "value": "a\0@example.com" }])),
    ] {
        let mut body = json!({ "schemas": [USER_SCHEMA], "userName": "bob" });
        body[name] = value;
        assert_eq!(refusal(&scim.create(&body).await), (400, "invalidValue"), "{name}");
    }
    let ada = scim.ada().await;
    let change = json!([{ "op": "replace", "path": "externalId", "value": "a\0" }]);
    assert_eq!(refusal(&scim.patch(&ada, change).await), (400, "invalidValue"));
    assert_eq!(refusal(&scim.find("externalId eq \"a\\u0000\"").await), (400, "invalidFilter"));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(scim.send(method, "/scim/v2/Users/a%00b", &json!({})).await.status, 404);
    }
    assert_eq!(scim.find("userName eq \"bob\"").await.json["totalResults"], 0);
}

#[tokio::test]
async fn nothing_but_its_own_token_opens() {
    let mut scim = provisioned().await;
    let good = scim.token.clone();
    let access = scim.house.tokens().await;
    let (admin_id, other) = token(&scim.house).await;
    assert_eq!(scim.get("/scim/v2/Users").await.status, 200);
    let mut wrong = vec![
        access.text("access_token").to_owned(),
        access.text("refresh_token").to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        good.replace("hps_", "hpa_"),
        String::new(),
        "hps_".to_owned(),
    ];
    // Every single character counts.
    wrong.extend((4..good.len()).map(|at| {
        let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{other}{}", &good[..at], &good[at + 1..])
    }));
    for shown in wrong {
        scim.token = shown;
        for path in ["/scim/v2/Users", "/scim/v2/ServiceProviderConfig", "/scim/v2/Users/x"] {
            let answer = scim.get(path).await;
            assert_eq!(refusal(&answer), (401, ""), "{path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"hallpass scim\""));
        }
        assert_eq!(refusal(&scim.create(&json!({ "userName": "eve" })).await), (401, ""));
    }
    let none = scim.house.http.get(scim.house.url("/scim/v2/Users"));
    assert_eq!(refusal(&scim.house.send(none).await), (401, ""));
    let twice = scim.house.http.get(scim.house.url("/scim/v2/Users")).bearer_auth(&good).bearer_auth(&good);
    assert_eq!(refusal(&scim.house.send(twice).await), (401, ""));
    let basic = scim.house.http.get(scim.house.url("/scim/v2/Users")).basic_auth(USER, Some(PASSWORD));
    assert_eq!(refusal(&scim.house.send(basic).await), (401, ""));
    // And it opens nothing else.
    let form =
        [("client_id", harness::WEB), ("client_secret", harness::WEB_SECRET), ("token", good.as_str())];
    assert_eq!(scim.house.post("/introspect", &form).await.json, json!({ "active": false }));
    // Revoked by another process: gone at once, here too.
    assert!(scim.house.store().await.provisioning_tokens().revoke(&admin_id).await.unwrap());
    scim.token = other;
    assert_eq!(refusal(&scim.get("/scim/v2/Users").await), (401, ""));
    scim.token = good;
    scim.house.advance(DAY.as_secs() - 1);
    assert_eq!(scim.get("/scim/v2/Users").await.status, 200);
    scim.house.advance(1);
    assert_eq!(refusal(&scim.get("/scim/v2/Users").await), (401, ""));
    let stored = scim.house.everything_stored().await;
    let secret = scim.token.trim_start_matches("hps_").as_bytes();
    assert!(!stored.windows(secret.len()).any(|window| window == secret), "stored hashed");
}

#[tokio::test]
async fn whoever_leaves_is_out_at_every_replica() {
    let scim = provisioned().await;
    let replica = scim.house.replica().await;
    let tokens = scim.house.tokens().await;
    let code = scim.house.code().await;
    let jti = scim.house.verify(tokens.text("access_token")).jti;
    let ada = scim.ada().await;
    let left = scim.patch(&ada, json!([{ "op": "replace", "value": { "active": false } }])).await;
    assert_eq!((left.status, &left.json["active"]), (200, &json!(false)));
    assert_eq!(scim.house.server.revocations().is_revoked(&jti), Ok(true));
    // What housekeeping does every second.
    replica.server.keep_house().await.unwrap();
    assert_eq!(replica.server.revocations().is_revoked(&jti), Ok(true));
    let refresh = scim.house.refresh(harness::NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refresh.error(), (400, "invalid_grant"));
    assert_eq!(scim.house.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(scim.house.number("SELECT COUNT(*) FROM sessions").await, 0);
    let login = scim.house.log_in(&hallpass_testkit::person::Person::new(), &scim.house.request()).await;
    assert!(login.location_param("code").is_none());
    // Whoever comes back begins anew.
    let back = scim.patch(&ada, json!([{ "op": "Replace", "path": "active", "value": "True" }])).await;
    assert_eq!(back.json["active"], json!(true));
    assert_eq!(scim.house.server.revocations().is_revoked(&jti), Ok(true));
    assert_eq!(scim.house.tokens().await.status, 200);
    // By PUT, and by DELETE.
    let put = json!({ "userName": USER, "active": false });
    for method in [Method::PUT, Method::DELETE] {
        let tokens = scim.house.tokens().await;
        scim.send(method.clone(), &format!("/scim/v2/Users/{ada}"), &put).await;
        assert!(scim.house.is_revoked(tokens.text("access_token")), "{method}");
        scim.patch(&ada, json!([{ "op": "replace", "path": "active", "value": true }])).await;
    }
    assert_eq!(scim.house.number("SELECT COUNT(*) FROM users").await, 0);
}

#[tokio::test]
async fn an_account_by_the_word_of_a_company_ends_with_the_person() {
    let domains = vec!["example.com".to_owned()];
    let linking = AccountLinking { email_domains: domains, create: false };
    let trust = trust_with(|settings| settings.trusted_issuers[0].accounts = Some(linking)).await;
    let token = token(&trust.house).await.1;
    let scim = Provisioned { token, house: trust.house };
    let made = scim
        .create(
            &json!({ "userName": "alice.l", "emails": [{ "value": "Alice@Example.com", "type": "work" }] }),
        )
        .await;
    let id = made.text("id").to_owned();
    let trust = crate::assertions::Trust { house: scim.house, ..trust };
    let mut claims = trust.id_jag("1");
    claims["email"] = json!("alice@example.com");
    claims["email_verified"] = json!(true);
    let tokens = trust.present(&claims).await;
    assert_eq!(trust.house.verify(tokens.text("access_token")).sub, id, "the address that SCIM vouches for");
    let scim = Provisioned { house: trust.house, token: scim.token };
    scim.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await;
    assert!(scim.house.is_revoked(tokens.text("access_token")));
    let trust = crate::assertions::Trust { house: scim.house, ..trust };
    claims["jti"] = json!("2");
    assert_eq!(trust.present(&claims).await.error(), (400, "invalid_grant"));
    // An address that two have is nobody's.
    let scim = Provisioned { house: trust.house, token: scim.token };
    scim.patch(&id, json!([{ "op": "replace", "path": "active", "value": true }])).await;
    scim.create(&json!({ "userName": "alice@example.com" })).await;
    let trust = crate::assertions::Trust { house: scim.house, ..trust };
    (claims["jti"], claims["sub"]) = (json!("3"), json!("another"));
    assert_eq!(trust.present(&claims).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_version_that_somebody_has_changed_since_is_left_alone() {
    let scim = provisioned().await;
    let ada = scim.ada().await;
    let path = format!("/scim/v2/Users/{ada}");
    let read = scim.get(&path).await;
    let version = read.header("etag").unwrap().to_owned();
    assert_eq!(read.json["meta"]["version"], json!(version));
    let known = scim.request(Method::GET, &path).header("if-none-match", &version);
    assert_eq!(scim.house.send(known).await.status, 304);
    let change = async |wanted: &str, name: &str| {
        let body = json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "add", "path": "displayName", "value": name }] });
        let request = scim.request(Method::PATCH, &path).header("if-match", wanted);
        scim.house
            .send(request.header("content-type", "application/json").body(body.to_string()))
            .await
            .status
    };
    assert_eq!(change(&version, "first").await, 200);
    assert_eq!(change(&version, "second").await, 412);
    assert_eq!(change("*", "third").await, 200);
    let gone = scim.request(Method::DELETE, &path).header("if-match", version.trim_start_matches("W/"));
    assert_eq!(refusal(&scim.house.send(gone).await), (412, ""));
}

/// Two words about one person, the operator's and the identity provider's: each is taken back by whoever said it.
#[tokio::test]
async fn whom_the_operator_has_disabled_stays_out_whatever_an_identity_provider_says() {
    let scim = provisioned().await;
    let ada = scim.ada().await;
    let users = scim.house.server.users();
    let is_out = async || users.list().await.unwrap()[0].disabled_at.is_some();
    let active = async |active: bool| {
        let changed = scim.patch(&ada, json!([{ "op": "replace", "path": "active", "value": active }])).await;
        assert_eq!((changed.status, &changed.json["active"]), (200, &json!(active)));
    };
    assert!(users.disable(USER).await.unwrap());
    let path = format!("/scim/v2/Users/{ada}");
    assert_eq!(scim.get(&path).await.json["active"], true, "the identity provider's own word");
    active(true).await;
    assert_eq!(scim.send(Method::PUT, &path, &json!({ "userName": USER })).await.status, 200);
    assert!(is_out().await);
    assert!(users.enable(USER).await.unwrap());
    assert!(!is_out().await);
    assert_eq!(scim.house.tokens().await.status, 200);
    for operator_first in [true, false] {
        active(false).await;
        assert!(is_out().await);
        assert!(users.disable(USER).await.unwrap());
        match operator_first {
            true => assert!(users.enable(USER).await.unwrap()),
            false => active(true).await,
        }
        assert!(is_out().await, "one of them still says so");
        assert!(users.enable(USER).await.unwrap());
        active(true).await;
        assert!(!is_out().await);
    }
}

#[tokio::test]
async fn what_the_server_can_do_is_said_and_true() {
    let scim = provisioned().await;
    let can = scim.get("/scim/v2/ServiceProviderConfig").await.json;
    for (feature, supported) in [
        ("patch", true),
        ("filter", true),
        ("etag", true),
        ("bulk", false),
        ("sort", false),
        ("changePassword", false),
    ] {
        assert_eq!(can[feature]["supported"], json!(supported), "{feature}");
    }
    let kinds = scim.get("/scim/v2/ResourceTypes").await.json;
    assert_eq!(kinds["Resources"][0]["endpoint"], "/Users");
    assert_eq!(scim.get("/scim/v2/ResourceTypes/User").await.json, kinds["Resources"][0]);
    let schemas = scim.get("/scim/v2/Schemas").await.json;
    let attributes = schemas["Resources"][0]["attributes"].as_array().unwrap();
    let names: Vec<_> = attributes.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["userName", "externalId", "active", "displayName", "name", "emails"]);
    assert_eq!(scim.get(&format!("/scim/v2/Schemas/{USER_SCHEMA}")).await.json, schemas["Resources"][0]);
    assert_eq!(refusal(&scim.get("/scim/v2/Schemas/x").await), (404, ""));
    assert_eq!(scim.get("/scim/v2/Groups").await.status, 404);
}

#[tokio::test]
async fn what_it_did_is_in_the_audit_log_under_its_token() {
    let scim = provisioned().await;
    let id = scim.create(&json!({ "userName": "bob" })).await.text("id").to_owned();
    scim.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await;
    scim.house.server.close().await.unwrap();
    let filter = AuditFilter { user: Some(id), ..AuditFilter::default() };
    let events = scim.house.server.audit_log().list(&filter, 10).await.unwrap();
    let tokens = scim.house.store().await.provisioning_tokens().list().await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(kinds, ["user_disabled", "user_added"]);
    let by = format!("SCIM, idp ({})", tokens[0].id);
    assert!(events.iter().all(|event| event.actor.as_deref() == Some(by.as_str())), "{events:?}");
}

/// RFC 7644 §3.12: what is not there, and what is not for a URL, is said in SCIM's form; to strangers, nothing is.
#[tokio::test]
async fn what_is_not_there_is_said_in_scims_form() {
    let scim = provisioned().await;
    for path in
        ["", "/", "/Groups", "/Groups/1", "/Me", "/Bulk", "/Users/1/2", "/Schemas/1/2", "/nothing/at/all"]
    {
        let path = format!("/scim/v2{path}");
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = scim.send(method, &path, &json!({})).await;
            assert_eq!(refusal(&answer), (404, ""), "{path}");
            let says_why = answer.json["detail"].as_str().unwrap().contains("no groups here");
            assert_eq!(says_why, path.contains("Groups"), "{path}");
        }
        let stranger = scim.house.send(scim.house.http.get(scim.house.url(&path))).await;
        assert_eq!(refusal(&stranger), (401, ""), "{path}");
    }
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/Users"] {
        let answer = scim.send(Method::DELETE, &format!("/scim/v2{path}"), &json!({})).await;
        assert_eq!(refusal(&answer), (405, ""), "{path}");
        assert!(
            answer.header("allow").is_some_and(|methods| methods.contains("GET")),
            "RFC 9110 §15.5.6: {answer:?}"
        );
    }
    let types = scim.get("/scim/v2/ResourceTypes").await;
    assert_eq!((&types.json["totalResults"], &types.json["Resources"][0]["id"]), (&json!(1), &json!("User")));
}
