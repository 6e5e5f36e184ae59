//! An OAuth 2.1 authorization server for MCP, as an axum router.
