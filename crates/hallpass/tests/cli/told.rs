//! What the server behind is told: `tells`, `[server.assertion]`, `[server.upstream_fields]`.

use std::time::{Duration, SystemTime};

use hallpass_protocol::jose::{Algorithm, Expected, JwkSet, SigningKey, UnverifiedJwt, VerifyingKeys};
use hallpass_protocol::{Issuer, Timestamp};
use hallpass_testkit::upstream::plain;
use http::StatusCode;

use crate::outside::House;
use crate::program::{complained, run};
use crate::signed_metadata::pem;

const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// As a server behind would: keys from where they are published, and every claim that matters.
#[tokio::test]
async fn an_assertion_can_be_checked_with_the_published_keys() {
    let key = SigningKey::generate_es256().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assertions.pem");
    std::fs::write(&file, pem(&key)).unwrap();
    let external = format!(
        "arrangement = \"external\"\ntells = \"assertion\"\n\
         assertion = {{ key_file = \"{}\", field = \"authorization\", audience = \"notes\", lifetime = \"2m\" }}",
        file.display()
    );
    for (server, field, keys, audience, lifetime) in [
        ("tells = \"assertion\"", "x-hallpass-assertion", "/jwks", None, 60),
        (external.as_str(), "authorization", "/.well-known/hallpass-assertions", Some("notes"), 120),
    ] {
        let house = House::with(server, "").await;
        house.upstream.answer(plain(StatusCode::OK, "{}"));
        let token = house.token("notes:read");
        assert_eq!(house.post(&token, BODY).await.status(), StatusCode::OK);
        let received = house.upstream.received().remove(0);
        let said = received.headers[field].to_str().unwrap();
        let said = said.strip_prefix("Bearer ").unwrap_or(said);
        assert_ne!(said, token);
        assert!(!received.headers.contains_key("x-hallpass-subject"));
        let origin = house.upstream.url("/").origin().ascii_serialization();
        let keys: JwkSet = serde_json::from_value(house.json(keys).await).unwrap();
        let issuer = Issuer::parse(&house.url("")).unwrap();
        let expected = Expected {
            issuer: &issuer,
            audience: &[audience.unwrap_or(&origin)],
            typ: &["hallpass-assertion+jwt"],
            now: Timestamp::from(SystemTime::now()),
            leeway: Duration::from_secs(5),
        };
        let keys = VerifyingKeys::from_jwk_set(&keys, &Algorithm::ALL);
        let claims = UnverifiedJwt::parse(said).unwrap().verify(&keys, &expected).unwrap().into_all();
        let subject = format!("{}#alice", house.outside.issuer.issuer);
        assert_eq!((claims["sub"].as_str(), claims["scope"].as_str()), (Some(&*subject), Some("notes:read")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), lifetime);
        // It is a word to the server behind, and opens nothing here.
        assert_eq!(house.post(said, BODY).await.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_credential_of_its_own_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("upstream");
    std::fs::write(&file, "Bearer of-hallpass\n").unwrap();
    let own =
        format!("tells = \"nothing\"\nupstream_fields.Authorization = {{ file = \"{}\" }}", file.display());
    let house = House::with(&own, "").await;
    house.upstream.answer(plain(StatusCode::OK, "{}"));
    assert_eq!(house.post(&house.token("notes:read"), BODY).await.status(), StatusCode::OK);
    let received = house.upstream.received().remove(0);
    assert_eq!(received.headers["authorization"], "Bearer of-hallpass");
    assert!(!received.headers.keys().any(|name| name.as_str().starts_with("x-hallpass")), "{received:?}");
}

#[test]
fn a_fault_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let upstream = "upstream = \"http://localhost:3000/mcp\"";
    let external = "arrangement = \"external\"\nissuers = [{ issuer = \"https://login.example\" }]";
    for (server, place, what) in [
        (
            "command = [\"true\"]\ntells = \"nothing\"".to_owned(),
            "h.toml:3",
            "only a server that speaks HTTP",
        ),
        (format!("{upstream}\nassertion = {{}}"), "h.toml:3", "tells = \"assertion\""),
        (format!("{upstream}\ntells = \"assertion\"\n{external}"), "h.toml:3", "has no key to sign with"),
        (
            format!("{upstream}\ntells = \"assertion\"\nassertion = {{ lifetime = \"1h\" }}"),
            "h.toml:4",
            "ten minutes",
        ),
        (
            format!("{upstream}\ntells = \"assertion\"\nassertion.audience = \"http://localhost:8080/mcp\""),
            "h.toml:4",
            "a place of hallpass's own",
        ),
        (
            format!(
                "{upstream}\ntells = \"assertion\"\nassertion.field = \"x-key\"\nupstream_fields.X-Key = {{ file = \"x\" }}"
            ),
            "h.toml:5",
            "the assertion or the token goes in that field",
        ),
        (
            format!("{upstream}\nupstream_fields.host = {{ file = \"x\" }}"),
            "line 3",
            "belongs to the message",
        ),
        (
            format!("{upstream}\nupstream_fields.x-key = {{ file = \"/nowhere/key\" }}"),
            "h.toml:3",
            "can't read",
        ),
        (
            format!("{upstream}\nupstream_fields.x-key = {{ file = \"{}\" }}", empty.display()),
            "h.toml:3",
            "does not hold what a field can say",
        ),
    ] {
        let file = folder.path().join("h.toml");
        std::fs::write(&file, format!("[server]\n{server}\n")).unwrap();
        let said = complained(&run(folder.path(), &["config", "check", file.to_str().unwrap()]));
        assert!(said.contains(place) && said.contains(what), "{server}: {said}");
    }
}
