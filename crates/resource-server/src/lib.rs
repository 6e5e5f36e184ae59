//! A tower layer that makes any Rust MCP server an OAuth 2.1 protected resource.
