//! RFC 7636.

use hallpass_protocol::{CodeChallenge, CodeVerifier, PkceError};
use proptest::prelude::*;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// RFC 7636 appendix B.
#[test]
fn the_example_of_the_rfc() {
    let bytes = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
        214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];
    let verifier = CodeVerifier::from_entropy(bytes);
    assert_eq!(verifier.expose(), VERIFIER);
    assert_eq!(verifier.challenge().as_str(), CHALLENGE);
    assert!(CodeChallenge::parse(CHALLENGE).unwrap().verify(&verifier));
}

#[test]
fn a_verifier_has_43_to_128_unreserved_characters() {
    for len in [43, 128] {
        assert!(CodeVerifier::parse(&"~".repeat(len)).is_ok());
    }
    for len in [0, 42, 129, 10_000] {
        let refused = CodeVerifier::parse(&"a".repeat(len));
        assert_eq!(refused, Err(PkceError::VerifierLength(len)));
    }
    for bad in ["+", "/", "=", " ", "%", "é"] {
        let refused = CodeVerifier::parse(&format!("{}{bad}", "a".repeat(50)));
        assert_eq!(refused, Err(PkceError::VerifierCharacters), "{bad}");
    }
}

#[test]
fn a_challenge_is_a_sha256_in_base64url() {
    for bad in [
        "",
        "abc",
        VERIFIER.strip_suffix('k').unwrap(),
        &format!("{CHALLENGE}="),
        &CHALLENGE.replace('-', "+"),
        &CHALLENGE.replace('-', " "),
        // The last character has two bits too many.
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN",
    ] {
        assert_eq!(CodeChallenge::parse(bad), Err(PkceError::Challenge), "{bad}");
    }
}

/// `plain` would have the verifier itself as its challenge.
#[test]
fn plain_does_not_verify() {
    let verifier = CodeVerifier::parse(VERIFIER).unwrap();
    assert!(!CodeChallenge::parse(VERIFIER).unwrap().verify(&verifier));
}

#[test]
fn debug_hides_the_verifier() {
    assert!(!format!("{:?}", CodeVerifier::parse(VERIFIER)).contains(VERIFIER));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = (CodeVerifier::parse(&text), CodeChallenge::parse(&text));
    }

    #[test]
    fn a_verifier_fits_its_own_challenge_alone(a: [u8; 32], b: [u8; 32]) {
        let (a, b) = (CodeVerifier::from_entropy(a), CodeVerifier::from_entropy(b));
        prop_assert!(a.challenge().verify(&a));
        prop_assert_eq!(a.challenge().verify(&b), a == b);
        prop_assert_eq!(CodeVerifier::parse(a.expose()), Ok(a.clone()));
        prop_assert_eq!(CodeChallenge::parse(a.challenge().as_str()), Ok(a.challenge()));
    }
}
