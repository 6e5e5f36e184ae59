//! Whom a security event is about (RFC 9493; OpenID Shared Signals Framework 1.0 §3, "complex").

use serde_json::{Map, Value};

/// A subject identifier (RFC 9493 §3), of the formats that are known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectIdentifier {
    /// RFC 9493 §3.2.4: a subject of an issuer.
    IssSub {
        /// `iss`
        issuer: String,
        /// `sub`
        subject: String,
    },
    /// RFC 9493 §3.2.2: a mailbox.
    Email(String),
    /// RFC 9493 §3.2.5: a text that both sides know.
    Opaque(String),
    /// Shared Signals Framework 1.0 §3.3: one principal, told by several members. What is known here of them; other members narrow
    /// it in ways that nobody here can tell.
    Complex {
        /// The person.
        user: Option<Box<SubjectIdentifier>>,
        /// The session.
        session: Option<Box<SubjectIdentifier>>,
    },
}

/// Why a subject identifier is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// RFC 9493 §3: a JSON object with `format`.
    #[error("a subject identifier is an object with a text \"format\" (RFC 9493 §3)")]
    Form,
    /// RFC 9493 §3.2: a format that is not known here.
    #[error("subject identifiers of this format are not known here: iss_sub, email, opaque and complex are")]
    Format,
    /// RFC 9493 §3: what the format requires, and nothing else.
    #[error(
        "the subject identifier lacks a text that its format requires, or has a member that it does not know (RFC 9493 §3)"
    )]
    Members,
}

impl SubjectIdentifier {
    /// Reads one.
    ///
    /// # Errors
    /// One variant of [`SubjectError`] for each rule.
    pub fn read(value: &Value) -> Result<Self, SubjectError> {
        let members = value.as_object().ok_or(SubjectError::Form)?;
        match format(members)? {
            "complex" => complex(members),
            _ => Self::simple(members),
        }
    }

    fn simple(members: &Map<String, Value>) -> Result<Self, SubjectError> {
        match format(members)? {
            "iss_sub" => {
                texts(members, ["iss", "sub"]).map(|[issuer, subject]| Self::IssSub { issuer, subject })
            }
            "email" => texts(members, ["email"]).map(|[email]| Self::Email(email)),
            "opaque" => texts(members, ["id"]).map(|[id]| Self::Opaque(id)),
            _ => Err(SubjectError::Format),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::IssSub { issuer, subject } => {
                serde_json::json!({ "format": "iss_sub", "iss": issuer, "sub": subject })
            }
            Self::Email(email) => serde_json::json!({ "format": "email", "email": email }),
            Self::Opaque(id) => serde_json::json!({ "format": "opaque", "id": id }),
            Self::Complex { user, session } => {
                let mut written = serde_json::json!({ "format": "complex" });
                for (name, part) in [("user", user), ("session", session)] {
                    if let Some(part) = part {
                        written[name] = part.to_json();
                    }
                }
                written
            }
        }
    }
}

fn format(members: &Map<String, Value>) -> Result<&str, SubjectError> {
    members.get("format").and_then(Value::as_str).ok_or(SubjectError::Form)
}

/// Exactly these, beside the format.
fn texts<const N: usize>(
    members: &Map<String, Value>,
    names: [&'static str; N],
) -> Result<[String; N], SubjectError> {
    if members.len() != N + 1 {
        return Err(SubjectError::Members);
    }
    let mut found = names.map(|_| String::new());
    for (text, name) in found.iter_mut().zip(names) {
        let value = members.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
        value.ok_or(SubjectError::Members)?.clone_into(text);
    }
    Ok(found)
}

/// Each member is a simple one (Shared Signals Framework 1.0 §3.3); of those that are not known here that much is looked at.
fn complex(members: &Map<String, Value>) -> Result<SubjectIdentifier, SubjectError> {
    let (mut user, mut session) = (None, None);
    for (name, value) in members.iter().filter(|(name, _)| *name != "format") {
        let part = value.as_object().ok_or(SubjectError::Members)?;
        match name.as_str() {
            "user" => user = Some(Box::new(SubjectIdentifier::simple(part)?)),
            "session" => session = Some(Box::new(SubjectIdentifier::simple(part)?)),
            _ => drop(format(part)?),
        }
    }
    match user.is_some() || session.is_some() {
        true => Ok(SubjectIdentifier::Complex { user, session }),
        false => Err(SubjectError::Members),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_formats_are_read() {
        let ada = || SubjectIdentifier::IssSub {
            issuer: "https://idp.example".to_owned(),
            subject: "ada".to_owned(),
        };
        let written = json!({ "format": "iss_sub", "iss": "https://idp.example", "sub": "ada" });
        assert_eq!(SubjectIdentifier::read(&written), Ok(ada()));
        let email = json!({ "format": "email", "email": "ada@example.com" });
        assert_eq!(
            SubjectIdentifier::read(&email),
            Ok(SubjectIdentifier::Email("ada@example.com".to_owned()))
        );
        let session = json!({ "format": "opaque", "id": "s|1" });
        let opaque = SubjectIdentifier::Opaque("s|1".to_owned());
        assert_eq!(SubjectIdentifier::read(&session), Ok(opaque.clone()));
        let complex = json!({
            "format": "complex", "user": written, "session": session, "tenant": { "format": "opaque", "id": "1" },
        });
        let (user, session) = (Some(Box::new(ada())), Some(Box::new(opaque)));
        assert_eq!(SubjectIdentifier::read(&complex), Ok(SubjectIdentifier::Complex { user, session }));
    }

    #[test]
    fn each_rule_refuses() {
        for (value, error) in [
            (json!("ada"), SubjectError::Form),
            (json!({}), SubjectError::Form),
            (json!({ "format": 1 }), SubjectError::Form),
            (json!({ "format": "did", "url": "did:example:1" }), SubjectError::Format),
            (json!({ "format": "email" }), SubjectError::Members),
            (json!({ "format": "email", "email": "" }), SubjectError::Members),
            (json!({ "format": "email", "email": 1 }), SubjectError::Members),
            (json!({ "format": "email", "email": "a@b", "sub": "x" }), SubjectError::Members),
            (json!({ "format": "iss_sub", "iss": "https://idp.example" }), SubjectError::Members),
            (json!({ "format": "complex" }), SubjectError::Members),
            (
                json!({ "format": "complex", "device": { "format": "opaque", "id": "1" } }),
                SubjectError::Members,
            ),
            (json!({ "format": "complex", "user": "ada" }), SubjectError::Members),
            (json!({ "format": "complex", "user": { "format": "complex" } }), SubjectError::Format),
            (
                json!({ "format": "complex", "user": { "format": "opaque", "id": "1" }, "device": {} }),
                SubjectError::Form,
            ),
        ] {
            assert_eq!(SubjectIdentifier::read(&value), Err(error), "{value}");
        }
    }

    fn simple() -> impl Strategy<Value = SubjectIdentifier> {
        prop_oneof![
            (".{1,20}", ".{1,20}")
                .prop_map(|(issuer, subject)| SubjectIdentifier::IssSub { issuer, subject }),
            ".{1,20}".prop_map(SubjectIdentifier::Email),
            ".{1,20}".prop_map(SubjectIdentifier::Opaque),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(user in simple(), session in proptest::option::of(simple())) {
            prop_assert_eq!(SubjectIdentifier::read(&user.to_json()), Ok(user.clone()));
            let session = session.map(Box::new);
            let both = SubjectIdentifier::Complex { user: Some(Box::new(user)), session };
            prop_assert_eq!(SubjectIdentifier::read(&both.to_json()), Ok(both));
        }

        #[test]
        fn what_is_read_is_read_again(
            format in "iss_sub|email|opaque|complex|.{0,8}",
            members in proptest::collection::btree_map("iss|sub|email|id|user|session|.{0,6}", ".{0,8}", 0..4),
        ) {
            let mut value = json!(members);
            value["format"] = json!(format);
            if let Ok(read) = SubjectIdentifier::read(&value) {
                prop_assert_eq!(SubjectIdentifier::read(&read.to_json()), Ok(read));
            }
        }
    }
}
