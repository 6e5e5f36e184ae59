//! The words of the RFCs behind MCP authorization: pure types and rules, no I/O, no clock, no runtime.
//!
//! | room | what is in it |
//! |---|---|
//! | [`time`] | points in time as values, and the clock that hands them out |
//! | [`secret`] | values that are never printed |
//! | [`challenge`] | `WWW-Authenticate`, read and written |
//! | [`scope`], [`resource`], [`issuer`], [`redirect`] | identifiers, each with its own rules |
//! | [`resource_metadata`], [`server_metadata`] | the two discovery documents |
//! | [`registration`] | what a client says about itself |
//! | [`pkce`], [`authorization`], [`token`] | the code flow |
//! | [`linked_token`] | a third party's token, and which link it came of |
//! | [`form`], [`json`] | parameters and documents in which a name stands for one thing |
//! | [`oauth_error`] | errors as OAuth says them |
//! | [`jose`] | signed JWTs, strictly |
//! | [`subject_identifier`] | whom a security event is about |
//! | [`digest`] | HTTP Digest, from the server's side |
//! | [`dpop`], [`client_assertion`] | what a client signs: possession of a key, and who it is |
//! | [`certificate`] | what a client shows in TLS |
//! | [`forwarded`] | what a proxy says of its clients |
//! | [`profile`] | what identity providers do differently |

pub mod authorization;
pub mod certificate;
pub mod challenge;
pub mod client_assertion;
pub mod digest;
pub mod dpop;
pub mod form;
pub mod forwarded;
pub mod issuer;
pub mod jose;
pub mod json;
pub mod linked_token;
pub mod oauth_error;
pub mod pkce;
pub mod profile;
pub mod redirect;
pub mod registration;
pub mod resource;
pub mod resource_metadata;
pub mod scope;
pub mod secret;
pub mod server_metadata;
pub mod subject_identifier;
mod text;
pub mod time;
pub mod token;
mod uri;
mod visible;

pub use authorization::{
    AuthorizationResponse, AuthorizationResponseError, ExpectedResponse, VerifiedAuthorizationResponse,
};
pub use challenge::{Challenge, parse_challenges};
pub use form::{Duplicate, FormError, Parameters};
pub use issuer::{Issuer, IssuerError};
pub use jose::{
    AccessTokenClaims, Algorithm, Audience, Claims, Expected, JoseError, Jwk, JwkError, JwkSet, PublicKey,
    SigningKey, UnverifiedJwt, VerifiedJwt, VerifyingKeys,
};
pub use oauth_error::{ErrorCode, OAuthError};
pub use pkce::{CodeChallenge, CodeVerifier, PkceError};
pub use redirect::{RedirectUri, RedirectUriError};
pub use registration::{ClientInformation, ClientMetadata};
pub use resource::{ResourceError, ResourceIdentifier};
pub use resource_metadata::{ProtectedResourceMetadata, WrongResource};
pub use scope::{Scope, ScopeError, ScopeSet};
pub use secret::{Secret, SecretBytes};
pub use server_metadata::{AuthorizationServerMetadata, WrongIssuer};
pub use time::{Clock, Timestamp};
pub use token::TokenResponse;
pub use uri::is_loopback;
pub use visible::{for_terminal, is_deceptive};
