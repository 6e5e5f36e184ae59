//! Whether a form was sent from one of this server's own pages.

use http::HeaderMap;
use http::header::ORIGIN;
use url::Url;

/// A pure function of the request (Fetch §3.2, Fetch Metadata):
///
/// 1. `Sec-Fetch-Site` decides where it is there: a browser sets it, and no page can.
/// 2. Else `Origin` has to be this server's. `null` is what browsers send from pages whose referrer
///    policy is `no-referrer`, as ours are, so it says nothing.
/// 3. Else the form's token has to do, which is checked in any case.
pub(crate) fn came_from_here(headers: &HeaderMap, own: &Url) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, None | Some("null")) => true,
        (None, Some(origin)) => origin == own.origin().ascii_serialization(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(fields: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        came_from_here(&headers, &Url::parse("https://auth.example/tenant").unwrap())
    }

    #[test]
    fn fetch_metadata_decides() {
        assert!(came(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        for site in ["cross-site", "same-site", "none", "", "x"] {
            assert!(!came(&[("sec-fetch-site", site), ("origin", "https://auth.example")]));
        }
    }

    #[test]
    fn older_browsers_are_judged_by_origin() {
        assert!(came(&[("origin", "https://auth.example")]));
        assert!(came(&[("origin", "null")]));
        assert!(came(&[]));
        assert!(!came(&[("origin", "https://evil.example")]));
        assert!(!came(&[("origin", "http://auth.example")]));
        assert!(!came(&[("origin", "https://auth.example.evil.example")]));
    }
}
