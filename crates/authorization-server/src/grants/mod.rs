//! What the token endpoint exchanges for tokens, one file a grant type.

mod access_token;
mod authorization_code;
mod binding;
mod client_credentials;
mod refresh_token;
mod refusal;
mod sender;

pub(crate) use authorization_code::redeem;
pub(crate) use binding::Binding;
pub(crate) use client_credentials::issue_to_client;
pub(crate) use refresh_token::refresh;
pub(crate) use refusal::{Refusal, storage};
pub(crate) use sender::Sender;
