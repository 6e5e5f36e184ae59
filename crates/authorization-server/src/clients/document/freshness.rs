//! How long a document counts.

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

/// How long where its server says nothing, and between which bounds it may say something.
const FRESH: Duration = Duration::from_secs(5 * 60);
const FRESH_AT_LEAST: Duration = Duration::from_secs(60);
const FRESH_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// RFC 9111 §5.2.2: `no-store` and `no-cache` mean the least, which still spares the client's server one
/// fetch for each step of a login; `max-age` counts within bounds.
pub(super) fn freshness(headers: &HeaderMap) -> Duration {
    let mut fresh = FRESH;
    let directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    for directive in directives {
        if directive == "no-store" || directive == "no-cache" {
            return FRESH_AT_LEAST;
        }
        if let Some(seconds) =
            directive.strip_prefix("max-age=").and_then(|seconds| seconds.trim_matches('"').parse().ok())
        {
            fresh = Duration::from_secs(seconds);
        }
    }
    fresh.clamp(FRESH_AT_LEAST, FRESH_AT_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_is_what_the_server_says_within_bounds() {
        let fresh = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            freshness(&headers).as_secs()
        };
        assert_eq!(freshness(&HeaderMap::new()), FRESH);
        assert_eq!(fresh("public, max-age=600"), 600);
        assert_eq!(fresh("max-age=1"), 60);
        assert_eq!(fresh("max-age=99999999999"), 86_400);
        assert_eq!(fresh("no-store, max-age=600"), 60);
        assert_eq!(fresh("max-age=x"), 300);
    }
}
