//! Which trace a span belongs to, and what upstream is told of it.

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::RngExt;

use crate::edge::RequestId;
use crate::edge::traceparent::{TRACEPARENT, Traceparent};
use crate::upstream::headers::keep_fields;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// "Sampled flag".
pub(super) const SAMPLED: u8 = 0b01;
/// The flags that mean something today; with level 2, "Random Trace ID Flag". All others are sent as zero.
const KNOWN: u8 = 0b11;

/// A request's own place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// Small hexadecimal digits, as all of these.
    pub(super) trace: [u8; 32],
    pub(super) span: [u8; 16],
    /// The client's span; `None` begins a trace.
    pub(super) parent: Option<[u8; 16]>,
    pub(super) flags: u8,
}

impl Context {
    /// Of a request with these fields. One in so many is recorded, and never one whose client does not record it; a peer that is
    /// believed decides by itself. Chance decides and not the trace id, which clients choose.
    /// `None` is a client's trace that is not recorded here: it goes by as it is.
    pub(super) fn of(headers: &HeaderMap, id: &RequestId, ratio: f64, is_believed: bool) -> Option<Self> {
        let is_one = || rand::rng().random::<f64>() < ratio;
        match Traceparent::of(headers) {
            Some(said) if said.flags & SAMPLED == 0 || !(is_believed || is_one()) => None,
            Some(Traceparent { trace, parent, flags }) => {
                Some(Self { trace, span: random(), parent: Some(parent), flags: flags & KNOWN })
            }
            None => {
                let flags = if is_one() { SAMPLED } else { 0 };
                Some(Self { trace: id.digits(), span: random(), parent: None, flags })
            }
        }
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Upstream's spans are this one's children. `tracestate` belongs to the client's trace, and says nothing of a new one
    /// ("A vendor receiving … an invalid traceparent").
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let mut said = [0; 55];
        let parts: [(usize, &[u8]); 4] = [(0, b"00-"), (3, &self.trace), (35, b"-"), (36, &self.span)];
        let flags = format!("-{:02x}", self.flags);
        for (at, part) in parts.into_iter().chain([(52, flags.as_bytes())]) {
            said.iter_mut().skip(at).zip(part).for_each(|(there, digit)| *there = *digit);
        }
        if self.parent.is_none() {
            keep_fields(headers, |name| *name != TRACESTATE);
        }
        if let Ok(said) = HeaderValue::from_bytes(&said) {
            headers.insert(TRACEPARENT, said);
        }
    }
}

/// A span's id: never all zeros.
fn random() -> [u8; 16] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let random: u64 = rand::rng().random_range(1..=u64::MAX);
    std::array::from_fn(|at| DIGITS[(random >> (4 * at)) as usize & 15])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn headers(flags: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, format!("00-{TRACE}-{PARENT}-{flags}").parse().unwrap());
        headers.append(TRACESTATE, "a=1".parse().unwrap());
        headers.append(TRACESTATE, "b=2".parse().unwrap());
        headers.insert("x-last", "1".parse().unwrap());
        headers
    }

    fn context(headers: &HeaderMap, ratio: f64) -> Option<Context> {
        of_peer(headers, ratio, false)
    }

    fn of_peer(headers: &HeaderMap, ratio: f64, is_believed: bool) -> Option<Context> {
        Context::of(headers, &RequestId::of(headers), ratio, is_believed)
    }

    #[test]
    fn who_is_believed_says_whether_a_trace_is_recorded() {
        for (flags, recorded) in [("01", true), ("03", true), ("ff", true), ("00", false), ("02", false)] {
            for ratio in [0.0, 1.0] {
                assert_eq!(of_peer(&headers(flags), ratio, true).is_some(), recorded, "{flags} {ratio}");
            }
        }
    }

    /// A stranger can have less recorded than the operator wants, and no more.
    #[test]
    fn a_client_has_no_more_recorded_than_the_ratio_lets_it() {
        for (flags, ratio, recorded) in
            [("01", 0.0, false), ("ff", 0.0, false), ("01", 1.0, true), ("00", 1.0, false)]
        {
            assert_eq!(context(&headers(flags), ratio).is_some(), recorded, "{flags} {ratio}");
        }
        let some = (0..1000).filter(|_| context(&headers("01"), 0.5).is_some()).count();
        assert!((300..700).contains(&some), "{some}: and not by the trace id, which is the same");
    }

    #[test]
    fn without_a_word_of_the_client_one_in_so_many_is() {
        for (ratio, recorded) in [(0.0, false), (1.0, true)] {
            for _ in 0..100 {
                assert_eq!(context(&HeaderMap::new(), ratio).unwrap().is_recorded(), recorded);
            }
        }
        let some = (0..1000).filter(|_| context(&HeaderMap::new(), 0.5).unwrap().is_recorded()).count();
        assert!((300..700).contains(&some), "{some}");
    }

    #[test]
    fn upstream_is_told_the_span_and_keeps_the_clients_state() {
        for (flags, told) in [("01", "01"), ("ff", "03")] {
            let mut headers = headers(flags);
            let context = context(&headers, 1.0).unwrap();
            context.tell(&mut headers);
            let span = String::from_utf8(context.span.to_vec()).unwrap();
            assert_eq!(headers[TRACEPARENT], format!("00-{TRACE}-{span}-{told}"));
            assert_eq!(context.parent.as_ref().map(|id| &id[..]), Some(PARENT.as_bytes()));
            assert_ne!(span, PARENT);
            let order: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(order, ["traceparent", "tracestate", "tracestate", "x-last"]);
        }
    }

    /// Each is its own; a client's mistake is not carried on.
    #[test]
    fn a_new_trace_has_no_state_of_another() {
        let mut headers = headers("0g");
        let context = context(&headers, 1.0).unwrap();
        context.tell(&mut headers);
        assert!(context.parent.is_none() && !headers.contains_key(TRACESTATE));
        let said = Traceparent::of(&headers).unwrap();
        assert_eq!((said.trace, said.parent, said.flags), (context.trace, context.span, 1));
        assert_ne!(said.trace, TRACE.as_bytes());
    }
}
