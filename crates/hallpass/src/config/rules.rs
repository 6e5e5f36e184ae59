//! Rules, as the file writes them: `"purge" = { scopes = [...], when = {...}, fresh = "5m" }`, `"debug" = "deny"`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};

use super::duration::Span;
use super::lists;

/// Rules by name or pattern; each `*` stands for any run of characters.
pub(crate) type Rules = BTreeMap<String, Rule>;

/// What holds for whatever a pattern matches.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Rule {
    /// Nobody may.
    Deny(DenyWord),
    /// Whoever shows all of this may.
    Ask(Box<Ask>),
}

/// `"deny"`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DenyWord {
    /// Nobody may.
    Deny,
}

/// What a caller must show.
#[derive(Clone, Debug, Default, DeriveDeserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ask {
    /// The scopes that a caller needs, all of them.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) scopes: Vec<String>,
    /// What the token must say; a list where it is several things.
    pub(crate) when: OneOrMore,
    /// One of these tenants. Default: any.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) tenants: Vec<String>,
    /// How long ago the user may have logged in, as in "5m" (RFC 9470).
    pub(crate) fresh: Option<Span>,
}

/// One condition, or a list of them.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    /// None.
    #[default]
    None,
    /// One.
    One(Condition),
    /// All of these.
    More(Vec<Condition>),
}

/// A claim and what it must be: `{ claim = "groups", has = "ops" }`, `{ claim = "tid", is = "acme" }`.
#[derive(Clone, Debug, DeriveDeserialize, Serialize, JsonSchema)]
#[serde(try_from = "RawCondition")]
pub(crate) struct Condition {
    /// The claim's name, or a path with dots.
    pub(crate) claim: String,
    /// A word that the claim's list or text must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) has: Option<String>,
    /// What the claim must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is: Option<serde_json::Value>,
}

#[derive(DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    claim: String,
    #[serde(default)]
    has: Option<String>,
    #[serde(default)]
    is: Option<serde_json::Value>,
}

impl TryFrom<RawCondition> for Condition {
    type Error = &'static str;

    fn try_from(raw: RawCondition) -> Result<Self, Self::Error> {
        match (&raw.has, &raw.is) {
            (Some(_), None) | (None, Some(_)) => Ok(Self { claim: raw.claim, has: raw.has, is: raw.is }),
            _ => Err("a condition says one of `has` and `is`, as in { claim = \"groups\", has = \"ops\" }"),
        }
    }
}

impl OneOrMore {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Condition> {
        match self {
            Self::None => [].iter(),
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::More(more) => more.iter(),
        }
    }
}

// By hand, so that a mistake within is reported where it stands.
impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"deny\", or what a caller needs, as in { scopes = [\"notes:write\"] }")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Rule, E> {
                match word {
                    "deny" => Ok(Rule::Deny(DenyWord::Deny)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                Ask::deserialize(MapAccessDeserializer::new(map)).map(|ask| Rule::Ask(Box::new(ask)))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a condition, as in { claim = \"groups\", has = \"ops\" }, or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMore, A::Error> {
                Condition::deserialize(MapAccessDeserializer::new(map)).map(OneOrMore::One)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMore, A::Error> {
                let mut more = Vec::new();
                while let Some(one) = items.next_element()? {
                    more.push(one);
                }
                match more.is_empty() {
                    true => Err(A::Error::custom("the list is empty, which says nothing: leave it out")),
                    false => Ok(OneOrMore::More(more)),
                }
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Rules, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_rule_asks_or_denies() {
        let rules = rules(
            r#"
            "write_*" = { scopes = ["notes:write"] }
            "purge" = { scopes = ["notes:admin"], when = { claim = "groups", has = "ops" }, fresh = "5m" }
            "wipe" = { when = [{ claim = "tid", is = "acme" }, { claim = "level", is = 3 }], tenants = ["acme"] }
            "debug" = "deny"
            "free" = {}
            "#,
        )
        .unwrap();
        assert!(matches!(rules["debug"], Rule::Deny(_)));
        let Rule::Ask(purge) = &rules["purge"] else { panic!() };
        assert_eq!((purge.when.iter().count(), purge.fresh.unwrap().0.as_secs()), (1, 300));
        let Rule::Ask(wipe) = &rules["wipe"] else { panic!() };
        assert_eq!(wipe.when.iter().count(), 2);
    }

    #[test]
    fn a_mistake_names_line_and_cause() {
        for (text, line, what) in [
            ("\na = \"allow\"", "line 2", "\"deny\""),
            ("a = { scope = [] }", "line 1", "scope"),
            ("\n\na = { when = { claim = \"x\" } }", "line 3", "one of `has` and `is`"),
            ("a = { when = { claim = \"x\", has = \"y\", is = 1 } }", "line 1", "one of `has` and `is`"),
            ("a = { fresh = \"soon\" }", "line 1", "soon"),
            ("a = 7", "line 1", "\"deny\""),
            ("a = { scopes = \"notes\" }", "line 1", "a list, as in"),
            ("a = { scopes = [] }", "line 1", "leave it out"),
            ("a = { when = [] }", "line 1", "leave it out"),
            ("a = { tenants = [] }", "line 1", "leave it out"),
            ("a = { fresh = 300 }", "line 1", "\"10m\""),
        ] {
            let problem = rules(text).unwrap_err().to_string();
            assert!(problem.contains(line) && problem.contains(what), "{text}: {problem}");
        }
    }
}
