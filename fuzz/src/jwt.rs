//! JWTs, at every entrance: access tokens (through `UnverifiedJwt` and through a resource server) and client assertions.
//!
//! An input of one line is a token. One of several is a header and claims, which are signed just as they are, so that
//! the fuzzer gets past the signature. Whatever is taken is signed by the very key (aws-lc itself is asked again), says
//! nothing in two ways, and its claims hold what another reader finds in them.

use std::time::Duration;

use hallpass_protocol::client_assertion::{ExpectedAssertion, UnverifiedClientAssertion};
use hallpass_protocol::jose::{Expected, UnverifiedJwt, VerifiedJwt};
use hallpass_protocol::{Issuer, Timestamp};
use serde_json::{Value, json};

use crate::keys::{self, NOW, X};
use crate::protected::{ISSUER, RESOURCE};
use crate::{lines, protected, signature, twins};

/// Takes one input.
pub fn check(data: &[u8]) {
    if data.contains(&b'\n') {
        let [header, claims] = lines(data);
        entrances(&keys::sign(header, claims));
    } else if let Ok(token) = std::str::from_utf8(data) {
        entrances(token);
    }
}

fn entrances(token: &str) {
    let taken = access_token(token);
    if let Some(taken) = &taken {
        let claims = signed_claims(token);
        is_for_here(&claims, RESOURCE, ISSUER);
        assert_eq!(Value::Object(taken.all().clone()), claims);
        assert_eq!(claims["sub"], taken.claims().subject.as_str());
    }
    // The same verdict through the server, which asks for a jti and a client on top.
    if protected::server().verify(token).is_ok() {
        assert!(taken.is_some(), "the server takes {token}");
    }
    if let Ok(assertion) = UnverifiedClientAssertion::parse(token) {
        let issuer = Issuer::parse(ISSUER).expect("an issuer");
        let expected = ExpectedAssertion {
            client_id: "https://client.example/id",
            issuer: &issuer,
            now: Timestamp::from_unix(NOW),
            leeway: Duration::ZERO,
        };
        if let Ok(taken) = assertion.verify(&keys::verifying(), &expected) {
            let claims = signed_claims(token);
            is_for_here(&claims, ISSUER, "https://client.example/id");
            assert!(claims["aud"].is_string() || claims["aud"].as_array().is_some_and(|aud| aud.len() == 1));
            assert_eq!(claims["sub"], claims["iss"]);
            assert_eq!(claims["jti"], taken.id());
            assert!(taken.expires_at().unix() <= NOW + 600);
        }
    }
}

fn access_token(token: &str) -> Option<VerifiedJwt> {
    let issuer = Issuer::parse(ISSUER).expect("an issuer");
    let expected = Expected {
        issuer: &issuer,
        audience: &[RESOURCE],
        typ: &["at+jwt"],
        now: Timestamp::from_unix(NOW),
        leeway: Duration::ZERO,
    };
    let verified = UnverifiedJwt::parse(token).ok()?.verify(&keys::verifying(), &expected).ok()?;
    let header = part(token, 0);
    let typ = header["typ"].as_str().expect("a typ").to_ascii_lowercase();
    assert_eq!(typ.strip_prefix("application/").unwrap_or(&typ), "at+jwt");
    Some(verified)
}

/// The claims of a token that was taken, which has to be a good one.
fn signed_claims(token: &str) -> Value {
    let own = json!({ "kty": "OKP", "crv": "Ed25519", "x": X });
    assert!(signature::is_right(token, &own), "taken without a signature of the one key: {token}");
    let header = part(token, 0);
    assert_eq!(header["alg"], "EdDSA");
    assert!(header.get("crit").is_none());
    assert!(header.get("kid").is_none_or(|kid| kid == "rfc8037"));
    part(token, 1)
}

fn is_for_here(claims: &Value, audience: &str, issuer: &str) {
    let has = |aud: &Value| aud == audience;
    assert!(has(&claims["aud"]) || claims["aud"].as_array().is_some_and(|aud| aud.iter().any(has)));
    assert_eq!(claims["iss"], issuer);
    assert!(claims["exp"].as_i64().expect("exp") > NOW);
    assert!(claims["iat"].as_i64().expect("iat") <= NOW);
    assert!(claims.get("nbf").is_none_or(|nbf| nbf.as_i64().expect("nbf") <= NOW));
    assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty()));
}

/// Header or claims, which have one reading.
fn part(token: &str, at: usize) -> Value {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let segments: Vec<&str> = token.split('.').collect();
    assert_eq!(segments.len(), 3);
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(segments[at]).expect("base64url");
    assert!(!twins::repeats(&bytes), "taken with a member twice: {}", bytes.escape_ascii());
    twins::last(&bytes).expect("JSON")
}
