//! The way from a browser's command line to the authorization URL.
//!
//! Everyone on the machine can read the arguments of a program, and the authorization URL holds `state`. So a browser
//! is started with an address of this login's own listener, which sends it on: the first browser that comes, and that one
//! again, known by a cookie, for as long as the login waits. Any other ends the login: one of the two is not the person's.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hallpass_protocol::secret::Secret;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, header};
use url::Url;

use super::{LaunchUrl, callback::page};

/// The cookie of the browser that came first.
const COOKIE: &str = "hallpass_login";

/// One login's beginning.
pub(super) struct Start {
    path: String,
    pass: Secret,
    target: LaunchUrl,
    opened: AtomicBool,
    contested: AtomicBool,
}

impl Start {
    pub(super) fn new(target: LaunchUrl) -> Self {
        let random = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        let (path, pass) = (format!("/login/{}", random()), Secret::new(random()));
        Self { path, pass, target, opened: AtomicBool::new(false), contested: AtomicBool::new(false) }
    }

    /// Whether someone else than the first opener has opened it.
    pub(super) fn is_contested(&self) -> bool {
        self.contested.load(Ordering::Relaxed)
    }

    /// The address to start a browser with, at the listener of this redirect URI.
    pub(super) fn url(&self, redirect_uri: &str) -> Option<LaunchUrl> {
        let own = Url::parse(redirect_uri).ok()?.join(&self.path).ok()?;
        LaunchUrl::check(own.as_str()).ok()
    }

    /// The answer, where the request is for this address.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        if request.uri().path() != self.path {
            return None;
        }
        if request.method() != Method::GET {
            return Some(page(StatusCode::METHOD_NOT_ALLOWED, "Log in", "A browser is awaited here."));
        }
        // It has not been opened until a person sees it.
        if is_prefetch(request) {
            return Some(page(StatusCode::SERVICE_UNAVAILABLE, "Log in", "Open this address."));
        }
        if !self.is_known(request) && self.opened.swap(true, Ordering::Relaxed) {
            self.contested.store(true, Ordering::Relaxed);
            return Some(page(
                StatusCode::GONE,
                "This address was opened already",
                "The login was ended, since someone else has opened its address. Go back to where you started it, and start it again.",
            ));
        }
        let mut response = page(StatusCode::FOUND, "Log in", "You are sent on.");
        let cookie =
            format!("{COOKIE}={}; Path={}; HttpOnly; SameSite=Strict", self.pass.expose(), self.path);
        for (name, value) in [(header::LOCATION, self.target.as_str()), (header::SET_COOKIE, &cookie)] {
            response.headers_mut().insert(name, value.parse().ok()?);
        }
        Some(response)
    }

    fn is_known<B>(&self, request: &Request<B>) -> bool {
        let fields = request.headers().get_all(header::COOKIE).into_iter();
        let cookies = fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split("; "));
        cookies
            .filter_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
            .any(|value| Secret::new(value) == self.pass)
    }
}

fn is_prefetch<B>(request: &Request<B>) -> bool {
    let names = ["sec-purpose", "purpose", "x-moz"];
    let values = names.iter().filter_map(|name| request.headers().get(*name)?.to_str().ok());
    values.into_iter().any(|value| value.contains("prefetch"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Start {
        let target = LaunchUrl::check("https://as.example/authorize").unwrap();
        Start::new(target.with_query([("state", "canary")]))
    }

    fn ask(start: &Start, method: &str, field: Option<(&str, &str)>) -> Response<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(&start.path);
        if let Some((name, value)) = field {
            request = request.header(name, value);
        }
        start.answer(&request.body(()).unwrap()).unwrap()
    }

    #[test]
    fn the_address_tells_nothing_and_leads_to_the_whole_one() {
        let start = start();
        let url = start.url("http://127.0.0.1:7/callback").unwrap();
        assert!(url.as_str().starts_with("http://127.0.0.1:7/login/") && !url.as_str().contains("canary"));
        assert_eq!(url.url().path(), start.path);
        assert!(start.url("http://[::1]:7/callback").is_some() && start.url("http://localhost:7/").is_some());
        let answer = ask(&start, "GET", None);
        assert_eq!(answer.status(), StatusCode::FOUND);
        assert_eq!(answer.headers()["location"], "https://as.example/authorize?state=canary");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    }

    #[test]
    fn the_first_browser_may_come_again_and_another_may_not() {
        let start = start();
        for (method, field) in [("HEAD", None), ("POST", None), ("GET", Some(("sec-purpose", "prefetch")))] {
            let answer = ask(&start, method, field);
            assert!(answer.headers().get("location").is_none(), "{method}: {}", answer.status());
        }
        let first = ask(&start, "GET", None);
        let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        for _ in 0..2 {
            assert_eq!(ask(&start, "GET", Some(("cookie", &cookie))).status(), StatusCode::FOUND);
            for other in [None, Some(("cookie", "hallpass_login=")), Some(("cookie", "hallpass_login=x"))] {
                let answer = ask(&start, "GET", other);
                assert_eq!((answer.status(), start.is_contested()), (StatusCode::GONE, true));
                assert!(
                    answer.headers().get("location").is_none()
                        && answer.headers().get("set-cookie").is_none()
                );
            }
        }
    }

    #[test]
    fn other_addresses_are_not_its_own() {
        let start = start();
        for path in ["/callback", "/login/", "/login/x"] {
            assert!(start.answer(&Request::builder().uri(path).body(()).unwrap()).is_none(), "{path}");
        }
    }
}
