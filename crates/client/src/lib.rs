//! An OAuth 2.1 client for MCP: discover, register, authorize, redeem, refresh, store.
