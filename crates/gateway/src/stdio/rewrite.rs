//! Messages under other ids: what several clients call by one name has a name for each where they share a process.
//!
//! All else stays as it was, byte by byte, and in its order.

use bytes::Bytes;
use hallpass_resource_server::json_rpc::{Id, folds_to};
use serde_json::value::RawValue;

use super::stateless::SUBSCRIPTION;
use crate::members::{Members, push};

/// A message that the process may read in another way than this side does: it could then speak of somebody else's
/// request (never-again 43, 45).
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" stands there twice, or in a spelling that only some take for it")]
pub(super) struct Ambiguous(&'static str);

/// A request under another id. Its progress token, if it has one, becomes the same: whoever named a token of somebody
/// else would hear their progress.
pub(super) fn request(line: &[u8], id: i64) -> Result<Bytes, Ambiguous> {
    let Some(message) = read(line) else { return Err(Ambiguous("id")) };
    only_once(&message, "params")?;
    let params = match message.get("params").and_then(Members::read) {
        Some(params) => Some(with_token(&params, id)?),
        None => None,
    };
    Ok(message
        .written(|name, value| match name {
            "id" => Some(id.to_string()),
            "params" => Some(params.clone().unwrap_or_else(|| value.get().to_owned())),
            _ => Some(value.get().to_owned()),
        })
        .into())
}

fn with_token(params: &Members<'_>, token: i64) -> Result<String, Ambiguous> {
    only_once(params, "_meta")?;
    let meta = match params.get("_meta").and_then(Members::read) {
        Some(meta) => {
            only_once(&meta, "progressToken")?;
            Some(meta.written(|name, value| match name {
                // Neither a string nor an integer: what would come back with it, nobody could be given.
                "progressToken" => serde_json::from_str::<Id>(value.get()).is_ok().then(|| token.to_string()),
                _ => Some(value.get().to_owned()),
            }))
        }
        None => None,
    };
    Ok(params.written(|name, value| match name {
        "_meta" => Some(meta.clone().unwrap_or_else(|| value.get().to_owned())),
        _ => Some(value.get().to_owned()),
    }))
}

/// An answer under the id that its request had.
pub(super) fn answer(line: &Bytes, id: &Id) -> Bytes {
    let Some(message) = read(line) else { return line.clone() };
    message.written(|name, value| Some(if name == "id" { json(id) } else { value.get().to_owned() })).into()
}

/// Progress under the token that was given.
pub(super) fn progress(line: &Bytes, token: &Id) -> Bytes {
    in_params(line, "progressToken", &json(token))
}

/// A message with another value for a member of its `params`.
pub(super) fn in_params(line: &Bytes, member: &str, to: &str) -> Bytes {
    let Some(message) = read(line) else { return line.clone() };
    let Some(params) = message.get("params").and_then(Members::read) else { return line.clone() };
    let params = params
        .written(|name, value| Some(if name == member { to.to_owned() } else { value.get().to_owned() }));
    message
        .written(|name, value| Some(if name == "params" { params.clone() } else { value.get().to_owned() }))
        .into()
}

/// A message with another value for a member of the `_meta` of its `params` or `result`, which has it already or gets it.
pub(super) fn in_meta(line: &Bytes, of: &str, member: &str, to: &str) -> Bytes {
    let Some(message) = read(line) else { return line.clone() };
    let object = message.get(of).and_then(Members::read).unwrap_or(Members(Vec::new()));
    let meta = object.get("_meta").and_then(Members::read).unwrap_or(Members(Vec::new()));
    let mut text = meta.written(|name, value| (name != member).then(|| value.get().to_owned()));
    text.pop();
    push(&mut text, member, to);
    text.push('}');
    let mut whole = object.written(|name, value| (name != "_meta").then(|| value.get().to_owned()));
    whole.pop();
    push(&mut whole, "_meta", &text);
    whole.push('}');
    message
        .written(|name, value| Some(if name == of { whole.clone() } else { value.get().to_owned() }))
        .into()
}

/// The number of the request that listens, where a notification names one in `_meta`.
pub(super) fn listener_of(line: &[u8]) -> Option<i64> {
    let params = Members::read(read(line)?.get("params")?)?;
    let meta = Members::read(params.get("_meta")?)?;
    super::message::usable_id(meta.get(SUBSCRIPTION)?).and_then(|id| match id {
        Id::Number(number) => Some(number),
        Id::Text(_) => None,
    })
}

/// A message without some members of its `params`, and with others.
pub(super) fn with_params(line: &[u8], without: &[&str], with: &[(&str, String)]) -> Bytes {
    let Some(message) = read(line) else { return Bytes::copy_from_slice(line) };
    let params = message.get("params").and_then(Members::read).unwrap_or(Members(Vec::new()));
    let mut text = params.written(|name, value| (!without.contains(&name)).then(|| value.get().to_owned()));
    text.pop();
    with.iter().for_each(|(name, value)| push(&mut text, name, value));
    text.push('}');
    let mut whole = message.written(|name, value| (name != "params").then(|| value.get().to_owned()));
    whole.pop();
    push(&mut whole, "params", &text);
    whole.push('}');
    whole.into()
}

/// A member of a message's `params`, where it is a string.
pub(super) fn text_of(line: &[u8], member: &str) -> Option<String> {
    Members::read(read(line)?.get("params")?)?.text(member)
}

/// The token that progress of a request of the server's will carry.
pub(super) fn token_of(line: &[u8]) -> Option<Id> {
    let params = Members::read(read(line)?.get("params")?)?;
    let meta = Members::read(params.get("_meta")?)?;
    serde_json::from_str(meta.get("progressToken")?.get()).ok()
}

/// Whether a message's `params` name something once, in no other spelling.
pub(super) fn names_one(line: &[u8], member: &'static str) -> bool {
    let params = read(line).and_then(|message| Members::read(message.get("params")?));
    params.is_some_and(|params| only_once(&params, member).is_ok())
}

/// Whether an answer is a result, and no error.
pub(super) fn is_result(line: &[u8]) -> bool {
    read(line).is_some_and(|answer| answer.get("result").is_some() && answer.get("error").is_none())
}

/// The members of a message.
pub(super) fn read(line: &[u8]) -> Option<Members<'_>> {
    Members::read(serde_json::from_slice::<&RawValue>(line).ok()?)
}

/// An id as it stands in JSON.
fn json(id: &Id) -> String {
    serde_json::json!(id).to_string()
}

fn only_once(object: &Members<'_>, known: &'static str) -> Result<(), Ambiguous> {
    let mut alike = object.0.iter().filter(|(name, _)| folds_to(name, known));
    match (alike.next(), alike.next()) {
        (None, _) => Ok(()),
        (Some((name, _)), None) if name == known => Ok(()),
        _ => Err(Ambiguous(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_7(line: &str) -> Result<String, Ambiguous> {
        request(line.as_bytes(), 7).map(|line| String::from_utf8(line.to_vec()).unwrap())
    }

    #[test]
    fn a_request_keeps_all_but_its_names() {
        for (line, expected) in [
            (r#"{"jsonrpc":"2.0","id":"x","method":"m"}"#, r#"{"jsonrpc":"2.0","id":7,"method":"m"}"#),
            (r#"{"id":1,"method":"m","params":[1]}"#, r#"{"id":7,"method":"m","params":[1]}"#),
            (
                r#"{"params":{"b":1e400,"_meta":{"a":[ 1],"progressToken":"t"},"a":{"progressToken":1}},"id":1}"#,
                r#"{"params":{"b":1e400,"_meta":{"a":[ 1],"progressToken":7},"a":{"progressToken":1}},"id":7}"#,
            ),
            (
                r#"{"id":1,"params":{"_meta":{"progressToken":1.5,"b":2}}}"#,
                r#"{"id":7,"params":{"_meta":{"b":2}}}"#,
            ),
            (r#"{"id":1,"params":{"_meta":null}}"#, r#"{"id":7,"params":{"_meta":null}}"#),
        ] {
            assert_eq!(request_7(line).unwrap(), expected);
        }
    }

    /// Row 45: a token that one parser sees and the next does not is a token of somebody else's.
    #[test]
    fn what_two_would_read_in_two_ways_is_refused() {
        for params in [
            r#"{"_meta":{"progressToken":1},"_meta":{"progressToken":2}}"#,
            r#"{"_META":{"progressToken":2}}"#,
            r#"{"_meta":{},"_Meta":{"progressToken":2}}"#,
            r#"{"_meta":{"progressToken":1,"progressToken":2}}"#,
            r#"{"_meta":{"ProgressToken":2}}"#,
            "{\"_meta\":{\"progre\u{17f}\u{17f}Token\":2}}",
        ] {
            let line = format!(r#"{{"id":1,"method":"m","params":{params}}}"#);
            assert!(request_7(&line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_answer_and_progress_get_their_names_back() {
        let id = Id::Text("a\"b".to_owned());
        let line = Bytes::from(r#"{"result":{"id":9},"id":7.0,"id":7}"#);
        assert_eq!(answer(&line, &id), r#"{"result":{"id":9},"id":"a\"b","id":"a\"b"}"#);
        let line = Bytes::from(r#"{"method":"p","params":{"progress":0.1,"progressToken":7}}"#);
        let expected = r#"{"method":"p","params":{"progress":0.1,"progressToken":3}}"#;
        assert_eq!(progress(&line, &Id::Number(3)), expected);
    }
}
