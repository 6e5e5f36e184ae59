//! What browsers may do (Fetch, "HTTP-CORS protocol"). No cookie is ever meant, so any origin that
//! the front door lets in may read answers.

use std::time::Duration;

use http::Method;
use http::header::{HeaderName, WWW_AUTHENTICATE};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

pub use tower_http::cors::Cors;

/// For the MCP endpoint: preflight is answered without asking for a token, since browsers send none
/// with it. Request headers are allowed as asked for: a tool's parameters may come as
/// `Mcp-Param-…` of any name (MCP 2026-07-28, streamable HTTP, "Custom Headers").
pub fn endpoint() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            WWW_AUTHENTICATE,
            HeaderName::from_static("mcp-session-id"),
            HeaderName::from_static("mcp-protocol-version"),
        ])
        .max_age(Duration::from_secs(3600))
}

/// For public documents.
pub fn document() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(AllowHeaders::mirror_request())
        .max_age(Duration::from_secs(3600))
}
