//! A tower layer that makes any Rust MCP server an OAuth 2.1 protected resource.
//!
//! What happens to a request, in order:
//!
//! | room | question | a "no" is |
//! |---|---|---|
//! | [`front_door`] | is it meant for this server, and sent by a page that may? | 403 |
//! | [`credential`] | is there exactly one credential, where it belongs? | 400, 401 |
//! | [`verify`] | did a trusted issuer sign it, for this resource, for now, and is it not revoked? | 401, 503 |
//! | [`remote_keys`], [`stored`], [`introspection`] | what does its issuer say? | 401, 503 |
//! | [`agreed`] | and what did a person agree to, where it was handed on? | 401, 503 |
//! | [`dpop`], [`certificate`] | does the sender hold the key that the token is bound to? | 401 |
//! | [`accounts`] | or is it a key or password of this server's own list? | 401 |
//! | [`policy`] | does it have the scopes that the operation needs? | 400, 403, 413 |
//! | [`permitted`] | the proof that all of that was asked | |
//! | [`streams`] | may the stream that was opened so go on? | its end |
//!
//! Every "no" is one variant of [`Refusal`], and [`refusal_response`] alone makes it an HTTP answer.
//!
//! # Five lines
//!
//! ```
//! # use std::time::SystemTime;
//! # use axum::{Router, routing::post};
//! # use hallpass_protocol::{jose::VerifyingKeys, issuer::Issuer, resource::ResourceIdentifier, time::Clock};
//! # use hallpass_resource_server::{Caller, Keys, ResourceServer, Settings, TrustedIssuer};
//! # fn protect(keys: VerifyingKeys) -> Result<Router, Box<dyn std::error::Error>> {
//! let clock = Clock::new(|| SystemTime::now().into());
//! let mut settings = Settings::new(ResourceIdentifier::parse("https://mcp.example.com/mcp")?, clock);
//! settings.issuers.push(TrustedIssuer::new(Issuer::parse("https://login.example.com")?, Keys::fixed(keys)));
//! let hallpass = ResourceServer::new(settings);
//! let mcp = Router::new().route("/mcp", post(async |caller: Caller| format!("Hello, {}", caller.subject())));
//! let app = mcp.layer(hallpass.layer()).merge(hallpass.metadata_router());
//! # Ok(app)
//! # }
//! # protect(VerifyingKeys::from_jwk_set(&hallpass_protocol::jose::JwkSet::default(), &[])).unwrap();
//! ```

pub mod accounts;
pub mod agreed;
mod binding;
pub mod caller;
pub mod certificate;
pub mod claims;
pub mod cors;
pub mod credential;
pub mod dpop;
pub mod front_door;
pub mod introspection;
pub mod json_rpc;
pub mod layer;
pub mod metadata;
mod nonce;
pub mod permitted;
pub mod policy;
pub mod providers;
pub mod refusal;
pub mod refusal_response;
pub mod remote_keys;
pub mod replays;
mod rule;
mod schemes;
mod server;
pub mod settings;
pub mod stored;
pub mod streams;
mod verifications;
pub mod verify;

pub use accounts::{Account, Accounts};
pub use agreed::{Agreed, AgreedTokens};
pub use caller::{Caller, Granted};
pub use certificate::{CertificateAccount, Certificates, PeerCertificate};
pub use claims::ClaimNames;
pub use dpop::Dpop;
pub use front_door::{FrontDoor, NamedHost};
pub use introspection::{Introspection, IntrospectionClient, NoAnswer};
pub use metadata::MetadataSigner;
pub use nonce::NonceKey;
pub use permitted::Permitted;
pub use policy::Policy;
pub use providers::Provider;
pub use refusal::Refusal;
pub use remote_keys::RemoteKeys;
pub use replays::Replays;
pub use rule::{BrokenRule, RULES};
pub use server::ResourceServer;
pub use settings::{Keys, OwnAccounts, Revocations, Settings, TokenKind, TrustedIssuer};
pub use stored::StoredTokens;
pub use streams::AtExpiry;
pub use verifications::Verifications;
pub use verify::Verified;
