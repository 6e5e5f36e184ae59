//! Signatures that the RFCs print (RFC 7515 appendices A.2 and A.3).

use std::time::Duration;

use hallpass_protocol::{
    Algorithm, Expected, Issuer, JoseError, JwkSet, Timestamp, UnverifiedJwt, VerifyingKeys,
};
use serde_json::{Value, json};

/// {"iss":"joe", "exp":1300819380, "http://example.com/is_root":true}, with line ends.
const CLAIMS: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// The example has no `sub`: with the signature right, that is the first thing that is wrong.
fn check(jwk: Value, token: &str) -> JoseError {
    let set: JwkSet = serde_json::from_value(json!({ "keys": [jwk] })).unwrap();
    assert_eq!(set.keys.len(), 1);
    let expected = Expected {
        issuer: &Issuer::parse("https://joe").unwrap(),
        audience: &["joe"],
        typ: &[""],
        now: Timestamp::from_unix(0),
        leeway: Duration::ZERO,
    };
    let keys = VerifyingKeys::from_jwk_set(&set, &Algorithm::ALL);
    UnverifiedJwt::parse(token).unwrap().verify(&keys, &expected).unwrap_err()
}

fn check_both(jwk: &Value, header: &str, signature: &str) {
    let token = format!("{header}.{CLAIMS}.{signature}");
    assert_eq!(check(jwk.clone(), &token), JoseError::MissingSubject);
    let mut tampered = signature.to_owned();
    tampered.replace_range(..1, if signature.starts_with('A') { "B" } else { "A" });
    let token = format!("{header}.{CLAIMS}.{tampered}");
    assert_eq!(check(jwk.clone(), &token), JoseError::BadSignature);
}

#[test]
fn rs256() {
    let jwk = json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
    });
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    check_both(&jwk, "eyJhbGciOiJSUzI1NiJ9", signature);
}

#[test]
fn es256() {
    let jwk = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    check_both(&jwk, "eyJhbGciOiJFUzI1NiJ9", signature);
}
