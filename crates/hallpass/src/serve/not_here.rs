//! Where nothing is: a page for people, JSON for programs; both say what was probably meant.

use axum::Router;
use axum::response::{IntoResponse, Response};
use hallpass_authorization_server::plain_page;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode, Uri};

use super::front_page::{account, addresses, escaped};

/// Of a path that a stranger chose, no more characters are repeated.
const LONGEST: usize = 80;
/// The pages that people type by hand.
const PAGES: [&str; 3] = ["/account", "/admin", "/device"];

/// What there is at an origin, or below a path of it, for whoever looks in the wrong place.
#[derive(Default)]
pub(super) struct Places {
    /// The path below which all of it is, without a slash at the end.
    pub(super) base: String,
    /// The MCP endpoints.
    pub(super) endpoints: Vec<Endpoint>,
    /// Nothing of it can be served at this moment.
    pub(super) is_away: bool,
    /// Where people have pages, if they have any: the issuer.
    pub(super) pages: Option<String>,
}

/// An MCP endpoint.
pub(super) struct Endpoint {
    /// As clients know it.
    pub(super) url: String,
    /// Its path.
    pub(super) path: String,
    /// What people call the server.
    pub(super) name: String,
}

impl Places {
    /// Whether a path is one of theirs.
    fn has(&self, path: &str) -> bool {
        let below = path.strip_prefix(&self.base);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// A page for people.
    pub(super) fn page(&self, path: &str) -> Option<String> {
        self.pages.as_ref().map(|origin| format!("{origin}{path}"))
    }

    /// In one sentence, for programs.
    fn said(&self) -> String {
        let urls: Vec<&str> = self.endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
        match urls.as_slice() {
            [] => "there is no MCP endpoint at this host".to_owned(),
            [one] => format!("the MCP endpoint is {one}"),
            several => format!("the MCP endpoints are {}", several.join(", ")),
        }
    }
}

/// The same router, which answers wherever nothing else does: below the path of a tenant with what that tenant has, and with
/// nothing of another.
pub(super) fn beside(router: Router, mut places: Vec<Places>) -> Router {
    places.sort_by_key(|places| std::cmp::Reverse(places.base.len()));
    let places = std::sync::Arc::new(places);
    router.fallback(async move |uri: Uri, headers: HeaderMap| {
        match places.iter().find(|places| places.has(about(uri.path()))) {
            Some(places) if places.is_away => away(),
            Some(places) => nothing(places, uri.path(), &headers),
            None => nothing(&Places::default(), uri.path(), &headers),
        }
    })
}

/// The path that a path is about: of a well-known document, what stands behind its name (RFC 8414 §3.1, RFC 9728 §3.1).
fn about(path: &str) -> &str {
    let document = path.strip_prefix("/.well-known/");
    document.map_or(path, |document| document.find('/').and_then(|at| document.get(at..)).unwrap_or("/"))
}

/// Its database does not answer, so nobody knows who may do what.
fn away() -> Response {
    let said = "the database of this server does not answer at this moment; try again soon";
    let body = serde_json::json!({ "error": "temporarily_unavailable", "error_description": said });
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (RETRY_AFTER, "5")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, body.to_string()).into_response()
}

fn nothing(places: &Places, path: &str, headers: &HeaderMap) -> Response {
    let path: String = path.chars().take(LONGEST).collect();
    match wants_a_page(headers) {
        true => page(places, &path),
        false => json(places, &path),
    }
}

/// RFC 9110 §12.5.1, as far as it matters: browsers name HTML, programs do not.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(ACCEPT).iter().filter_map(|kinds| kinds.to_str().ok());
    kinds.any(|kinds| kinds.to_ascii_lowercase().contains("text/html"))
}

/// The place whose path differs by capitals and by slashes alone.
fn meant(places: &Places, path: &str) -> Option<String> {
    let plain = |path: &str| {
        let words = path.split('/').filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect::<Vec<_>>()
    };
    let asked = plain(path);
    if let Some(endpoint) = places.endpoints.iter().find(|endpoint| asked == plain(&endpoint.path)) {
        return Some(endpoint.url.clone());
    }
    let page = PAGES.into_iter().find(|page| asked == plain(&format!("{}{page}", places.base)))?;
    places.page(page)
}

/// In what the path that was asked for differs from the one that was meant.
fn how(path: &str) -> &'static str {
    if path.ends_with('/') { "without a slash at the end" } else { "letter by letter" }
}

fn json(places: &Places, path: &str) -> Response {
    let says = match meant(places, path) {
        Some(meant) => {
            format!("there is nothing at {path}; you probably mean {meant}, {}", how(path))
        }
        None => format!("there is nothing at {path}; {}", places.said()),
    };
    let body = serde_json::json!({ "error": "not_found", "error_description": says });
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::NOT_FOUND, headers, body.to_string()).into_response()
}

fn page(places: &Places, path: &str) -> Response {
    let meant = meant(places, path);
    let is_endpoint = places.endpoints.iter().any(|endpoint| meant.as_ref() == Some(&endpoint.url));
    let how = how(path);
    let (path, meant) = (escaped(path), meant.map(|meant| escaped(&meant)));
    let meant = match meant {
        Some(meant) if is_endpoint => {
            format!(
                "<p>You probably mean this address, {how}. It is for apps, not for browsers:</p><div class=\"note\"><p><code>{meant}</code></p></div>"
            )
        }
        Some(meant) => format!("<p>You probably mean <a href=\"{meant}\">{meant}</a>.</p>"),
        None if places.endpoints.is_empty() => String::new(),
        None => format!("<p>For an app, the address of this server is</p>{}", addresses(places)),
    };
    let account = account(places);
    let markup = format!("<p>This server has no page at <code>{path}</code>.</p>{meant}{account}");
    plain_page(StatusCode::NOT_FOUND, "There is nothing here", &markup)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let endpoint = |path: &str| Endpoint {
            url: format!("https://mcp.example.com{path}"),
            path: path.to_owned(),
            name: "Notes".to_owned(),
        };
        let pages = Some("https://mcp.example.com".to_owned());
        Places { endpoints: vec![endpoint("/notes/mcp")], pages, ..Places::default() }
    }

    async fn body(response: Response) -> String {
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn browser() -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8".parse().unwrap())])
    }

    #[test]
    fn what_was_probably_meant_is_known() {
        let endpoint = places().endpoints.remove(0).url;
        for path in ["/notes/mcp/", "//notes/mcp", "/Notes/MCP", "/notes/mcp//"] {
            assert_eq!(meant(&places(), path).as_ref(), Some(&endpoint), "{path}");
        }
        assert_eq!(meant(&places(), "/Account/").as_deref(), Some("https://mcp.example.com/account"));
        assert_eq!(meant(&Places { pages: None, ..places() }, "/account/"), None);
        for path in ["/", "/notes", "/mcp", "/notes/mcp/x", "/sse"] {
            assert_eq!(meant(&places(), path), None, "{path}");
        }
    }

    #[test]
    fn a_well_known_document_is_about_a_path() {
        let of = |base: &str| Places { base: base.to_owned(), ..Places::default() };
        for (path, is_of) in [
            ("/t/acme", true),
            ("/t/acme/notes/mcp", true),
            ("/.well-known/oauth-protected-resource/t/acme/notes/mcp", true),
            ("/.well-known/oauth-authorization-server/t/acme", true),
            ("/t/acme2", false),
            ("/.well-known/oauth-authorization-server", false),
            ("/.well-known/t/acme2", false),
        ] {
            assert_eq!(of("/t/acme").has(about(path)), is_of, "{path}");
            assert!(of("").has(about(path)), "{path}");
        }
    }

    #[tokio::test]
    async fn several_endpoints_are_all_told() {
        let mut places = places();
        let mail = Endpoint {
            url: "https://mcp.example.com/mail/mcp".into(),
            path: "/mail/mcp".into(),
            name: "M".into(),
        };
        places.endpoints.push(mail);
        assert_eq!(meant(&places, "/MAIL/mcp/").as_deref(), Some("https://mcp.example.com/mail/mcp"));
        let said = body(nothing(&places, "/mcp", &HeaderMap::new())).await;
        assert!(
            said.contains(
                "the MCP endpoints are https://mcp.example.com/notes/mcp, https://mcp.example.com/mail/mcp"
            ),
            "{said}"
        );
        let page = body(nothing(&places, "/mcp", &browser())).await;
        assert!(page.contains("/notes/mcp") && page.contains("/mail/mcp"), "{page}");
    }

    #[tokio::test]
    async fn programs_get_json() {
        let said = body(nothing(&places(), "/notes/mcp/", &HeaderMap::new())).await;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["error"], "not_found");
        let says = said["error_description"].as_str().unwrap();
        assert!(
            says.contains("you probably mean https://mcp.example.com/notes/mcp, without a slash"),
            "{says}"
        );
        let event_stream =
            HeaderMap::from_iter([(ACCEPT, "application/json, text/event-stream".parse().unwrap())]);
        let said = body(nothing(&places(), "/sse", &event_stream)).await;
        assert!(
            said.starts_with('{') && said.contains("the MCP endpoint is https://mcp.example.com/notes/mcp")
        );
    }

    #[tokio::test]
    async fn people_get_a_page() {
        let said = body(nothing(&places(), "/admin/", &browser())).await;
        assert!(said.contains("<a href=\"https://mcp.example.com/admin\">"), "{said}");
        let said = body(nothing(&places(), "/notes/mcp/", &browser())).await;
        assert!(said.contains("without a slash at the end"), "{said}");
    }

    #[tokio::test]
    async fn what_a_stranger_typed_is_text_and_short() {
        let path = format!("/<script>alert(1)</script>{}", "x".repeat(500));
        let said = body(nothing(&places(), &path, &browser())).await;
        assert!(
            !said.contains("<script>") && said.contains("&lt;script&gt;") && !said.contains(&"x".repeat(100))
        );
    }
}
