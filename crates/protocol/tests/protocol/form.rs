//! RFC 6749 §3.1, §3.2 and appendix B. Never-again 12.

use hallpass_protocol::form::{MAX_LEN, MAX_PARAMETERS};
use hallpass_protocol::{Duplicate, FormError, Parameters};
use proptest::prelude::*;
use url::form_urlencoded;

#[test]
fn names_and_values_are_decoded() {
    let found = Parameters::parse("grant_type=refresh+token&a%20b=%C3%A9%26&&empty=&bare").unwrap();
    assert_eq!(found.get("grant_type"), Ok(Some("refresh token")));
    assert_eq!(found.get("a b"), Ok(Some("é&")));
    assert_eq!(found.get("missing"), Ok(None));
}

/// RFC 6749 §3.1: without a value means left out.
#[test]
fn an_empty_value_is_none() {
    let found = Parameters::parse("empty=&bare").unwrap();
    assert_eq!(found.get("empty"), Ok(None));
    assert_eq!(found.get("bare"), Ok(None));
    assert!(found.is_present("empty") && found.is_present("bare"));
    assert!(!found.is_present("missing"));
}

#[test]
fn nothing_is_there_twice_but_resource() {
    for text in ["a=1&a=2", "a=1&a=1", "a=&a=1", "a&a", "a=1&%61=2", "code=x&b=1&code=y"] {
        let refused = Parameters::parse(text);
        assert!(matches!(refused, Err(FormError::Duplicate(_))), "{text}: {refused:?}");
    }
    let found = Parameters::parse("resource=https://a&resource=https://b&resource=").unwrap();
    assert_eq!(found.all("resource").collect::<Vec<_>>(), ["https://a", "https://b"]);
    assert_eq!(found.get("resource"), Err(Duplicate("resource".to_owned())));
    let found = Parameters::parse("resource=https://a").unwrap();
    assert_eq!(found.get("resource"), Ok(Some("https://a")));
}

#[test]
fn number_and_size_are_bounded() {
    let many = |n: usize| (0..n).map(|n| format!("p{n}=v")).collect::<Vec<_>>().join("&");
    assert!(Parameters::parse(&many(MAX_PARAMETERS)).is_ok());
    assert_eq!(Parameters::parse(&many(MAX_PARAMETERS + 1)), Err(FormError::TooMany));
    let resources = vec!["resource=a"; MAX_PARAMETERS + 1].join("&");
    assert_eq!(Parameters::parse(&resources), Err(FormError::TooMany));
    let long = format!("a={}", "x".repeat(MAX_LEN));
    assert_eq!(Parameters::parse(&long), Err(FormError::TooLong));
    assert_eq!(Parameters::parse_bytes(long.as_bytes()), Err(FormError::TooLong));
}

#[test]
fn broken_escapes_and_broken_utf8_are_refused() {
    for text in ["a=%", "a=%2", "a=%zz", "%=a", "a=%+1", "a=%-1"] {
        assert_eq!(Parameters::parse(text), Err(FormError::PercentEncoding), "{text}");
    }
    for text in ["a=%ff", "a=%c3", "%80=a", "a=%ed%a0%80"] {
        assert_eq!(Parameters::parse(text), Err(FormError::Utf8), "{text}");
    }
    assert_eq!(Parameters::parse_bytes(b"a=\xff"), Err(FormError::Utf8));
}

#[test]
fn control_characters_are_refused_in_names_and_values() {
    for text in ["a=%00", "a%00=b", "a=x%0ay", "a=%7f", "a=%c2%85", "a=\u{0}"] {
        assert_eq!(Parameters::parse(text), Err(FormError::ControlCharacter), "{text:?}");
    }
}

#[test]
fn debug_shows_names_only() {
    let found = Parameters::parse("code=hunter2&state=swordfish").unwrap();
    assert_eq!(format!("{found:?}"), r#"["code", "state"]"#);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Parameters::parse_bytes(&bytes);
    }

    /// Differential: what is read here is what the URL parser reads.
    #[test]
    fn it_reads_as_the_url_parser_does(text in "([a-z=&+%]|%[0-9a-f]{2}|é){0,30}") {
        if let Ok(found) = Parameters::parse(&text) {
            let theirs: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            let ours: Vec<_> = found.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn what_is_written_reads_back(pairs in proptest::collection::btree_map("\\P{Cc}{1,8}", "\\P{Cc}{1,12}", 0..8)) {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let found = Parameters::parse(&text).unwrap();
        prop_assert_eq!(found.iter().count(), pairs.len());
        for (name, value) in &pairs {
            prop_assert_eq!(found.get(name), Ok(Some(value.as_str())));
        }
    }

    /// However it is spelled, a second one is noticed.
    #[test]
    fn a_second_one_is_always_noticed(name in "[a-z]{1,5}", escaped in any::<bool>(), between in "(&x=y)?") {
        prop_assume!(name != "resource" && name != "x");
        let second = if escaped {
            name.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>()
        } else {
            name.clone()
        };
        let refused = Parameters::parse(&format!("{name}=1{between}&{second}=2"));
        prop_assert_eq!(refused, Err(FormError::Duplicate(Duplicate(name))));
    }
}
