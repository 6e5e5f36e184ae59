//! The authorization response: RFC 6749 §4.1.2, RFC 9207, never-again 44.

use hallpass_protocol::authorization::check_issuer;
use hallpass_protocol::{
    AuthorizationResponse, AuthorizationResponseError, ErrorCode, ExpectedResponse, Issuer, OAuthError,
    Secret,
};
use proptest::prelude::*;

const ISSUER: &str = "https://auth.example.com";

fn check(
    query: &str,
    iss_advertised: bool,
) -> Result<Result<Secret, OAuthError>, AuthorizationResponseError> {
    let expected = ExpectedResponse {
        state: &Secret::new("s"),
        issuer: &Issuer::parse(ISSUER).unwrap(),
        iss_advertised,
    };
    let response = AuthorizationResponse::parse(query)?;
    Ok(response.verify(&expected)?.into_code())
}

#[test]
fn a_code_is_read_once_all_is_checked() {
    let code = check("code=c&state=s&iss=https%3A%2F%2Fauth.example.com", true).unwrap();
    assert_eq!(code, Ok(Secret::new("c")));
}

#[test]
fn an_error_is_read_once_all_is_checked() {
    let query = "error=access_denied&error_description=no&error_uri=u&state=s&iss=https://auth.example.com";
    let error = check(query, true).unwrap().unwrap_err();
    assert_eq!(error.error, ErrorCode::AccessDenied);
    assert_eq!(error.error_description.as_deref(), Some("no"));
    assert_eq!(error.error_uri.as_deref(), Some("u"));
}

#[test]
fn an_error_with_line_ends_in_its_description_is_read() {
    let query = "error=access_denied&error_description=AADSTS65004%3a+declined.%0d%0aTrace+ID%3a+x&state=s";
    let error = check(query, false).unwrap().unwrap_err();
    assert_eq!(error.error, ErrorCode::AccessDenied);
}

/// Never-again 44: a foreign error is neither shown nor acted on.
#[test]
fn state_comes_first_for_errors_too() {
    for query in ["error=access_denied", "error=access_denied&state=", "code=c"] {
        assert_eq!(check(query, false), Err(AuthorizationResponseError::MissingState), "{query}");
    }
    for query in ["error=evil&error_description=evil&state=x", "code=c&state=S", "code=c&state=ss"] {
        let refused = check(query, false).unwrap_err();
        assert_eq!(refused, AuthorizationResponseError::WrongState, "{query}");
        assert!(!refused.to_string().contains("evil"));
    }
}

/// State is looked at before the issuer, the issuer before the answer.
#[test]
fn the_order_of_checks() {
    let refused = check("error=e&state=x&iss=https://evil.com", true);
    assert_eq!(refused, Err(AuthorizationResponseError::WrongState));
    let refused = check("error=e&code=c&state=s&iss=https://evil.com", true).unwrap_err();
    assert!(matches!(refused, AuthorizationResponseError::WrongIssuer { .. }), "{refused:?}");
}

/// The table of MCP 2026-07-28, all four rows, with what must not be normalised.
#[test]
fn the_issuer_table() {
    let issuer = Issuer::parse(ISSUER).unwrap();
    for (advertised, iss, fits) in [
        (true, Some(ISSUER), true),
        (true, None, false),
        (false, Some(ISSUER), true),
        (false, None, true),
        (true, Some("https://evil.com"), false),
        (false, Some("https://evil.com"), false),
        (false, Some("https://auth.example.com/"), false),
        (false, Some("https://AUTH.example.com"), false),
        (false, Some("https://auth.example.com:443"), false),
        (false, Some("https://auth.ex%61mple.com"), false),
        (false, Some(""), false),
    ] {
        let checked = check_issuer(&issuer, advertised, iss);
        assert_eq!(checked.is_ok(), fits, "{advertised} {iss:?}");
    }
}

#[test]
fn an_iss_that_is_there_and_empty_is_wrong() {
    for advertised in [true, false] {
        for query in ["code=c&state=s&iss=", "code=c&state=s&iss"] {
            let refused = check(query, advertised).unwrap_err();
            assert!(matches!(refused, AuthorizationResponseError::WrongIssuer { .. }), "{query}");
        }
    }
}

#[test]
fn a_code_or_an_error_and_nothing_twice() {
    for query in ["state=s", "state=s&code=", "code=c&error=e&state=s"] {
        let refused = check(query, false).unwrap_err();
        assert!(matches!(refused, AuthorizationResponseError::Ambiguous(_)), "{query}");
    }
    for query in ["code=a&code=b&state=s", "code=a&state=s&state=s", "code=a&state=s&iss=x&iss=y"] {
        let refused = check(query, false).unwrap_err();
        assert!(matches!(refused, AuthorizationResponseError::Form(_)), "{query}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let response = AuthorizationResponse::parse("code=hunter2&state=swordfish").unwrap();
    let shown = format!("{response:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
}

proptest! {
    #[test]
    fn any_query_is_read_or_refused(query in ".*", advertised: bool) {
        let _ = check(&query, advertised);
    }

    /// Whatever else is in it, a response with another state yields nothing.
    #[test]
    fn another_state_yields_nothing(state in "[a-z]{0,3}", rest in "(&(code|error|iss)=[a-z]{1,4}){0,3}") {
        prop_assume!(state != "s");
        let query = format!("state={state}{rest}");
        prop_assert!(check(&query, false).is_err());
    }
}
