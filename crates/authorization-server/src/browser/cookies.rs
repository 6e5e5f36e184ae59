//! Two cookies: one names the browser, one its login.
//!
//! The browser cookie is there before anyone logs in; an authorization request can only go on in the
//! browser that has it. The session cookie is made anew at each login, so that a value planted before the
//! login is worth nothing after it.

use std::time::Duration;

use hallpass_protocol::issuer::Issuer;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

/// A year: what the browser cookie opens, an interaction, ends much earlier.
const BROWSER_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The length of 32 bytes in base64url.
const TOKEN_LENGTH: usize = 43;

/// The cookies' names and attributes, which depend on where the server is.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    browser: String,
    session: String,
    secure: bool,
}

/// The browser at the other end.
#[derive(Clone)]
pub(crate) struct Browser {
    /// The secret that names it.
    pub(crate) token: String,
    /// Whether it has no cookie yet, and has to be given one.
    pub(crate) is_new: bool,
}

impl Cookies {
    /// `__Host-` under https: no other host, no subdomain and no plain http can set such a cookie
    /// (RFC 6265bis §4.1.3.2). Loopback http cannot have that; there the port is in the name, since
    /// cookies do not see ports and two servers on one machine would take each other's.
    pub(crate) fn new(issuer: &Issuer) -> Self {
        let url = issuer.url();
        let secure = url.scheme() == "https";
        // No token has a slash (RFC 9110 §5.6.2), and no path of an issuer here has a plus.
        let path = url.path().trim_end_matches('/').replace('/', "+");
        let name = |what: &str| match secure {
            true => format!("__Host-hallpass-{what}{path}"),
            false => format!("hallpass-{what}-{}{path}", url.port_or_known_default().unwrap_or(80)),
        };
        Self { browser: name("browser"), session: name("session"), secure }
    }

    /// The browser that sent this request; a new one where it has no cookie.
    pub(crate) fn browser(&self, headers: &HeaderMap) -> Browser {
        match read(headers, &self.browser) {
            Some(token) => Browser { token, is_new: false },
            None => Browser { token: crate::random::token(), is_new: true },
        }
    }

    /// The session token that this request carries.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<String> {
        read(headers, &self.session)
    }

    /// Gives a new browser its cookie.
    pub(crate) fn keep_browser(&self, headers: &mut HeaderMap, browser: &Browser) {
        if browser.is_new {
            self.set(headers, &self.browser, &browser.token, BROWSER_LIFETIME);
        }
    }

    pub(crate) fn keep_session(&self, headers: &mut HeaderMap, token: &str, lifetime: Duration) {
        self.set(headers, &self.session, token, lifetime);
    }

    pub(crate) fn drop_session(&self, headers: &mut HeaderMap) {
        self.set(headers, &self.session, "", Duration::ZERO);
    }

    fn set(&self, headers: &mut HeaderMap, name: &str, value: &str, lifetime: Duration) {
        let cookie = format!(
            "{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}",
            lifetime.as_secs(),
            if self.secure { "; Secure" } else { "" }
        );
        // Names and values are ours, and plain ASCII.
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// A cookie's value, if it looks like one of ours and is there once. Twice means that someone planted one.
fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let value = values.next().filter(|value| is_token(value))?;
    values.next().is_none().then(|| value.to_owned())
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(issuer: &str) -> Cookies {
        Cookies::new(&Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn under_https_cookies_are_bound_to_the_host() {
        let cookies = cookies("https://auth.example");
        let mut headers = HeaderMap::new();
        cookies.keep_session(&mut headers, "x", Duration::from_secs(60));
        assert_eq!(
            headers[SET_COOKIE],
            "__Host-hallpass-session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn on_loopback_the_port_is_in_the_name() {
        let mut headers = HeaderMap::new();
        let browser = Browser { token: "x".to_owned(), is_new: true };
        cookies("http://localhost:8080").keep_browser(&mut headers, &browser);
        assert_eq!(
            headers[SET_COOKIE],
            "hallpass-browser-8080=x; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
        );
    }

    /// Several issuers at one host: what one sets is nothing to another, and nobody below the host sets it for them.
    #[test]
    fn the_issuers_path_is_in_the_name() {
        let token = crate::random::token();
        let mut headers = HeaderMap::new();
        let acme = cookies("https://auth.example/t/acme");
        acme.keep_session(&mut headers, &token, Duration::from_secs(60));
        let field = headers[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(
            field.starts_with("__Host-hallpass-session+t+acme=") && field.contains("; Path=/;"),
            "{field}"
        );
        let sent = HeaderMap::from_iter([(COOKIE, field.split(';').next().unwrap().parse().unwrap())]);
        assert_eq!(acme.session(&sent), Some(token));
        for other in ["https://auth.example", "https://auth.example/t", "https://auth.example/t/acme2"] {
            assert_eq!(cookies(other).session(&sent), None, "{other}");
        }
    }

    #[test]
    fn a_cookie_that_is_there_twice_counts_for_nothing() {
        let token = crate::random::token();
        let cookies = cookies("http://localhost:8080");
        let mut headers = HeaderMap::new();
        let one = format!("other=1; hallpass-session-8080={token}");
        headers.append(COOKIE, one.parse().unwrap());
        assert_eq!(cookies.session(&headers), Some(token.clone()));
        headers.append(COOKIE, one.parse().unwrap());
        assert_eq!(cookies.session(&headers), None);
    }

    #[test]
    fn a_cookie_of_another_shape_counts_for_nothing() {
        let cookies = cookies("http://localhost:8080");
        for value in ["", "short", &"ä".repeat(22), &"x".repeat(44)] {
            let mut headers = HeaderMap::new();
            let field = format!("hallpass-session-8080={value}");
            headers.append(COOKIE, HeaderValue::from_bytes(field.as_bytes()).unwrap());
            assert_eq!(cookies.session(&headers), None);
        }
    }
}
