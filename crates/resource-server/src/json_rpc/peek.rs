//! Sees method, tool and id of each message in a body, builds no tree, and refuses whatever two
//! parsers might read in two ways.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::policy::List;

use super::scalar::{Name, Scalar};
use super::seen::Seen;
use super::within::{MAX_SUBSCRIPTIONS, Notifications, Reference};
use super::{INVALID_REQUEST, PARSE_ERROR};

/// The most messages in one batch. Batches exist in MCP 2025-03-26 only; its clients send a few.
const MAX_MESSAGES: usize = 128;

/// What policy reads of one message. A response has no method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// `id`, where it is a string or an integer.
    pub id: Option<Id>,
    /// `method`.
    pub method: Option<Cow<'a, str>>,
    /// `params.name`, where it is a string: the tool or the prompt.
    pub name: Option<Cow<'a, str>>,
    /// `params.uri`, where it is a string: the resource.
    pub uri: Option<Cow<'a, str>>,
    /// `params.taskId`, where it is a string: the task (extension `io.modelcontextprotocol/tasks`).
    pub task: Option<Cow<'a, str>>,
    /// `params.ref.name`, where it is a string: the prompt that is to be completed.
    pub ref_name: Option<Cow<'a, str>>,
    /// `params.ref.uri`, where it is a string: the resource that is to be completed.
    pub ref_uri: Option<Cow<'a, str>>,
    /// `params.notifications.resourceSubscriptions`: the resources that are to be heard of. What is no string has no name.
    pub subscriptions: Vec<Option<Cow<'a, str>>>,
}

/// The id of a request (MCP 2025-03-26 and later, basic, "Requests").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A string.
    Text(String),
}

impl Id {
    /// Servers whose numbers are 64-bit floats answer larger ones with a neighbour (RFC 8259 §6).
    fn comes_back_as_it_is(&self) -> bool {
        match self {
            Self::Number(number) => number.unsigned_abs() < 1 << 53,
            Self::Text(_) => true,
        }
    }
}

/// Why a body cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum PeekError {
    /// Not UTF-8, no JSON, more than 127 levels deep, or more than one text.
    #[error("the body is no JSON that can be read: {0}")]
    Syntax(serde_json::Error),
    /// JSON with a member twice, a member of the wrong type, a batch that is too long.
    #[error("the body is no JSON-RPC that can be judged: {0}")]
    Shape(serde_json::Error),
}

impl PeekError {
    /// The JSON-RPC error code.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::Syntax(_) => PARSE_ERROR,
            Self::Shape(_) => INVALID_REQUEST,
        }
    }
}

/// Looks at a body: one message, or a batch of them.
///
/// # Errors
/// Where another parser might see something else: a member twice that is read here (never-again 45),
/// also in another case; and where the body is no JSON-RPC, or too deep.
pub fn peek(body: &[u8]) -> Result<Vec<Message<'_>>, PeekError> {
    let text =
        std::str::from_utf8(body).map_err(|error| PeekError::Syntax(serde_json::Error::custom(error)))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let messages = json.deserialize_any(Body).and_then(|messages| json.end().map(|()| messages));
    messages.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => PeekError::Shape(error),
        _ => PeekError::Syntax(error),
    })
}

struct Body;

impl<'de> Visitor<'de> for Body {
    type Value = Vec<Message<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message or a batch of messages")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        OneMessage.visit_map(members).map(|message| vec![message])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut messages, mut subscriptions) = (Vec::new(), 0);
        while let Some(message) = items.next_element_seed(OneMessage)? {
            if messages.len() == MAX_MESSAGES {
                return Err(A::Error::custom(format_args!("more than {MAX_MESSAGES} messages in a batch")));
            }
            // Each is judged by itself.
            subscriptions += message.subscriptions.len();
            if subscriptions > MAX_SUBSCRIPTIONS {
                let most =
                    format_args!("more than {MAX_SUBSCRIPTIONS} resources in the subscriptions of a batch");
                return Err(A::Error::custom(most));
            }
            messages.push(message);
        }
        Ok(messages)
    }
}

struct OneMessage;

impl<'de> DeserializeSeed<'de> for OneMessage {
    type Value = Message<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneMessage {
    type Value = Message<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut seen = Seen::among(["id", "method", "params"]);
        let mut message = Message::default();
        let mut id_is_plain = true;
        while let Some(member) = members.next_key_seed(Name)? {
            match seen.note::<A::Error>(&member)? {
                Some("id") => {
                    message.id = members.next_value_seed(Scalar)?.into_id();
                    id_is_plain = message.id.as_ref().is_some_and(Id::comes_back_as_it_is);
                }
                Some("method") => {
                    let method = members.next_value_seed(Scalar)?.into_text();
                    message.method = Some(method.ok_or_else(|| A::Error::custom("method is no string"))?);
                }
                Some("params") => members.next_value_seed(Params(&mut message))?,
                _ => drop(members.next_value_seed(Scalar)?),
            }
        }
        // What is left out of a list is left out of the answer with that id.
        if !id_is_plain && message.method.as_deref().is_some_and(|method| List::of(method).is_some()) {
            return Err(A::Error::custom("the id of a request for a list is no string and no integer"));
        }
        Ok(message)
    }
}

struct Params<'m, 'de>(&'m mut Message<'de>);

impl<'de> DeserializeSeed<'de> for Params<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Params<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("params: an object, an array or null")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    /// Members by position: what they name, nobody knows.
    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        self.0.subscriptions = vec![None];
        Scalar.visit_seq(items).map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = Seen::among(["name", "uri", "taskId", "ref", "notifications"]);
        while let Some(member) = members.next_key_seed(Name)? {
            match seen.note::<A::Error>(&member)? {
                Some("name") => self.0.name = members.next_value_seed(Scalar)?.into_text(),
                Some("uri") => self.0.uri = members.next_value_seed(Scalar)?.into_text(),
                Some("taskId") => self.0.task = members.next_value_seed(Scalar)?.into_text(),
                Some("ref") => members.next_value_seed(Reference(self.0))?,
                Some("notifications") => members.next_value_seed(Notifications(self.0))?,
                _ => drop(members.next_value_seed(Scalar)?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn one(body: &str) -> Message<'_> {
        peek(body.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn sees_method_name_and_id() {
        let message = one(
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"arguments":{"name":"x","method":"y"},"name":"purge"}}"#,
        );
        assert_eq!(message.id, Some(Id::Number(7)));
        assert_eq!(message.method.as_deref(), Some("tools/call"));
        assert_eq!(message.name.as_deref(), Some("purge"));
    }

    /// Its answer could not be told from others, so nothing could be left out of it.
    #[test]
    fn a_request_for_a_list_has_an_id_that_comes_back() {
        for id in ["1.5", "1e2", "-0", "null", "[]", "{}", "true", "9223372036854775808", "9007199254740992"]
        {
            for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
                let body = format!(r#"{{"method":"{method}","id":{id}}}"#);
                assert!(matches!(peek(body.as_bytes()), Err(PeekError::Shape(_))), "{body}");
            }
            peek(format!(r#"{{"id":{id},"method":"ping"}}"#).as_bytes()).unwrap();
        }
        for id in ["1", "-7", "9007199254740991", r#""1.5""#] {
            peek(format!(r#"{{"id":{id},"method":"tools/list"}}"#).as_bytes()).unwrap();
        }
    }

    /// An escaped name is the name.
    #[test]
    fn escapes_are_read() {
        let message = one(r#"{"m\u0065thod":"tools\/call","params":{"n\u0061me":"p\u0075rge"}}"#);
        assert_eq!(message.method.as_deref(), Some("tools/call"));
        assert_eq!(message.name.as_deref(), Some("purge"));
    }

    /// serde would read such a list as the object.
    #[test]
    fn a_list_in_place_of_an_object_is_refused() {
        for params in [
            r#"{"ref":["ref/resource","notes://private/1"]}"#,
            r#"{"ref":[]}"#,
            r#"{"notifications":[null,null,null,["notes://private/1"]]}"#,
        ] {
            let body = format!(r#"{{"method":"x","params":{params}}}"#);
            assert!(matches!(peek(body.as_bytes()), Err(PeekError::Shape(_))), "{body}");
        }
    }

    #[test]
    fn the_subscriptions_of_a_body_are_bounded() {
        let listen = |resources: usize| {
            json!({"method": "subscriptions/listen",
            "params": {"notifications": {"resourceSubscriptions": vec!["a:b"; resources]}}})
        };
        let body = |resources: &[usize]| {
            json!(resources.iter().map(|count| listen(*count)).collect::<Vec<_>>()).to_string()
        };
        peek(body(&[1024]).as_bytes()).unwrap();
        peek(body(&[512, 512]).as_bytes()).unwrap();
        for resources in [&[1025][..], &[512, 513]] {
            assert!(matches!(peek(body(resources).as_bytes()), Err(PeekError::Shape(_))), "{resources:?}");
        }
    }

    #[test]
    fn a_response_has_no_method() {
        assert_eq!(one(r#"{"id":"a","result":{}}"#).method, None);
    }

    /// Row 45, and its cousins that only some parsers fall for.
    #[test]
    fn duplicates_are_refused() {
        for body in [
            r#"{"method":"tools/list","method":"tools/call"}"#,
            r#"{"method":"tools/list","params":{},"meth\u006fd":"tools/call"}"#,
            r#"{"method":"tools/list","Method":"tools/call"}"#,
            r#"{"method":"x","params":{"name":"a"},"params":{"name":"b"}}"#,
            "{\"method\":\"x\",\"params\":{\"name\":\"a\"},\"param\u{17f}\":{\"name\":\"b\"}}",
            r#"{"method":"x","params":{"name":"a","name":"b"}}"#,
            r#"{"method":"x","params":{"name":"a","NAME":"b"}}"#,
            r#"{"method":"x","params":{"name":1,"name":"b"}}"#,
            r#"{"method":"x","params":{"uri":"a","uri":"b"}}"#,
            r#"{"method":"x","params":{"ref":{"name":"a"},"ref":{"name":"b"}}}"#,
            r#"{"method":"x","params":{"ref":{"uri":"a","uri":"b"}}}"#,
            r#"{"method":"x","params":{"notifications":{},"Notifications":{"resourceSubscriptions":["a"]}}}"#,
            r#"{"method":"x","params":{"notifications":{"resourceSubscriptions":[],"resourceSubscriptions":["a"]}}}"#,
            "{\"method\":\"x\",\"params\":{\"notifications\":{\"re\u{17f}ourceSubscriptions\":[\"a\"]}}}",
            r#"{"id":1,"method":"x","id":2}"#,
            r#"[{"method":"x"},{"method":"x","method":"y"}]"#,
        ] {
            assert!(matches!(peek(body.as_bytes()), Err(PeekError::Shape(_))), "{body}");
        }
    }

    /// A lone member in another case would be read by one parser and missed by the next.
    #[test]
    fn names_in_another_case_are_refused() {
        for body in [r#"{"Method":"tools/call"}"#, r#"{"method":"x","params":{"Name":"purge"}}"#] {
            assert!(matches!(peek(body.as_bytes()), Err(PeekError::Shape(_))), "{body}");
        }
    }

    /// A Rust server whose serde_json has `raw_value` or `arbitrary_precision` reads the text within.
    #[test]
    fn members_that_serde_json_takes_for_something_else_are_refused() {
        let call = r#""{\"method\":\"tools/call\",\"params\":{\"name\":\"purge\"}}""#;
        for name in [
            "$serde_json::private::RawValue",
            "$serde_json::private::Number",
            "\\u0024serde_json::private::X",
        ] {
            let magic = format!(r#"{{"{name}":{call}}}"#);
            for body in [
                magic.clone(),
                format!("[{magic}]"),
                format!(r#"{{"method":{magic}}}"#),
                format!(r#"{{"id":{magic}}}"#),
                format!(r#"{{"method":"tools/call","params":{magic}}}"#),
                format!(r#"{{"method":"tools/call","params":{{"name":{magic}}}}}"#),
                format!(r#"{{"method":"x","params":{{"a":[{{"b":{magic}}}]}}}}"#),
                format!(r#"{{"method":"x","extra":[[{magic}]]}}"#),
                format!(r#"{{"method":"x","params":{{"ref":{magic}}}}}"#),
                format!(
                    r#"{{"method":"x","params":{{"notifications":{{"resourceSubscriptions":[{magic}]}}}}}}"#
                ),
            ] {
                assert!(matches!(peek(body.as_bytes()), Err(PeekError::Shape(_))), "{body}");
            }
        }
    }

    #[test]
    fn what_is_no_json_rpc_is_refused() {
        for body in [
            "",
            " ",
            "{",
            "{}{}",
            "1",
            "\"x\"",
            "null",
            "[1]",
            "[[{}]]",
            r#"{"method":1}"#,
            r#"{"method":null}"#,
            r#"{"params":"x"}"#,
            "\u{feff}{}",
            "{\"method\":\"a\"} x",
        ] {
            assert!(peek(body.as_bytes()).is_err(), "{body}");
        }
        assert!(peek(b"{\"a\":\"\xff\"}").is_err());
    }

    /// Row 46: too deep, too many.
    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(peek(deep.as_bytes()).is_err());
        let very_deep = "[".repeat(1 << 20);
        assert!(peek(very_deep.as_bytes()).is_err());
        let uris = vec!["a"; 1025];
        let many = json!({"params": {"notifications": {"resourceSubscriptions": uris}}}).to_string();
        assert!(matches!(peek(many.as_bytes()), Err(PeekError::Shape(_))));
        let long = format!("[{}{{}}]", "{},".repeat(MAX_MESSAGES));
        assert!(matches!(peek(long.as_bytes()), Err(PeekError::Shape(_))));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        let key = prop_oneof![Just("method".to_owned()), Just("name".to_owned()), "[a-z]{0,3}"];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = peek(&bytes);
        }

        #[test]
        fn accepts_only_json(text in r#"[\[\]{}:, "a-z0-9\\]{0,40}"#) {
            if peek(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            }
        }

        #[test]
        fn agrees_with_serde_json(method in ".*", name in ".*", id: i64, arguments in json(), extra in json()) {
            let body = json!({
                "jsonrpc": "2.0", "id": id, "method": method, "extra": extra,
                "params": { "name": name, "arguments": arguments },
            }).to_string();
            let message = one(&body);
            prop_assert_eq!(message.method.as_deref(), Some(method.as_str()));
            prop_assert_eq!(message.name.as_deref(), Some(name.as_str()));
            prop_assert_eq!(message.id, Some(Id::Number(id)));
        }
    }
}
