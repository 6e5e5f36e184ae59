//! The authorization request, one small check a rule (OAuth 2.1 §4.1.1).
//!
//! | step | what is checked | a refusal goes to |
//! |---|---|---|
//! | [`prove`] | client id, redirect URI | a page here: nothing redirects to a URI that is not proven |
//! | [`check`] | everything else | the client, by the proven redirect URI; first a page here where a stranger chose it |
//!
//! [`check`] takes what only [`prove`] makes, so the order cannot be turned around.

mod authorization_request;
mod dpop_key;
mod max_age;
mod pkce;
mod prompt;
mod proven;
pub(crate) mod resource;
mod response;
pub(crate) mod scope;
pub(crate) mod state;

pub(crate) use authorization_request::{AuthorizationRequest, check};
pub(crate) use prompt::Prompt;
pub(crate) use proven::{Proven, prove, prove_again};
pub(crate) use resource::Resources;
pub(crate) use scope::OFFLINE_ACCESS;
