use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy};
use url::{Host, Url};

use crate::{FetchError, address};

/// The HTTP proxies to go through. None, unless said otherwise. `Debug` shows no credentials.
///
/// **What the guard is worth behind a proxy.** A proxy is given names and resolves them itself, so the addresses
/// behind a name cannot be checked here: a name in the proxy's network leads wherever it leads there, and the
/// proxy's own rules are the guard. What can be told from the URL still is: the scheme, user names and passwords,
/// addresses written as such, redirects, size and time. This machine's own names and addresses are never
/// reached through a proxy, so they stay as closed, or open, as the policy says.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Chosen>>);

struct Chosen {
    matcher: Matcher,
    /// `None`: those of the environment, which the HTTP client finds by itself.
    named: Option<reqwest::Proxy>,
}

/// A proxy that a URL is reached through.
pub(crate) struct Proxy {
    /// Host and port.
    pub(crate) address: String,
    /// Whether it is itself spoken to over TLS.
    pub(crate) is_tls: bool,
}

impl Proxies {
    /// No proxy, whatever the environment says.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// What the environment says now: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and, for whom to reach directly,
    /// `NO_PROXY`; each also in small letters.
    #[must_use]
    pub fn environment() -> Self {
        Self(Some(Arc::new(Chosen { matcher: Matcher::from_system(), named: None })))
    }

    /// One proxy for everything, `http://[user:password@]host:port` or with `https`, except for what `NO_PROXY` in
    /// the environment names.
    ///
    /// # Errors
    /// [`FetchError::Setup`] for a URL of another kind. It is not quoted, since it may hold a password.
    pub fn one(url: &str) -> Result<Self, FetchError> {
        let parsed = Url::parse(url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && matches!(url.path(), "" | "/")
        });
        let url = parsed.ok_or_else(|| unspoken("the one that was named"))?;
        let not_for = ["NO_PROXY", "no_proxy"].iter().find_map(|name| std::env::var(name).ok());
        let matcher = Matcher::builder().all(url.as_str()).no(not_for.unwrap_or_default()).build();
        let named = reqwest::Proxy::all(url).map_err(|_| unspoken("the one that was named"))?;
        Ok(Self(Some(Arc::new(Chosen { matcher, named: Some(named.no_proxy(NoProxy::from_env())) }))))
    }

    /// Whether a URL is reached through a proxy.
    ///
    /// # Errors
    /// [`FetchError::Setup`] where the proxy is of a kind that is not spoken, SOCKS for instance.
    pub fn is_for(&self, url: &Url) -> Result<bool, FetchError> {
        self.of(url).map(|proxy| proxy.is_some())
    }

    /// The origin of the proxy that a URL is reached through, without its credentials: to be named in an error.
    #[must_use]
    pub fn origin_for(&self, url: &Url) -> Option<String> {
        let proxy = self.of(url).ok().flatten()?;
        Some(format!("{}://{}", if proxy.is_tls { "https" } else { "http" }, proxy.address))
    }

    /// Whether a URL is reached through a proxy that is itself spoken to over TLS, and so could ask for a client
    /// certificate that is not meant for it.
    ///
    /// # Errors
    /// As [`Proxies::is_for`].
    pub fn is_tls_for(&self, url: &Url) -> Result<bool, FetchError> {
        self.of(url).map(|proxy| proxy.is_some_and(|proxy| proxy.is_tls))
    }

    /// An HTTP client that goes through these proxies, for URLs that [`Proxies::is_for`].
    pub fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        match &self.0 {
            None => builder.no_proxy(),
            Some(chosen) => match &chosen.named {
                Some(proxy) => builder.proxy(proxy.clone()),
                None => builder,
            },
        }
    }

    pub(crate) fn of(&self, url: &Url) -> Result<Option<Proxy>, FetchError> {
        let Some(chosen) = self.0.as_ref().filter(|_| !is_here(url)) else { return Ok(None) };
        let Some(found) = url.as_str().parse().ok().and_then(|uri| chosen.matcher.intercept(&uri)) else {
            return Ok(None);
        };
        let address = found.uri().authority().map(|authority| authority.as_str()).unwrap_or_default();
        // Credentials are not part of it any more; if they ever were, they must not be shown.
        let address = address.rsplit('@').next().unwrap_or_default().to_owned();
        match found.uri().scheme_str() {
            Some("http") => Ok(Some(Proxy { address, is_tls: false })),
            Some("https") => Ok(Some(Proxy { address, is_tls: true })),
            _ => Err(unspoken(&address)),
        }
    }

    /// The hosts of the proxies themselves, whose addresses are the operator's choice.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let any = ["http://hallpass.invalid/", "https://hallpass.invalid/"];
        let found = any.iter().filter_map(|url| {
            let matcher = &self.0.as_ref()?.matcher;
            let proxy = matcher.intercept(&url.parse().ok()?)?;
            proxy.uri().host().map(str::to_owned)
        });
        found.collect()
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

/// By name or address, whether a URL leads to this very machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv6(literal)) => address::is_loopback(literal.into()),
        _ => hallpass_protocol::is_loopback(url),
    }
}

fn unspoken(which: &str) -> FetchError {
    FetchError::Setup(format!(
        "the proxy ({which}) is not one that is spoken here: write http://HOST:PORT or https://HOST:PORT"
    ))
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            None => "Proxies(none)",
            Some(chosen) if chosen.named.is_some() => "Proxies(one)",
            Some(_) => "Proxies(environment)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(of: &str) -> Option<String> {
        let proxies = Proxies::one("http://u:canary@proxy.corp:3128").unwrap();
        proxies.of(&of.parse().unwrap()).unwrap().map(|proxy| proxy.address)
    }

    #[test]
    fn everything_but_this_machine_goes_through_the_proxy() {
        for url in
            ["https://example.com/", "http://example.com/", "https://10.0.0.1/", "https://localhost.example/"]
        {
            assert_eq!(proxy(url).as_deref(), Some("proxy.corp:3128"), "{url}");
        }
        for url in [
            "http://localhost:1/",
            "http://a.localhost/",
            "https://127.9.9.9/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
        ] {
            assert_eq!(proxy(url), None, "{url}");
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_refused_and_not_quoted() {
        for url in ["socks5://u:canary@p:1", "canary", "ftp://canary/", "http://p/canary", ""] {
            let error = Proxies::one(url).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let proxies = Proxies::one("http://user:canary@proxy.corp:3128").unwrap();
        assert!(!format!("{proxies:?}").contains("canary"));
        assert_eq!(proxies.hosts(), ["proxy.corp", "proxy.corp"]);
        let origin = proxies.origin_for(&"https://example.com/".parse().unwrap());
        assert_eq!(origin.as_deref(), Some("http://proxy.corp:3128"));
        assert!(Proxies::none().hosts().is_empty());
    }
}
