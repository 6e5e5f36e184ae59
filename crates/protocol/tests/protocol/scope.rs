//! RFC 6749 §3.3.

use hallpass_protocol::scope::MAX_SCOPES;
use hallpass_protocol::{Scope, ScopeError, ScopeSet};
use proptest::prelude::*;

fn set(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

#[test]
fn a_token_is_printable_and_has_no_space_quote_or_backslash() {
    for good in ["a", "notes:read", "https://h/scope", "!#[]~", "files.read*"] {
        assert_eq!(Scope::parse(good).unwrap().as_str(), good);
    }
    assert_eq!(Scope::parse(""), Err(ScopeError::Empty));
    for bad in [' ', '"', '\\', '\u{7f}', '\n', '\t', 'é'] {
        assert_eq!(Scope::parse(&format!("a{bad}b")), Err(ScopeError::Character(bad)));
    }
}

#[test]
fn a_set_keeps_the_order_of_first_appearance() {
    assert_eq!(set("b a  b c ").to_string(), "b a c");
    assert_eq!(set("").to_string(), "");
    assert!(set(" ").is_empty());
    assert_eq!(set("a b"), set("b a"));
    assert_ne!(set("a b"), set("a"));
}

#[test]
fn a_list_is_bounded() {
    let list = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(set(&list(MAX_SCOPES)).len(), MAX_SCOPES);
    assert_eq!(ScopeSet::parse(&list(MAX_SCOPES + 1)), Err(ScopeError::TooMany));
}

#[test]
fn json_is_one_text() {
    assert_eq!(serde_json::to_string(&set("a b")).unwrap(), r#""a b""#);
    assert_eq!(serde_json::from_str::<ScopeSet>(r#""b a""#).unwrap(), set("a b"));
    assert!(serde_json::from_str::<ScopeSet>(r#""é""#).is_err());
    assert!(serde_json::from_str::<Scope>(r#""a b""#).is_err());
}

prop_compose! {
    fn scopes()(tokens in proptest::collection::vec("[a-d]", 0..6)) -> ScopeSet {
        set(&tokens.join(" "))
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        if let Ok(found) = ScopeSet::parse(&text) {
            prop_assert_eq!(ScopeSet::parse(&found.to_string()).unwrap().to_string(), found.to_string());
        }
    }

    #[test]
    fn the_algebra_of_sets(a in scopes(), b in scopes(), c in scopes()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.union(&a), a.clone());
        prop_assert!(a.is_subset(&a.union(&b)));
        prop_assert!(a.difference(&b).is_subset(&a));
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert_eq!(a.is_subset(&b), a.difference(&b).is_empty());
        prop_assert_eq!(a.is_subset(&b) && b.is_subset(&a), a == b);
        prop_assert!(a.iter().all(|scope| a.contains(scope)));
        // What was there keeps its place.
        prop_assert!(a.union(&b).to_string().starts_with(&a.to_string()));
    }
}
