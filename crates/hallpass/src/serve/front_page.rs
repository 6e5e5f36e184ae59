//! What a person sees who opens the server's address in a browser.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'";

/// `/`, and the icon that browsers ask for unasked.
pub(super) fn router(name: &str, endpoint: &str) -> Router {
    let page = page(name, endpoint);
    let front = get(async move || {
        let headers = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (CACHE_CONTROL, "public, max-age=300"),
        ];
        (headers, page.clone()).into_response()
    });
    let icon = get(async || (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "public, max-age=86400")]));
    Router::new().route("/", front).route("/favicon.ico", icon)
}

/// Nothing that the metadata does not say as well.
fn page(name: &str, endpoint: &str) -> String {
    let (name, endpoint) = (escaped(name), escaped(endpoint));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{name}</title>\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}}\
         code{{overflow-wrap:anywhere}}</style>\
         <h1>{name}</h1>\
         <p>This is an MCP server, for apps and not for browsers. Add this address to your app, \
         which opens a page to log in:</p><p><code>{endpoint}</code></p>\
         <p>For an app that speaks only stdio: <code>hallpass connect {endpoint}</code></p>\
         <p><small>Protected by hallpass.</small></p>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text() {
        let page = page("<script>alert(1)</script>&\"'", "https://mcp.example.com/mcp");
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
        assert!(page.contains("https://mcp.example.com/mcp"));
    }
}
