//! Forms and queries (RFC 6749 appendix B).
//!
//! What is read is what the URL parser's own reader of forms reads; no name but `resource` is there twice; and what is
//! written from it reads back.

use std::collections::BTreeSet;

use hallpass_protocol::form::{FormError, MAX_LEN, MAX_PARAMETERS};
use hallpass_protocol::{Duplicate, Parameters};
use url::form_urlencoded;

/// Takes one input.
pub fn check(data: &[u8]) {
    let other: Vec<(String, String)> = form_urlencoded::parse(data).into_owned().collect();
    let named = |name: &str| other.iter().filter(|(known, _)| known == name).count();
    match Parameters::parse_bytes(data) {
        Ok(read) => {
            assert!(data.len() <= MAX_LEN && other.len() <= MAX_PARAMETERS);
            assert!(read.iter().eq(other.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
            let names: BTreeSet<&str> = read.iter().map(|(name, _)| name).collect();
            for name in names {
                assert!(name == "resource" || named(name) == 1, "{name} twice");
                assert!(read.is_present(name));
                assert!(read.get(name).is_ok() || name == "resource");
            }
            let written: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(&other).finish();
            if written.len() <= MAX_LEN {
                assert_eq!(Parameters::parse(&written).expect("what was just written"), read);
            }
        }
        Err(FormError::Duplicate(Duplicate(name))) => assert!(named(&name) > 1, "{name} once"),
        Err(FormError::TooLong) => assert!(data.len() > MAX_LEN),
        Err(FormError::TooMany) => assert!(other.len() > MAX_PARAMETERS),
        Err(FormError::ControlCharacter | FormError::Utf8 | FormError::PercentEncoding) => {}
    }
}
