//! What the token endpoint exchanges for tokens, one file a grant type.

mod access_token;
mod authorization_code;
mod refresh_token;
mod refusal;

pub(crate) use authorization_code::redeem;
pub(crate) use refresh_token::refresh;
pub(crate) use refusal::{Refusal, storage};
