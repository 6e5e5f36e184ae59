//! MCP servers to stand behind a gateway.
