//! What a request is called, from the client to upstream and in every log.

use http::{HeaderMap, HeaderName};
use rand::RngExt;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// 32 hexadecimal digits: the trace id that the request came with (W3C Trace Context, "`traceparent` Header"), or one
/// that is made here. A client may choose it: it finds lines that belong together, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// Of a request with these fields.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut fields = headers.get_all(TRACEPARENT).iter();
        let one = fields.next().filter(|_| fields.next().is_none());
        one.and_then(|value| trace_id(value.as_bytes())).unwrap_or_else(Self::random)
    }

    fn random() -> Self {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let random: u128 = rand::rng().random();
        // All zeros is no trace id; once in 2¹²⁸ requests it would be taken for one.
        Self(std::array::from_fn(|at| DIGITS[(random >> (4 * at)) as usize & 15]))
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

/// Version, trace id, parent id and flags, in small hexadecimal digits. A later version may say more after that; version
/// `ff` and ids of zeros alone are none.
fn trace_id(field: &[u8]) -> Option<RequestId> {
    let (known, rest) = field.split_at_checked(55)?;
    let version = known.get(..2)?;
    let fits = match version {
        b"00" => rest.is_empty(),
        b"ff" => false,
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    let is_hex = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_some = |id: &[u8]| is_hex(id) && id.iter().any(|digit| *digit != b'0');
    let dashes = [2, 35, 52].into_iter().all(|at| known.get(at) == Some(&b'-'));
    let (trace, parent, flags) = (known.get(3..35)?, known.get(36..52)?, known.get(53..)?);
    let good = fits && dashes && is_hex(version) && is_hex(flags) && is_some(trace) && is_some(parent);
    good.then(|| trace.try_into().ok().map(RequestId)).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn id_of(fields: &[&String]) -> RequestId {
        let fields = fields.iter().map(|value| (TRACEPARENT, HeaderValue::from_str(value).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        RequestId::of(&headers)
    }

    #[test]
    fn a_trace_keeps_its_id() {
        for field in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-says"),
        ] {
            assert_eq!(id_of(&[&field]).as_str(), TRACE, "{field}");
        }
    }

    #[test]
    fn what_is_no_trace_gets_an_id_of_its_own() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        for fields in [
            &[][..],
            &[&good, &good],
            &[&String::new()],
            &[&format!("ff-{TRACE}-00f067aa0ba902b7-01")],
            &[&format!("00-{TRACE}-00f067aa0ba902b7-01-more")],
            &[&format!("00-{TRACE}-0000000000000000-01")],
            &[&"00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned()],
            &[&good.to_uppercase()],
            &[&format!("00_{TRACE}-00f067aa0ba902b7-01")],
            &[&good[..54].to_owned()],
        ] {
            let (one, other) = (id_of(fields), id_of(fields));
            assert_ne!(one.as_str(), TRACE, "{fields:?}");
            assert_ne!(one, other, "made anew each time");
            assert!(one.as_str().len() == 32 && one.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }

    proptest::proptest! {
        #[test]
        fn every_id_is_32_small_digits(field in "[0-9a-fA-F-]{50,60}") {
            let id = id_of(&[&field]);
            let is_small = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            proptest::prop_assert!(id.as_str().len() == 32 && id.as_str().bytes().all(is_small));
        }
    }
}
