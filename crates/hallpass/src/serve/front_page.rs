//! What a person sees who opens the server's address in a browser.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hallpass_authorization_server::plain_page;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};

use super::not_here::{Endpoint, Places};
use crate::config::PublicUrl;

/// `/`, and the icon that browsers ask for unasked; below the path of a tenant, its own page.
pub(super) fn router(origin: &PublicUrl, places: &Places) -> Router {
    let (name, markup) = (title(origin, places), markup(places));
    let front = get(async move || page(&name, &markup));
    if !places.base.is_empty() {
        return Router::new().route(&places.base, front.clone()).route(&format!("{}/", places.base), front);
    }
    let icon = get(async || (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "public, max-age=86400")]));
    Router::new().route("/", front).route("/favicon.ico", icon)
}

fn page(name: &str, markup: &str) -> Response {
    let mut page = plain_page(StatusCode::OK, name, markup);
    page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    page.into_response()
}

/// The server's name; where there are several, the host's.
fn title(origin: &PublicUrl, places: &Places) -> String {
    match places.endpoints.as_slice() {
        [one] => one.name.clone(),
        _ => origin.url().authority().to_owned(),
    }
}

/// Nothing that the metadata does not say as well.
fn markup(places: &Places) -> String {
    let (addresses, account) = (addresses(places), account(places));
    let (here, first) = match places.endpoints.as_slice() {
        [] => return format!("<p>There is no MCP server here.</p>{account}"),
        [one] => ("This is an MCP server, for apps and not for browsers. Add this address to your app", one),
        [first, ..] => {
            ("These are MCP servers, for apps and not for browsers. Add an address to your app", first)
        }
    };
    let first = escaped(&first.url);
    format!(
        "<p>{here}, which opens a page to sign in:</p>{addresses}\
         <p class=\"quiet small\">For an app that speaks only stdio: <code>hallpass connect {first}</code></p>{account}"
    )
}

/// What an app is told.
pub(super) fn addresses(places: &Places) -> String {
    let several = places.endpoints.len() > 1;
    let line = |endpoint: &Endpoint| {
        let url = escaped(&endpoint.url);
        match several {
            true => format!("<p>{}<br><code>{url}</code></p>", escaped(&endpoint.name)),
            false => format!("<p><code>{url}</code></p>"),
        }
    };
    let lines: Vec<String> = places.endpoints.iter().map(line).collect();
    format!("<div class=\"note\">{}</div>", lines.concat())
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

    fn endpoint(name: &str, path: &str) -> Endpoint {
        Endpoint {
            url: format!("https://mcp.example.com{path}"),
            path: path.to_owned(),
            name: name.to_owned(),
        }
    }

    async fn text(places: &Places) -> String {
        let origin = "https://mcp.example.com".parse().unwrap();
        let page = page(&title(&origin, places), &markup(places));
        let page = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
        String::from_utf8_lossy(&page).into_owned()
    }

    #[tokio::test]
    async fn a_name_is_text() {
        let evil = "<script>alert(1)</script>&\"'";
        let pages = Some("https://mcp.example.com".to_owned());
        let one = text(&Places {
            endpoints: vec![endpoint(evil, "/mcp")],
            pages: pages.clone(),
            ..Places::default()
        })
        .await;
        assert!(one.contains("https://mcp.example.com/mcp"));
        assert!(one.contains("href=\"https://mcp.example.com/account\""));
        let endpoints = vec![endpoint(evil, "/notes/mcp"), endpoint("Mail", "/mail/mcp")];
        let two = text(&Places { endpoints, pages, ..Places::default() }).await;
        assert!(two.contains("/notes/mcp") && two.contains("Mail<br><code>https://mcp.example.com/mail/mcp"));
        for page in [one, two] {
            assert!(!page.contains("<script>") && page.contains("alert(1)"));
        }
    }
}
