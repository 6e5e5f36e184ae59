//! Which tools the local client sees and may call.

use serde_json::Value;

use super::message::Message;

/// Names of tools to show, and to hide. `*` in a name stands for anything. For keeping a model's attention, not
/// for security: what a token may do is for the server to decide.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    allowed: Vec<String>,
    ignored: Vec<String>,
}

impl Tools {
    /// Those of `allowed` (all, where that is empty) that are not `ignored`.
    #[must_use]
    pub fn new(allowed: Vec<String>, ignored: Vec<String>) -> Self {
        Self { allowed, ignored }
    }

    fn is_everything(&self) -> bool {
        self.allowed.is_empty() && self.ignored.is_empty()
    }

    fn has(&self, tool: &str) -> bool {
        let among = |names: &[String]| names.iter().any(|pattern| matches(pattern, tool));
        (self.allowed.is_empty() || among(&self.allowed)) && !among(&self.ignored)
    }

    /// The tool that a message calls, and that is not to be called. A batch falls with one of its items.
    pub(super) fn refused(&self, message: &Message) -> Option<String> {
        if self.is_everything() {
            return None;
        }
        let value: Value = serde_json::from_slice(&message.body).ok()?;
        let single = std::slice::from_ref(&value);
        let items = value.as_array().map_or(single, Vec::as_slice);
        let calls = items.iter().filter(|item| item["method"] == "tools/call");
        calls
            .filter_map(|call| call["params"]["name"].as_str())
            .find(|tool| !self.has(tool))
            .map(str::to_owned)
    }

    /// An answer to `tools/list` without what is hidden.
    pub(super) fn shown(&self, answer: Vec<u8>) -> Vec<u8> {
        if self.is_everything() {
            return answer;
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(&answer) else { return answer };
        let items = match &mut value {
            Value::Array(items) => items.as_mut_slice(),
            single => std::slice::from_mut(single),
        };
        for tools in items.iter_mut().filter_map(|item| item.pointer_mut("/result/tools")?.as_array_mut()) {
            tools.retain(|tool| tool["name"].as_str().is_some_and(|name| self.has(name)));
        }
        value.to_string().into_bytes()
    }
}

/// Whether a name fits a pattern, in which `*` stands for any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = name.split_once(part) else { return false };
        name = after;
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tools(allowed: &[&str], ignored: &[&str]) -> Tools {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Tools::new(owned(allowed), owned(ignored))
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, fits, fails) in [
            ("read", &["read"][..], &["reads", "rea", ""][..]),
            ("read_*", &["read_", "read_x"], &["read", "xread_"]),
            ("*_all", &["_all", "x_all"], &["_all_"]),
            ("a*b*c", &["abc", "axbxc", "abbc"], &["acb", "ab", "a"]),
            ("ab*ba", &["abba", "ab ba"], &["aba"]),
            ("*", &["", "x"], &[]),
        ] {
            assert!(fits.iter().all(|name| matches(pattern, name)), "{pattern}");
            assert!(!fails.iter().any(|name| matches(pattern, name)), "{pattern}");
        }
    }

    #[test]
    fn what_is_hidden_is_neither_listed_nor_called() {
        let tools = tools(&["read_*"], &["read_all"]);
        let list =
            json!({"result": {"tools": [{"name": "read_one"}, {"name": "read_all"}, {"name": "write"}]}});
        let shown: Value = serde_json::from_slice(&tools.shown(list.to_string().into_bytes())).unwrap();
        assert_eq!(shown["result"]["tools"], json!([{"name": "read_one"}]));
        let call = |name: &str| json!({"id": 1, "method": "tools/call", "params": {"name": name}});
        let refused = |value: Value| tools.refused(&Message::parse(value.to_string().into_bytes()).unwrap());
        assert_eq!(refused(call("read_one")), None);
        assert_eq!(refused(call("write")).as_deref(), Some("write"));
        assert_eq!(refused(json!([call("read_one"), call("read_all")])).as_deref(), Some("read_all"));
        assert_eq!(refused(json!({"id": 1, "method": "tools/list"})), None);
    }
}
