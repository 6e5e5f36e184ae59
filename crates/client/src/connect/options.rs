//! What a person may set about a bridge.

use super::tools::Tools;

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP; HTTP+SSE of 2024-11-05 where the server answers `initialize` with 400, 404 or 405
    /// (MCP 2025-11-25, "Backwards Compatibility").
    #[default]
    Auto,
    /// Streamable HTTP alone.
    Http,
    /// HTTP+SSE of 2024-11-05 alone.
    Sse,
}

/// Settings of a bridge; the default hides nothing and finds out the transport.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How the server is spoken to.
    pub transport: Transport,
    /// Which tools the local client sees and may call.
    pub tools: Tools,
}
