//! What a setting could be: from the file of examples, or from what it may be at all.

use anyhow::{Context, Result};
use toml::Value;

use super::schema::Kind;

/// The file of examples.
pub(super) struct Examples(Value);

/// One step down to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of this name.
    Member(String),
    /// Any entry of a list.
    Entry,
    /// A member of whatever name.
    Named,
}

impl Examples {
    pub(super) fn read(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().context("docs/every-setting.toml is no TOML")?;
        Ok(Self(Value::Table(table)))
    }

    /// What the file says there, as it would stand behind `=`.
    pub(super) fn at(&self, path: &[Step]) -> Option<String> {
        descend(&self.0, path).map(|value| inline(&value))
    }
}

fn descend(value: &Value, path: &[Step]) -> Option<Value> {
    let Some((first, rest)) = path.split_first() else { return Some(value.clone()) };
    match (first, value) {
        (Step::Member(name), Value::Table(table)) => descend(table.get(name)?, rest),
        (Step::Entry, Value::Array(entries)) => entries.iter().find_map(|entry| descend(entry, rest)),
        (Step::Named, Value::Table(table)) => table.values().find_map(|member| descend(member, rest)),
        _ => None,
    }
}

/// On one line, whatever it is.
fn inline(value: &Value) -> String {
    let list = |items: Vec<String>, open: &str, close: &str| format!("{open}{}{close}", items.join(", "));
    match value {
        Value::Array(items) => list(items.iter().map(inline).collect(), "[", "]"),
        Value::Table(table) => {
            let member = |(name, value): (&String, &Value)| format!("{} = {}", key(name), inline(value));
            list(table.iter().map(member).collect(), "{ ", " }")
        }
        plain => plain.to_string(),
    }
}

/// A key, in quotes where TOML asks for them.
pub(super) fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        Value::String(name.to_owned()).to_string()
    }
}

/// For a setting that the file says nothing of: another value than the default, where the kind alone yields one.
pub(super) fn of(kind: &Kind, default: &serde_json::Value) -> Option<String> {
    match kind {
        Kind::Bool => Some((!default.as_bool().unwrap_or(false)).to_string()),
        Kind::Words(words) => {
            let other = words.iter().find(|word| default.as_str() != Some(word.name.as_str()))?;
            Some(format!("\"{}\"", other.name))
        }
        Kind::List(entry) => Some(format!("[{}]", of(entry, &serde_json::Value::Null)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Step {
        Step::Member(name.to_owned())
    }

    #[test]
    fn an_example_is_found_wherever_it_stands_and_fits_on_a_line() {
        let examples = Examples::read(
            "[server.tools]\n\"write_*\" = { scopes = [\"a\"], when = { claim = \"g\", has = \"o\" } }\n\
             [[server.issuers]]\nprofile = \"x\"\n[[server.issuers]]\ntenants = [\"t\"]\n",
        )
        .unwrap();
        let scopes = [member("server"), member("tools"), Step::Named, member("scopes")];
        assert_eq!(examples.at(&scopes).as_deref(), Some("[\"a\"]"));
        let when = [member("server"), member("tools"), Step::Named, member("when")];
        assert_eq!(examples.at(&when).as_deref(), Some("{ claim = \"g\", has = \"o\" }"));
        let tenants = [member("server"), member("issuers"), Step::Entry, member("tenants")];
        assert_eq!(examples.at(&tenants).as_deref(), Some("[\"t\"]"));
        assert_eq!(examples.at(&[member("nowhere")]), None);
    }

    #[test]
    fn keys_have_quotes_where_they_need_them() {
        assert_eq!(key("password_file"), "password_file");
        assert_eq!(key("notes:read"), "\"notes:read\"");
    }
}
