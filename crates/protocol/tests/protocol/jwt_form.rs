//! Tokens of the wrong form. Never-again 18 and 19.

use std::sync::LazyLock;

use hallpass_protocol::{JoseError, UnverifiedJwt};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::jwt::{KEY, claims};
use crate::jwt_forgeries::{base64, forge, header, verify};

/// Never-again 18.
#[test]
fn crit_is_refused_whatever_it_says() {
    for crit in [json!(["exp"]), json!(["b64"]), json!(["x"]), json!([]), Value::Null, json!("exp")] {
        let forged = forge(&header(json!({ "crit": crit, "b64": true })), &claims().to_string());
        assert_eq!(verify(&forged), Err(JoseError::CriticalExtension), "{crit}");
    }
}

/// Never-again 19: refused by its length, before anything is decoded.
#[test]
fn a_huge_token_is_refused_unread() {
    let huge = "A".repeat(1024 * 1024);
    let header_only = base64(header(json!({})));
    for token in [
        huge.clone(),
        format!("{huge}.{huge}.{huge}"),
        format!("{header_only}.{huge}.AA"),
        ".".repeat(1 << 20),
    ] {
        assert_eq!(verify(&token), Err(JoseError::TooLarge));
    }
}

/// Of two members of one name, nobody can say which counts.
#[test]
fn a_repeated_member_is_refused() {
    let kid = KEY.kid();
    for header in [
        format!(r#"{{"alg":"ES256","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"ES256","kid":"x","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt","x":{{"a":1,"a":2}}}}"#),
    ] {
        assert_eq!(verify(&forge(&header, &claims().to_string())), Err(JoseError::Header), "{header}");
    }
    let good = claims().to_string();
    for repeated in [
        r#""sub":"mallory""#,
        r#""s\u0075b":"mallory""#,
        r#""aud":"x""#,
        r#""exp":1"#,
        r#""act":{"sub":"a","sub":"b"}"#,
    ] {
        for claims in
            [format!("{{{repeated},{}", &good[1..]), format!("{},{repeated}}}", &good[..good.len() - 1])]
        {
            let refused = verify(&forge(&header(json!({})), &claims));
            assert_eq!(refused, Err(JoseError::ClaimsObject), "{claims}");
        }
    }
}

#[test]
fn trailing_data_is_refused() {
    let (header, claims) = (header(json!({})), claims().to_string());
    for tail in ["x", "{}", "\0", ",", "}"] {
        let refused = verify(&forge(&format!("{header}{tail}"), &claims));
        assert_eq!(refused, Err(JoseError::Header), "{tail:?}");
        let refused = verify(&forge(&header, &format!("{claims}{tail}")));
        assert_eq!(refused, Err(JoseError::ClaimsObject), "{tail:?}");
    }
    let token = forge(&header, &claims);
    assert_eq!(verify(&format!("{token}.AA")), Err(JoseError::Segments));
    assert_eq!(verify(&format!("{token}=")), Err(JoseError::BadSignature));
    assert_eq!(verify(&format!("{token}\n")), Err(JoseError::BadSignature));
    assert_eq!(verify(&format!(" {token}")), Err(JoseError::Base64));
}

#[test]
fn five_segments_and_others_are_no_signed_token() {
    for token in ["", ".", "..", "a.b", "a..c", ".b.c", "a.b.", "a.b.c.d", "a.b.c.d.e", "Bearer a.b.c"] {
        assert!(verify(token).is_err(), "{token}");
    }
}

#[test]
fn a_header_that_is_no_object_is_refused() {
    for header in ["[]", "null", "\"ES256\"", "1", "", " ", "{"] {
        let refused = verify(&forge(header, &claims().to_string()));
        assert!(matches!(refused, Err(JoseError::Header | JoseError::Segments)), "{header}: {refused:?}");
    }
    for name in ["typ", "kid"] {
        let refused = verify(&forge(&header(json!({ name: 1 })), &claims().to_string()));
        assert_eq!(refused, Err(JoseError::HeaderType(name)));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = UnverifiedJwt::parse(&text);
    }

    #[test]
    fn any_segments_are_read_or_refused(
        header in r#"\{("(alg|kid|typ|crit|x)":("ES256"|"none"|null|1|\[\]|\{\}),?){0,4}\}?"#,
        claims in r#"\{("(iss|exp|aud|x)":("a"|null|-1|1e9|\[\]),?){0,4}\}?"#,
        signature in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let token = format!("{}.{}.{}", base64(header), base64(claims), base64(signature));
        prop_assert!(verify(&token).is_err());
    }

    /// Any one character changed, anywhere, and it is another token.
    #[test]
    fn a_changed_character_is_noticed(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.=-]") {
        static TOKEN: LazyLock<String> =
            LazyLock::new(|| KEY.sign("at+jwt", &claims()).unwrap());
        let at = at.index(TOKEN.len());
        let mut changed = TOKEN.clone();
        changed.replace_range(at..=at, &to);
        prop_assert_eq!(verify(&changed).is_ok(), changed == *TOKEN);
    }

    #[test]
    fn a_truncated_token_is_refused(len in any::<prop::sample::Index>()) {
        let token = KEY.sign("at+jwt", &claims()).unwrap();
        prop_assert!(verify(&token[..len.index(token.len())]).is_err());
    }
}
