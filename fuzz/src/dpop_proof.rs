//! DPoP proofs (RFC 9449 §4.3).
//!
//! An input of one line is a proof. One of several is a header and claims, signed just as they are. Whatever is taken is
//! signed by the key that it brings (aws-lc itself is asked again), says nothing in two ways, and is for this method,
//! this URL, this token and this time.

use std::sync::LazyLock;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hallpass_protocol::dpop::{self, ExpectedProof};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::{Jwk, Timestamp};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::keys::{self, NOW};
use crate::protected::RESOURCE;
use crate::{lines, signature, twins};

const WINDOW: Duration = Duration::from_secs(300);
/// `ath` of the token `token`.
const ATH: &str = "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A";

/// Takes one input.
pub fn check(data: &[u8]) {
    if data.contains(&b'\n') {
        let [header, claims] = lines(data);
        proof(&keys::sign(header, claims));
    } else if let Ok(text) = std::str::from_utf8(data) {
        proof(text);
        field(data, text);
    }
}

fn proof(proof: &str) {
    static URL: LazyLock<Url> = LazyLock::new(|| RESOURCE.parse().expect("a URL"));
    let token = Secret::new("token");
    let expected = ExpectedProof {
        method: &Method::POST,
        url: &URL,
        aliases: &[],
        access_token: Some(&token),
        now: Timestamp::from_unix(NOW),
        window: WINDOW,
    };
    let Ok(taken) = dpop::verify(proof, &expected) else { return };
    let (header, claims) = (part(proof, 0), part(proof, 1));
    assert!(signature::is_right(proof, &header["jwk"]), "taken without a signature of its key: {proof}");
    assert!(header["jwk"]["d"].is_null() && header.get("crit").is_none());
    let key: Jwk = serde_json::from_value(header["jwk"].clone()).expect("a key");
    assert_eq!(taken.thumbprint(), key.key.thumbprint());
    let typ = header["typ"].as_str().expect("a typ").to_ascii_lowercase();
    assert_eq!(typ.strip_prefix("application/").unwrap_or(&typ), "dpop+jwt");
    assert_eq!(claims["htm"], "POST");
    let mut url = Url::parse(claims["htu"].as_str().expect("htu")).expect("a URL");
    url.set_query(None);
    url.set_fragment(None);
    assert_eq!(url, *URL);
    assert_eq!(claims["ath"], ATH);
    let iat = claims["iat"].as_i64().expect("iat");
    assert!((NOW - 300..=NOW + 300).contains(&iat));
    assert_eq!(taken.ends().unix(), iat + 300);
    assert_eq!(claims["jti"], taken.id());
    assert!((1..=256).contains(&taken.id().len()));
    assert_eq!(claims.get("nonce").and_then(Value::as_str), taken.nonce());
}

/// Rule 1: what is in the field goes on as it is, and two proofs are none.
fn field(data: &[u8], text: &str) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::from_iter([(dpop::PROOF, value.clone())]);
    if let Ok(found) = dpop::proof_of(&headers) {
        assert_eq!(found, Some(text));
        assert!(!text.contains(','));
    }
    headers.append(dpop::PROOF, value);
    assert!(dpop::proof_of(&headers).is_err());
}

/// Header or claims, which have one reading.
fn part(proof: &str, at: usize) -> Value {
    let segments: Vec<&str> = proof.split('.').collect();
    assert_eq!(segments.len(), 3);
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(segments[at]).expect("base64url");
    assert!(!twins::repeats(&bytes), "taken with a member twice: {}", bytes.escape_ascii());
    twins::last(&bytes).expect("JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_token() {
        assert_eq!(dpop::ath(&Secret::new("token")), ATH);
    }
}
