//! `userName eq "ada@example.com"` (RFC 7644 §3.4.2.2), of which one comparison by `eq` is taken: what identity providers ask
//! to find somebody, and what paths of changes hold in brackets.

use serde_json::Value;

/// Longer ones are refused unread.
const LONGEST: usize = 1024;

/// One comparison: an attribute is equal to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The attribute's name in lower case: names are equal in any case (RFC 7643 §2.1).
    pub(crate) attribute: String,
    /// A text or a truth value.
    pub(crate) value: Value,
}

/// The schema that names may begin with (RFC 7644 §3.10), in lower case.
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:user:";

impl Filter {
    /// None where it is anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (attribute, rest) = text.trim_matches(' ').split_once(' ')?;
        let (operator, value) = rest.trim_start_matches(' ').split_once(' ')?;
        if !operator.eq_ignore_ascii_case("eq") {
            return None;
        }
        let value: Value = serde_json::from_str(value.trim_matches(' ')).ok()?;
        // Nobody has a value with U+0000, and PostgreSQL does not even compare it.
        let fine = match &value {
            Value::String(text) => !text.contains('\0'),
            value => value.is_boolean(),
        };
        fine.then_some(())?;
        Some(Self { attribute: attribute_name(attribute)?, value })
    }

    /// The text that the attribute is to be.
    pub(crate) fn text(&self) -> Option<&str> {
        self.value.as_str()
    }
}

/// RFC 7644 §3.10: a name, perhaps behind that of its schema, with a part behind a dot perhaps. In lower case.
pub(crate) fn attribute_name(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let name = lower.strip_prefix(USER).unwrap_or(&lower);
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"$-_.:".contains(&byte);
    if name.starts_with(USER) {
        return None;
    }
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'$');
    (begins && name.bytes().all(letter)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn one_comparison_by_eq() {
        let ada = Filter { attribute: "username".to_owned(), value: json!("ada") };
        for same in [
            "userName eq \"ada\"",
            "  USERNAME  EQ   \"ada\" ",
            "urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"\\u0061da\"",
        ] {
            assert_eq!(Filter::parse(same), Some(ada.clone()), "{same}");
        }
        let work = Filter { attribute: "primary".to_owned(), value: json!(true) };
        assert_eq!(Filter::parse("primary eq true"), Some(work));
        for other in [
            "",
            " ",
            "userName",
            "userName eq",
            "userName eq ",
            "userName eq ada",
            "userName eq 'ada'",
            "userName eq \"ada",
            "userName eq \"ada\" and active eq true",
            "userName eq \"a\" or \"1\" eq \"1\"",
            "userName ne \"ada\"",
            "userName pr",
            "userName sw \"a\"",
            "not (userName eq \"ada\")",
            "(userName eq \"ada\")",
            "userName eq 7",
            "userName eq null",
            "userName eq \"a\\u0000\"",
            "userName eq [\"ada\"]",
            "user\tName eq \"ada\"",
            "1 eq \"1\"",
            "user;Name eq \"ada\"",
            "urn:ietf:params:scim:schemas:core:2.0:User:urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"a\"",
        ] {
            assert_eq!(Filter::parse(other), None, "{other}");
        }
        assert_eq!(Filter::parse(&format!("userName eq \"{}\"", "a".repeat(LONGEST))), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written(value in "[^\u{0}]{0,80}", name in "[a-zA-Z$][a-zA-Z0-9$._-]{0,20}", spaces in 1_usize..4) {
            let space = " ".repeat(spaces);
            let written = format!("{space}{name}{space}eQ{space}{}{space}", json!(value));
            let read = Filter::parse(&written).unwrap();
            prop_assert_eq!(read.text(), Some(value.as_str()));
            prop_assert_eq!(read.attribute, name.to_ascii_lowercase());
        }

        #[test]
        fn what_is_read_is_read_again(text in ".{0,200}") {
            if let Some(read) = Filter::parse(&text) {
                let again = format!("{} eq {}", read.attribute, read.value);
                prop_assert_eq!(Filter::parse(&again), Some(read));
            }
        }
    }
}
