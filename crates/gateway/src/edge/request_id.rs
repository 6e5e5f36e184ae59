//! What a request is called, from the client to upstream and in every log.

use http::HeaderMap;
use rand::RngExt;

use super::traceparent::Traceparent;

/// 32 hexadecimal digits: the trace id that the request came with (W3C Trace Context, "`traceparent` Header"), or one
/// that is made here. A client may choose it: it finds lines that belong together, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// Of a request with these fields.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Traceparent::of(headers).map_or_else(Self::random, |came_with| Self(came_with.trace))
    }

    fn random() -> Self {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let random: u128 = rand::rng().random();
        // All zeros is no trace id; once in 2¹²⁸ requests it would be taken for one.
        Self(std::array::from_fn(|at| DIGITS[(random >> (4 * at)) as usize & 15]))
    }

    /// The digits, as bytes.
    #[cfg(feature = "otlp")]
    pub(crate) const fn digits(&self) -> [u8; 32] {
        self.0
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::traceparent::TRACEPARENT;
    use super::*;

    #[test]
    fn a_trace_keeps_its_id_and_what_is_none_gets_one_of_its_own() {
        let mut headers = HeaderMap::new();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        headers.insert(TRACEPARENT, format!("00-{trace}-00f067aa0ba902b7-01").parse().unwrap());
        assert_eq!(RequestId::of(&headers).as_str(), trace);
        headers.insert(TRACEPARENT, format!("ff-{trace}-00f067aa0ba902b7-01").parse().unwrap());
        let (one, other) = (RequestId::of(&headers), RequestId::of(&headers));
        assert_ne!(one.as_str(), trace);
        assert_ne!(one, other, "made anew each time");
        assert!(one.as_str().len() == 32 && one.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
