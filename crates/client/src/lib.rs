//! An OAuth 2.1 client for MCP: discover → register → authorize → redeem → store → retry.
//!
//! | room | step | source |
//! |---|---|---|
//! | [`Client`] | send, notice 401 and 403, cure, send again | MCP authorization, all revisions |
//! | `discover` | challenge → resource metadata → authorization server metadata | RFC 9728, RFC 8414, MCP 2025-03-26 |
//! | `register` | pre-registered → metadata document → dynamic → tell the person | RFC 7591, CIMD |
//! | `authorize` | PKCE, state, resource, scope, issuer | RFC 7636, RFC 8707, RFC 9207 |
//! | [`interaction`] | a person's browser and the loopback callback | RFC 8252 |
//! | `redeem`, `refresh` | code and refresh token → access token | RFC 6749 |
//! | `grants` | tokens without a person, see [`Mode`] | RFC 6749 §4.4, RFC 7523, SEP-990, SEP-1933 |
//! | `dpop` | tokens bound to a key, see [`DpopUse`] | RFC 9449, SEP-1932 |
//! | [`store`] | memory, file; atomic, shared by processes | |
//! | [`connect`] | stdio MCP in, streamable HTTP out | MCP transports |
//! | `tower` | a layer for any HTTP client; feature `tower` | |
//! | `rmcp` | the HTTP client of an rmcp client; feature `rmcp` | MCP transports |
//! | [`doctor`] | why a login fails, step by step | all of the above |
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hallpass_client::{Client, interaction::Browser, store::FileStore};
//!
//! let client = Client::builder("https://mcp.example.com/mcp")?
//!     .client_name("My tool")
//!     .store(FileStore::new("/home/me/.config/my-tool/tokens.json"))
//!     .interaction(Browser::new())
//!     .build()?;
//! let request = reqwest::Request::new(reqwest::Method::GET, client.server().url().clone());
//! let response = client.send(request).await?; // logs in if the server asks for it
//! # drop(response); Ok(()) }
//! ```

pub mod connect;
pub mod doctor;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod interaction;
#[cfg(feature = "rmcp")]
pub mod rmcp;
pub mod store;
#[cfg(feature = "tower")]
pub mod tower;

mod accounts;
mod authorize;
mod client;
mod device;
mod discover;
mod dpop;
mod error;
mod fetched;
mod grants;
mod issued;
mod mode;
mod redeem;
mod refresh;
mod register;
mod same_machine;
mod secret_source;
mod token_endpoint;
mod unreached;

pub use accounts::{AccountSummary, accounts};
pub use client::{AccessToken, BuildError, Builder, Client, LoggedOut, Login, Revocation, TokenType};
pub use dpop::{DpopKey, DpopUse};
pub use error::{Error, InteractionError, Rule, Step};
pub use mode::{
    ClientAuthentication, ClientCredentials, EnterpriseManaged, IdentityProvider, MachineClient, Mode,
    WorkloadIdentity,
};
pub use profile::{Endpoints, LoopbackPort, People, Profile, ProfileError};
pub use register::Preregistered;
pub use secret_source::SecretSource;
pub use token_endpoint::{AssertionSigner, PrivateKey, SignerError};

use hallpass_protocol::profile;

/// The words of the RFCs: what stores, interactions and signers of one's own are made of.
pub use hallpass_protocol as protocol;

/// How addresses that servers name are fetched, for [`Builder::fetch_policy`].
pub use hallpass_guarded_fetch::Policy as FetchPolicy;

/// The guide's examples are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/client-in-rust.md")]
struct Guide;
