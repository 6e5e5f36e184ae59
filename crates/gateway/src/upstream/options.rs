//! How an HTTP server behind is spoken to.

use super::tls::UpstreamTls;

/// How an HTTP server behind is spoken to, where that is not as usual.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// TLS of one's own: with authorities that the system does not know, or with a certificate to show.
    pub tls: Option<UpstreamTls>,
    /// What carries messages.
    pub transport: Transport,
    /// What carries that.
    pub version: HttpVersion,
}

/// What carries messages of MCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP, of every revision.
    #[default]
    StreamableHttp,
    /// HTTP+SSE of 2024-11-05, for clients that speak it too.
    Sse,
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1. Each request under way has a connection of its own, so that none can hold up another.
    #[default]
    Http1,
    /// HTTP/2. Over TLS where upstream takes it (ALPN, RFC 7301), and else HTTP/1.1; without TLS nobody is asked (RFC 9113
    /// §3.3, "prior knowledge").
    Http2,
}
