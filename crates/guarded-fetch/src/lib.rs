//! Fetches URLs that someone else chose: scheme, address, redirects, size and time are guarded.
//!
//! A metadata document, a `jwks_uri`, a client id that is a URL: each is an address that a
//! stranger writes down and that hallpass then connects to, from inside the operator's network.
//! The rules:
//!
//! 1. `https`; plain `http` to this very machine alone, and only where [`Policy::allow_loopback`]
//!    says so. No user name or password in the URL.
//! 2. Public addresses only ([`address`]), whether the host is a literal in any spelling or a
//!    name. Names are resolved by a resolver of ours, inside the HTTP client: the address that was
//!    checked is the address that is connected to, so a second DNS answer changes nothing.
//! 3. No redirect is followed. A 3xx comes back as it is.
//! 4. No more than [`Policy::max_body`] bytes are read, in no more than [`Policy::timeout`].
//! 5. No proxy is used unless [`Policy::proxies`] says so: behind a proxy it is the proxy that resolves names,
//!    and of rule 2 only addresses that are written as such remain. [`Proxies`] says what that means.
//! 6. A client certificate ([`Policy::identity`]) is shown to whom it is meant for, and to no other.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hallpass_guarded_fetch::{Fetcher, Policy};
//!
//! let fetcher = Fetcher::new(Policy::default())?;
//! let url = "https://auth.example.com/.well-known/oauth-authorization-server".parse()?;
//! let fetched = fetcher.get(&url, "application/json").await?;
//! # Ok(())
//! # }
//! ```

pub mod address;
mod error;
mod fetcher;
mod identity;
mod policy;
mod proxies;
mod resolver;
mod ways;

pub use error::FetchError;
pub use fetcher::{Fetched, Fetcher};
pub use identity::Identity;
pub use policy::Policy;
pub use proxies::Proxies;
