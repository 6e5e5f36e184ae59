//! Lists of hosts in the settings: whose metadata documents are taken, and where codes of clients that register
//! themselves may go.

use std::fmt;
use std::str::FromStr;

use hallpass_protocol::redirect::RedirectUri;
use url::Host;

/// A host: exactly this one (`app.example.com`, `127.0.0.1`, `[::1]`), or all below it (`*.example.com`, which is not
/// `example.com` itself).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    below: bool,
}

/// Not a host, nor `*.` and a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host: write app.example.com, or *.example.com for all below it")]
pub struct HostPatternError(String);

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let wrong = || HostPatternError(text.to_owned());
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        if name.contains('*') {
            return Err(wrong());
        }
        let host = Host::parse(name).map_err(|_| wrong())?;
        let is_name = matches!(host, Host::Domain(_));
        let host = host.to_string();
        match complete(&host) {
            // A name has no empty label (RFC 1034 §3.1), whatever a URL parser takes.
            host if host.split('.').any(str::is_empty) => Err(wrong()),
            _ if below && !is_name => Err(wrong()),
            host => Ok(Self { host: host.to_owned(), below }),
        }
    }
}

impl HostPattern {
    /// Whether this is the host of a URL, as a URL parser gives it, or stands above it.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = complete(host);
        match self.below {
            false => host.eq_ignore_ascii_case(&self.host),
            true => host
                .len()
                .checked_sub(self.host.len() + 1)
                .and_then(|at| host.get(at..))
                .and_then(|end| end.strip_prefix('.'))
                .is_some_and(|end| end.eq_ignore_ascii_case(&self.host)),
        }
    }
}

/// `example.com.` is `example.com`.
fn complete(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", if self.below { "*." } else { "" }, self.host)
    }
}

/// Where codes may go: a host on the web or of this machine, or an app by its scheme (`cursor:`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectPattern {
    /// `https` to this host, or `http` to this name of the person's own machine.
    Host(HostPattern),
    /// The app that has this scheme (RFC 8252 §7.1).
    Scheme(String),
}

impl FromStr for RedirectPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let is_scheme = |scheme: &&str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
                && !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str())
        };
        match text.strip_suffix(':').filter(is_scheme) {
            Some(scheme) => Ok(Self::Scheme(scheme.to_ascii_lowercase())),
            None => text.parse().map(Self::Host),
        }
    }
}

impl RedirectPattern {
    /// Whether a redirect URI leads there. The host of a private-use URI is decoration: its scheme says who gets the code.
    #[must_use]
    pub fn matches(&self, uri: &RedirectUri) -> bool {
        match self {
            Self::Scheme(scheme) => uri.is_private_use() && uri.scheme() == scheme,
            Self::Host(host) => !uri.is_private_use() && uri.host().is_some_and(|of| host.matches(of)),
        }
    }
}

impl fmt::Display for RedirectPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(formatter),
            Self::Scheme(scheme) => write!(formatter, "{scheme}:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn a_host_is_this_one_or_one_below() {
        for (pattern, host, fits) in [
            ("example.com", "example.com", true),
            ("Example.COM", "example.com", true),
            ("example.com", "example.com.", true),
            ("example.com.", "example.com", true),
            ("example.com", "a.example.com", false),
            ("example.com", "badexample.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com.", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*.example.com", "a.example.com.evil.example", false),
            ("bücher.example", "xn--bcher-kva.example", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("[::1]", "[::1]", true),
        ] {
            assert_eq!(pattern.parse::<HostPattern>().unwrap().matches(host), fits, "{pattern} {host}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            ".",
            "..",
            "example..com",
            ".example.com",
            "*..com",
            "*.",
            "a.*.example",
            "**.example.com",
            "https://a.example",
            "a/b",
            "a b",
            "*.1.2.3.4",
            ".",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_app_is_named_by_its_scheme_and_never_by_a_host() {
        let fits = |pattern: &str, uri: &str| {
            pattern.parse::<RedirectPattern>().unwrap().matches(&RedirectUri::parse(uri).unwrap())
        };
        assert!(fits("cursor:", "cursor://anysphere.cursor-mcp/cb"));
        assert!(!fits("anysphere.cursor-mcp", "cursor://anysphere.cursor-mcp/cb"));
        assert!(!fits("example.com", "evilapp://example.com/cb"));
        assert!(fits("*.example.com", "https://app.example.com/cb"));
        assert!(fits("127.0.0.1", "http://127.0.0.1:3000/cb"));
        assert!(!fits("localhost", "http://127.0.0.1:3000/cb"));
        assert!("https:".parse::<RedirectPattern>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_refused(text in "\\PC{0,40}") {
            if let Ok(pattern) = text.parse::<HostPattern>() {
                prop_assert_eq!(pattern.to_string().parse::<HostPattern>(), Ok(pattern));
            }
        }

        /// What a URL parser takes for the host is what the pattern takes.
        #[test]
        fn a_host_fits_its_own_pattern(name in "[a-z]{1,8}(\\.[a-z]{2,5}){1,3}") {
            let url = Url::parse(&format!("https://{name}/client.json")).unwrap();
            prop_assert!(name.parse::<HostPattern>().unwrap().matches(url.host_str().unwrap()));
        }
    }
}
