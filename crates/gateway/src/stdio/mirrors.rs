//! `Mcp-Param-…` fields say what the arguments of a call say (MCP 2026-07-28, streamable HTTP, "Custom Headers from Tool
//! Parameters"). A program over stdio sees no fields: whoever speaks HTTP for it holds them against its tools' schemas.

use std::collections::{HashMap, HashSet};

use hallpass_protocol::json::from_slice_unique;
use hallpass_resource_server::json_rpc::mirrored_value;
use http::{HeaderMap, HeaderName};
use serde_json::{Number, Value};

/// What an argument's schema says of its field ("Schema Extension").
const ANNOTATION: &str = "x-mcp-header";
/// Integers beyond are not told apart by every JSON parser.
const SAFE: f64 = 9_007_199_254_740_991.0;
/// How deep an argument may stand.
const DEPTH: usize = 32;

/// The arguments that fields mirror, of each tool that has any.
#[derive(Debug, Default)]
pub(super) struct Mirrors(HashMap<String, Vec<Mirror>>);

#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    field: HeaderName,
    /// Names of members, from the arguments on.
    path: Vec<String>,
}

impl Mirrors {
    /// Learns what an answer to `tools/list` says of its tools, and gives its `nextCursor`.
    pub(super) fn learn(&mut self, answer: &[u8]) -> Option<String> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let result = answer.get("result")?;
        for tool in result.get("tools").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            match of_schema(tool.get("inputSchema").unwrap_or(&Value::Null)) {
                mirrors if mirrors.is_empty() => drop(self.0.remove(name)),
                mirrors => drop(self.0.insert(name.to_owned(), mirrors)),
            }
        }
        result.get("nextCursor").and_then(Value::as_str).map(str::to_owned)
    }

    /// Whether the fields of a call say what its arguments say ("Server Behavior for Custom Headers").
    pub(super) fn agree(&self, tool: &str, headers: &HeaderMap, line: &[u8]) -> bool {
        let Some(mirrors) = self.0.get(tool) else { return true };
        // Of two members with one name, the program might take the other.
        let Ok(call) = from_slice_unique(line) else { return false };
        let arguments = &call["params"]["arguments"];
        mirrors.iter().all(|mirror| mirror.agrees(headers, arguments))
    }
}

impl Mirror {
    /// "If no value is present at that path in the call arguments, the header is omitted"; so it is for `null`.
    fn agrees(&self, headers: &HeaderMap, arguments: &Value) -> bool {
        let value = self.path.iter().try_fold(arguments, |value, name| value.get(name));
        let mut fields = headers.get_all(&self.field).iter();
        match (value.filter(|value| !value.is_null()), fields.next(), fields.next()) {
            (None, None, _) => true,
            (Some(value), Some(said), None) => mirrored_value(said).is_some_and(|said| says(&said, value)),
            _ => false,
        }
    }
}

/// "Value Encoding", "Type conversion"; "servers SHOULD compare the header value and the body value numerically".
fn says(said: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => text == said,
        Value::Bool(is) => said == if *is { "true" } else { "false" },
        Value::Number(number) => serde_json::from_str(said).is_ok_and(|said| is_equal(&said, number)),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_equal(one: &Number, other: &Number) -> bool {
    if one == other {
        return true;
    }
    let safe = |number: &Number| number.as_f64().filter(|number| number.abs() <= SAFE);
    safe(one).zip(safe(other)).is_some_and(|(one, other)| one.total_cmp(&other).is_eq())
}

/// What is annotated, along `properties` alone. A definition that breaks a rule is one that clients leave out: none of it counts.
fn of_schema(schema: &Value) -> Vec<Mirror> {
    let (mut mirrors, mut path) = (Vec::new(), Vec::new());
    let whole = walk(schema, &mut path, &mut mirrors);
    let mut names = HashSet::new();
    let unique = mirrors.iter().all(|mirror| names.insert(mirror.field.clone()));
    if whole.is_some() && unique { mirrors } else { Vec::new() }
}

fn walk(schema: &Value, path: &mut Vec<String>, mirrors: &mut Vec<Mirror>) -> Option<()> {
    if path.len() > DEPTH {
        return None;
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name.clone());
        if let Some(annotation) = property.get(ANNOTATION) {
            let is_plain = matches!(property["type"].as_str(), Some("string" | "integer" | "boolean"));
            let field = annotation.as_str().filter(|name| is_plain && !name.is_empty())?;
            let field = HeaderName::try_from(format!("mcp-param-{field}")).ok()?;
            mirrors.push(Mirror { field, path: path.clone() });
        }
        walk(property, path, mirrors)?;
        path.pop();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn learned(properties: &Value) -> Mirrors {
        let mut mirrors = Mirrors::default();
        let tool = json!({"name":"t","inputSchema":{"type":"object","properties":properties}});
        let answer =
            json!({"id":1,"result":{"tools":[{"name":"plain","inputSchema":{}},tool],"nextCursor":"2"}});
        assert_eq!(mirrors.learn(answer.to_string().as_bytes()), Some("2".to_owned()));
        mirrors
    }

    fn agree(mirrors: &Mirrors, fields: &[(&'static str, &str)], arguments: &str) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let line =
            format!(r#"{{"id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#);
        mirrors.agree("t", &headers, line.as_bytes())
    }

    #[test]
    fn a_field_says_what_the_argument_says() {
        let mirrors = learned(&json!({
            "region": {"type":"string","x-mcp-header":"Region"},
            "deep": {"type":"object","properties":{"count":{"type":"integer","x-mcp-header":"Count"}}},
            "sure": {"type":"boolean","x-mcp-header":"Sure"},
        }));
        for (fields, arguments) in [
            (&[][..], "{}"),
            (&[], r#"{"region":null,"deep":{"count":null}}"#),
            (&[], r#"{"other":"x","deep":[]}"#),
            (&[("mcp-param-other", "x"), ("mcp-param-region", "us-west1")], r#"{"region":"us-west1"}"#),
            (&[("mcp-param-region", "=?base64?R3LDvMOfZQ==?=")], r#"{"region":"Grüße"}"#),
            (
                &[("mcp-param-region", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=")],
                r#"{"region":"=?base64?literal?="}"#,
            ),
            (&[("mcp-param-region", "=?base64?SGVsbG8=")], r#"{"region":"=?base64?SGVsbG8="}"#),
            (&[("mcp-param-region", "")], r#"{"region":""}"#),
            (&[("mcp-param-count", "42.0")], r#"{"deep":{"count":42}}"#),
            (&[("mcp-param-count", "-7")], r#"{"deep":{"count":-7}}"#),
            (&[("mcp-param-sure", "true")], r#"{"sure":true}"#),
        ] {
            assert!(agree(&mirrors, fields, arguments), "{fields:?} {arguments}");
        }
        for (fields, arguments) in [
            (&[][..], r#"{"region":"us-west1"}"#),
            (&[("mcp-param-region", "x")], "{}"),
            (&[("mcp-param-region", "null")], r#"{"region":null}"#),
            (&[("mcp-param-region", "US-west1")], r#"{"region":"us-west1"}"#),
            (&[("mcp-param-region", "a"), ("mcp-param-region", "a")], r#"{"region":"a"}"#),
            (&[("mcp-param-region", "=?base64?SGVsbG8?=")], r#"{"region":"Hello"}"#),
            (&[("mcp-param-region", "=?base64?SGVs!!!bG8=?=")], r#"{"region":"Hello"}"#),
            (&[("mcp-param-region", "Gr\u{fc}\u{df}e")], r#"{"region":"Grüße"}"#),
            (&[("mcp-param-region", "a")], r#"{"region":"a","region":"b"}"#),
            (&[("mcp-param-region", "b")], r#"{"region":"a","region":"b"}"#),
            (&[("mcp-param-region", "[]")], r#"{"region":[]}"#),
            (&[("mcp-param-count", "43")], r#"{"deep":{"count":42}}"#),
            (&[("mcp-param-count", "9007199254740993")], r#"{"deep":{"count":9007199254740992}}"#),
            (&[("mcp-param-sure", "True")], r#"{"sure":true}"#),
            (&[("mcp-param-sure", "1")], r#"{"sure":true}"#),
        ] {
            assert!(!agree(&mirrors, fields, arguments), "{fields:?} {arguments}");
        }
    }

    /// "Constraints on `x-mcp-header` values": a tool that breaks one is called by nobody who keeps to the revision.
    #[test]
    fn a_definition_that_breaks_a_rule_asks_for_nothing() {
        let one = json!({"type":"string","x-mcp-header":"A"});
        for properties in [
            json!({"a": {"type":"string","x-mcp-header":""}}),
            json!({"a": {"type":"string","x-mcp-header":"a b"}}),
            json!({"a": {"type":"string","x-mcp-header":"a\r\n"}}),
            json!({"a": {"type":"string","x-mcp-header":7}}),
            json!({"a": {"type":"number","x-mcp-header":"A"}}),
            json!({"a": {"type":"array","x-mcp-header":"A"}}),
            json!({"a": one, "b": {"type":"string","x-mcp-header":"a"}}),
            json!({"a": {"type":"array","items":{"properties":{"b":one}}}}),
            json!({"a": {"oneOf":[{"properties":{"b":one}}]}}),
        ] {
            assert!(agree(&learned(&properties), &[], r#"{"a":"x","b":"y"}"#), "{properties}");
        }
        let deep = (0..40).fold(one, |within, _| json!({"properties":{"a":within}}));
        assert!(learned(&json!({"a":deep})).0.is_empty());
    }

    /// What a later list says counts, and what no list is changes nothing.
    #[test]
    fn the_latest_list_counts() {
        let mut mirrors = learned(&json!({"a":{"type":"string","x-mcp-header":"A"}}));
        for nothing in ["", "[]", r#"{"id":1,"error":{}}"#, r#"{"id":1,"result":{"tools":7}}"#] {
            assert_eq!(mirrors.learn(nothing.as_bytes()), None);
            assert!(!agree(&mirrors, &[], r#"{"a":"x"}"#));
        }
        mirrors.learn(br#"{"result":{"tools":[{"name":"t","inputSchema":{"properties":{"a":{}}}}]}}"#);
        assert!(agree(&mirrors, &[], r#"{"a":"x"}"#));
    }

    proptest::proptest! {
        /// What needs no encoding is what it says, and nothing else.
        #[test]
        fn what_is_mirrored_agrees(text in "[a-z0-9=?+/]{1,8}", other in "[a-z0-9=?+/]{1,8}") {
            let mirrors = learned(&json!({"a":{"type":"string","x-mcp-header":"A"}}));
            let says = |argument: &str| agree(&mirrors, &[("mcp-param-a", &text)], &json!({"a":argument}).to_string());
            proptest::prop_assert!(says(&text));
            proptest::prop_assert_eq!(says(&other), text == other);
        }
    }
}
