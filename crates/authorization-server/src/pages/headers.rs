//! The headers of every page.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::redirect::RedirectUri;
use http::HeaderMap;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

use super::STYLE;

static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, STYLE.as_bytes()))));

const LOOPBACK: &str = "http://127.0.0.1:* http://localhost:*";

/// Where a page's forms may lead, redirects included: Chrome applies `form-action` to the whole
/// chain that a form begins.
pub(crate) enum FormTarget {
    /// The page has no form.
    None,
    /// The form stays here.
    Own,
    /// The form may end in a redirect to this client. A client's callback page on the web often sends the
    /// browser on to another of its own sites, so `https:` is allowed as a whole; the form carries nothing
    /// that is worth stealing, only its own one-time token.
    Client(String),
}

impl FormTarget {
    /// For the page whose form ends at the client.
    pub(crate) fn client(redirect: &RedirectUri) -> Self {
        // A host source cannot spell an IPv6 address (CSP 3 §2.3.1), so there the scheme has to do.
        let source = match redirect.host() {
            Some("127.0.0.1" | "localhost") if redirect.is_loopback() => LOOPBACK.to_owned(),
            _ => format!("{}:", redirect.scheme()),
        };
        Self::Client(source)
    }

    /// For a page with forms that lead to these providers' pages of login, which may send the browser on to other sites of
    /// theirs.
    pub(crate) fn providers<'a>(issuers: impl Iterator<Item = &'a Issuer>) -> Self {
        let over_tls: Vec<bool> = issuers.map(|issuer| issuer.url().scheme() == "https").collect();
        match over_tls.as_slice() {
            [] => Self::Own,
            all if all.iter().all(|over_tls| *over_tls) => Self::Client("https:".to_owned()),
            _ => Self::Client(LOOPBACK.to_owned()),
        }
    }

    fn sources(&self) -> String {
        match self {
            Self::None => "'none'".to_owned(),
            Self::Own => "'self'".to_owned(),
            Self::Client(source) if source == "https:" => "'self' https:".to_owned(),
            Self::Client(source) => format!("'self' {source} https:"),
        }
    }
}

pub(super) fn of_a_page(target: &FormTarget, script: bool) -> HeaderMap {
    let policy = format!(
        "default-src 'none'; style-src {}; img-src data:; form-action {}; base-uri 'none'; \
         frame-ancestors 'none'{}",
        *STYLE_SOURCE,
        target.sources(),
        // Only files of this server; nothing that stands in a page runs.
        if script { "; script-src 'self'" } else { "" }
    );
    let mut headers = HeaderMap::new();
    // The sources come from checked URIs, whose characters all fit into a header.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_end_at_its_own_client_and_the_web() {
        let sources = |uri: &str| FormTarget::client(&RedirectUri::parse(uri).unwrap()).sources();
        assert_eq!(
            sources("http://127.0.0.1:4711/cb"),
            "'self' http://127.0.0.1:* http://localhost:* https:"
        );
        assert_eq!(sources("http://[::1]:4711/cb"), "'self' http: https:");
        assert_eq!(sources("https://app.example/cb"), "'self' https:");
        let ways = |issuers: &[&str]| {
            let issuers: Vec<_> = issuers.iter().map(|issuer| Issuer::parse(issuer).unwrap()).collect();
            FormTarget::providers(issuers.iter()).sources()
        };
        assert_eq!(ways(&[]), "'self'");
        assert_eq!(ways(&["https://idp.example"]), "'self' https:");
        assert_eq!(
            ways(&["https://idp.example", "http://localhost:9"]),
            "'self' http://127.0.0.1:* http://localhost:* https:"
        );
        assert_eq!(sources("com.example.app:/cb"), "'self' com.example.app: https:");
    }
}
