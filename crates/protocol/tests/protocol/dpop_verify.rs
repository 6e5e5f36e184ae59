//! RFC 9449 §4.3: each rule alone refuses.

use std::time::Duration;

use hallpass_protocol::{
    dpop::{ExpectedProof, PROOF, Proof, ProofError, proof_of, verify},
    jose::{Algorithm, JoseError, SigningKey},
    secret::Secret,
    time::Timestamp,
};
use http::{HeaderMap, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

const NOW: i64 = 1_800_000_000;

fn url() -> Url {
    "https://as.example/token".parse().unwrap()
}

fn expect<'a>(url: &'a Url, token: Option<&'a Secret>) -> ExpectedProof<'a> {
    let now = Timestamp::from_unix(NOW);
    ExpectedProof {
        method: &Method::POST,
        url,
        aliases: &[],
        access_token: token,
        now,
        window: Duration::from_secs(60),
    }
}

fn claims() -> Value {
    json!({"jti": "once", "htm": "POST", "htu": "https://as.example/token", "iat": NOW})
}

fn judge(claims: &Value) -> Result<(), ProofError> {
    let key = SigningKey::generate_es256().unwrap();
    let proof = key.sign_with_jwk("dpop+jwt", claims).unwrap();
    verify(&proof, &expect(&url(), None)).map(drop)
}

#[test]
fn what_the_writer_writes_is_taken_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let token = Secret::new("a token");
        let (now, url) = (Timestamp::from_unix(NOW), url());
        let proof = Proof {
            method: &Method::POST,
            url: &url,
            access_token: Some(&token),
            nonce: Some("n"),
            jti: "once",
            now,
        };
        let verified = verify(&proof.sign(&key).unwrap(), &expect(&url, Some(&token))).unwrap();
        assert_eq!(verified.thumbprint(), key.thumbprint());
        assert_eq!((verified.id(), verified.nonce()), ("once", Some("n")));
        assert_eq!(verified.ends().unix(), NOW + 60);
    }
}

#[test]
fn each_single_fault_refuses() {
    assert_eq!(judge(&claims()), Ok(()));
    for (name, value, error) in [
        ("jti", json!(null), ProofError::Claim("jti")),
        ("jti", json!(""), ProofError::Claim("jti")),
        ("jti", json!(7), ProofError::Claim("jti")),
        ("jti", json!("x".repeat(257)), ProofError::Claim("jti")),
        ("htm", json!(null), ProofError::Claim("htm")),
        ("htm", json!("GET"), ProofError::OtherMethod),
        ("htm", json!("post"), ProofError::OtherMethod),
        ("htu", json!(null), ProofError::Claim("htu")),
        ("htu", json!("https://as.example/toke"), ProofError::OtherUrl),
        ("htu", json!("https://as.example/token/"), ProofError::OtherUrl),
        ("htu", json!("http://as.example/token"), ProofError::OtherUrl),
        ("htu", json!("https://as.example:444/token"), ProofError::OtherUrl),
        ("htu", json!("https://me@as.example/token"), ProofError::OtherUrl),
        ("htu", json!("/token"), ProofError::OtherUrl),
        ("iat", json!(null), ProofError::Claim("iat")),
        ("iat", json!("1800000000"), ProofError::Claim("iat")),
        ("iat", json!(1.8e9), ProofError::Claim("iat")),
        ("iat", json!(-1), ProofError::Claim("iat")),
        ("iat", json!(NOW - 60), ProofError::Time),
        ("iat", json!(NOW + 61), ProofError::Time),
        ("nonce", json!(1), ProofError::Claim("nonce")),
    ] {
        let mut faulty = claims();
        faulty[name] = value.clone();
        assert_eq!(judge(&faulty), Err(error), "{name}: {value}");
    }
    for (name, value) in [
        ("iat", json!(NOW - 59)),
        ("iat", json!(NOW + 60)),
        ("htu", json!("HTTPS://AS.example:443/token?a=b#c")),
    ] {
        let mut fine = claims();
        fine[name] = value.clone();
        assert_eq!(judge(&fine), Ok(()), "{name}: {value}");
    }
}

#[test]
fn the_access_token_is_the_one_that_came_along() {
    let key = SigningKey::generate_es256().unwrap();
    let (url, token) = (url(), Secret::new("a"));
    let expected = expect(&url, Some(&token));
    let without = key.sign_with_jwk("dpop+jwt", &claims()).unwrap();
    assert_eq!(verify(&without, &expected), Err(ProofError::Claim("ath")));
    let mut other = claims();
    other["ath"] = json!(hallpass_protocol::dpop::ath(&Secret::new("b")));
    let other = key.sign_with_jwk("dpop+jwt", &other).unwrap();
    assert_eq!(verify(&other, &expected), Err(ProofError::OtherToken));
}

#[test]
fn only_a_proof_with_its_own_public_key_is_one() {
    let key = SigningKey::generate_es256().unwrap();
    let other = SigningKey::generate_es256().unwrap();
    let url = url();
    let judge = |proof: &str| verify(proof, &expect(&url, None)).unwrap_err();
    // No key in the header.
    assert_eq!(judge(&key.sign("dpop+jwt", &claims()).unwrap()), ProofError::Key);
    // Another type.
    assert_eq!(judge(&key.sign_with_jwk("jwt", &claims()).unwrap()), ProofError::WrongType);
    // Another's signature.
    let (mine, theirs) = (
        key.sign_with_jwk("dpop+jwt", &claims()).unwrap(),
        other.sign_with_jwk("dpop+jwt", &claims()).unwrap(),
    );
    let signature = theirs.rsplit('.').next().unwrap();
    let forged = format!("{}.{signature}", mine.rsplit_once('.').unwrap().0);
    assert_eq!(judge(&forged), ProofError::Jose(JoseError::BadSignature));
    // A private key, an unusable one, and none at all.
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let header = |jwk: Value, alg: &str| {
        let header = json!({"typ": "dpop+jwt", "alg": alg, "jwk": jwk});
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims().to_string());
        format!("{}.{claims}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    let mut private = serde_json::to_value(key.public_jwk()).unwrap();
    private["d"] = json!("AAAA");
    assert_eq!(judge(&header(private, "ES256")), ProofError::Key);
    assert_eq!(judge(&header(json!({"kty": "oct", "k": "AAAA"}), "ES256")), ProofError::Key);
    for alg in ["none", "HS256"] {
        let refused = judge(&header(json!({"kty": "oct", "k": "AAAA"}), alg));
        assert_eq!(refused, ProofError::Jose(JoseError::UnsupportedAlgorithm));
    }
    let public = serde_json::to_value(key.public_jwk()).unwrap();
    assert!(matches!(judge(&header(public, "RS256")), ProofError::Jose(_)), "kty and alg swapped");
}

#[test]
fn there_is_one_field() {
    let read = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PROOF, value.parse().unwrap());
        }
        proof_of(&headers).map(|proof| proof.map(str::to_owned))
    };
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&["a.b.c"]), Ok(Some("a.b.c".to_owned())));
    assert_eq!(read(&["a", "b"]), Err(ProofError::Several));
    assert_eq!(read(&["a, b"]), Err(ProofError::Several));
}

proptest! {
    #[test]
    fn no_text_panics_and_none_is_taken(text in ".{0,200}") {
        prop_assert!(verify(&text, &expect(&url(), None)).is_err());
    }

    #[test]
    fn every_change_of_a_character_is_noticed(at in 0_usize..1000, with in "[A-Za-z0-9_-]") {
        let key = SigningKey::generate_es256().unwrap();
        let proof = key.sign_with_jwk("dpop+jwt", &claims()).unwrap();
        let at = at % proof.len();
        let mut changed = proof.clone();
        changed.replace_range(at..=at, &with);
        // The last characters of a segment may have bits that stand for nothing; the decoder refuses them.
        prop_assume!(changed != proof);
        prop_assert!(verify(&changed, &expect(&url(), None)).is_err());
    }

    #[test]
    fn a_proof_is_for_its_own_url(path in "/[a-z/]{0,12}") {
        let mut said = claims();
        said["htu"] = json!(format!("https://as.example{path}"));
        prop_assert_eq!(judge(&said).is_ok(), path == "/token");
    }
}

#[test]
fn a_proof_names_one_of_the_servers_own_names() {
    let (url, aliases): (Url, [Url; 1]) = (url(), ["https://mtls.as.example/token".parse().unwrap()]);
    let judge = |htu: &str| {
        let mut claims = claims();
        claims["htu"] = htu.into();
        let proof = SigningKey::generate_es256().unwrap().sign_with_jwk("dpop+jwt", &claims).unwrap();
        verify(&proof, &ExpectedProof { aliases: &aliases, ..expect(&url, None) }).map(drop)
    };
    for own in
        ["https://as.example/token", "https://mtls.as.example/token", "https://MTLS.as.example:443/token?x"]
    {
        assert_eq!(judge(own), Ok(()), "{own}");
    }
    for other in [
        "https://mtls.as.example/mcp",
        "http://mtls.as.example/token",
        "https://mtls.as.example:8443/token",
        "https://a@mtls.as.example/token",
        "https://as.example.evil.example/token",
    ] {
        assert_eq!(judge(other), Err(ProofError::OtherUrl), "{other}");
    }
}
