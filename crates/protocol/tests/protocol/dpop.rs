use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hallpass_protocol::{
    dpop::{NONCE, Proof, ath, htu, nonce_of},
    jose::{Algorithm, Jwk, SigningKey},
    secret::Secret,
    time::Timestamp,
};
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

fn parts(jwt: &str) -> [Value; 2] {
    let mut segments = jwt.split('.');
    [(); 2].map(|()| {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(segments.next().unwrap()).unwrap()).unwrap()
    })
}

fn proof<'a>(url: &'a url::Url, token: Option<&'a Secret>, nonce: Option<&'a str>) -> Proof<'a> {
    let now = Timestamp::from_unix(1_562_262_616);
    Proof { method: &Method::POST, url, access_token: token, nonce, jti: "-BwC3ESc6acc2lTc", now }
}

#[test]
fn a_proof_says_what_section_4_2_asks_for_and_nothing_else() {
    let key = SigningKey::generate_es256().unwrap();
    let url = "https://server.example.com/token".parse().unwrap();
    let [header, claims] = parts(&proof(&url, None, None).sign(&key).unwrap());
    let jwk: Jwk = serde_json::from_value(header["jwk"].clone()).unwrap();
    assert_eq!(header, json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": header["jwk"]}));
    assert_eq!(header["jwk"].as_object().unwrap().len(), 4, "kty, crv, x, y: no private member, no id");
    assert_eq!(jwk.key.thumbprint(), key.thumbprint());
    assert_eq!(
        claims,
        json!({
            "jti": "-BwC3ESc6acc2lTc", "htm": "POST", "htu": "https://server.example.com/token", "iat": 1_562_262_616,
        })
    );
}

/// RFC 9449 §7.1, Figure 12: the token of the example and its hash.
#[test]
fn the_hash_of_the_access_token_is_that_of_the_rfc() {
    let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    assert_eq!(ath(&token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    let key = SigningKey::generate_es256().unwrap();
    let url = "https://resource.example.org/protectedresource".parse().unwrap();
    let [_, claims] = parts(&proof(&url, Some(&token), Some("n")).sign(&key).unwrap());
    assert_eq!((&claims["ath"], &claims["nonce"]), (&json!(ath(&token)), &json!("n")));
}

#[test]
fn a_nonce_is_one_field_of_the_allowed_characters() {
    let read = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(NONCE, HeaderValue::from_str(value).unwrap());
        }
        nonce_of(&headers).map(str::to_owned)
    };
    assert_eq!(read(&["eyJ7S_zG.eyJH0-Z.HX4w-7v"]).as_deref(), Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"));
    for none in [&[][..], &[""], &["a", "b"], &["a b"], &["a\"b"], &["a\\b"], &["é"]] {
        assert_eq!(read(none), None, "{none:?}");
    }
    assert_eq!(read(&["n".repeat(1024).as_str()]).map(|n| n.len()), Some(1024));
    assert_eq!(read(&["n".repeat(1025).as_str()]), None);
}

#[test]
fn each_key_reads_from_pem_and_no_other_text_does() {
    for (pem, algorithm) in KEYS {
        let key = SigningKey::from_pem(None, pem, None).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(key.sign("JWT", &json!({})).is_ok());
        assert_eq!(SigningKey::from_pem(Some("k".into()), pem, Some(algorithm)).unwrap().kid(), "k");
    }
    let (rsa, _) = KEYS[2];
    assert_eq!(
        SigningKey::from_pem(None, rsa, Some(Algorithm::PS256)).unwrap().algorithm(),
        Algorithm::PS256
    );
    assert!(SigningKey::from_pem(None, rsa, Some(Algorithm::ES256)).is_err());
    for none in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        let error = SigningKey::from_pem(None, none, None).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

proptest! {
    #[test]
    fn htu_has_no_query_no_fragment_and_no_password(
        path in "[a-z/%0-9]{0,20}", query in "[ -~]{0,20}", fragment in "[ -~]{0,20}",
    ) {
        let url: Result<url::Url, _> = format!("https://me:pw@H.example:8443/{path}?{query}#{fragment}").parse();
        if let Ok(url) = url {
            let htu = htu(&url);
            prop_assert!(!htu.contains(['?', '#', '@']), "{htu}");
            prop_assert!(htu.starts_with("https://h.example:8443/"));
            let bare: url::Url = htu.parse().unwrap();
            prop_assert_eq!(bare.path(), url.path());
        }
    }
}

/// Made for these tests alone.
const KEYS: [(&str, Algorithm); 3] = [
    (
        "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/+Et4BxC9vXo+Obh
WyO5KGnSFfcTVomYQBiiFNW/m0ahRANCAAScR5BhwvtxIMJQ7rHUhSJ4jYVfKDHt
7FLiX6Dt2Dc5slocEQlrglMi9rFaU/Tvg/qmLQCE0L8d8EKWYnR0T315
-----END PRIVATE KEY-----
",
        Algorithm::ES256,
    ),
    (
        "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIFVT4SO8bjiUEESnCqWMXPTtA8sojnSCdviCH9NhzeQ3
-----END PRIVATE KEY-----
",
        Algorithm::EdDSA,
    ),
    (
        "\
-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDUlIYAwsVvnnaO
Raq2DCZyazOyuY5qYSXhbupuwWJousef/126vqFrfybJW3cL1MuCeIfx4MaWqHo6
konNYkiqqn+7nspyO6CjdgF3Kg1vQjEUTacHjKYGpkTqloVBPd8U+vDkxAHvsbRW
cvQYhZ9mgY0qys+YCv9DGByx0/cw/Zx/TiUT8iiFYCoZ8xmEng4To5ufKnxgpntR
mYEvr0uRugwRaM1xSPpJcgIwcz99Oe2mwpCZ6HbzFH5hUUzHV5M117gsPhmSquNZ
0jwpIsZEEruHI8C63wB+qmgq4q4rEYec6pXtBulx3IoBj88l+JsIohZRVyzU1Kt/
8httaDJ/AgMBAAECggEAFsTXu4IhGoz6/s8Yc0pG3e98iJKWXe+M2qICKx28eCI1
Wn5EIEnlyTlDwsJwtEw1BgL58J7WNnHSMa7bYqu5w8niR4rA/U5ErO1pR8Wxza5l
ylps3wKiD8lETWoU2MGTQNCF98LEwFMk0TOb0HqTcavDnoc9h/f5kkqlXCira8w0
ODP2cNRR453v/Ft8HuEIJAbOUKq9JtlxkMHR/Ao3ROspYfENxRUF4/NAavKVn4xn
TxcP3ktmuVf91ctNIMbQ9H6I+hS+8LgbiB9H07mmO/q7bEtsqasNRhRvachmGyIq
4zg/ETGf4+ujl70ke/BP2SfWjmw5zwKUReVJosd7aQKBgQDudgo/OsZN0xmzsSkP
qdxmsA9klhtzPpQUWQm9MHUna66Bt5xAu/3fjfbjpme+mcr0faQokAVuldEdlZj7
xDScm9ustutfwclcihsZ5I6Rj4DV9gi0ICoOKZ1rggXZgCa4IMKZFZtO7nK7jngt
yjvB0PczCP6w652qf8BxV9X0hwKBgQDkNyyR9QGrQF44CQCUdozO8DoRPEKqU5gt
O1w5lLEA2/DeuFAbWt+8/NRm+rM+b36ybXfLpJmsROAQcTu9A8uJYZpAf9rUmrQK
IYF9E9soz728ruOLMA+q3WK1pRhH1pRy+720QB5EJrAL/zNphSNtfJthYsH7mfz9
AhtApcTISQKBgD4dMzgbKDJ3bXd4CzkQRt/ctnW9//J593qBYt8L80hMbU1OtX3L
Oir0QL41x0pHpy0eWRdTxIZ0sd7h69KQ3h95HbSUhSURRlE7jCmndleGKMoS51t8
EVhVELNDUCDCl9NYfTgA/86EoBAo4TcUOZKXyvxZOHZ/OTeDRW6AsbObAoGAUPcu
Ld5BqFMe2jx/YyyoCib6QvEhKbKcs7dyoc8Z+RcO3sV/TiUwaak9ZgednhIKXh0u
OiZ8iryozcyOiCGXjXb+NdHmfjUgmNOIUCrCPzlstEtL2S7E8Da49X7MHXiIlD6x
8AgrdLxRCwCQaehdSFPEAIn8Dlp0ggLETmxBY1kCgYAgT5J4kqYzPoWK+XuzgoFe
MlWDxIlLAAc3B0m5HN0IdTbxRu3c06BoxonUEKHOMVselG9auAuFXgoUVhHlGDJM
Dhq13tZbpHExHNOVfxd+xdJuOmDEIikyTzVqeB8e3crdZPKJQZLSzWZPYt8RhJIV
8ZGz+NUgndrLFAOg6nziYw==
-----END PRIVATE KEY-----
",
        Algorithm::RS256,
    ),
];
