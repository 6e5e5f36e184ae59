//! `traceparent`: which trace a request belongs to (W3C Trace Context, "`traceparent` Header").

use http::{HeaderMap, HeaderName};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What a request came with. A client may choose all of it, and it proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traceparent {
    /// The trace id, in small hexadecimal digits.
    pub(crate) trace: [u8; 32],
    /// The client's span, in the same.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code))] // Spans have it as their parent.
    pub(crate) parent: [u8; 16],
    /// Whether it is recorded ("Sampled flag"), and others that are none of ours.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code))]
    pub(crate) flags: u8,
}

impl Traceparent {
    /// Of a request with these fields. Two of them are none.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(TRACEPARENT).iter();
        let one = fields.next().filter(|_| fields.next().is_none())?;
        Self::parse(one.as_bytes())
    }

    /// Version, trace id, parent id and flags, in small hexadecimal digits. A later version may say more after that; version
    /// `ff` and ids of zeros alone are none.
    fn parse(field: &[u8]) -> Option<Self> {
        let (known, rest) = field.split_at_checked(55)?;
        let version = known.get(..2)?;
        let fits = match version {
            b"00" => rest.is_empty(),
            b"ff" => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let is_some = |id: &[u8]| is_hex(id) && id.iter().any(|digit| *digit != b'0');
        let dashes = [2, 35, 52].into_iter().all(|at| known.get(at) == Some(&b'-'));
        let (trace, parent, flags) = (known.get(3..35)?, known.get(36..52)?, known.get(53..)?);
        let good = fits && dashes && is_hex(version) && is_hex(flags) && is_some(trace) && is_some(parent);
        let flags = std::str::from_utf8(flags).ok().and_then(|flags| u8::from_str_radix(flags, 16).ok());
        match good {
            true => {
                Some(Self { trace: trace.try_into().ok()?, parent: parent.try_into().ok()?, flags: flags? })
            }
            false => None,
        }
    }
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(fields: &[&String]) -> Option<Traceparent> {
        let mut headers = HeaderMap::new();
        for value in fields {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        }
        Traceparent::of(&headers)
    }

    #[test]
    fn what_it_says() {
        for (field, flags) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), 1),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), 0),
            (format!("00-{TRACE}-00f067aa0ba902b7-a2"), 0xa2),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01"), 1),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-says"), 1),
        ] {
            let said = of(&[&field]).unwrap();
            let expected = (TRACE.as_bytes(), "00f067aa0ba902b7".as_bytes(), flags);
            assert_eq!((&said.trace[..], &said.parent[..], said.flags), expected, "{field}");
        }
    }

    #[test]
    fn what_is_none() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        for fields in [
            &[][..],
            &[&good, &good],
            &[&String::new()],
            &[&format!("ff-{TRACE}-00f067aa0ba902b7-01")],
            &[&format!("00-{TRACE}-00f067aa0ba902b7-01-more")],
            &[&format!("cc-{TRACE}-00f067aa0ba902b7-01more")],
            &[&format!("00-{TRACE}-0000000000000000-01")],
            &[&format!("00-{TRACE}-00f067aa0ba902b7-0g")],
            &[&format!("00-{TRACE}-00f067aa0ba902b7-+1")],
            &[&format!("00-{TRACE}-00f067aa0ba902b7-0A")],
            &[&format!("0g-{TRACE}-00f067aa0ba902b7-01")],
            &[&"00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned()],
            &[&good.to_uppercase()],
            &[&format!("00_{TRACE}-00f067aa0ba902b7-01")],
            &[&format!("00-{TRACE}_00f067aa0ba902b7-01")],
            &[&format!("00-{TRACE}-00f067aa0ba902b7_01")],
            &[&good[..54].to_owned()],
            &[&"0".repeat(60_000)],
        ] {
            assert_eq!(of(fields), None, "{fields:?}");
        }
    }

    proptest::proptest! {
        /// Whatever it is taken for is what it said, digit by digit.
        #[test]
        fn nothing_is_made_up(field in "(00|ff|0f|[0-9a-fA-F-]{2})[-_][0-9a-fA-F-]{30,34}-[0-9a-f]{14,18}[-_]?[0-9a-f]{1,3}.{0,4}") {
            if let Some(said) = Traceparent::parse(field.as_bytes()) {
                let text = |digits: &[u8]| String::from_utf8(digits.to_vec()).unwrap();
                let again = format!("-{}-{}-{:02x}", text(&said.trace), text(&said.parent), said.flags);
                proptest::prop_assert_eq!(&field[2..55], again);
            }
        }

        #[test]
        fn any_bytes_are_read(field: Vec<u8>) {
            Traceparent::parse(&field);
        }

        #[test]
        fn every_good_one_is_taken(trace in "[0-9a-f]{31}[1-9a-f]", parent in "[1-9a-f][0-9a-f]{15}", flags: u8) {
            let said = Traceparent::parse(format!("00-{trace}-{parent}-{flags:02x}").as_bytes()).unwrap();
            proptest::prop_assert_eq!((&said.trace[..], &said.parent[..], said.flags), (trace.as_bytes(), parent.as_bytes(), flags));
        }
    }
}
