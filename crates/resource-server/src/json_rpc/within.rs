//! What stands one level deeper in `params`: `ref` of a completion, `notifications` of a subscription.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::peek::Message;
use super::scalar::{Name, Scalar};
use super::seen::Seen;

/// The most resources in the subscriptions of one body.
pub(super) const MAX_SUBSCRIPTIONS: usize = 1024;

/// What is neither object nor list says nothing here.
macro_rules! scalars_say {
    ($nothing:expr) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($nothing)
        }
    };
}

/// `params.ref` of `completion/complete`.
pub(super) struct Reference<'m, 'de>(pub(super) &'m mut Message<'de>);

impl<'de> DeserializeSeed<'de> for Reference<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reference<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference")
    }

    scalars_say!(());

    /// serde reads a list as the members in their order, and rmcp reads with serde.
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("params.ref is a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = Seen::among(["name", "uri"]);
        while let Some(member) = members.next_key_seed(Name)? {
            match seen.note::<A::Error>(&member)? {
                Some("name") => self.0.ref_name = members.next_value_seed(Scalar)?.into_text(),
                Some("uri") => self.0.ref_uri = members.next_value_seed(Scalar)?.into_text(),
                _ => drop(members.next_value_seed(Scalar)?),
            }
        }
        Ok(())
    }
}

/// `params.notifications` of `subscriptions/listen`.
pub(super) struct Notifications<'m, 'de>(pub(super) &'m mut Message<'de>);

impl<'de> DeserializeSeed<'de> for Notifications<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Notifications<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a filter of notifications")
    }

    scalars_say!(());

    /// As above.
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("params.notifications is a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = Seen::among(["resourceSubscriptions"]);
        while let Some(member) = members.next_key_seed(Name)? {
            match seen.note::<A::Error>(&member)? {
                Some(_) => self.0.subscriptions = members.next_value_seed(Subscriptions)?,
                None => drop(members.next_value_seed(Scalar)?),
            }
        }
        Ok(())
    }
}

/// A list of URIs. What is none, some parser may still take for one: it stands here without a name, and is refused where it
/// would have to be judged.
struct Subscriptions;

impl<'de> DeserializeSeed<'de> for Subscriptions {
    type Value = Vec<Option<Cow<'de, str>>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Subscriptions {
    type Value = Vec<Option<Cow<'de, str>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of URIs")
    }

    scalars_say!(vec![None]);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut uris = Vec::new();
        while let Some(uri) = items.next_element_seed(Scalar)? {
            if uris.len() == MAX_SUBSCRIPTIONS {
                let most = format_args!("more than {MAX_SUBSCRIPTIONS} resources in a subscription");
                return Err(A::Error::custom(most));
            }
            uris.push(uri.into_text());
        }
        Ok(uris)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        Scalar.visit_map(members).map(|_| vec![None])
    }
}
