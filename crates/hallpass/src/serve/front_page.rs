//! What a person sees who opens the server's address in a browser.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hallpass_authorization_server::plain_page;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};

use super::not_here::Places;

/// `/`, and the icon that browsers ask for unasked.
pub(super) fn router(name: &str, places: &Places) -> Router {
    let (name, markup) = (name.to_owned(), markup(places));
    let front = get(async move || page(&name, &markup));
    let icon = get(async || (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "public, max-age=86400")]));
    Router::new().route("/", front).route("/favicon.ico", icon)
}

fn page(name: &str, markup: &str) -> Response {
    let mut page = plain_page(StatusCode::OK, name, markup);
    page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    page.into_response()
}

/// Nothing that the metadata does not say as well.
fn markup(places: &Places) -> String {
    let endpoint = escaped(&places.endpoint);
    let account = account(places);
    format!(
        "<p>This is an MCP server, for apps and not for browsers. Add this address to your app, which opens a page to sign in:</p>\
         <div class=\"note\"><p><code>{endpoint}</code></p></div>\
         <p class=\"quiet small\">For an app that speaks only stdio: <code>hallpass connect {endpoint}</code></p>{account}"
    )
}

/// The way to the person's own page, where there is one.
pub(super) fn account(places: &Places) -> String {
    match places.page("/account") {
        Some(account) => format!(
            "<p class=\"quiet small\">To see or end what your apps may do here: <a href=\"{}\">your account</a>.</p>",
            escaped(&account)
        ),
        None => String::new(),
    }
}

/// Text in markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_text() {
        let places = Places {
            endpoint: "https://mcp.example.com/mcp".to_owned(),
            path: "/mcp".to_owned(),
            has_pages: true,
        };
        let page = page("<script>alert(1)</script>&\"'", &markup(&places));
        let page = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
        let page = String::from_utf8_lossy(&page);
        assert!(!page.contains("<script>") && page.contains("alert(1)"));
        assert!(page.contains("https://mcp.example.com/mcp"));
        assert!(page.contains("href=\"https://mcp.example.com/account\""));
    }
}
