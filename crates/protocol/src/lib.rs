//! The words of the RFCs behind MCP authorization: pure types and rules, no I/O, no clock, no runtime.
