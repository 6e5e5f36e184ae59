//! Signed JWTs (RFC 7515, RFC 7517, RFC 7519), strictly, after RFC 8725.
//!
//! The cryptography is aws-lc's. What is decided here is everything around it:
//!
//! 1. An algorithm that may not be used has no name: there is no `none` and no HMAC in
//!    [`Algorithm`] (RFC 8725 §3.1, §3.2).
//! 2. A key verifies only what it is for: it is found by key id *and* algorithm, and a symmetric
//!    or private JWK is never loaded.
//! 3. Nothing in a token's header brings a key or a place to get one from (`jwk`, `jku`, `x5u`,
//!    `x5c`), and `crit` is refused, since no extension is understood here.
//! 4. `iss`, `sub`, `aud`, `exp` and `iat` must be there; times are whole numbers; no JSON member
//!    is there twice.
//! 5. [`VerifiedJwt`] comes from [`UnverifiedJwt::verify`] and from nowhere else.
//! 6. What speaks of somebody and proves nobody (RFC 8417) is a type of its own, [`VerifiedEvent`].
//!
//! ```
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use hallpass_protocol::{
//!     Algorithm, Expected, Issuer, JwkSet, SigningKey, Timestamp, UnverifiedJwt, VerifyingKeys,
//! };
//!
//! let key = SigningKey::generate_es256()?;
//! let claims = serde_json::json!({
//!     "iss": "https://auth.example.com", "sub": "alice", "aud": "https://mcp.example.com/mcp",
//!     "iat": 1_800_000_000, "exp": 1_800_000_600,
//! });
//! let token = key.sign("at+jwt", &claims)?;
//!
//! let published = JwkSet { keys: vec![key.public_jwk()] };
//! let keys = VerifyingKeys::from_jwk_set(&published, &[Algorithm::ES256]);
//! let verified = UnverifiedJwt::parse(&token)?.verify(&keys, &Expected {
//!     issuer: &Issuer::parse("https://auth.example.com")?,
//!     audience: &["https://mcp.example.com/mcp"],
//!     typ: &["at+jwt"],
//!     now: Timestamp::from_unix(1_800_000_300),
//!     leeway: Duration::from_secs(30),
//! })?;
//! assert_eq!(verified.claims().subject, "alice");
//! # Ok(())
//! # }
//! # example().unwrap();
//! ```

mod access_token;
mod algorithm;
mod claims;
mod error;
mod jwk;
mod security_event;
mod signing_key;
mod unverified;
mod verified;
mod verifying_keys;

pub use access_token::AccessTokenClaims;
pub use algorithm::Algorithm;
pub use claims::{Audience, Claims};
pub use error::{JoseError, JwkError};
pub use jwk::{Jwk, JwkSet, PublicKey};
pub use security_event::VerifiedEvent;
pub use signing_key::SigningKey;
pub(crate) use unverified::ExpectedClaims;
pub use unverified::{Expected, MAX_JWT_LEN, UnverifiedJwt};
pub use verified::VerifiedJwt;
pub use verifying_keys::VerifyingKeys;
