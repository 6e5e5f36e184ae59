//! A JSON Schema, as far as one of settings needs: what kind of value goes where.

use serde_json::{Map, Value};

/// What kind of value a setting takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// True or false.
    Bool,
    /// A whole number, with what it is at least.
    Number(Option<i64>),
    /// Text, with what it has to be in a word or two.
    Text(Option<String>),
    /// Text of a named form.
    Form(String),
    /// One of these words.
    Words(Vec<Word>),
    /// Several of them.
    List(Box<Kind>),
    /// A table that has these members.
    Table(String),
    /// A table whose members have names of the operator's choice.
    Named(Box<Kind>),
    /// A table without a name of its own, by the names of its members.
    Members(Vec<String>),
    /// One of several kinds.
    Either(Vec<Kind>),
    /// Whatever TOML can say.
    Anything,
}

/// A word that a setting may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// How it is written.
    pub(super) name: String,
    /// What it means.
    pub(super) says: String,
}

/// A table with its members.
pub(super) struct Table<'a> {
    pub(super) members: Vec<(&'a str, &'a Value)>,
    required: Vec<&'a str>,
    /// What members of other names are.
    pub(super) others: Option<&'a Value>,
}

impl Table<'_> {
    pub(super) fn requires(&self, name: &str) -> bool {
        self.required.contains(&name)
    }
}

/// The whole of it.
pub(super) struct Schema<'a> {
    root: &'a Value,
}

/// The name of the outermost table.
pub(super) const ROOT: &str = "";

impl<'a> Schema<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// What stands under a name in `$defs`.
    pub(super) fn definition(&self, name: &str) -> Option<&'a Value> {
        if name == ROOT { Some(self.root) } else { self.root.get("$defs")?.get(name) }
    }

    /// The table of that name.
    pub(super) fn table(&self, name: &str) -> Option<Table<'a>> {
        let schema = self.definition(name)?;
        let none = || -> std::slice::Iter<'a, Value> { [].iter() };
        let required =
            schema.get("required").and_then(Value::as_array).map_or_else(none, |names| names.iter());
        let properties = schema.get("properties").and_then(Value::as_object);
        Some(Table {
            members: properties
                .map(|all| all.iter().map(|(name, of)| (name.as_str(), of)).collect())
                .unwrap_or_default(),
            required: required.filter_map(Value::as_str).collect(),
            others: others(schema),
        })
    }

    /// What kind of value that is.
    pub(super) fn kind(&self, schema: &Value) -> Kind {
        if let Some(name) =
            schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/$defs/"))
        {
            return self.named(name);
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let word = |word: &Value| Some(Word { name: word.as_str()?.to_owned(), says: String::new() });
            return Kind::Words(words.iter().filter_map(word).collect());
        }
        if let Some(word) = schema.get("const").and_then(Value::as_str) {
            return Kind::Words(vec![Word { name: word.to_owned(), says: says(schema).to_owned() }]);
        }
        if let Some(choices) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
            return either(choices.iter().filter(|choice| !is_null(choice)).map(|choice| self.kind(choice)));
        }
        match type_of(schema) {
            Some("boolean") => Kind::Bool,
            Some("integer" | "number") => Kind::Number(schema.get("minimum").and_then(Value::as_i64)),
            Some("string") => Kind::Text(schema.get("format").and_then(Value::as_str).map(str::to_owned)),
            Some("array") => {
                Kind::List(Box::new(schema.get("items").map_or(Kind::Anything, |of| self.kind(of))))
            }
            Some("object") => match others(schema) {
                Some(of) => Kind::Named(Box::new(self.kind(of))),
                None => members(schema).map_or(Kind::Anything, Kind::Members),
            },
            _ => Kind::Anything,
        }
    }

    fn named(&self, name: &str) -> Kind {
        let Some(schema) = self.definition(name) else { return Kind::Anything };
        if schema.get("properties").is_some() {
            return Kind::Table(name.to_owned());
        }
        match self.kind(schema) {
            Kind::Text(_) => Kind::Form(name.to_owned()),
            kind => kind,
        }
    }
}

/// Words of several choices are one choice of words.
fn either(kinds: impl Iterator<Item = Kind>) -> Kind {
    let mut words = Vec::new();
    let mut others = Vec::new();
    for kind in kinds {
        match kind {
            Kind::Words(more) => words.extend(more),
            other => others.push(other),
        }
    }
    if !words.is_empty() {
        others.insert(0, Kind::Words(words));
    }
    match others.len() {
        1 => others.remove(0),
        _ => Kind::Either(others),
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// What members are whose names are the operator's choice, whatever pattern the names have to follow.
fn others(schema: &Value) -> Option<&Value> {
    let by_pattern =
        schema.get("patternProperties").and_then(Value::as_object).and_then(|all| all.values().next());
    by_pattern.or_else(|| schema.get("additionalProperties").filter(|others| others.is_object()))
}

/// The names of members, in a table that has no name of its own.
fn members(schema: &Value) -> Option<Vec<String>> {
    let all = schema.get("properties")?.as_object()?;
    Some(all.keys().cloned().collect())
}

/// The type, where it is one beside null.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|of| *of != "null"),
        one => one.as_str(),
    }
}

/// What the doc comment says.
pub(super) fn says(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// What holds where nothing is set, if the program says so by a value that says something.
pub(super) fn default(schema: &Value) -> Option<&Value> {
    schema.get("default").filter(|value| match value {
        Value::Null | Value::Object(_) => false,
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    })
}

/// Whether that is a span of time: then `600s` is written as a person would.
pub(super) fn is_span(schema: &Map<String, Value>) -> bool {
    schema.get("pattern").and_then(Value::as_str) == Some("^[0-9]+[smhd]$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn word(name: &str, says: &str) -> Word {
        Word { name: name.to_owned(), says: says.to_owned() }
    }

    #[test]
    fn kinds() {
        let root = json!({ "$defs": {
            "Tls": { "properties": { "key": { "type": "string" } }, "required": ["key"] },
            "Path": { "type": "string", "pattern": "^/" },
            "Mode": { "oneOf": [{ "const": "on", "description": "Yes." }, { "const": "off", "description": "No." }] },
            "Asked": { "anyOf": [{ "$ref": "#/$defs/Mode" }, { "type": "array", "items": { "type": "string" } }] },
        }});
        let schema = Schema::new(&root);
        let modes = Kind::Words(vec![word("on", "Yes."), word("off", "No.")]);
        let texts = Kind::List(Box::new(Kind::Text(None)));
        for (said, kind) in [
            (json!({ "type": "boolean" }), Kind::Bool),
            (json!({ "type": ["integer", "null"], "minimum": 1 }), Kind::Number(Some(1))),
            (json!({ "type": "string", "format": "uri" }), Kind::Text(Some("uri".to_owned()))),
            (
                json!({ "anyOf": [{ "$ref": "#/$defs/Tls" }, { "type": "null" }] }),
                Kind::Table("Tls".to_owned()),
            ),
            (json!({ "$ref": "#/$defs/Path" }), Kind::Form("Path".to_owned())),
            (json!({ "$ref": "#/$defs/Mode", "default": "on" }), modes.clone()),
            (json!({ "$ref": "#/$defs/Asked" }), Kind::Either(vec![modes, texts])),
            (
                json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/Tls" } }),
                Kind::Named(Box::new(Kind::Table("Tls".to_owned()))),
            ),
            (
                json!({ "type": "object", "patternProperties": { "^[a-z]$": { "type": "boolean" } }, "additionalProperties": false }),
                Kind::Named(Box::new(Kind::Bool)),
            ),
            (
                json!({ "type": "object", "properties": { "file": { "type": "string" } }, "required": ["file"] }),
                Kind::Members(vec!["file".to_owned()]),
            ),
            (json!({ "$ref": "#/$defs/Nowhere" }), Kind::Anything),
            (json!({ "new": "keyword" }), Kind::Anything),
        ] {
            assert_eq!(schema.kind(&said), kind, "{said}");
        }
        assert!(schema.table("Tls").unwrap().requires("key"));
    }

    #[test]
    fn a_default_is_told_where_it_says_something() {
        for (said, told) in [
            (json!([]), false),
            (json!({}), false),
            (json!(null), false),
            (json!(false), true),
            (json!("jwt"), true),
        ] {
            assert_eq!(default(&json!({ "default": said })).is_some(), told, "{said}");
        }
    }
}
