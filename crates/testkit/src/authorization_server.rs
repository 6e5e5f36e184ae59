//! A scripted authorization server, with the MCP server that it guards, for the client's tests.
