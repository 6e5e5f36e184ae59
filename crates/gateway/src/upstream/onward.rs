//! The fields of a request as they go on: those of the client's that may, and what upstream is told.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use super::headers::{field_value, is_for_upstream, is_spelled_like, keep_fields, named_by_connection};

/// What upstream is told in one field.
#[derive(Clone, Debug)]
pub(super) enum Word<'a> {
    /// Any text; [`field_value`] makes a field's value of it.
    Text(Cow<'a, str>),
    /// A value as it is.
    Value(HeaderValue),
    /// Nothing, and what the client says there isn't heard either.
    Nothing,
}

impl<'a> Word<'a> {
    /// A text.
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

/// Fields that are written once, from where they were read: there is no second map of them.
#[derive(Debug)]
pub(super) struct Onward<'a> {
    fields: HeaderMap,
    /// For this hop only, since the client's `Connection` says so.
    named: Vec<HeaderName>,
    told: Said<'a>,
}

/// For so many fields room is kept, at most: twice as many as requests of MCP clients have.
const ROOM: usize = 48;

/// What upstream is told, in fields of different names.
pub(super) type Said<'a> = Vec<(HeaderName, Word<'a>)>;

impl<'a> Onward<'a> {
    /// What upstream is told is said by nobody else, in whatever spelling.
    pub(super) fn new(fields: HeaderMap, told: Said<'a>) -> Self {
        let named = named_by_connection(&fields);
        Self { fields, named, told }
    }

    /// Whether upstream gets what the client says in this field.
    fn goes_on(&self, name: &HeaderName) -> bool {
        is_for_upstream(name, &self.named) && !self.told.iter().any(|(told, _)| is_spelled_like(name, told))
    }

    /// All that the client says in this field to upstream.
    pub(super) fn all<'s>(&'s self, name: &'s HeaderName) -> impl Iterator<Item = &'s HeaderValue> {
        let values = self.fields.get_all(name).into_iter();
        values.filter(|_| self.goes_on(name))
    }

    /// The same without what the client says in this field.
    pub(super) fn without(mut self, name: &HeaderName) -> Self {
        keep_fields(&mut self.fields, |other| other != name);
        self
    }

    /// Every field for a connection whose framing and `Host` are said by whoever writes to it.
    pub(super) fn each(&self, mut say: impl FnMut(&HeaderName, &[u8])) {
        // All of one name come together.
        let mut last: Option<(&HeaderName, bool)> = None;
        for (name, value) in &self.fields {
            let known = last.filter(|(before, _)| std::ptr::eq(*before, name)).map(|(_, passes)| passes);
            let passes = known.unwrap_or_else(|| !is_of_the_connection(name) && self.goes_on(name));
            last = Some((name, passes));
            if passes {
                say(name, value.as_bytes());
            }
        }
        for (name, word) in self.told.iter().filter(|(name, _)| !is_of_the_connection(name)) {
            match word {
                Word::Text(text) => say(name, field_value(text).as_bytes()),
                Word::Value(value) => say(name, value.as_bytes()),
                Word::Nothing => {}
            }
        }
    }

    /// An empty map, for the fields of the answer: nothing of the request is in it. One that somebody made large is not kept.
    pub(super) fn into_room(self) -> HeaderMap {
        let mut fields = self.fields;
        if fields.capacity() > ROOM {
            return HeaderMap::new();
        }
        fields.clear();
        fields
    }

    /// The same for a connection that is told fields as a map.
    pub(super) fn into_fields(self) -> HeaderMap {
        let mut fields = self.into_map();
        keep_fields(&mut fields, |name| !is_of_the_connection(name));
        fields
    }

    /// The same as a map, with framing and `Host`: for what is no connection.
    pub(super) fn into_map(mut self) -> HeaderMap {
        let mut fields = std::mem::take(&mut self.fields);
        keep_fields(&mut fields, |name| self.goes_on(name));
        for (name, word) in self.told {
            let value = match word {
                Word::Text(text) => HeaderValue::from_str(&field_value(&text)).ok(),
                Word::Value(value) => Some(value),
                Word::Nothing => None,
            };
            if let Some(value) = value {
                fields.insert(name, value);
            }
        }
        fields
    }
}

/// Where a message goes, and where it ends.
fn is_of_the_connection(name: &HeaderName) -> bool {
    matches!(*name, HOST | CONTENT_LENGTH | TRANSFER_ENCODING)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const SUBJECT: HeaderName = HeaderName::from_static("x-hallpass-subject");
    const KEY: HeaderName = HeaderName::from_static("x-key");
    const WITHHELD: HeaderName = HeaderName::from_static("x-withheld");

    fn told() -> Said<'static> {
        vec![
            (SUBJECT, Word::text("Zoë")),
            (KEY, Word::Value(HeaderValue::from_static("own"))),
            (WITHHELD, Word::Nothing),
            (HOST, Word::text("elsewhere")),
        ]
    }

    fn written(onward: &Onward<'_>) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        onward.each(|name, value| all.push((name.to_string(), value.to_vec())));
        all
    }

    fn of(fields: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        map
    }

    /// Where a message goes and ends says the connection alone, to whomever.
    #[test]
    fn what_is_told_stands_alone() {
        let said = [
            ("u-a", "1"),
            ("host", "x"),
            ("x_key", "mine"),
            ("x_withheld", "mine"),
            ("content-length", "7"),
            ("x.hallpass.subject", "admin"),
            ("connection", "u-b"),
            ("u-b", "2"),
            ("u-a", "3"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Bearer mine"),
        ];
        let expected = [("u-a", "1"), ("u-a", "3"), ("x-hallpass-subject", "Zo%C3%AB"), ("x-key", "own")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(written(&Onward::new(of(&said), told())), expected);
    }

    /// A field that is for this hop only is none that upstream sees.
    #[test]
    fn what_does_not_go_on_is_not_there() {
        let id = HeaderName::from_static("mcp-session-id");
        for (connection, seen) in [("close", 1), ("Mcp-Session-Id", 0)] {
            let onward = Onward::new(of(&[("mcp-session-id", "1"), ("connection", connection)]), Vec::new());
            assert_eq!(onward.all(&id).count(), seen);
        }
    }

    /// What comes next is somebody else's.
    #[test]
    fn of_a_request_nothing_but_room_is_left() {
        let onward = Onward::new(of(&[("u-a", "1"), ("u-a", "2"), ("authorization", "Bearer mine")]), told());
        let room = onward.into_room();
        assert!(room.is_empty() && room.capacity() >= 2, "{room:?}");
        let many: Vec<_> = (0..ROOM + 1).map(|number| format!("u-{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
        assert_eq!(Onward::new(of(&many), told()).into_room().capacity(), 0);
    }

    proptest! {
        /// A connection and a map are told the same.
        #[test]
        fn both_ways_are_one(
            said in vec((prop_oneof![
                "u-[a-d]", "x[-_.]key", "x[-_.]withheld", "x[-_]hallpass[-_.]subject", "x-forwarded-for", "cookie", "connection", "content-length", "te",
            ], "u-[a-d]"), 0..12),
        ) {
            let said: Vec<_> = said.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let map = Onward::new(of(&said), told()).into_map();
            let map = map.iter().filter(|(name, _)| !is_of_the_connection(name));
            let map: Vec<_> = map.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
            prop_assert_eq!(written(&Onward::new(of(&said), told())), map);
        }
    }
}
