//! Tool parameters, mirrored into headers (MCP 2026-07-28, "Custom Headers from Tool Parameters").
//!
//! A tool's schema may mark parameters with `x-mcp-header`. Whoever speaks HTTP has to mirror their values
//! into `Mcp-Param-…` headers, and to leave out tools whose marks break the rules; on this bridge that is us.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::headers::encode;

const MARK: &str = "x-mcp-header";

/// Keywords of JSON Schema whose value is data, in which nothing is a mark.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// How many tools with marks are remembered, and how long the text of each may be.
const MOST_TOOLS: usize = 1024;
const MOST_TEXT: usize = 16 << 10;

/// The marks of the tools that were listed so far.
#[derive(Default)]
pub(super) struct ToolHeaders(RwLock<HashMap<String, Vec<Mirrored>>>);

/// One marked parameter.
#[derive(Debug, PartialEq)]
struct Mirrored {
    /// Where its value is in `arguments`.
    path: Vec<String>,
    header: HeaderName,
}

impl ToolHeaders {
    /// Learns from an answer to `tools/list`, and returns it without the tools that break the rules.
    pub(super) fn learn(&self, answer: Vec<u8>) -> Vec<u8> {
        let Ok(mut value) = serde_json::from_slice::<Value>(&answer) else { return answer };
        let Some(tools) = value.pointer_mut("/result/tools").and_then(Value::as_array_mut) else {
            return answer;
        };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let listed = tools.len();
        tools.retain(|tool| {
            let name = tool["name"].as_str().unwrap_or_default();
            match marks(&tool["inputSchema"]).and_then(|marks| remember(&mut known, name, marks)) {
                Ok(()) => true,
                Err(why) => {
                    tracing::warn!(tool = name, why, "this tool is left out of the list");
                    false
                }
            }
        });
        if tools.len() == listed { answer } else { value.to_string().into_bytes() }
    }

    /// Adds the headers for a call of `tool`.
    pub(super) fn mirror(&self, tool: &str, body: &[u8], headers: &mut HeaderMap) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(marks) = known.get(tool).filter(|marks| !marks.is_empty()) else { return };
        let call: Value = serde_json::from_slice(body).unwrap_or_default();
        for Mirrored { path, header } in marks {
            let value = path.iter().try_fold(&call["params"]["arguments"], |value, step| value.get(step));
            headers.extend(
                value.and_then(text).and_then(|text| encode(&text)).map(|value| (header.clone(), value)),
            );
        }
    }
}

/// Keeps the marks of a tool that has some, within limits: what a server lists is kept as long as its session.
fn remember(
    known: &mut HashMap<String, Vec<Mirrored>>,
    tool: &str,
    marks: Vec<Mirrored>,
) -> Result<(), &'static str> {
    known.remove(tool);
    if marks.is_empty() {
        return Ok(());
    }
    let length =
        |mark: &Mirrored| mark.header.as_str().len() + mark.path.iter().map(String::len).sum::<usize>();
    if tool.len() + marks.iter().map(length).sum::<usize>() > MOST_TEXT {
        return Err("its name and the x-mcp-header of its parameters are too long");
    }
    if known.len() >= MOST_TOOLS {
        return Err("too many tools have parameters with x-mcp-header");
    }
    known.insert(tool.to_owned(), marks);
    Ok(())
}

/// "Value Encoding": strings as they are, whole numbers in decimal, `true` and `false`; null is left out.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The marks of a schema, or which of the rules for them it breaks.
fn marks(schema: &Value) -> Result<Vec<Mirrored>, &'static str> {
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found)?;
    let mut names: Vec<_> = found.iter().map(|mark| mark.header.as_str()).collect();
    names.sort_unstable();
    // Header names are lower case here, so that this is the comparison that the rule asks for.
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("two parameters have the same x-mcp-header");
    }
    Ok(found)
}

/// Walks along `properties`, the only way to a mark that counts.
fn collect(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Mirrored>) -> Result<(), &'static str> {
    for (keyword, below) in schema.as_object().into_iter().flatten() {
        if keyword != "properties" {
            unmarked(keyword, below)?;
            continue;
        }
        for (name, property) in below.as_object().into_iter().flatten() {
            path.push(name.clone());
            if let Some(mark) = property.get(MARK) {
                found.push(Mirrored { path: path.clone(), header: header(mark, property)? });
            }
            collect(property, path, found)?;
            path.pop();
        }
    }
    Ok(())
}

fn header(mark: &Value, property: &Value) -> Result<HeaderName, &'static str> {
    if !matches!(property["type"].as_str(), Some("string" | "integer" | "boolean")) {
        return Err("x-mcp-header is on a parameter that is no string, integer or boolean");
    }
    let name =
        mark.as_str().filter(|name| !name.is_empty()).ok_or("an x-mcp-header is empty or no string")?;
    HeaderName::try_from(format!("mcp-param-{name}")).map_err(|_| "an x-mcp-header is not a header name")
}

/// Below any other keyword there must be no mark.
fn unmarked(keyword: &str, value: &Value) -> Result<(), &'static str> {
    if keyword == MARK || DATA.contains(&keyword) {
        return Ok(());
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| unmarked("", item)),
        Value::Object(members) if members.contains_key(MARK) => {
            Err("x-mcp-header is where a parameter's value cannot be found for certain")
        }
        Value::Object(members) => members.iter().try_for_each(|(keyword, value)| unmarked(keyword, value)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(schemas: &[(&str, Value)]) -> Vec<u8> {
        let tools: Vec<_> =
            schemas.iter().map(|(name, schema)| json!({"name": name, "inputSchema": schema})).collect();
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string().into_bytes()
    }

    fn marked(kind: &str, mark: Value) -> Value {
        json!({"type": "object", "properties": {"p": {"type": kind, "x-mcp-header": mark}}})
    }

    #[test]
    fn values_are_mirrored_along_their_path() {
        let known = ToolHeaders::default();
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "flag": {"type": "boolean", "x-mcp-header": "Flag"},
            "none": {"type": "string", "x-mcp-header": "None"},
            "missing": {"type": "string", "x-mcp-header": "Missing"},
        }});
        let list = answer(&[("t", schema)]);
        assert_eq!(known.learn(list.clone()), list, "an answer that breaks no rule is carried as it came");
        let call = json!({"params": {"name": "t", "arguments":
            {"region": "é", "deep": {"n": -7}, "flag": true, "none": null}}});
        let mut headers = HeaderMap::new();
        known.mirror("t", call.to_string().as_bytes(), &mut headers);
        assert_eq!(headers.len(), 3);
        assert_eq!(headers["mcp-param-region"], "=?base64?w6k=?=");
        assert_eq!(
            (&headers["mcp-param-n"], &headers["mcp-param-flag"]),
            (&"-7".parse().unwrap(), &"true".parse().unwrap())
        );
    }

    #[test]
    fn a_server_does_not_fill_the_memory_with_marks() {
        let left = |known: &ToolHeaders, schemas: &[(&str, Value)]| {
            let left: Value = serde_json::from_slice(&known.learn(answer(schemas))).unwrap();
            left["result"]["tools"].as_array().unwrap().len()
        };
        let known = ToolHeaders::default();
        for n in 0..MOST_TOOLS {
            assert_eq!(left(&known, &[(&n.to_string(), marked("string", json!("X")))]), 1);
        }
        assert_eq!(left(&known, &[("more", marked("string", json!("X"))), ("plain", json!({}))]), 1);
        assert_eq!(left(&known, &[("7", marked("string", json!("Y")))]), 1, "a known one may change");
        let long = "x".repeat(MOST_TEXT);
        assert_eq!(left(&ToolHeaders::default(), &[(&long, marked("string", json!("X")))]), 0);
    }

    #[test]
    fn tools_that_break_a_rule_are_left_out() {
        let twice = json!({"properties": {
            "a": {"type": "string", "x-mcp-header": "X"}, "b": {"type": "string", "x-mcp-header": "x"}}});
        let inside = |keyword: &str, value: Value| json!({"type": "object", keyword: value});
        let mark = json!({"type": "string", "x-mcp-header": "X"});
        for schema in [
            marked("string", json!("")),
            marked("string", json!(7)),
            marked("string", json!("a b")),
            marked("string", json!("a:b")),
            marked("string", json!("a\r\nb")),
            marked("string", json!("é")),
            marked("number", json!("X")),
            marked("object", json!("X")),
            twice,
            inside("items", mark.clone()),
            inside("anyOf", json!([{"properties": {"p": mark}}])),
            json!({"properties": {"list": {"type": "array", "items": {"properties": {"p": mark}}}}}),
        ] {
            let left = ToolHeaders::default().learn(answer(&[("bad", schema.clone()), ("good", json!({}))]));
            let left: Value = serde_json::from_slice(&left).unwrap();
            assert_eq!(left["result"]["tools"].as_array().unwrap().len(), 1, "{schema}");
        }
        let data = json!({"properties": {"p": {"type": "object", "default": {"x-mcp-header": "X"}}}});
        assert!(marks(&data).unwrap().is_empty(), "a default is data");
    }
}
