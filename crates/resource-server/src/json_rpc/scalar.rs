//! Reads a JSON value that matters only if it is a string or an integer.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Id;

pub(super) enum Value<'de> {
    Text(Cow<'de, str>),
    Integer(i64),
    Other,
}

impl<'de> Value<'de> {
    pub(super) fn into_text(self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Other => None,
        }
    }

    pub(super) fn into_id(self) -> Option<Id> {
        match self {
            Self::Text(text) => Some(Id::Text(text.into_owned())),
            Self::Integer(number) => Some(Id::Number(number)),
            Self::Other => None,
        }
    }
}

/// Reads any value; keeps strings and integers. Unlike serde's `IgnoredAny` it goes through what it
/// drops level by level, so that serde_json's limit of depth holds there, too.
#[derive(Clone, Copy)]
pub(super) struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other, Value::Integer))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry_seed(Name, self)?.is_some() {}
        Ok(Value::Other)
    }
}

/// serde_json reads an object with such a member as something else, where it was built with
/// `raw_value` or `arbitrary_precision`: the member's text as the JSON that stands there.
const MAGIC: &str = "$serde_json::private::";

/// Reads the name of a member; at every depth, since the magic ones work at every depth.
#[derive(Clone, Copy)]
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        not_magic(name).map(|()| Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        not_magic(name).map(|()| Cow::Owned(name.to_owned()))
    }
}

fn not_magic<E: Error>(name: &str) -> Result<(), E> {
    if name.starts_with(MAGIC) {
        return Err(E::custom("a member whose value some take for JSON that stands in its object's place"));
    }
    Ok(())
}
