//! Authorization responses (RFC 6749 §4.1.2, RFC 9207): a query that anyone can send a browser to.
//!
//! What is taken carries the state that was sent, once, and the issuer that was asked, once; a code comes out of nothing
//! else.

use hallpass_protocol::{AuthorizationResponse, ExpectedResponse, Issuer, Secret};
use url::form_urlencoded;

const ISSUER: &str = "https://auth.example.com";
const STATE: &str = "s-123";

/// Takes one input.
pub fn check(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let Ok(response) = AuthorizationResponse::parse(query) else { return };
    let issuer = Issuer::parse(ISSUER).expect("an issuer");
    let state = Secret::new(STATE);
    let values = |name: &str| -> Vec<String> {
        let pairs = form_urlencoded::parse(data).into_owned();
        pairs.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    };
    for iss_advertised in [true, false] {
        let expected = ExpectedResponse { state: &state, issuer: &issuer, iss_advertised };
        let Ok(verified) = response.verify(&expected) else { continue };
        assert_eq!(values("state"), [STATE]);
        let iss = values("iss");
        assert!(iss == [ISSUER] || (iss.is_empty() && !iss_advertised), "{iss:?}");
        match verified.into_code() {
            Ok(code) => assert_eq!(values("code"), [code.expose()]),
            Err(error) => assert_eq!(values("error"), [error.error.as_str()]),
        }
    }
}
