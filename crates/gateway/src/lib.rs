//! Carries permitted MCP requests to any upstream, over HTTP or stdio, untouched.
