//! A person at a browser: keeps cookies, follows redirects, reads pages and submits their forms.
//!
//! Redirects are followed inside one origin only. The first one that leaves it, which in OAuth is
//! the way back to the client, is kept for the test to look at: [`Page::location`].
//!
//! ```no_run
//! # async fn example() {
//! use hallpass_testkit::person::Person;
//! let person = Person::new();
//! let login = person.open("http://127.0.0.1:8080/authorize?client_id=app").await;
//! let consent = login.form().set("username", "ada").set("password", "a password").submit().await;
//! let back = consent.form().press("decision", "allow").submit().await;
//! let code = back.location_param("code");
//! # }
//! ```
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test's browser fails loudly, with the page that surprised it"
)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method, StatusCode, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

/// More redirects than this inside one origin are a loop.
const REDIRECT_LIMIT: usize = 20;

/// A browser with cookies of its own. Clones share the cookie jar, as tabs do.
#[derive(Clone)]
pub struct Person {
    http: reqwest::Client,
    jar: Arc<Mutex<Vec<Cookie>>>,
}

/// Every name below `localhost` is this machine (RFC 6761 §6.3), which browsers know and not every system does.
struct LikeBrowsers;

impl Resolve for LikeBrowsers {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = if name.as_str().ends_with(".localhost") { "127.0.0.1" } else { name.as_str() };
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// One cookie, with the host that set it. Ports do not matter, as in browsers (RFC 6265 §8.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The host that set it.
    pub host: String,
    /// The name, with its prefix.
    pub name: String,
    /// The value.
    pub value: String,
    /// The attributes as they were sent, lower-cased: `httponly`, `samesite=lax`, ….
    pub attributes: Vec<String>,
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}

impl Person {
    /// A browser with an empty cookie jar.
    #[must_use]
    pub fn new() -> Self {
        Self::with(reqwest::Client::builder())
    }

    /// The same with a connection for each request: behind one address there may be several servers.
    #[must_use]
    pub fn restless() -> Self {
        Self::with(reqwest::Client::builder().pool_max_idle_per_host(0))
    }

    fn with(http: reqwest::ClientBuilder) -> Self {
        let http = http.redirect(reqwest::redirect::Policy::none()).dns_resolver(Arc::new(LikeBrowsers));
        let http = http.build().expect("an HTTP client without redirects can be built");
        Self { http, jar: Arc::default() }
    }

    /// Types a URL into the address bar.
    pub async fn open(&self, url: impl AsRef<str>) -> Page {
        let url = Url::parse(url.as_ref()).expect("the person opens a URL");
        self.browse(Method::GET, url, None, "none").await
    }

    /// Follows a link or a redirect of another site.
    pub async fn arrive(&self, url: impl AsRef<str>) -> Page {
        let url = Url::parse(url.as_ref()).expect("the person arrives at a URL");
        self.browse(Method::GET, url, None, "cross-site").await
    }

    /// The cookies held now.
    #[must_use]
    pub fn cookies(&self) -> Vec<Cookie> {
        self.jar().clone()
    }

    /// Changes the value of every cookie of this name, as a tamperer would.
    pub fn tamper(&self, name: &str, value: &str) {
        for cookie in self.jar().iter_mut().filter(|cookie| cookie.name == name) {
            value.clone_into(&mut cookie.value);
        }
    }

    /// Throws all cookies away.
    pub fn forget(&self) {
        self.jar().clear();
    }

    fn jar(&self) -> MutexGuard<'_, Vec<Cookie>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn browse(
        &self,
        mut method: Method,
        mut url: Url,
        mut body: Option<Vec<(String, String)>>,
        site: &str,
    ) -> Page {
        let mut origin = None;
        for _ in 0..REDIRECT_LIMIT {
            let mut request = self
                .http
                .request(method.clone(), url.clone())
                .header("sec-fetch-site", site)
                .header("sec-fetch-mode", "navigate");
            if let Some(cookies) = self.cookie_header(&url) {
                request = request.header(header::COOKIE, cookies);
            }
            if let Some(fields) = body.take() {
                let own = origin.get_or_insert_with(|| url.origin().ascii_serialization());
                request = request.header(header::ORIGIN, own.as_str()).form(&fields);
            }
            let response = request.send().await.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
            self.keep_cookies(&url, response.headers());
            let page = Page {
                person: self.clone(),
                status: response.status(),
                headers: response.headers().clone(),
                url: url.clone(),
                body: response.text().await.unwrap_or_default(),
            };
            match page.location() {
                Some(next) if page.status.is_redirection() && next.origin() == url.origin() => {
                    method = Method::GET;
                    url = next;
                }
                _ => return page,
            }
        }
        panic!("more than {REDIRECT_LIMIT} redirects, now at {url}");
    }

    fn cookie_header(&self, url: &Url) -> Option<String> {
        let host = url.host_str()?;
        let pairs: Vec<String> = self
            .jar()
            .iter()
            .filter(|cookie| cookie.host == host)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep_cookies(&self, url: &Url, headers: &HeaderMap) {
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut jar = self.jar();
        for field in headers.get_all(header::SET_COOKIE) {
            let Ok(text) = field.to_str() else { continue };
            let mut parts = text.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
            jar.retain(|cookie| !(cookie.host == host && cookie.name == name));
            if !attributes.iter().any(|attribute| attribute == "max-age=0") {
                jar.push(Cookie {
                    host: host.clone(),
                    name: name.to_owned(),
                    value: value.to_owned(),
                    attributes,
                });
            }
        }
    }
}

/// What the browser shows, or the redirect that would lead out of the site.
pub struct Page {
    person: Person,
    status: StatusCode,
    headers: HeaderMap,
    url: Url,
    body: String,
}

impl Page {
    /// The status of the last answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Where this page is.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A header of the last answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The page's source.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.body
    }

    /// Where the answer redirects to, made absolute.
    #[must_use]
    pub fn location(&self) -> Option<Url> {
        self.header("location").and_then(|text| self.url.join(text).ok())
    }

    /// A query parameter of [`Page::location`].
    #[must_use]
    pub fn location_param(&self, name: &str) -> Option<String> {
        self.location()?.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Where the link leads that begins with these words.
    #[must_use]
    pub fn link(&self, words: &str) -> Option<Url> {
        let link = self.body.split("<a ").skip(1).find_map(|link| {
            let (tag, rest) = link.split_once('>')?;
            rest.starts_with(words).then(|| attribute(&format!(" {tag}"), "href")).flatten()
        });
        self.url.join(&link?).ok()
    }

    /// Follows the link that begins with these words.
    pub async fn follow(&self, words: &str) -> Page {
        let url = self.link(words);
        let url = url.unwrap_or_else(|| panic!("no link {words:?} at {}:\n{}", self.url, self.body));
        self.person.browse(Method::GET, url, None, "same-origin").await
    }

    /// All forms of the page, in order.
    #[must_use]
    pub fn forms(&self) -> Vec<Form> {
        read_forms(&self.body)
            .into_iter()
            .map(|(action, fields, buttons)| Form {
                person: self.person.clone(),
                target: action
                    .filter(|action| !action.is_empty())
                    .and_then(|action| self.url.join(&action).ok())
                    .unwrap_or_else(|| self.url.clone()),
                fields,
                buttons,
            })
            .collect()
    }

    /// The first form. Fails the test where there is none, and shows the page.
    #[must_use]
    pub fn form(&self) -> Form {
        self.forms().into_iter().next().unwrap_or_else(|| {
            panic!(
                "no form at {} (status {}, location {:?}):\n{}",
                self.url,
                self.status,
                self.header("location"),
                self.body
            )
        })
    }
}

/// A form that is being filled in.
#[derive(Clone)]
pub struct Form {
    person: Person,
    target: Url,
    fields: Vec<(String, String)>,
    buttons: Vec<(String, String)>,
}

impl Form {
    /// Where the form goes.
    #[must_use]
    pub fn target(&self) -> &Url {
        &self.target
    }

    /// The names and values that would be sent.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The named submit buttons, as name and value.
    #[must_use]
    pub fn buttons(&self) -> &[(String, String)] {
        &self.buttons
    }

    /// Fills a field in, adding it where the form has none of that name.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Presses the button with this name and value. The page has to have it.
    #[must_use]
    pub fn press(self, name: &str, value: &str) -> Self {
        let wanted = (name.to_owned(), value.to_owned());
        assert!(self.buttons.contains(&wanted), "no button {name}={value}; there are {:?}", self.buttons);
        self.set(name, value)
    }

    /// Sends the form, as the browser that opened the page.
    pub async fn submit(self) -> Page {
        let person = self.person.clone();
        self.submit_as(&person).await
    }

    /// Sends the form, and says yes to the page that asks whether it is meant.
    pub async fn submit_and_confirm(self) -> Page {
        let question = self.submit().await;
        let form = question.form();
        let asked = form.fields().iter().any(|(name, _)| name == "confirmed");
        assert!(asked, "nothing was asked:\n{}", question.text());
        form.submit().await
    }

    /// Sends the form from another browser, with that browser's cookies.
    pub async fn submit_as(self, person: &Person) -> Page {
        person.browse(Method::POST, self.target, Some(self.fields), "same-origin").await
    }
}

type ReadForm = (Option<String>, Vec<(String, String)>, Vec<(String, String)>);

/// Finds forms in well-formed HTML, as hallpass's own templates are: no scripts, quoted attributes.
fn read_forms(html: &str) -> Vec<ReadForm> {
    let mut forms: Vec<ReadForm> = Vec::new();
    let mut inside = false;
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let name: String =
            tag.chars().take_while(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        let value = || attribute(tag, "value").unwrap_or_default();
        match (name.as_str(), forms.last_mut()) {
            ("form", _) => {
                inside = true;
                forms.push((attribute(tag, "action"), Vec::new(), Vec::new()));
            }
            ("/form", _) => inside = false,
            ("input", Some((_, fields, _))) if inside => {
                let kind = attribute(tag, "type").unwrap_or_default();
                let unchecked = matches!(kind.as_str(), "checkbox" | "radio")
                    && !tag.split_whitespace().any(|word| word.starts_with("checked"));
                if let Some(field) = attribute(tag, "name").filter(|_| !unchecked) {
                    fields.push((field, value()));
                }
            }
            ("button", Some((_, _, buttons))) if inside => {
                if let Some(button) = attribute(tag, "name") {
                    buttons.push((button, value()));
                }
            }
            _ => {}
        }
    }
    forms
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = format!(" {name}=\"");
    let flat = tag.replace(['\n', '\t'], " ");
    let rest = &flat[flat.find(&start)? + start.len()..];
    Some(unescape(&rest[..rest.find('"')?]))
}

/// Undoes the character references that templates write.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').unwrap_or(0);
        let character = match &rest[..end] {
            "&amp" => Some('&'),
            "&lt" => Some('<'),
            "&gt" => Some('>'),
            "&quot" => Some('"'),
            reference => reference.strip_prefix("&#").and_then(|number| {
                match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => number.parse().ok(),
                }
                .and_then(char::from_u32)
            }),
        };
        match character {
            Some(character) => {
                plain.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hidden_fields_buttons_and_character_references() {
        let html = r#"<p>x</p><form method="post" action="/go?a=1&#38;b=2">
            <input type="hidden" name="csrf" value="a&#34;b&amp;c">
            <input type="checkbox" name="off" value="1">
            <input name="username" id="u"><button name="decision" value="allow">Yes</button></form>
            <input name="outside">"#;
        let forms = read_forms(html);
        assert_eq!(forms.len(), 1);
        let (action, fields, buttons) = &forms[0];
        assert_eq!(action.as_deref(), Some("/go?a=1&b=2"));
        assert_eq!(
            fields,
            &[("csrf".to_owned(), "a\"b&c".to_owned()), ("username".to_owned(), String::new())]
        );
        assert_eq!(buttons, &[("decision".to_owned(), "allow".to_owned())]);
    }

    #[test]
    fn a_lone_ampersand_stays() {
        assert_eq!(unescape("a & b &unknown; &#x41;"), "a & b &unknown; A");
    }
}
