//! Lists in the file: what is no list, and a list that says nothing, is refused in words.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A list that is left out where nothing is to be said.
pub(super) fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    match from.deserialize_seq(List(PhantomData))? {
        empty if empty.is_empty() => {
            Err(D::Error::custom("the list is empty, which says nothing: leave it out"))
        }
        list => Ok(list),
    }
}

/// The same where nothing said means all.
pub(super) fn some_of_all<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Vec<T>>, D::Error> {
    some(from).map(Some)
}

/// A list that may be empty: what it names is nobody then.
fn any<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(List(PhantomData))
}

/// IP addresses, one by one.
pub(super) fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpAddr>, D::Error> {
    let words: Vec<String> = any(from)?;
    let address = |word: &String| {
        let wrong =
            || format!("`{word}` is no IP address; each proxy is listed by its own address, without a mask");
        word.parse().map_err(|_| D::Error::custom(wrong()))
    };
    words.iter().map(address).collect()
}

/// Words that say something.
pub(super) fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(from)? {
        Some(empty) if empty.trim().is_empty() => {
            Err(D::Error::custom("there are no words in it: leave it out, and the name is shown"))
        }
        words => Ok(words),
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list, as in [\"one\", \"two\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}
