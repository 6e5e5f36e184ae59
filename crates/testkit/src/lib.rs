//! Fake time, in-process peers and fault injection for hallpass's own tests.
//!
//! | room | what is in it |
//! |---|---|
//! | [`clock`] | a clock that moves when it is told to |
//! | [`person`] | a person at a browser: cookies, redirects, forms |
//! | [`upstream`] | MCP servers to stand behind a gateway, over HTTP and stdio |
//! | [`authorization_server`] | a scripted authorization server and MCP server for the client's tests |

pub mod authorization_server;
pub mod clock;
pub mod person;
pub mod upstream;
