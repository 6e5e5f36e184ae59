//! JSON-RPC messages, as far as their way needs it.

use std::collections::HashMap;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::{Id, PeekError, peek};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A message, and what decides where it goes.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The message itself, on one line, without the line's end.
    pub(super) line: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request {
        id: Id,
        method: String,
        /// Progress of this request will carry it (MCP, basic/utilities/progress).
        progress: Option<Id>,
    },
    /// `notifications/progress`.
    Progress(Id),
    /// `notifications/cancelled`.
    Cancelled(Id),
    /// Any other, by its method.
    Notification(String),
    Response(Option<Id>),
}

/// The longest id and the longest progress token of a request, in bytes: they are kept until it is answered.
const LONGEST_ID: usize = 1024;

/// What a POST brought.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) messages: Vec<Message>,
    /// Whether it was an array (MCP 2025-03-26, "Sending Messages to the Server").
    pub(super) batch: bool,
}

/// Reads a body: one message, or a batch.
pub(super) fn read(body: &[u8]) -> Result<Posted, PeekError> {
    // Refuses what two parsers would read in two ways.
    let seen = peek(body)?;
    let texts: Batch<'_> = serde_json::from_slice(body).map_err(PeekError::Syntax)?;
    let (texts, batch) = match texts {
        Batch::Many(texts) => (texts, true),
        Batch::One(text) => (vec![text], false),
    };
    let messages = texts.into_iter().zip(seen).map(|(text, seen)| message(text.get(), seen));
    Ok(Posted { messages: messages.collect::<Result<_, _>>()?, batch })
}

enum Batch<'a> {
    One(&'a RawValue),
    Many(Vec<&'a RawValue>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(json)?;
        if !text.get().starts_with('[') {
            return Ok(Self::One(text));
        }
        serde_json::from_str(text.get()).map(Self::Many).map_err(serde::de::Error::custom)
    }
}

fn message(text: &str, seen: hallpass_resource_server::json_rpc::Message<'_>) -> Result<Message, PeekError> {
    let params = || serde_json::from_str::<Routed>(text).unwrap_or_default().params;
    let kind = match (seen.method, seen.id) {
        (None, id) => Kind::Response(id),
        (Some(method), Some(id)) => {
            let progress = params().meta.progress_token;
            if is_long(&id) || progress.as_ref().is_some_and(is_long) {
                return Err(long_id());
            }
            Kind::Request { id, method: method.into_owned(), progress }
        }
        (Some(method), None) => {
            let params = params();
            match (&*method, params.progress_token, params.request_id) {
                _ if has_id(text) => return Err(bad_id()),
                ("notifications/progress", Some(token), _) => Kind::Progress(token),
                ("notifications/cancelled", _, Some(id)) => Kind::Cancelled(id),
                _ => Kind::Notification(method.into_owned()),
            }
        }
    };
    Ok(Message { kind, line: one_line(text) })
}

/// An `id` that is neither string nor integer would get an answer that nobody could find.
fn has_id(text: &str) -> bool {
    #[derive(Deserialize)]
    struct WithId {
        #[allow(dead_code)] // Being there is all.
        id: serde::de::IgnoredAny,
    }
    serde_json::from_str::<WithId>(text).is_ok()
}

fn is_long(id: &Id) -> bool {
    matches!(id, Id::Text(text) if text.len() > LONGEST_ID)
}

fn long_id() -> PeekError {
    let why = format_args!("an id or a progress token is longer than {LONGEST_ID} bytes");
    PeekError::Shape(serde::de::Error::custom(why))
}

fn bad_id() -> PeekError {
    PeekError::Shape(serde::de::Error::custom("id is neither a string nor an integer"))
}

/// Reads a line of the server's: one message, or a batch. Nothing is judged here, so a text is taken
/// however deep it is, and whatever stands in it twice; only what decides its way is read.
pub(super) fn said(line: &[u8]) -> Option<Vec<Message>> {
    let line = String::from_utf8_lossy(line);
    let texts = match serde_json::from_str(&line).ok()? {
        Batch::Many(texts) => texts,
        Batch::One(text) => vec![text],
    };
    texts.into_iter().map(|text| said_one(text.get())).collect()
}

/// An object as it stands there. Of members that stand there twice, the last counts.
type Members<'a> = HashMap<String, &'a RawValue>;

fn said_one(text: &str) -> Option<Message> {
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    let id = members.get("id").and_then(|id| usable_id(id));
    let method = members.get("method").and_then(|method| serde_json::from_str::<String>(method.get()).ok());
    let kind = match (method, id) {
        (Some(method), Some(id)) => Kind::Request { id, method, progress: None },
        (Some(method), None) => {
            let params = members.get("params").and_then(|params| serde_json::from_str(params.get()).ok());
            let id = |name| params.and_then(|params: Members<'_>| usable_id(params.get(name)?));
            match &*method {
                "notifications/progress" => id("progressToken").map(Kind::Progress),
                "notifications/cancelled" => id("requestId").map(Kind::Cancelled),
                _ => None,
            }
            .unwrap_or(Kind::Notification(method))
        }
        (None, id) if members.contains_key("result") || members.contains_key("error") => Kind::Response(id),
        (None, _) => return None,
    };
    Some(Message { kind, line: one_line(text) })
}

/// Some languages know no integers: 7 becomes 7.0 there.
pub(super) fn usable_id(id: &RawValue) -> Option<Id> {
    serde_json::from_str(id.get()).ok().or_else(|| {
        let number: f64 = serde_json::from_str(id.get()).ok()?;
        let whole = number.fract() == 0.0 && number.abs() < 9e15;
        whole.then(|| format!("{number:.0}").parse().map(Id::Number).ok()).flatten()
    })
}

/// Within a JSON text, line ends stand between values only, where a space means the same.
fn one_line(text: &str) -> Bytes {
    if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ").into() } else { text.to_owned().into() }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Routed {
    params: Params,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    #[serde(rename = "_meta")]
    meta: Meta,
    #[serde(rename = "progressToken")]
    progress_token: Option<Id>,
    #[serde(rename = "requestId")]
    request_id: Option<Id>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "progressToken")]
    progress_token: Option<Id>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(body: &str) -> Kind {
        read(body.as_bytes()).unwrap().messages.remove(0).kind
    }

    #[test]
    fn kinds() {
        let id = |id: &str| Id::Text(id.to_owned());
        let request = |id, progress| Kind::Request { id, method: "m".to_owned(), progress };
        for (body, expected) in [
            (r#"{"id":1,"method":"m"}"#, request(Id::Number(1), None)),
            (
                r#"{"id":"1","method":"m","params":{"_meta":{"progressToken":"t"}}}"#,
                request(id("1"), Some(id("t"))),
            ),
            (r#"{"id":1,"method":"m","params":[1]}"#, request(Id::Number(1), None)),
            (r#"{"method":"m"}"#, Kind::Notification("m".to_owned())),
            (
                r#"{"method":"notifications/progress","params":{"progressToken":7}}"#,
                Kind::Progress(Id::Number(7)),
            ),
            (
                r#"{"method":"notifications/progress"}"#,
                Kind::Notification("notifications/progress".to_owned()),
            ),
            (
                r#"{"method":"notifications/cancelled","params":{"requestId":7}}"#,
                Kind::Cancelled(Id::Number(7)),
            ),
            (r#"{"id":1,"result":{}}"#, Kind::Response(Some(Id::Number(1)))),
            (r#"{"id":null,"error":{}}"#, Kind::Response(None)),
        ] {
            assert_eq!(kind(body), expected, "{body}");
        }
    }

    #[test]
    fn a_batch_is_taken_apart() {
        let posted = read(b"[ {\"id\":1,\n\"method\":\"a\"} ,{\"method\":\"b\"}]").unwrap();
        assert!(posted.batch);
        let lines: Vec<_> = posted.messages.iter().map(|message| &message.line[..]).collect();
        assert_eq!(lines, [&b"{\"id\":1, \"method\":\"a\"}"[..], b"{\"method\":\"b\"}"]);
    }

    #[test]
    fn a_server_is_read_however_it_writes() {
        let number = |number| Kind::Response(Some(Id::Number(number)));
        for (line, expected) in [
            (r#"{"id":7,"result":{"Method":"x","METHOD":1}}"#.to_owned(), number(7)),
            (r#"{"ID":1,"id":7,"Params":{},"result":{}}"#.to_owned(), number(7)),
            (r#"{"id":7.0,"result":{}}"#.to_owned(), number(7)),
            (r#"{"id":1,"id":7,"result":{}}"#.to_owned(), number(7)),
            (format!(r#"{{"id":7,"result":{}{}}}"#, "[".repeat(5000), "]".repeat(5000)), number(7)),
            (r#"{"id":7,"result":{"$serde_json::private::RawValue":"1"}}"#.to_owned(), number(7)),
            (r#"{"id":7.5,"result":{}}"#.to_owned(), Kind::Response(None)),
            (r#"{"id":[1],"error":{}}"#.to_owned(), Kind::Response(None)),
            (r#"{"result":{}}"#.to_owned(), Kind::Response(None)),
            (
                r#"{"method":"notifications/progress","params":{"progressToken":7.0}}"#.to_owned(),
                Kind::Progress(Id::Number(7)),
            ),
            (
                r#"{"method":"notifications/message","params":{"Name":"x"}}"#.to_owned(),
                Kind::Notification("notifications/message".to_owned()),
            ),
            (
                r#"{"method":"notifications/cancelled","params":{"requestId":"q"}}"#.to_owned(),
                Kind::Cancelled(Id::Text("q".to_owned())),
            ),
        ] {
            assert_eq!(said(line.as_bytes()).unwrap()[0].kind, expected, "{line:.60}");
        }
        assert_eq!(said(b"{\"id\":7,\"result\":\"\xff\"}").unwrap()[0].kind, number(7));
        for noise in ["", "Listening", "[1, 2, 3]", "{}", "{\"id\":1}", "7", "{"] {
            assert!(said(noise.as_bytes()).is_none_or(|messages| messages.is_empty()), "{noise}");
        }
    }

    #[test]
    fn ids_that_nobody_could_answer_are_refused() {
        for id in ["null", "1.5", "7.0", "[]", "{}", "true", "1e400"] {
            for message in [
                r#""method":"m""#,
                r#""method":"notifications/progress","params":{"progressToken":7}"#,
                r#""method":"notifications/cancelled","params":{"requestId":7}"#,
            ] {
                assert!(read(format!(r#"{{"id":{id},{message}}}"#).as_bytes()).is_err(), "{id} {message}");
            }
        }
    }

    #[test]
    fn an_id_is_kept_and_so_is_not_long() {
        for (length, taken) in [(LONGEST_ID, true), (LONGEST_ID + 1, false)] {
            let text = "x".repeat(length);
            for body in [
                format!(r#"{{"id":"{text}","method":"m"}}"#),
                format!(r#"{{"id":1,"method":"m","params":{{"_meta":{{"progressToken":"{text}"}}}}}}"#),
            ] {
                assert_eq!(read(body.as_bytes()).is_ok(), taken, "{length}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn is_one_line_of_the_same_json(text in "[ \\n\\r\\t{}\":,a-c\\\\0-9]{0,40}") {
            if let Ok(posted) = read(text.as_bytes()) {
                for message in &posted.messages {
                    proptest::prop_assert!(!message.line.contains(&b'\n'));
                }
                if !posted.batch {
                    let before: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let after: serde_json::Value = serde_json::from_slice(&posted.messages[0].line).unwrap();
                    proptest::prop_assert_eq!(before, after);
                }
            }
        }
    }
}
