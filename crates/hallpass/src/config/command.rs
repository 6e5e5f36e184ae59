//! How the program of a stdio server is run.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{Size, Span};

/// For whom there is one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProcessFor {
    /// Each session.
    #[default]
    Session,
    /// Each user.
    User,
    /// Everybody.
    Shared,
}

/// Where the value of an environment variable comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Variable {
    /// It stands here.
    Text(String),
    /// A claim of the caller's token, by its name or by a path with dots.
    Claim {
        /// Its name.
        claim: String,
    },
    /// A file with something secret.
    File {
        /// The file.
        file: PathBuf,
    },
    /// hallpass's own environment.
    Inherited {
        /// Always true.
        inherit: bool,
    },
}

// By hand, so that a fault says what may stand there.
impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Variable;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text, { claim = \"NAME\" }, { file = \"PATH\" } or { inherit = true }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Variable, E> {
                Ok(Variable::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Variable, A::Error> {
                let wrong = || {
                    A::Error::custom(
                        "write a text, { claim = \"NAME\" }, { file = \"PATH\" } or { inherit = true }",
                    )
                };
                let variable = match members.next_key::<String>()?.as_deref() {
                    Some("claim") => Variable::Claim { claim: members.next_value()? },
                    Some("file") => Variable::File { file: members.next_value()? },
                    Some("inherit") => Variable::Inherited { inherit: members.next_value()? },
                    _ => return Err(wrong()),
                };
                let says_nothing = match &variable {
                    Variable::Claim { claim } => claim.is_empty(),
                    Variable::File { file } => file.as_os_str().is_empty(),
                    Variable::Inherited { inherit } => !inherit,
                    Variable::Text(_) => false,
                };
                if says_nothing || members.next_key::<String>()?.is_some() {
                    return Err(wrong());
                }
                Ok(variable)
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

/// How much the processes of a stdio server may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProcessLimits {
    /// How many processes may run at once. Default: 256.
    pub(crate) processes: Option<NonZeroUsize>,
    /// How many sessions one user may have at once, through all clients. Default: 32.
    pub(crate) sessions_of_a_user: Option<NonZeroUsize>,
    /// How much memory a process may have, and each of its children: a number and `MB` or `GB`. Linux only. Default: no limit.
    pub(crate) memory: Option<Size>,
    /// How long a session may lie unused before it ends, and a process without sessions. Default: `30m`.
    pub(crate) idle: Option<Span>,
    /// How long a request may wait for its answer. Default: `1h`.
    pub(crate) call: Option<Span>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_text_a_claim_a_file_or_inherited() {
        let read = |text: &str| {
            toml::from_str::<std::collections::BTreeMap<String, Variable>>(&format!("v = {text}"))
        };
        let variable = |text: &str| read(text).unwrap().remove("v").unwrap();
        assert_eq!(variable("'x'"), Variable::Text("x".into()));
        assert_eq!(variable("{ claim = 'email' }"), Variable::Claim { claim: "email".into() });
        assert_eq!(variable("{ file = 'key' }"), Variable::File { file: "key".into() });
        assert_eq!(variable("{ inherit = true }"), Variable::Inherited { inherit: true });
        for text in [
            "1",
            "{}",
            "{ claim = '' }",
            "{ file = '' }",
            "{ file = 'a', inherit = true }",
            "{ inherit = false }",
            "{ claim = 'a', inherit = true }",
            "{ secret = 'a' }",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
