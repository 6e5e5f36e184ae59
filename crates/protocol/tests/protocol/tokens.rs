//! Token responses and errors: RFC 6749 §5.1 and §5.2.

use hallpass_protocol::{ErrorCode, OAuthError, ScopeSet, Secret, TokenResponse};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn a_response_round_trips() {
    let document = json!({
        "access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r",
        "scope": "notes:read notes:write", "id_token": "i", "team": { "id": 7 },
    });
    let read: TokenResponse = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(read.scope, Some(ScopeSet::parse("notes:write notes:read").unwrap()));
    assert_eq!(read.refresh_token, Some(Secret::new("r")));
    assert_eq!(read.other["team"]["id"], 7);
    assert_eq!(serde_json::to_value(&read).unwrap(), document);
    let short = TokenResponse::bearer(Secret::new("a"));
    assert_eq!(serde_json::to_value(short).unwrap(), json!({ "access_token": "a", "token_type": "Bearer" }));
}

/// RFC 6749 §5.1: RECOMMENDED, so what cannot be read costs nobody the token.
#[test]
fn expires_in_may_be_a_number_in_quotes_and_is_left_out_by_whoever_says_nothing() {
    let read = |value: Value| {
        let document = json!({ "access_token": "a", "token_type": "b", "expires_in": value });
        serde_json::from_value::<TokenResponse>(document).unwrap().expires_in
    };
    for (said, seconds) in [
        (json!(3600), 3600),
        (json!("3599"), 3599),
        (json!(" 3599 "), 3599),
        (json!(0), 0),
        (json!(3599.0), 3599),
        (json!(1.9), 1),
        (json!(1e3), 1000),
        (json!(u64::MAX), u64::MAX),
    ] {
        assert_eq!(read(said.clone()), Some(seconds), "{said}");
    }
    for nothing in [
        Value::Null,
        json!(-1),
        json!(-0.5),
        json!(1e300),
        json!("soon"),
        json!("-1"),
        json!(""),
        json!("3600 s"),
        json!([3600]),
        json!({ "seconds": 1 }),
        json!(true),
    ] {
        assert_eq!(read(nothing.clone()), None, "{nothing}");
    }
    // What we say is a number, or nothing.
    let said = TokenResponse { expires_in: Some(60), ..TokenResponse::bearer(Secret::new("a")) };
    assert_eq!(serde_json::to_value(said).unwrap()["expires_in"], json!(60));
}

/// rmcp's `Debug` of a token response prints the id_token.
#[test]
fn debug_prints_no_token() {
    let document = json!({
        "access_token": "hunter1", "token_type": "Bearer", "refresh_token": "hunter2",
        "id_token": "hunter3", "authed_user": { "access_token": "hunter4" },
    });
    let read: TokenResponse = serde_json::from_value(document).unwrap();
    let shown = format!("{read:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains("authed_user"), "{shown}");
}

#[test]
fn codes_and_their_status() {
    for (name, status) in [
        ("invalid_request", 400),
        ("invalid_client", 401),
        ("invalid_grant", 400),
        ("unauthorized_client", 400),
        ("unsupported_grant_type", 400),
        ("invalid_scope", 400),
        ("invalid_target", 400),
        ("access_denied", 403),
        ("unsupported_response_type", 400),
        ("unsupported_token_type", 400),
        ("server_error", 500),
        ("temporarily_unavailable", 503),
        ("invalid_token", 401),
        ("insufficient_scope", 403),
        ("invalid_client_metadata", 400),
        ("invalid_redirect_uri", 400),
    ] {
        let code = ErrorCode::from(name);
        assert!(!matches!(code, ErrorCode::Other(_)), "{name}");
        assert_eq!((code.as_str(), code.status().as_u16()), (name, status));
        assert_eq!(serde_json::to_value(&code).unwrap(), name);
    }
    let other = ErrorCode::from("slow_down");
    assert_eq!((other.as_str(), other.status().as_u16()), ("slow_down", 400));
}

#[test]
fn an_error_as_json_and_as_text() {
    let error = OAuthError::new(ErrorCode::InvalidGrant, "the code has been used");
    assert_eq!(
        serde_json::to_value(&error).unwrap(),
        json!({ "error": "invalid_grant", "error_description": "the code has been used" })
    );
    assert_eq!(error.to_string(), "invalid_grant: the code has been used");
    assert_eq!(OAuthError::from(ErrorCode::ServerError).to_string(), "server_error");
}

proptest! {
    /// RFC 6749 §5.2: `%x20-21 / %x23-5B / %x5D-7E`.
    #[test]
    fn a_description_holds_what_it_may(text in ".*") {
        let description = OAuthError::new(ErrorCode::InvalidRequest, &text).error_description.unwrap();
        prop_assert!(description.chars().all(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')));
        prop_assert_eq!(description.chars().count(), text.chars().count());
    }

    #[test]
    fn any_code_comes_back(name in "[a-z_]{0,12}") {
        let code = ErrorCode::from(name.as_str());
        prop_assert_eq!(code.as_str(), &name);
        let json = serde_json::to_string(&code).unwrap();
        prop_assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), code);
    }

    #[test]
    fn any_response_is_read_or_refused(text in r#"\{("(access_token|token_type|expires_in|scope)":("a b"|1|null|-1|1e3|\[\]),?){0,4}\}"#) {
        let _ = serde_json::from_str::<TokenResponse>(&text);
    }
}
