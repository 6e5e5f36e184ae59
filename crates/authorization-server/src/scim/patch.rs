//! Changes of parts (RFC 7644 §3.5.2). A change is read whole before anything is changed, and all of it happens or nothing.

use std::fmt;

use hallpass_protocol::json::from_slice_unique;
use serde_json::Value;

use super::attributes::{Attributes, Email, Name, check_addresses, member, text, truth, wrong};
use super::error::ScimError;
use super::filter::{Filter, attribute_name};

/// A request asks for no more changes.
const MOST: usize = 100;

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    operation: Operation,
    path: Option<Path>,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Add,
    Replace,
    Remove,
}

/// `emails[type eq "work"].value` (RFC 7644 §3.5.2, figure 7), in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    attribute: String,
    within: Option<Filter>,
    part: Option<String>,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attribute)?;
        if let Some(within) = &self.within {
            write!(f, "[{} eq {}]", within.attribute, within.value)?;
        }
        self.part.iter().try_for_each(|part| write!(f, ".{part}"))
    }
}

impl Path {
    /// None where it cannot be read.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (before, rest) = match text.split_once('[') {
            Some((before, rest)) => (before, Some(rest)),
            None => (text, None),
        };
        let name = attribute_name(before)?;
        let Some(rest) = rest else {
            // The schema's own dots are behind a colon, as the name is.
            let (urn, name) = name.rsplit_once(':').map_or(("", name.as_str()), |(urn, name)| (urn, name));
            let (attribute, part) = match name.split_once('.') {
                Some((attribute, part)) => (attribute, Some(part.to_owned())),
                None => (name, None),
            };
            let attribute = if urn.is_empty() { attribute.to_owned() } else { format!("{urn}:{attribute}") };
            let fine = !attribute.is_empty() && part.as_ref().is_none_or(|part| !part.is_empty());
            return fine.then_some(Self { attribute, within: None, part });
        };
        // A text may hold a bracket, so the last one ends it.
        let (within, behind) = rest.rsplit_once(']')?;
        let part = match behind {
            "" => None,
            behind => {
                Some(attribute_name(behind.strip_prefix('.')?).filter(|part| !part.contains(['.', ':']))?)
            }
        };
        let plain = !name.contains('.');
        plain.then_some(Self { attribute: name, within: Some(Filter::parse(within)?), part })
    }
}

impl Change {
    /// All changes of a request.
    pub(super) fn read(body: &[u8]) -> Result<Vec<Self>, ScimError> {
        let body: Value = from_slice_unique(body).map_err(|error| ScimError::Syntax(error.to_string()))?;
        let members = body.as_object().ok_or_else(|| ScimError::Syntax("it is no object".to_owned()))?;
        let named =
            |schemas: &Value| schemas.as_array().is_some_and(|all| all.iter().any(|one| one == PATCH));
        if !member(members, "schemas").is_some_and(named) {
            return Err(ScimError::Syntax(format!("its schemas do not name {PATCH}")));
        }
        let all = member(members, "operations").and_then(Value::as_array);
        let all = all.ok_or_else(|| ScimError::Syntax("it has no Operations".to_owned()))?;
        if all.is_empty() || all.len() > MOST {
            return Err(ScimError::Syntax(format!("it has no Operations, or more than {MOST}")));
        }
        all.iter().map(Self::read_one).collect()
    }

    fn read_one(operation: &Value) -> Result<Self, ScimError> {
        let none = || ScimError::Syntax("an operation is no object with op".to_owned());
        let members = operation.as_object().ok_or_else(none)?;
        let name = member(members, "op").and_then(Value::as_str).ok_or_else(none)?;
        // Some identity providers write `Replace`.
        let operation = match name.to_ascii_lowercase().as_str() {
            "add" => Operation::Add,
            "replace" => Operation::Replace,
            "remove" => Operation::Remove,
            _ => return Err(ScimError::Syntax("op is add, replace or remove".to_owned())),
        };
        let path = match member(members, "path") {
            None => None,
            Some(Value::String(path)) => {
                Some(Path::parse(path).ok_or_else(|| ScimError::Path(crate::pages::shown(path)))?)
            }
            Some(_) => return Err(wrong("path", "a text")),
        };
        let value = member(members, "value").cloned().unwrap_or(Value::Null);
        match (operation, &path, &value) {
            // RFC 7644 §3.5.2.2, noTarget.
            (Operation::Remove, None, _) => {
                Err(ScimError::Path("none, where something is removed".to_owned()))
            }
            (Operation::Add | Operation::Replace, None, Value::Object(_)) => {
                Ok(Self { operation, path, value })
            }
            (Operation::Add | Operation::Replace, None, _) => {
                Err(ScimError::Value("a change without a path needs an object as its value".to_owned()))
            }
            _ => Ok(Self { operation, path, value }),
        }
    }

    /// Changes what is kept of a person.
    pub(super) fn apply(&self, person: &mut Attributes) -> Result<(), ScimError> {
        let value = if self.operation == Operation::Remove { &Value::Null } else { &self.value };
        if let Some(path) = &self.path {
            return self.set(person, path, value);
        }
        for (name, value) in self.value.as_object().into_iter().flatten() {
            let path = Path::parse(name).ok_or_else(|| ScimError::Path(crate::pages::shown(name)))?;
            self.set(person, &path, value)?;
        }
        Ok(())
    }

    fn set(&self, person: &mut Attributes, path: &Path, value: &Value) -> Result<(), ScimError> {
        let some = (!value.is_null()).then_some(value);
        match (path.attribute.as_str(), path.part.as_deref()) {
            ("username", None) => {
                person.user_name =
                    text(some, "userName")?.ok_or_else(|| ScimError::Mutability("userName".to_owned()))?;
                person.checked_name()?;
            }
            // RFC 7644 §3.5.2.2: what is removed is as if it had never been said.
            ("active", None) => person.active = some.map(truth).transpose()?.unwrap_or(true),
            ("externalid", None) => person.external_id = text(some, "externalId")?,
            ("displayname", None) => person.display_name = text(some, "displayName")?,
            ("name", None) => self.set_name(person, value)?,
            ("name", Some("formatted")) => person.name.formatted = text(some, "name.formatted")?,
            ("name", Some("familyname")) => person.name.family_name = text(some, "name.familyName")?,
            ("name", Some("givenname")) => person.name.given_name = text(some, "name.givenName")?,
            ("emails", part) => self.set_emails(person, path.within.as_ref(), part, value)?,
            ("id" | "meta", _) => return Err(ScimError::Mutability(path.attribute.clone())),
            // What is not kept (`schemas`, `title`, the enterprise extension) is not changed either; an identity provider
            // sends it all in one request, with what counts.
            _ => {}
        }
        Ok(())
    }

    /// What is added to a name goes beside what is there (RFC 7644 §3.5.2.1); so it does where an identity provider
    /// replaces a part of it.
    fn set_name(&self, person: &mut Attributes, value: &Value) -> Result<(), ScimError> {
        let said = Name::read(value)?;
        person.name = match self.operation {
            Operation::Remove => Name::default(),
            Operation::Add | Operation::Replace => Name {
                formatted: said.formatted.or(person.name.formatted.take()),
                family_name: said.family_name.or(person.name.family_name.take()),
                given_name: said.given_name.or(person.name.given_name.take()),
            },
        };
        Ok(())
    }

    fn set_emails(
        &self,
        person: &mut Attributes,
        within: Option<&Filter>,
        part: Option<&str>,
        value: &Value,
    ) -> Result<(), ScimError> {
        let emails = &mut person.emails;
        let fits = |email: &Email| match within.map(|within| (within.attribute.as_str(), &within.value)) {
            None => true,
            Some(("type", Value::String(kind))) => {
                email.kind.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(kind))
            }
            Some(("value", Value::String(address))) => email.value.eq_ignore_ascii_case(address),
            Some(("primary", Value::Bool(primary))) => email.primary == *primary,
            Some(_) => false,
        };
        match (self.operation, within, part) {
            (Operation::Remove, _, None | Some("value")) => emails.retain(|email| !fits(email)),
            (Operation::Add, None, None) => {
                let more = Email::read_all(value)?;
                if more.iter().any(|email| email.primary) {
                    emails.iter_mut().for_each(|email| email.primary = false);
                }
                emails.retain(|email| more.iter().all(|new| new.value != email.value));
                emails.extend(more);
            }
            (Operation::Replace, None, None) => *emails = Email::read_all(value)?,
            (_, Some(within), None | Some("value")) => {
                let address = match value {
                    Value::Object(members) => text(member(members, "value"), "emails.value")?,
                    other => text(Some(other), "emails.value")?,
                };
                let address = address.ok_or_else(|| wrong("emails.value", "a text"))?;
                let mut found = emails.iter_mut().filter(|email| fits(email)).peekable();
                if found.peek().is_some() {
                    found.for_each(|email| email.value.clone_from(&address));
                } else {
                    // Identity providers add an address so, by the way in which they would replace it.
                    let kind =
                        (within.attribute == "type").then(|| within.text().map(str::to_owned)).flatten();
                    let primary = within.attribute == "primary" && within.value == Value::Bool(true);
                    emails.push(Email { value: address, kind, primary });
                }
            }
            (_, _, Some("type")) => {
                let kind = text((!value.is_null()).then_some(value), "emails.type")?;
                emails.iter_mut().filter(|email| fits(email)).for_each(|email| email.kind.clone_from(&kind));
            }
            (_, _, Some("primary")) => {
                let primary = !value.is_null() && truth(value)?;
                emails.iter_mut().filter(|email| fits(email)).for_each(|email| email.primary = primary);
            }
            (_, _, Some(part)) => return Err(ScimError::Path(format!("emails.{part}"))),
        }
        check_addresses(emails)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn patched(operations: &Value) -> Result<Attributes, String> {
        let body = json!({ "schemas": [PATCH], "Operations": operations }).to_string();
        let mut ada = Attributes::sample();
        let changes = Change::read(body.as_bytes()).map_err(|error| error.to_string())?;
        changes.iter().try_for_each(|change| change.apply(&mut ada)).map_err(|error| error.to_string())?;
        Ok(ada)
    }

    #[test]
    fn whoever_leaves_is_inactive_in_every_way_of_saying_so() {
        for operation in [
            json!({"op": "replace", "path": "active", "value": false}),
            json!({"op": "Replace", "path": "active", "value": "False"}),
            json!({"op": "replace", "value": {"active": false}}),
            json!({"op": "add", "value": {"active": false, "title": "gone"}}),
            json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": false}),
        ] {
            assert!(!patched(&json!([operation])).unwrap().active, "{operation}");
        }
        assert!(patched(&json!([{"op": "replace", "path": "title", "value": false}])).unwrap().active);
    }

    #[test]
    fn parts_are_set_added_and_removed() {
        let ada = patched(&json!([
            {"op": "replace", "path": "userName", "value": "ada2"},
            {"op": "remove", "path": "externalId"},
            {"op": "add", "path": "name.givenName", "value": "Ada"},
            {"op": "replace", "value": {"displayName": "Ada L.", "name.familyName": "Lovelace"}},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@example.com"},
            {"op": "remove", "path": "emails[type eq \"home\"]"},
            {"op": "add", "path": "emails[type eq \"other\"].value", "value": "third@example.com"},
            {"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "x"},
        ]));
        let ada = ada.unwrap();
        assert_eq!((ada.user_name.as_str(), ada.external_id.as_deref()), ("ada2", None));
        assert_eq!(ada.name.given_name.as_deref(), Some("Ada"));
        assert_eq!(
            (ada.name.family_name.as_deref(), ada.display_name.as_deref()),
            (Some("Lovelace"), Some("Ada L."))
        );
        let emails: Vec<_> = ada.emails.iter().map(|email| email.value.as_str()).collect();
        assert_eq!(emails, ["new@example.com", "third@example.com"]);
        let added = patched(
            &json!([{"op": "add", "path": "emails", "value": [{"value": "p@x.example", "primary": true}]}]),
        );
        let added = added.unwrap();
        assert_eq!((added.emails.len(), added.address().as_deref()), (3, Some("p@x.example")));
    }

    #[test]
    fn each_rule_refuses() {
        for (operations, says) in [
            (json!([]), "no Operations"),
            (json!({}), "no Operations"),
            (json!(vec![json!({"op": "remove", "path": "title"}); 101]), "more than 100"),
            (json!([7]), "no object with op"),
            (json!([{"op": "move", "path": "active"}]), "add, replace or remove"),
            (json!([{"op": "replace", "path": 7, "value": 1}]), "path has to be"),
            (json!([{"op": "replace", "path": "emails[type", "value": "x"}]), "cannot be read"),
            (
                json!([{"op": "replace", "path": "emails[type eq \"work\"]value", "value": "x"}]),
                "cannot be read",
            ),
            (json!([{"op": "replace", "value": false}]), "needs an object"),
            (json!([{"op": "remove"}]), "none"),
            (json!([{"op": "replace", "path": "id", "value": "x"}]), "'id' cannot be changed"),
            (json!([{"op": "remove", "path": "userName"}]), "'userName' cannot be changed"),
            (json!([{"op": "replace", "path": "active", "value": "no"}]), "true or false"),
            (json!([{"op": "replace", "path": "emails.display", "value": "x"}]), "emails.display"),
            (
                json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]),
                "more than one",
            ),
        ] {
            let error = patched(&operations).unwrap_err();
            assert!(error.contains(says), "{operations}: {error}");
        }
        let plain = json!({ "Operations": [{"op": "remove", "path": "title"}] }).to_string();
        assert!(Change::read(plain.as_bytes()).is_err(), "without its schema");
        let twice = format!(r#"{{"schemas":["{PATCH}"],"Operations":[],"Operations":[]}}"#);
        assert!(Change::read(twice.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn a_path_that_is_read_is_read_again(text in "[a-zA-Z:.\\[\\] \"0-9-]{0,60}") {
            if let Some(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Some(path));
            }
        }

        #[test]
        fn what_a_path_names_in_brackets_is_any_text(value in "[^\u{0}]{0,40}") {
            let path = Path::parse(&format!("emails[value eq {}].value", json!(value))).unwrap();
            let within = path.within.unwrap();
            prop_assert_eq!(within.text(), Some(value.as_str()));
        }
    }
}
