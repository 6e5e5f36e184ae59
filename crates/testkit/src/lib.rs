//! Fake time, in-process peers and fault injection for hallpass's own tests.
//!
//! | room | what is in it |
//! |---|---|
//! | [`clock`] | a clock that moves when it is told to |
//! | [`database`] | SQLite or PostgreSQL for tests |
//! | [`forgeries`] | tokens that are to be refused wherever a JWT enters |
//! | [`issuer`] | an issuer of access tokens, right ones and wrong ones |
//! | [`providers`] | what seven identity providers do otherwise, as their documents say, with that server |
//! | [`person`] | a person at a browser: cookies, redirects, forms |
//! | [`third_party`] | an identity provider that people are sent to |
//! | [`tls`] | certificates, and servers that ask for them |
//! | [`upstream`] | an MCP server to stand behind a gateway |
//! | [`authorization_server`] | a scripted authorization server and MCP server for the client's tests |

pub mod authorization_server;
pub mod clock;
#[cfg(unix)]
pub mod database;
pub mod forgeries;
pub mod issuer;
pub mod person;
pub mod providers;
pub mod third_party;
pub mod tls;
pub mod upstream;
