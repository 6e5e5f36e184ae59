//! JSON in which no member is there twice.

use hallpass_protocol::json::from_slice_unique;
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn a_repeated_member_is_refused_at_any_depth() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"[{"a":[{"b":1,"b":2}]}]"#,
        r#"{"sub":1,"\u0073ub":2}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert!(from_slice_unique(text.as_bytes()).is_err(), "{text}");
    }
    assert!(from_slice_unique(br#"[{"a":1},{"a":1},{"A":1,"a":{"a":1}}]"#).is_ok());
}

#[test]
fn trailing_data_and_great_depth_are_refused() {
    for text in ["{} {}", "{}x", "1 2", "", "{", "[1,]", "{\"a\":1,}", "\u{feff}{}"] {
        assert!(from_slice_unique(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(from_slice_unique("[".repeat(100_000).as_bytes()).is_err());
    assert!(from_slice_unique(b"{\"a\":\"\xff\"}").is_err());
}

/// serde_json would put the text within in the object's place, names that are there twice and all.
#[test]
fn a_member_that_serde_json_takes_for_something_else_is_refused() {
    for name in ["$serde_json::private::RawValue", "\\u0024serde_json::private::Number"] {
        let text = format!(r#"{{"jwks":{{"{name}":"{{\"a\":1,\"a\":2}}"}}}}"#);
        assert!(from_slice_unique(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = from_slice_unique(&bytes);
    }

    /// Differential: what is taken is what serde_json reads.
    #[test]
    fn it_reads_as_serde_json_does(text in r#"([\[\]{},:]|"[ab]"|-?[0-9]{1,3}(\.5)?(e3)?|null|true){0,16}"#) {
        let theirs = serde_json::from_str::<Value>(&text).ok();
        if let Ok(ours) = from_slice_unique(text.as_bytes()) {
            prop_assert_eq!(Some(ours), theirs);
        }
    }

    #[test]
    fn what_serde_json_writes_is_taken(members in proptest::collection::btree_map(".*", any::<i64>(), 0..6)) {
        let value = serde_json::json!({ "members": members, "list": [1.5, null, "x", true] });
        prop_assert_eq!(from_slice_unique(value.to_string().as_bytes()).unwrap(), value);
    }
}
