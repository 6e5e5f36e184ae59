//! Digest credentials (RFC 7616 §3.4).
//!
//! What is read is what another parser of the same grammar reads: the one for challenges. A response is right if, and
//! only if, it is the hash that the RFC says, computed here a second time.

use aws_lc_rs::digest::{SHA256, SHA512_256, digest};
use hallpass_protocol::digest::{DigestAlgorithm, DigestCredentials};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::{Challenge, parse_challenges};
use http::{HeaderMap, HeaderValue, Method, header::WWW_AUTHENTICATE};

/// Takes one input.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Nothing else comes in a header field.
    let Ok(field) = HeaderValue::from_bytes(&[b"Digest ", data].concat()) else { return };
    let Ok(read) = DigestCredentials::parse(text) else { return };
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, field)]);
    let found = parse_challenges(&headers);
    let [other] = found.as_slice() else { panic!("one reads credentials, the other {found:?}") };
    // The other has a bound.
    if other.params().count() == 64 {
        return;
    }
    let param = |name: &str| other.param(name).unwrap_or_default();
    assert_eq!(
        [&read.username, &read.realm, &read.nonce, &read.uri],
        [param("username"), param("realm"), param("nonce"), param("uri")]
    );
    for text in [&read.username, &read.realm, &read.nonce, &read.uri] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    assert_eq!(param("qop"), "auth");
    assert_eq!(u32::from_str_radix(param("nc"), 16).ok(), Some(read.count));
    assert_eq!(read.algorithm, other.param("algorithm").map_or(DigestAlgorithm::Md5, algorithm));
    if read.algorithm == DigestAlgorithm::Md5 {
        return;
    }
    let password = Secret::new("Circle of Life");
    let ha1 = read.algorithm.ha1(&read.username, &read.realm, &password);
    let right = response(other, read.algorithm);
    let fits = read.fits(&ha1, &Method::GET);
    assert_eq!(fits, param("response").eq_ignore_ascii_case(&right), "{right}");
    answers(other, &right, &ha1);
}

fn algorithm(name: &str) -> DigestAlgorithm {
    DigestAlgorithm::from_name(name).expect("an algorithm that was taken")
}

/// RFC 7616 §3.4.1, for the one password.
fn response(said: &Challenge, algorithm: DigestAlgorithm) -> String {
    let hash = |text: String| {
        let with = if algorithm == DigestAlgorithm::Sha256 { &SHA256 } else { &SHA512_256 };
        let bytes = digest(with, text.as_bytes());
        bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let param = |name: &str| said.param(name).unwrap_or_default();
    let a1 = hash(format!("{}:{}:Circle of Life", param("username"), param("realm")));
    let a2 = hash(format!("GET:{}", param("uri")));
    hash(format!("{a1}:{}:{}:{}:auth:{a2}", param("nonce"), param("nc"), param("cnonce")))
}

/// Written anew with the right response, the same credentials fit; where they can be written at all.
fn answers(said: &Challenge, right: &str, ha1: &Secret) {
    let again = said.params().fold(Challenge::new("Digest"), |again, (name, value)| again.with(name, value));
    let text = again.with("response", right).to_string();
    if said.params().all(|(_, value)| value.chars().all(|c| matches!(c, ' '..='~'))) {
        let credentials = text.strip_prefix("Digest ").expect("parameters");
        let read = DigestCredentials::parse(credentials).expect("what was just written");
        assert!(read.fits(ha1, &Method::GET), "{text}");
    }
}
