//! What is kept of a person (RFC 7643 §4.1), and how it is read from JSON. Whatever else is sent is not kept, and the answer
//! shows it (RFC 7644 §3.3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::ScimError;
use crate::login::UserName;

/// No text is longer.
const LONGEST: usize = 256;
/// Nobody has more addresses.
const MOST_ADDRESSES: usize = 10;

/// A person as an identity provider describes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attributes {
    #[serde(skip)]
    pub(crate) user_name: String,
    /// What the identity provider calls the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) external_id: Option<String>,
    #[serde(skip)]
    pub(crate) active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Name::is_empty")]
    pub(crate) name: Name,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) emails: Vec<Email>,
}

/// RFC 7643 §4.1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Name {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) formatted: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) family_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) given_name: Option<String>,
}

/// RFC 7643 §4.1.2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Email {
    pub(crate) value: String,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) primary: bool,
}

impl Name {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn read(value: &Value) -> Result<Self, ScimError> {
        let Value::Object(members) = value else {
            return if value.is_null() { Ok(Self::default()) } else { Err(wrong("name", "an object")) };
        };
        Ok(Self {
            formatted: text(member(members, "formatted"), "name.formatted")?,
            family_name: text(member(members, "familyname"), "name.familyName")?,
            given_name: text(member(members, "givenname"), "name.givenName")?,
        })
    }
}

impl Email {
    pub(super) fn read_all(value: &Value) -> Result<Vec<Self>, ScimError> {
        let list = match value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let read: Vec<Self> = list.iter().map(Self::read).collect::<Result<_, _>>()?;
        check_addresses(&read)?;
        Ok(read)
    }

    fn read(value: &Value) -> Result<Self, ScimError> {
        let members = value.as_object().ok_or_else(|| wrong("emails", "a list of objects"))?;
        Ok(Self {
            value: text(member(members, "value"), "emails.value")?
                .ok_or_else(|| wrong("emails.value", "a text"))?,
            kind: text(member(members, "type"), "emails.type")?,
            primary: member(members, "primary").map(truth).transpose()?.unwrap_or(false),
        })
    }
}

/// RFC 7643 §2.4: one primary value at most.
pub(super) fn check_addresses(emails: &[Email]) -> Result<(), ScimError> {
    if emails.len() > MOST_ADDRESSES {
        return Err(ScimError::Value(format!("there are more than {MOST_ADDRESSES} emails")));
    }
    match emails.iter().filter(|email| email.primary).count() {
        0 | 1 => Ok(()),
        _ => Err(ScimError::Value("more than one of the emails is primary".to_owned())),
    }
}

impl Attributes {
    /// Of somebody who is called so, and of whom nothing else is known.
    pub(crate) fn named(user_name: &str, active: bool) -> Self {
        Self {
            user_name: user_name.to_owned(),
            external_id: None,
            active,
            display_name: None,
            name: Name::default(),
            emails: Vec::new(),
        }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn sample() -> Self {
        let email = |value: &str, kind: &str, primary| Email {
            value: value.to_owned(),
            kind: Some(kind.to_owned()),
            primary,
        };
        Self {
            external_id: Some("0001".to_owned()),
            emails: vec![email("ada@example.com", "work", true), email("ada@home.example", "home", false)],
            ..Self::named("ada", true)
        }
    }

    /// The whole of a person, as for POST and PUT. What is not said is not there; whoever is not said to be inactive is active.
    pub(super) fn read(members: &Map<String, Value>) -> Result<Self, ScimError> {
        let user_name = text(member(members, "username"), "userName")?;
        let read = Self {
            user_name: user_name.ok_or_else(|| wrong("userName", "a text"))?,
            external_id: text(member(members, "externalid"), "externalId")?,
            active: member(members, "active").map(truth).transpose()?.unwrap_or(true),
            display_name: text(member(members, "displayname"), "displayName")?,
            name: member(members, "name").map(Name::read).transpose()?.unwrap_or_default(),
            emails: member(members, "emails").map(Email::read_all).transpose()?.unwrap_or_default(),
        };
        read.checked_name()?;
        Ok(read)
    }

    /// The name to log in with.
    pub(super) fn checked_name(&self) -> Result<UserName, ScimError> {
        UserName::parse(&self.user_name)
            .map_err(|error| ScimError::Value(format!("userName cannot be had: {error}")))
    }

    /// The address that the identity provider vouches for: the primary one, or the only one; in lower case.
    pub(crate) fn address(&self) -> Option<String> {
        let only = self.emails.first().filter(|_| self.emails.len() == 1);
        let primary = self.emails.iter().find(|email| email.primary);
        primary.or(only).map(|email| email.value.trim().to_lowercase())
    }
}

/// RFC 7643 §2.1: names are equal in any case. `name` is in lower case; null is what is not there (§2.5).
pub(super) fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

/// A text of bounded length. An empty one is what is not there.
pub(super) fn text(value: Option<&Value>, name: &str) -> Result<Option<String>, ScimError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        // No database keeps it as every other character.
        Some(Value::String(text)) if text.contains('\0') => {
            Err(ScimError::Value(format!("{name} holds the character U+0000")))
        }
        Some(Value::String(text)) if text.chars().count() <= LONGEST => {
            Ok((!text.is_empty()).then(|| text.clone()))
        }
        Some(Value::String(_)) => {
            Err(ScimError::Value(format!("{name} is longer than {LONGEST} characters")))
        }
        Some(_) => Err(wrong(name, "a text")),
    }
}

/// Some identity providers write truth values as texts.
pub(super) fn truth(value: &Value) -> Result<bool, ScimError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(ScimError::Value("a truth value is true or false".to_owned())),
    }
}

pub(super) fn wrong(name: &str, wanted: &str) -> ScimError {
    ScimError::Value(format!("{name} has to be {wanted}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Attributes, String> {
        Attributes::read(value.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_equal_in_any_case_and_what_is_not_kept_is_left_out() {
        let ada = read(&json!({
            "USERNAME": "ada", "externalid": "7", "Active": "False", "title": "Countess",
            "emails": { "value": "Ada@Example.com" }, "name": { "GivenName": "Ada", "familyName": "" },
        }));
        let ada = ada.unwrap();
        assert_eq!(
            (ada.user_name.as_str(), ada.external_id.as_deref(), ada.active),
            ("ada", Some("7"), false)
        );
        assert_eq!(ada.address().as_deref(), Some("ada@example.com"));
        assert_eq!((ada.name.given_name.as_deref(), ada.name.family_name), (Some("Ada"), None));
        assert!(read(&json!({"userName": "ada", "active": null})).unwrap().active);
    }

    #[test]
    fn each_rule_refuses() {
        let long = "x".repeat(257);
        for (value, says) in [
            (json!({}), "userName has to be"),
            (json!({"userName": ""}), "userName has to be"),
            (json!({"userName": 7}), "userName has to be"),
            (json!({"userName": "x".repeat(65)}), "userName cannot be had"),
            (json!({"userName": "a\u{202e}b"}), "userName cannot be had"),
            (json!({"userName": "ada", "externalId": long}), "externalId is longer"),
            (json!({"userName": "ada", "externalId": "a\0b"}), "externalId holds the character U+0000"),
            (json!({"userName": "ada", "emails": [{"value": "a\0b"}]}), "emails.value holds"),
            (json!({"userName": "ada", "name": {"givenName": "\0"}}), "name.givenName holds"),
            (json!({"userName": "ada", "active": 1}), "true or false"),
            (json!({"userName": "ada", "name": "Ada"}), "name has to be"),
            (json!({"userName": "ada", "emails": ["a@b"]}), "emails has to be"),
            (json!({"userName": "ada", "emails": [{"type": "work"}]}), "emails.value has to be"),
            (
                json!({"userName": "ada", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
                "more than one",
            ),
            (json!({"userName": "ada", "emails": vec![json!({"value": "a"}); 11]}), "more than 10"),
        ] {
            let error = read(&value).unwrap_err();
            assert!(error.contains(says), "{value}: {error}");
        }
    }

    #[test]
    fn of_several_addresses_the_primary_one_counts() {
        let mut ada = Attributes::sample();
        assert_eq!(ada.address().as_deref(), Some("ada@example.com"));
        ada.emails[0].primary = false;
        assert_eq!(ada.address(), None, "nobody says which");
    }
}
