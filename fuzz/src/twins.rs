//! What other parsers make of a JSON text in which a name is there twice: the first counts, or the last. An oracle
//! of its own, since `serde_json::Value` gives members of certain names a meaning.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The text as both kinds of parser read it; `None` if it is no JSON.
#[must_use]
pub fn read(text: &[u8]) -> Option<(Value, Value)> {
    Some((read_as(text, true)?, read_as(text, false)?))
}

/// As most parsers read it: the last counts.
#[must_use]
pub fn last(text: &[u8]) -> Option<Value> {
    read_as(text, false)
}

/// Whether any name is there twice in one object, at any depth.
#[must_use]
pub fn repeats(text: &[u8]) -> bool {
    let mut seen = Tree { first_counts: false, repeats: false };
    let mut json = serde_json::Deserializer::from_slice(text);
    (&mut seen).deserialize(&mut json).is_ok() && seen.repeats
}

/// Whether a number in it is one that serde_json may read and write with a small difference.
#[must_use]
pub fn has_floats(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_floats),
        Value::Object(members) => members.values().any(has_floats),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn read_as(text: &[u8], first_counts: bool) -> Option<Value> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = (&mut Tree { first_counts, repeats: false }).deserialize(&mut json).ok()?;
    json.end().ok().map(|()| value)
}

struct Tree {
    first_counts: bool,
    repeats: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(&mut *self)?;
            let known = map.contains_key(&name);
            self.repeats |= known;
            if !(known && self.first_counts) {
                map.insert(name, value);
            }
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(&mut *self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_or_the_last_counts() {
        let text = br#"{"a":1,"b":[{"c":1,"c":2}],"a":2}"#;
        let (first, last) = (json!({"a": 1, "b": [{"c": 1}]}), json!({"a": 2, "b": [{"c": 2}]}));
        assert_eq!(read(text), Some((first, last)));
        assert!(repeats(text));
        assert!(!repeats(br#"{"a":1,"b":{"a":1}}"#));
        assert_eq!(read(b"{} x"), None);
    }
}
