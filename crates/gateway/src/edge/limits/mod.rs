//! How much one address, one subject and one server may have: requests a second, requests at once, streams at once.
//!
//! | room | what is in it |
//! |---|---|
//! | `table` | who has how much at this moment, in bounded memory |
//! | `places` | what an answer holds until it has ended |
//! | `answer` | what one too many is told |

mod answer;
mod places;
mod table;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::header::CONTENT_TYPE;

pub(crate) use self::answer::refuse;
pub(crate) use self::places::Places;
pub(crate) use self::table::Held;
use self::table::Table;

/// How much one of them may have. What is not set is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Requests a second, over time.
    pub rate: Option<NonZeroU32>,
    /// So many may come at once, where few came before: as many as in a second.
    pub burst: Option<NonZeroU32>,
    /// Requests under way at once, open streams among them.
    pub requests: Option<NonZeroU32>,
    /// Streams of events open at once. A GET, or a request whose `Mcp-Method` is `subscriptions/listen`, is refused
    /// before it goes on; a POST that happens to be answered with a stream is counted, and never refused for it: it has
    /// been acted upon.
    pub streams: Option<NonZeroU32>,
}

impl Limit {
    /// Whether it limits nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.rate.is_none() && self.requests.is_none() && self.streams.is_none()
    }
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Address,
    Subject,
    Server,
}

/// What there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Much {
    Rate,
    Requests,
    Streams,
}

/// A request that is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch {
    pub(crate) of: Of,
    pub(crate) much: Much,
    /// When to come again.
    pub(crate) wait: Duration,
}

/// The rules, as they are counted and logged.
pub(crate) const LIMIT_RULES: &[&str] = &[
    "address_rate",
    "address_requests",
    "address_streams",
    "subject_rate",
    "subject_requests",
    "subject_streams",
    "server_rate",
    "server_requests",
    "server_streams",
];

impl TooMuch {
    pub(crate) fn rule(&self) -> &'static str {
        let of = match self.of {
            Of::Address => 0,
            Of::Subject => 3,
            Of::Server => 6,
        };
        let much = match self.much {
            Much::Rate => 0,
            Much::Requests => 1,
            Much::Streams => 2,
        };
        LIMIT_RULES.get(of + much).copied().unwrap_or_default()
    }
}

/// Limits of one kind, for everybody. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    table: Arc<Table>,
    of: Of,
}

impl Limits {
    /// Nothing, where nothing is limited.
    pub(crate) fn of(of: Of, limit: Limit) -> Option<Self> {
        (!limit.is_none()).then(|| Self { table: Arc::new(Table::new(limit)), of })
    }

    /// Takes a place for a request; it is free again when what this gives is dropped.
    pub(crate) fn enter(&self, key: u64, is_stream: bool) -> Result<Held, TooMuch> {
        let entered = self.table.enter(key, is_stream, self.table.now());
        entered.map_err(|(much, wait)| TooMuch { of: self.of, much, wait })
    }

    /// The key of a name: names may be long.
    pub(crate) fn key_of(&self, name: &str) -> u64 {
        self.table.key_of(name)
    }
}

/// The key of what there is one of.
pub(crate) const ALL: u64 = 0;

/// An address, as it is counted: one customer of an IPv6 network has 2⁶⁴ addresses, so they count as one.
pub(crate) fn key_of_address(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        // No network begins with 32 zeros and then says anything else (RFC 4291 §2.4).
        IpAddr::V6(address) => u64::try_from(u128::from(address) >> 64).unwrap_or_default(),
    }
}

/// A request that asks for a stream, as far as its head tells.
pub(crate) fn asks_for_stream<B>(request: &http::Request<B>) -> bool {
    request.method() == http::Method::GET
        || request.headers().get("mcp-method").is_some_and(|method| method == "subscriptions/listen")
}

/// Whether it is answered with a stream of events.
pub(crate) fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let key = |text: &str| key_of_address(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn each_limit_is_a_rule_of_its_own() {
        let mut rules = HashSet::new();
        for of in [Of::Address, Of::Subject, Of::Server] {
            for much in [Much::Rate, Much::Requests, Much::Streams] {
                rules.insert(TooMuch { of, much, wait: Duration::ZERO }.rule());
            }
        }
        assert_eq!(rules, LIMIT_RULES.iter().copied().collect());
        assert_eq!(
            TooMuch { of: Of::Subject, much: Much::Streams, wait: Duration::ZERO }.rule(),
            "subject_streams"
        );
    }

    #[test]
    fn what_limits_nothing_is_nothing() {
        assert!(Limits::of(Of::Address, Limit::default()).is_none());
        let burst = Limit { burst: NonZeroU32::new(5), ..Limit::default() };
        assert!(Limits::of(Of::Address, burst).is_none(), "without a rate it says nothing");
    }
}
