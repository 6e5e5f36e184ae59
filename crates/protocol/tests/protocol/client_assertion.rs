use hallpass_protocol::{client_assertion::ClientAssertion, issuer::Issuer, time::Timestamp};
use serde_json::json;

/// Never again, row 48: the issuer is the sole audience, as one text, exactly as published.
#[test]
fn the_issuer_is_the_sole_audience() {
    for issuer in ["https://as.example", "https://as.example/", "https://as.example/tenant"] {
        let published = Issuer::parse(issuer).unwrap();
        let claims = ClientAssertion::new("me", &published, "once", Timestamp::from_unix(100));
        assert_eq!(
            serde_json::to_value(&claims).unwrap(),
            json!({"iss": "me", "sub": "me", "aud": issuer, "jti": "once", "iat": 100, "exp": 160})
        );
    }
}
