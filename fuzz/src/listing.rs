//! Answers that the gateway may rewrite: lists of tools, as JSON and as Server-Sent Events. The first byte says which,
//! what is done with lists, and how the answer is cut.
//!
//! What is no answer to the request goes through byte by byte. In one that is, nothing changes but the list; each thing
//! on it says what it needs, and what is hidden is not there for any client. However the answer is cut, the same comes
//! out.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use hallpass_gateway::{Listing, fuzzing};
use hallpass_resource_server::json_rpc::Id;
use hallpass_resource_server::policy::{Asked, List};
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::{events, protected, twins};

const HIDDEN: &str = "debug";

/// Takes one input.
pub fn check(data: &[u8]) {
    let Some((flags, answer)) = data.split_first() else { return };
    let is_stream = flags & 1 == 1;
    let listing = if flags & 2 == 2 { Listing::Hide } else { Listing::Annotate };
    let size = usize::from(flags >> 2) + 1;
    let written = listed(is_stream, listing, vec![answer.to_vec()]);
    let pieces = answer.chunks(size).map(<[u8]>::to_vec).collect();
    assert_eq!(listed(is_stream, listing, pieces), written, "in pieces of {size}");

    let read = |bytes: &[u8]| if is_stream { events::data(bytes) } else { vec![bytes.to_vec()] };
    let (before, after) = (read(answer), read(&written));
    assert_eq!(before.len(), after.len());
    let mut awaited = true;
    for (before, after) in before.iter().zip(&after) {
        if is_beyond(before) {
            return;
        }
        let answer = read_as_client(before).and_then(|mut message| answer_in(&mut message).cloned());
        let answer = answer.filter(|_| awaited);
        awaited &= answer.is_none();
        if answer.is_some_and(|answer| answer.get("result").is_some()) {
            is_rewritten(before, after, listing);
        } else {
            assert_eq!(before, after, "rewritten, and no answer");
        }
    }
    if awaited {
        // Half an event at the end is none.
        let whole = listing == Listing::Annotate || !is_stream;
        assert!(if whole { written == answer } else { answer.starts_with(&written) });
    }
}

fn listed(is_stream: bool, listing: Listing, pieces: Vec<Vec<u8>>) -> Vec<u8> {
    let media = if is_stream { "text/event-stream" } else { "application/json" };
    let pieces = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    let body = Body::from_stream(stream::iter(pieces));
    let answer = Response::builder().header(CONTENT_TYPE, media).body(body).expect("a response");
    let asked = [Asked { id: Id::Number(7), list: List::Tools }];
    let listed = fuzzing::listed(&asked, listing, answer, protected::server(), protected::caller());
    let listed = listed.now_or_never().expect("nothing to wait for");
    let bytes = listed.into_body().collect().now_or_never().expect("nothing to wait for").expect("bytes");
    bytes.to_bytes().to_vec()
}

/// As clients read a text: without a mark at its beginning, and with U+FFFD for what is no UTF-8.
fn read_as_client(text: &[u8]) -> Option<Value> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    twins::last(String::from_utf8_lossy(text).as_bytes())
}

/// Whether it is JSON to some and not to this oracle: a number that no float holds, half a surrogate pair.
fn is_beyond(text: &[u8]) -> bool {
    let bare = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let is_json = serde_json::from_str::<IgnoredAny>(&String::from_utf8_lossy(bare)).is_ok();
    is_json && read_as_client(text).is_none()
}

/// The first answer to the request among the messages of a text (JSON-RPC 2.0 §5).
fn answer_in(message: &mut Value) -> Option<&mut Value> {
    let items = match message {
        Value::Array(items) => items.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    items.iter_mut().find(|item| {
        let says_something = item.get("result").is_some() || item.get("error").is_some();
        item.get("method").is_none() && item.get("id").and_then(Value::as_i64) == Some(7) && says_something
    })
}

fn is_rewritten(before: &[u8], after: &[u8], listing: Listing) {
    let mut expected = read_as_client(before).expect("JSON");
    let mut found = read_as_client(after).expect("JSON");
    if let Some(tools) = answer_in(&mut found).and_then(|answer| answer.pointer("/result/tools"))
        && listing == Listing::Hide
    {
        let tools = tools.as_array().expect("a list that can be read");
        assert!(tools.iter().all(|tool| tool["name"].is_string() && tool["name"] != HIDDEN), "{found}");
    }
    if twins::repeats(before) || twins::has_floats(&expected) {
        return;
    }
    let answer = answer_in(&mut expected).expect("an answer");
    if let Some(result) = answer["result"].as_object_mut() {
        match result.get_mut("tools") {
            Some(Value::Array(tools)) => {
                tools.retain(|tool| listing == Listing::Annotate || tool["name"].is_string() && tool["name"] != HIDDEN);
                tools.iter_mut().for_each(annotate);
            }
            Some(_) if listing == Listing::Hide => drop(result.remove("tools")),
            _ => {}
        }
    }
    assert_eq!(found, expected);
}

fn annotate(tool: &mut Value) {
    let Some(name) = tool.get("name").and_then(Value::as_str) else { return };
    let item = protected::server().item(List::Tools, name, protected::caller());
    // What nobody may use needs no scopes; what upstream said of its own does not hold here.
    if item.denied {
        tool.as_object_mut().expect("an object").remove("securitySchemes");
        return;
    }
    let scopes: Vec<&str> = item.scopes.iter().map(|scope| scope.as_str()).collect();
    tool["securitySchemes"] = json!([{ "type": "oauth2", "scopes": scopes }]);
}
